//! Archives: tar inside zstd frames, with an index behind them.

pub mod tar;
