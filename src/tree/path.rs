//! Relative paths as bytes.
//!
//! Owns the rules for valid names of entries. A value of either type can be passed to the kernel, relative to a root's
//! descriptor, without another check.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;

/// A borrowed path below some root.
///
/// Invariants, kept by every constructor:
/// 1. Components are separated by exactly one `/`, with none at either end.
/// 2. No component is empty, `.` or `..`, and no byte is NUL. (`..` is refused, not resolved: resolving it as text is
///    wrong as soon as a component is a symlink.)
/// 3. The empty path is the root itself.
///
/// Paths are ordered as a tree is walked: a directory, then everything below it, then its next sibling. That is byte
/// order with `/` before every other byte.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RelPath<'a>(&'a [u8]);

/// An owned [`RelPath`].
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct RelPathBuf(Box<[u8]>);

/// Why a name cannot be a path below a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The name begins with `/`.
    #[error("the name is absolute")]
    Absolute,
    /// A component is `..`.
    #[error("the name contains '..'")]
    Parent,
    /// The name contains a NUL byte, which no system call can carry.
    #[error("the name contains a NUL byte")]
    Nul,
    /// The name has an empty or `.` component where none is allowed.
    #[error("the name has an empty or '.' component")]
    Empty,
}

impl<'a> RelPath<'a> {
    /// The root itself.
    pub const ROOT: RelPath<'static> = RelPath(b"");

    /// Takes `bytes` as they are; anything but the canonical spelling is an error.
    pub fn new(bytes: &'a [u8]) -> Result<Self, PathError> {
        if bytes.is_empty() {
            return Ok(RelPath::ROOT);
        }
        if bytes[0] == b'/' {
            return Err(PathError::Absolute);
        }
        for component in bytes.split(|&b| b == b'/') {
            check_component(component)?;
        }
        Ok(Self(bytes))
    }

    /// The bytes, without a leading or trailing `/`.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The path for use in a system call.
    pub fn as_os_str(self) -> &'a OsStr {
        OsStr::from_bytes(self.0)
    }

    /// Whether this is the root itself.
    pub fn is_root(self) -> bool {
        self.0.is_empty()
    }

    /// The last component; empty for the root.
    pub fn file_name(self) -> &'a [u8] {
        self.split().1
    }

    /// The directory that holds this entry; `None` for the root.
    pub fn parent(self) -> Option<RelPath<'a>> {
        (!self.is_root()).then(|| self.split().0)
    }

    /// The directory that holds this entry, and the entry's name in it.
    pub fn split(self) -> (RelPath<'a>, &'a [u8]) {
        match self.0.iter().rposition(|&b| b == b'/') {
            Some(slash) => (RelPath(&self.0[..slash]), &self.0[slash + 1..]),
            None => (RelPath::ROOT, self.0),
        }
    }

    /// The components from the root down.
    pub fn components(self) -> impl Iterator<Item = &'a [u8]> {
        self.0.split(|&b| b == b'/').filter(|c| !c.is_empty())
    }

    /// Every directory above this entry, the topmost first, without the root.
    pub fn ancestors(self) -> impl Iterator<Item = RelPath<'a>> {
        let bytes = self.0;
        bytes.iter().enumerate().filter(|&(_, &b)| b == b'/').map(|(i, _)| RelPath(&bytes[..i]))
    }

    /// How many components the path has.
    pub fn depth(self) -> usize {
        self.components().count()
    }

    /// Whether this is `above` itself or a path below it.
    pub fn is_within(self, above: RelPath<'_>) -> bool {
        above.is_root()
            || (self.0.starts_with(above.0) && matches!(self.0.get(above.0.len()), None | Some(b'/')))
    }

    /// The rest of the path below `above`, which must be above it or the same.
    #[must_use]
    pub fn below(self, above: RelPath<'_>) -> RelPath<'a> {
        debug_assert!(self.is_within(above));
        let rest = &self.0[above.0.len().min(self.0.len())..];
        RelPath(rest.strip_prefix(b"/").unwrap_or(rest))
    }

    /// An owned copy.
    pub fn to_buf(self) -> RelPathBuf {
        RelPathBuf(self.0.into())
    }

    /// The path of the child `name`, which must be one component.
    pub fn join(self, name: &[u8]) -> Result<RelPathBuf, PathError> {
        if name.contains(&b'/') {
            return Err(PathError::Empty);
        }
        check_component(name)?;
        if self.is_root() {
            return Ok(RelPathBuf(name.into()));
        }
        let mut joined = Vec::with_capacity(self.0.len() + 1 + name.len());
        joined.extend_from_slice(self.0);
        joined.push(b'/');
        joined.extend_from_slice(name);
        Ok(RelPathBuf(joined.into()))
    }

    /// The path as text for people: `.` for the root, control bytes and invalid UTF-8 escaped.
    pub fn display(self) -> Cow<'a, str> {
        if self.is_root() { Cow::Borrowed(".") } else { escape(self.0) }
    }
}

