//! What was being done when something failed.

use std::fmt;

/// What was being done when something failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[allow(missing_docs)] // each is the word that it prints
pub enum Act {
    Open,
    List,
    Stat,
    Read,
    ReadLink,
    ReadXattrs,
    Create,
    Write,
    SetOwner,
    SetMode,
    SetXattrs,
    SetTimes,
    Link,
    Replace,
    Remove,
    Rename,
    Sync,
    Publish,
    Lock,
    BackUp,
    Delete,
    Compress,
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Act::Open => "open",
            Act::List => "list",
            Act::Stat => "stat",
            Act::Read => "read",
            Act::ReadLink => "read the link",
            Act::ReadXattrs => "read the extended attributes of",
            Act::Create => "create",
            Act::Write => "write",
            Act::SetOwner => "set the owner of",
            Act::SetMode => "set the mode of",
            Act::SetXattrs => "set the extended attributes of",
            Act::SetTimes => "set the times of",
            Act::Link => "link",
            Act::Replace => "replace",
            Act::Remove => "remove",
            Act::Rename => "rename",
            Act::Sync => "sync",
            Act::Publish => "publish",
            Act::Lock => "lock",
            Act::BackUp => "back up",
            Act::Delete => "delete",
            Act::Compress => "compress",
        })
    }
}
