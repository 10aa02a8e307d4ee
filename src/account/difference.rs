//! How two sides differ.

use std::fmt;

/// One path on which two sides differ.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Difference {
    /// The path below both roots, as shown text.
    pub path: String,
    /// What differs.
    pub what: Vec<Differs>,
}

/// How two entries of one path differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[allow(missing_docs)] // each is the word that it prints
pub enum Differs {
    Missing,
    Extra,
    Kind,
    Size,
    Content,
    Target,
    Device,
    HardLink,
    Mode,
    Owner,
    Mtime,
    Xattrs,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path)?;
        for (i, what) in self.what.iter().enumerate() {
            write!(f, "{}{what}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl fmt::Display for Differs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Differs::Missing => "missing in the directory",
            Differs::Extra => "not in the archive",
            Differs::Kind => "kind",
            Differs::Size => "size",
            Differs::Content => "content",
            Differs::Target => "target",
            Differs::Device => "device numbers",
            Differs::HardLink => "hard-link group",
            Differs::Mode => "mode",
            Differs::Owner => "owner",
            Differs::Mtime => "mtime",
            Differs::Xattrs => "xattrs",
        })
    }
}