impl RelPathBuf {
    /// Takes a name as archives spell it: a leading `./`, repeated `/` and a trailing `/` are dropped; an absolute
    /// name, a `..` anywhere, and NUL are errors. `.` and `./` are the root.
    pub fn from_member_name(name: &[u8]) -> Result<Self, PathError> {
        if name.is_empty() {
            return Err(PathError::Empty);
        }
        if name[0] == b'/' {
            return Err(PathError::Absolute);
        }
        if let Ok(path) = RelPath::new(name) {
            return Ok(path.to_buf());
        }
        let mut kept = Vec::with_capacity(name.len());
        for component in name.split(|&b| b == b'/').filter(|c| !c.is_empty() && *c != b".") {
            check_component(component)?;
            if !kept.is_empty() {
                kept.push(b'/');
            }
            kept.extend_from_slice(component);
        }
        Ok(Self(kept.into()))
    }

    /// The borrowed form.
    pub fn as_path(&self) -> RelPath<'_> {
        RelPath(&self.0)
    }
}

fn check_component(component: &[u8]) -> Result<(), PathError> {
    match component {
        b"" | b"." => Err(PathError::Empty),
        b".." => Err(PathError::Parent),
        _ if component.contains(&0) => Err(PathError::Nul),
        _ => Ok(()),
    }
}

/// Bytes as text for people: control characters and bytes that are not UTF-8 become `\xNN`, a backslash `\\`, so that a
/// hostile name can neither move a terminal's cursor nor look like another name.
pub fn escape(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes)
        && !text.chars().any(|c| c.is_control() || c == '\\')
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                c if c.is_control() => push_hex(&mut out, c.encode_utf8(&mut [0; 4]).as_bytes()),
                c => out.push(c),
            }
        }
        push_hex(&mut out, chunk.invalid());
    }
    Cow::Owned(out)
}

/// The inverse of [`escape`]: the bytes that it shows as `text`; `None` if there are none.
pub fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'\\' {
            bytes.push(first);
            continue;
        }
        let (&letter, after) = rest.split_first()?;
        rest = after;
        match letter {
            b'\\' => bytes.push(b'\\'),
            b'n' => bytes.push(b'\n'),
            b't' => bytes.push(b'\t'),
            b'x' => {
                let (digits, after) = rest.split_first_chunk::<2>()?;
                bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
                rest = after;
            }
            _ => return None,
        }
    }
    Some(bytes)
}

fn push_hex(out: &mut String, bytes: &[u8]) {
    use fmt::Write;
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(out, "\\x{byte:02x}");
    }
}

fn order(a: &[u8], b: &[u8]) -> Ordering {
    // NUL cannot occur, so mapping '/' to it puts a directory's contents right after the directory.
    let key = |byte: u8| if byte == b'/' { 0 } else { byte };
    match a.iter().zip(b).position(|(x, y)| x != y) {
        Some(i) => key(a[i]).cmp(&key(b[i])),
        None => a.len().cmp(&b.len()),
    }
}

