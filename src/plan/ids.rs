//! Changes of owners and groups, as `--usermap`, `--groupmap` and `--chown` say them.

/// Which number becomes which; the same one by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdMap(());

/// A text that is no map.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is no map")]
pub struct IdMapError;

impl IdMap {
    /// The number that becomes of `id`.
    pub fn apply(&self, id: u32) -> u32 {
        id
    }
}
