//! What a run shows, and where: the words that the options say and the views read.

/// What is shown, and where.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Output {
    /// The report is one JSON object on stdout.
    pub(crate) json: bool,
    /// A bar on stderr, if that is a terminal.
    pub(crate) progress: bool,
    /// Warnings, on stderr.
    pub(crate) warnings: bool,
    /// A line at the end, on stderr.
    pub(crate) summary: bool,
    /// Where each entry is named when it is done.
    pub(crate) names: Option<Stream>,
    /// What was left out on purpose, on stderr.
    pub(crate) skipped: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

/// The verbs that end with a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Pack,
    Unpack,
    List,
    Verify,
}

impl Verb {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pack => "pack",
            Self::Unpack => "unpack",
            Self::List => "list",
            Self::Verify => "verify",
        }
    }

    pub(crate) fn past(self) -> &'static str {
        match self {
            Self::Pack => "packed",
            Self::Unpack => "unpacked",
            Self::List => "listed",
            Self::Verify => "verified",
        }
    }
}
