//! Functions that `benches/micro.rs` times and that the public interface does not reach.
//!
//! Owns thin calls into the crate, and no logic. Not part of the interface: hidden from the documentation, and free to
//! change with any release (decision 0030). What can be timed through the public modules does not belong here.

use crate::archive::index::{self, Index, RecordRef};
use crate::plan::policy::Policy;
use crate::plan::same::Precision;
use crate::plan::step::{Action, Seen, decide};
use crate::tree::grain::Grain;
use crate::tree::{Stat, Timestamp};

/// The bytes of an index, before compression: what [`index::decode`] reads.
pub fn encode_index(index: &Index) -> Vec<u8> {
    let records = index.records.iter().map(|record| RecordRef {
        entry: &record.entry,
        digest: record.digest,
        header_bytes: record.header_bytes,
    });
    index::encode(&index.frames, records, index.delta.as_ref())
}

/// Whether a mirror leaves the content of `dst` as it is. Only an mtime before `trusted` can stand for a file's
/// content.
pub fn is_kept(src: &Stat, dst: Option<&Stat>, policy: &Policy, trusted: Timestamp) -> bool {
    let seen = |stat| Seen { stat, target: None };
    let precision = Precision { dst: Grain::Unknown, settled: Some(trusted), ..Precision::EXACT };
    decide(seen(src), dst.map(seen), policy, &precision) == Action::Keep
}
