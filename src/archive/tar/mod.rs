//! The tar format, without I/O.
