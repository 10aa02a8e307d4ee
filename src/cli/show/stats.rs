//! The lines of `--stats`.
//!
//! A name, a colon and a number; always all lines, in this order, so that scripts can find them.

use haul::account::Counts;
use indicatif::HumanCount;
use std::fmt::Write as _;

/// The block, with a line end after each line.
pub(crate) fn block(counts: &Counts) -> String {
    // Destructured in full, so that a new field is not forgotten here.
    let Counts {
        files,
        directories,
        symlinks,
        hard_links,
        specials,
        skipped,
        content_bytes,
        archive_bytes: _, // a mirror has none
        created,
        updated,
        linked,
        metadata_set,
        renamed,
        deleted,
        copied_bytes,
        matched_bytes,
        reused_frames: _, // nor frames
        reused_bytes: _,
    } = counts;
    let mut text = String::new();
    for (name, number) in [
        ("Files", files),
        ("Directories", directories),
        ("Symlinks", symlinks),
        ("Hard links", hard_links),
        ("Specials", specials),
        ("Skipped", skipped),
        ("Created", created),
        ("Updated", updated),
        ("Linked", linked),
        ("Metadata set", metadata_set),
        ("Renamed", renamed),
        ("Deleted", deleted),
        ("Total bytes", content_bytes),
        ("Copied bytes", copied_bytes),
        ("Matched bytes", matched_bytes),
    ] {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name}: {}", HumanCount(*number));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_line_of_its_own() {
        let counts = Counts {
            files: 1001,
            directories: 2,
            symlinks: 3,
            hard_links: 4,
            specials: 5,
            skipped: 6,
            content_bytes: 12_345_678,
            archive_bytes: 999,
            created: 7,
            updated: 8,
            linked: 9,
            metadata_set: 10,
            renamed: 11,
            deleted: 12,
            copied_bytes: 13,
            matched_bytes: 14,
            reused_frames: 15,
            reused_bytes: 16,
        };
        let expected = "\
Files: 1,001
Directories: 2
Symlinks: 3
Hard links: 4
Specials: 5
Skipped: 6
Created: 7
Updated: 8
Linked: 9
Metadata set: 10
Renamed: 11
Deleted: 12
Total bytes: 12,345,678
Copied bytes: 13
Matched bytes: 14
";
        assert_eq!(block(&counts), expected);
    }
}
