//! Tests of the codec as a whole. What each module owns is tested in that module.

mod build;
mod dialects;
mod hostile;
mod properties;
mod stock;