impl Ord for RelPath<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        order(self.0, other.0)
    }
}
impl PartialOrd for RelPath<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for RelPathBuf {
    fn cmp(&self, other: &Self) -> Ordering {
        order(&self.0, &other.0)
    }
}
impl PartialOrd for RelPathBuf {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl fmt::Debug for RelPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.display())
    }
}
impl fmt::Debug for RelPathBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_path().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn p(text: &str) -> RelPath<'_> {
        RelPath::new(text.as_bytes()).unwrap()
    }

    #[test]
    fn only_the_canonical_spelling_is_taken() {
        for (name, error) in [
            ("/etc", PathError::Absolute),
            ("a/..", PathError::Parent),
            ("../a", PathError::Parent),
            ("a//b", PathError::Empty),
            ("a/", PathError::Empty),
            ("./a", PathError::Empty),
            ("a\0", PathError::Nul),
        ] {
            assert_eq!(RelPath::new(name.as_bytes()), Err(error), "{name:?}");
        }
    }

    #[test]
    fn member_names_are_normalised_and_never_resolved() {
        for (name, path) in [("./a/b/", "a/b"), ("a//b", "a/b"), (".", ""), ("./", ""), ("a/./b", "a/b")] {
            assert_eq!(RelPathBuf::from_member_name(name.as_bytes()).unwrap().as_path(), p(path));
        }
        for name in ["/a", "//a", "a/../b", "..", "./..", "a/..", "", "a/\0"] {
            assert!(RelPathBuf::from_member_name(name.as_bytes()).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_directory_is_followed_by_its_contents() {
        let mut paths = vec![p("a.b"), p("a/z"), p("a"), p("a/b/c"), p(""), p("a-b"), p("a/b")];
        paths.sort();
        assert_eq!(paths, [p(""), p("a"), p("a/b"), p("a/b/c"), p("a/z"), p("a-b"), p("a.b")]);
    }

    #[test]
    fn ancestors_are_the_directories_above_from_the_top() {
        assert_eq!(p("a/b/c").ancestors().collect::<Vec<_>>(), [p("a"), p("a/b")]);
        assert_eq!(p("a").ancestors().count(), 0);
        assert!(p("a/b").is_within(p("a")) && p("a").is_within(p("a")) && p("a").is_within(p("")));
        assert_eq!(
            (p("a/b/c").below(p("a")), p("a").below(p("a")), p("a").below(p(""))),
            (p("b/c"), p(""), p("a"))
        );
        assert!(!p("ab").is_within(p("a")) && !p("a").is_within(p("a/b")));
    }

    #[test]
    fn shown_names_cannot_move_the_cursor() {
        assert_eq!(escape(b"a\x1b[2Jb\xff\\"), "a\\x1b[2Jb\\xff\\\\");
        assert_eq!(escape("\u{9b}x".as_bytes()), "\\xc2\\x9bx");
        assert_eq!(escape("grün".as_bytes()), "grün");
    }

    proptest! {
        #[test]
        fn order_is_the_order_of_components(a in "[ab./-]{0,8}", b in "[ab./-]{0,8}") {
            let (Ok(a), Ok(b)) = (RelPath::new(a.as_bytes()), RelPath::new(b.as_bytes())) else { return Ok(()) };
            prop_assert_eq!(a.cmp(&b), a.components().cmp(b.components()));
        }

        #[test]
        fn split_and_join_are_inverse(name in prop::collection::vec("[^/\0]{1,5}", 1..5)) {
            let Ok(path) = RelPathBuf::from_member_name(name.join("/").as_bytes()) else { return Ok(()) };
            if let Some(parent) = path.as_path().parent() {
                prop_assert_eq!(parent.join(path.as_path().file_name()).unwrap(), path);
            }
        }
    }
}
