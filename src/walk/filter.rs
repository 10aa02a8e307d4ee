//! stub
use crate::tree::RelPath;
/// Rules that keep or drop entries.
#[derive(Debug, Clone, Default)]
pub struct Filter {}
/// V
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict { /// k
 Keep, /// p
 Pass, /// d
 Drop }
impl Filter {
    /// d
    pub fn keeps_all(&self) -> bool { true }
    /// d
    pub fn decide(&self, _path: RelPath<'_>, _is_dir: bool) -> Verdict { Verdict::Keep }
    /// d
    pub fn decide_below(&self, _above: Verdict, path: RelPath<'_>, is_dir: bool) -> Verdict { self.decide(path, is_dir) }
}
