//! How much is said, and in which form: the flags that every verb has.

use clap::Args;

/// How much is said, and in which form.
#[derive(Debug, Clone, Args)]
pub(crate) struct Voice {
    /// Show only what was asked for, and errors: no progress, warnings or summary
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Output")]
    pub(crate) quiet: bool,
    /// Name each entry as it is done (for sync, --update: as it is changed; not for diff), on stderr when stdout has data
    #[arg(short, long, global = true, help_heading = "Output")]
    pub(crate) verbose: bool,
    /// Report in JSON on stdout: one object; for list, and for sync and diff with -v, one object a line
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) json: bool,
}
