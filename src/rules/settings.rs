//! What affects all rules of a run: settings, and the side.

/// Settings that affect the meaning of all rules.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `-0`, `--from0`: rules in files are separated by NUL bytes.
    pub nul_separated: bool,
    /// `--delete-excluded`: a rule that names no side applies to what is sent, and protects nothing.
    pub delete_excluded: bool,
    /// `-C`, `--cvs-exclude`: at the end of all rules, leave out what CVS ignores.
    pub cvs_exclude: bool,
    /// The content of `$HOME/.cvsignore`.
    pub cvs_home: Vec<u8>,
    /// The value of `$CVSIGNORE`.
    pub cvs_environment: Vec<u8>,
    /// `--gitignore`: at the end of all rules, leave out what the `.gitignore` files in the tree ignore.
    pub gitignore: bool,
}

/// The side of the transfer that a decision is about. Each has its own tree, and reads that tree's merge files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The source: what is excluded is not sent.
    Sender,
    /// The destination: what is excluded is not deleted.
    Receiver,
}
