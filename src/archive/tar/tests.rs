//! Tests of the codec as a whole. The rows of the format that each module owns are tested there.

mod build;
mod dialects;
mod hostile;
mod properties;
mod stock;
