//! Changes of modes, as `--chmod` says them.

/// A list of changes; none by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chmod(());

/// A text that is no change of modes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is no change of modes")]
pub struct ChmodError;

impl Chmod {
    /// The mode that becomes of `mode`, the low 12 bits of `st_mode`.
    pub fn apply(&self, mode: u32, _is_directory: bool) -> u32 {
        mode
    }
}
