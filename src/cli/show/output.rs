//! What a run shows, and where: set by the verbs, read by the views.

use crate::cli::voice::Voice;

/// What is shown, and where.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct View {
    /// The report is one JSON object on stdout.
    pub(crate) json: bool,
    /// A bar on stderr, if that is a terminal.
    pub(crate) progress: bool,
    /// Warnings, on stderr.
    pub(crate) warnings: bool,
    /// A line at the end, on stderr.
    pub(crate) summary: bool,
    /// Where each entry is named once it is done.
    pub(crate) names: Option<Stream>,
    /// What was left out on purpose, on stderr.
    pub(crate) skipped: bool,
    /// The form of a line on stdout for each change of a mirror.
    pub(crate) changes: Option<Lines>,
    /// Such lines for unchanged entries, too.
    pub(crate) unchanged: bool,
    /// Statistics at the end, on stdout.
    pub(crate) stats: bool,
    /// Nothing is changed, and the output says so.
    pub(crate) dry_run: bool,
}

impl View {
    /// The output for this voice, if a verb has no rules of its own; `on_stdout` says that stdout has other data.
    pub(crate) fn of(voice: &Voice, on_stdout: bool) -> Self {
        let names = if voice.json || on_stdout { Stream::Stderr } else { Stream::Stdout };
        View {
            json: voice.json,
            // Both would overwrite each other.
            progress: !voice.quiet && !voice.verbose,
            warnings: !voice.quiet,
            summary: !voice.quiet && !voice.json,
            names: voice.verbose.then_some(names),
            skipped: voice.verbose,
            ..View::default()
        }
    }
}

/// How a change is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lines {
    /// The name.
    Names,
    /// rsync's eleven columns and the name.
    Itemized,
    /// A JSON object.
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

/// The verbs that end with a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Sync,
    Pack,
    Unpack,
    /// `unpack --update`
    Update,
    List,
    Verify,
    Diff,
    Rollback,
    Probe,
}

impl Verb {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Pack => "pack",
            Self::Unpack | Self::Update => "unpack",
            Self::List => "list",
            Self::Verify => "verify",
            Self::Diff => "diff",
            Self::Rollback => "rollback",
            Self::Probe => "probe",
        }
    }

    pub(crate) fn past(self) -> &'static str {
        match self {
            Self::Sync => "mirrored",
            Self::Pack => "packed",
            Self::Unpack => "unpacked",
            Self::Update => "updated",
            Self::List => "listed",
            Self::Verify => "verified",
            Self::Diff => "compared",
            Self::Rollback => "brought back",
            Self::Probe => "probed",
        }
    }
}
