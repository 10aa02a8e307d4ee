//! How much memory an archive may use in the decoder.

/// Bounds on what a [`super::Decoder`] keeps in memory for one member. Nothing is ever reserved for a declared length,
/// so these limit what a hostile archive can make it hold, not what a small one costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of extended headers and long names before one member.
    pub metadata_bytes: u64,
    /// Extended headers before one member.
    pub pending_headers: u32,
    /// Entries in the map of one sparse file; each takes 16 bytes.
    pub sparse_extents: usize,
}

impl Default for Limits {
    /// 8 MiB of metadata, 16 headers, 2^20 extents.
    fn default() -> Self {
        Limits { metadata_bytes: 8 << 20, pending_headers: 16, sparse_extents: 1 << 20 }
    }
}
