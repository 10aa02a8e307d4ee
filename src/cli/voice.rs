//! How much is shown, and in which form: the flags that every verb has.

use clap::Args;

/// How much is shown, and in which form.
#[derive(Debug, Clone, Args)]
pub(crate) struct Voice {
    /// Show only requested output and errors: no progress, warnings or summary
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Output")]
    pub(crate) quiet: bool,
    /// Name each entry when it is done (for sync and --update: when it changes; not for diff), on stderr if stdout has
    /// data
    #[arg(short, long, global = true, help_heading = "Output")]
    pub(crate) verbose: bool,
    /// Report in JSON on stdout: one object; for list, and for sync and diff with -v, one object per line
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) json: bool,
}
