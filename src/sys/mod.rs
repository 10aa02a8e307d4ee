//! The operating system.
#![allow(unsafe_code)]
