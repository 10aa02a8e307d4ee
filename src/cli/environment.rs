//! The environment of the process, as far as a rule across flags needs it. The rules get it as values.

use std::ffi::OsString;
use std::io::IsTerminal;

/// What the rules need to know about the process's environment.
pub(crate) struct Environment {
    pub(crate) is_root: bool,
    pub(crate) stdin_is_terminal: bool,
    pub(crate) stdout_is_terminal: bool,
    pub(crate) source_date_epoch: Option<OsString>,
    pub(crate) home: Option<OsString>,
    pub(crate) cvsignore: Option<OsString>,
    pub(crate) umask: u32,
}

impl Environment {
    /// The environment of this process.
    pub(crate) fn here() -> Self {
        Self {
            is_root: rustix::process::geteuid().is_root(),
            stdin_is_terminal: std::io::stdin().is_terminal(),
            stdout_is_terminal: std::io::stdout().is_terminal(),
            source_date_epoch: std::env::var_os("SOURCE_DATE_EPOCH"),
            home: std::env::var_os("HOME"),
            cvsignore: std::env::var_os("CVSIGNORE"),
            // If it is unknown, one that grants nothing to others.
            umask: haul::internals::umask().unwrap_or(0o077),
        }
    }
}

/// The environment of a user other than root, without a terminal.
#[cfg(test)]
pub(crate) fn user() -> Environment {
    Environment {
        is_root: false,
        stdin_is_terminal: false,
        stdout_is_terminal: false,
        source_date_epoch: None,
        home: None,
        cvsignore: None,
        umask: 0o022,
    }
}
