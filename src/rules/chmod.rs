//! Changes of modes: the language of `--chmod`.
//!
//! Owns rsync's language for them, which is chmod(1)'s with prefixes for directories and files, and the effect of each
//! change on a mode. Sets no modes. A symlink's mode cannot be set: the caller leaves symlinks out.
//!
//! # The language
//!
//! A list of changes, separated by commas, applied in order: `D` (directories only) or `F` (everything else), then
//! either an octal number, which is the new mode, or users (`u g o a`), an operator (`+ - =`) and permissions (`r w x X
//! s t`, or one of `u g o`: the permissions that those have). Differences between rsync and chmod(1):
//!
//! * A change has one operator: `u+r-w` is an error.
//! * Without users, a change applies to all of them, less the bits of the umask; `s` and `t` ignore the umask.
//! * `s` is set-user-ID where the users include neither `u` nor `g`, so also in `o+s`.
//! * `X` checks whether the mode had an execute bit before the first change of the list.
//! * `=` clears the bits above 0777 only where it sets others instead (`u=s`, or a copy such as `u=g`).

use crate::tree::path::escape;

const ALL: u32 = 0o7777;
const EXECUTE: u32 = 0o111;

/// A list of changes; none by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chmod {
    changes: Vec<ModeChange>,
}

/// One change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ModeChange {
    /// Only directories, or only other entries.
    directories: Option<bool>,
    clear: u32,
    set: u32,
    /// `X`: set no execute bits on a file that has none.
    keeps_unexecutable: bool,
    copy: Option<CopyBits>,
}

/// Three bits of a mode that are copied to other places in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct CopyBits {
    /// How far they are shifted to the left.
    shift: u32,
    /// Where they are copied to.
    mask: u32,
    /// Whether they are removed there.
    removes: bool,
}

/// A text that is not a list of changes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid mode '{}': {fault} at character {}", escape(text), at + 1)]
pub struct ChmodError {
    /// The whole text.
    pub text: Box<[u8]>,
    /// How many bytes come before the fault.
    pub at: usize,
    /// What is wrong.
    pub fault: ChmodFault,
}

/// What is wrong with a list of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // each is the sentence that it prints
#[non_exhaustive]
pub enum ChmodFault {
    #[error("expected an operator (+ - =) or an octal number")]
    NoOperator,
    #[error("expected one of u g o a, D or F, or an operator (+ - =), found '{}'", escape(&[*.0]))]
    Who(u8),
    #[error("D and F exclude each other")]
    Directories,
    #[error("a number sets the whole mode, so u, g, o or a cannot come before it")]
    NumberForSome,
    #[error("expected an octal digit, found '{}'", escape(&[*.0]))]
    Digit(u8),
    #[error("the number is greater than 7777")]
    TooLarge,
    #[error("expected a permission (r w x X s t, or u g o), found '{}'", escape(&[*.0]))]
    Permission(u8),
    #[error("u, g or o after an operator must be the only one")]
    NotAlone,
}

impl Chmod {
    /// Reads a list of changes. `umask` holds back bits of changes that name no users.
    pub fn parse(text: &[u8], umask: u32) -> Result<Self, ChmodError> {
        let mut chmod = Chmod::default();
        chmod.extend(text, umask)?;
        Ok(chmod)
    }

    /// Appends a list of changes; none of it if there is an error.
    pub fn extend(&mut self, text: &[u8], umask: u32) -> Result<(), ChmodError> {
        let mut added = Vec::new();
        let mut start = 0;
        for clause in text.split(|&b| b == b',') {
            let change = parse_change(clause, umask).map_err(|(at, fault)| ChmodError {
                text: text.into(),
                at: start + at,
                fault,
            })?;
            added.push(change);
            start += clause.len() + 1;
        }
        self.changes.append(&mut added);
        Ok(())
    }

    /// Whether no mode is changed.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The new value of `mode`, the low 12 bits of `st_mode`.
    pub fn apply(&self, mode: u32, is_directory: bool) -> u32 {
        let executable = is_directory || mode & EXECUTE != 0;
        let meant = |change: &&ModeChange| change.directories.is_none_or(|only| only == is_directory);
        self.changes.iter().filter(meant).fold(mode, |mode, change| change.apply(mode, executable))
    }
}

impl ModeChange {
    fn apply(self, mode: u32, executable: bool) -> u32 {
        let held_back = if self.keeps_unexecutable && !executable { EXECUTE } else { 0 };
        let changed = (mode & !self.clear) | (self.set & !held_back);
        match self.copy {
            Some(CopyBits { shift, mask, removes }) => {
                let bits = (((mode >> shift) & 7) * EXECUTE) & mask;
                if removes { changed & !bits } else { changed | bits }
            }
            None => changed,
        }
    }
}

/// What comes before the operator.
#[derive(Debug, Clone, Copy, Default)]
struct Front {
    directories: Option<bool>,
    /// 0100, 0010, 0001 for user, group, others.
    who: u32,
    /// What `s` means.
    special: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Add,
    Remove,
    Assign,
}

/// What comes after the operator.
#[derive(Debug, Clone, Copy, Default)]
struct Back {
    /// Of 0007.
    bits: u32,
    /// Of 7000.
    special: u32,
    keeps_unexecutable: bool,
    copy_shift: Option<u32>,
}

/// How far into a text a fault is, and which.
type Placed<T> = Result<T, (usize, ChmodFault)>;

fn parse_change(clause: &[u8], umask: u32) -> Placed<ModeChange> {
    let mut front = Front::default();
    for (at, &byte) in clause.iter().enumerate() {
        let operator = match byte {
            b'+' => Operator::Add,
            b'-' => Operator::Remove,
            b'=' => Operator::Assign,
            b'0'..=b'7' if front.who == 0 => return parse_number(clause, at, front.directories),
            _ => {
                front.take(byte).map_err(|fault| (at, fault))?;
                continue;
            }
        };
        let back = parse_back(&clause[at + 1..], front).map_err(|(off, fault)| (at + 1 + off, fault))?;
        return Ok(build(front, operator, back, umask));
    }
    Err((clause.len(), ChmodFault::NoOperator))
}

impl Front {
    fn take(&mut self, byte: u8) -> Result<(), ChmodFault> {
        let (who, special) = match byte {
            b'D' | b'F' => {
                let directories = byte == b'D';
                if self.directories.is_some_and(|only| only != directories) {
                    return Err(ChmodFault::Directories);
                }
                self.directories = Some(directories);
                return Ok(());
            }
            b'u' => (0o100, 0o4000),
            b'g' => (0o010, 0o2000),
            b'o' => (0o001, 0),
            b'a' => (0o111, 0o6000),
            b'0'..=b'7' => return Err(ChmodFault::NumberForSome),
            _ => return Err(ChmodFault::Who(byte)),
        };
        self.who |= who;
        self.special |= special;
        Ok(())
    }
}

fn parse_number(clause: &[u8], start: usize, directories: Option<bool>) -> Placed<ModeChange> {
    let mut mode = 0;
    for (at, &byte) in clause.iter().enumerate().skip(start) {
        if !matches!(byte, b'0'..=b'7') {
            return Err((at, ChmodFault::Digit(byte)));
        }
        mode = mode * 8 + u32::from(byte - b'0');
        if mode > ALL {
            return Err((at, ChmodFault::TooLarge));
        }
    }
    Ok(ModeChange { directories, clear: ALL, set: mode, keeps_unexecutable: false, copy: None })
}

fn parse_back(text: &[u8], front: Front) -> Placed<Back> {
    let mut back = Back::default();
    for (at, &byte) in text.iter().enumerate() {
        if back.copy_shift.is_some() {
            return Err((at, ChmodFault::NotAlone));
        }
        match byte {
            b'r' => back.bits |= 4,
            b'w' => back.bits |= 2,
            b'x' => back.bits |= 1,
            b'X' => {
                back.bits |= 1;
                back.keeps_unexecutable = true;
            }
            b's' if front.special == 0 => back.special |= 0o4000,
            b's' => back.special |= front.special,
            b't' => back.special |= 0o1000,
            b'u' | b'g' | b'o' if at > 0 => return Err((at, ChmodFault::NotAlone)),
            b'u' => back.copy_shift = Some(6),
            b'g' => back.copy_shift = Some(3),
            b'o' => back.copy_shift = Some(0),
            _ => return Err((at, ChmodFault::Permission(byte))),
        }
    }
    Ok(back)
}

fn build(front: Front, operator: Operator, back: Back, umask: u32) -> ModeChange {
    let (who, held_back) = if front.who == 0 { (EXECUTE, umask) } else { (front.who, 0) };
    let bits = ((who * back.bits) & !held_back) | back.special;
    let copy = back.copy_shift.map(|shift| CopyBits {
        shift,
        mask: (who * 7) & !held_back,
        removes: operator == Operator::Remove,
    });
    let (clear, set) = match operator {
        Operator::Add => (0, bits),
        Operator::Remove => (bits, 0),
        Operator::Assign if copy.is_some() => ((who * 7) | special_of(who), bits),
        Operator::Assign if back.special != 0 => ((who * 7) | front.special, bits),
        Operator::Assign => (who * 7, bits),
    };
    ModeChange {
        directories: front.directories,
        clear,
        set,
        keeps_unexecutable: back.keeps_unexecutable,
        copy,
    }
}

/// The bits above 0777 that belong to an execute bit of `who`.
fn special_of(who: u32) -> u32 {
    ((who & 0o100) << 5) | ((who & 0o010) << 7) | ((who & 0o001) << 9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FILE: bool = false;
    const DIRECTORY: bool = true;

    fn changed(text: &str, mode: u32, is_directory: bool) -> u32 {
        Chmod::parse(text.as_bytes(), 0o022).unwrap().apply(mode, is_directory)
    }

    #[test]
    fn changes_are_those_of_the_table() {
        for (text, mode, is_directory, result) in [
            ("u+x", 0o644, FILE, 0o744),
            ("ug+w", 0o444, FILE, 0o664),
            ("a=rx", 0o4640, FILE, 0o4555),
            ("go-rwx", 0o777, FILE, 0o700),
            ("ugo=", 0o7777, FILE, 0o7000),
            ("u+", 0o640, FILE, 0o640),
            // Directories and others.
            ("D2755", 0o700, DIRECTORY, 0o2755),
            ("D2755", 0o700, FILE, 0o700),
            ("F644", 0o4700, FILE, 0o644),
            ("F644", 0o700, DIRECTORY, 0o700),
            ("Dg+s,ug+w,Fo-w,+X", 0o755, DIRECTORY, 0o2775),
            ("Dg+s,ug+w,Fo-w,+X", 0o646, FILE, 0o664),
            ("uDD+w", 0o500, DIRECTORY, 0o700),
            ("00000000644", 0o7777, FILE, 0o644),
            // The umask counts where no users are named, but not for s and t.
            ("+w", 0o444, FILE, 0o644),
            ("-w", 0o666, FILE, 0o466),
            ("=rw", 0o777, FILE, 0o644),
            ("=", 0o7777, FILE, 0o7000),
            ("+st", 0o644, FILE, 0o5644),
            // X looks at the mode as it was.
            ("+X", 0o644, FILE, 0o644),
            ("+X", 0o744, FILE, 0o755),
            ("a+X", 0o644, DIRECTORY, 0o755),
            ("a+x,a-x,a+X", 0o644, FILE, 0o644),
            ("a-x,a+X", 0o755, FILE, 0o755),
            ("a+xX", 0o644, FILE, 0o644),
            ("a-X", 0o755, FILE, 0o644),
            ("a=rX", 0o644, FILE, 0o444),
            // The bits above.
            ("u+s", 0o755, FILE, 0o4755),
            ("g+s", 0o755, FILE, 0o2755),
            ("ug+s", 0o755, FILE, 0o6755),
            ("a+s", 0o755, FILE, 0o6755),
            ("o+s", 0o755, FILE, 0o4755),
            ("o+t", 0o755, FILE, 0o1755),
            ("u-t", 0o7755, FILE, 0o6755),
            ("u=rwx", 0o6755, FILE, 0o6755),
            ("u=t", 0o6755, FILE, 0o3055),
            ("a=s", 0o7755, FILE, 0o7000),
            // Copies.
            ("g=u", 0o2750, FILE, 0o770),
            ("o=g", 0o1750, FILE, 0o755),
            ("go+u", 0o700, FILE, 0o777),
            ("u-g", 0o750, FILE, 0o250),
            ("=u", 0o7700, FILE, 0o755),
            ("+u", 0o700, FILE, 0o755),
            ("-u", 0o777, FILE, 0o022),
            // One after the other.
            ("u=g,g=o,o=", 0o751, FILE, 0o510),
        ] {
            assert_eq!(changed(text, mode, is_directory), result, "{text} on {mode:o}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        use ChmodFault::{
            Digit, Directories, NoOperator, NotAlone, NumberForSome, Permission, TooLarge, Who,
        };
        for (text, at, fault) in [
            ("", 0, NoOperator),
            ("D", 1, NoOperator),
            ("u", 1, NoOperator),
            ("u+x,", 4, NoOperator),
            (",u+x", 0, NoOperator),
            ("u+x,,g+x", 4, NoOperator),
            ("DF+x", 1, Directories),
            ("FuD=r", 2, Directories),
            ("u644", 1, NumberForSome),
            ("z+x", 0, Who(b'z')),
            ("u +x", 1, Who(b' ')),
            ("8", 0, Who(b'8')),
            ("648", 2, Digit(b'8')),
            ("D64x", 3, Digit(b'x')),
            ("u+x,10000", 8, TooLarge),
            ("u+r-w", 3, Permission(b'-')),
            ("u+a", 2, Permission(b'a')),
            ("u+rg", 3, NotAlone),
            ("g=ux", 3, NotAlone),
            ("g=uo", 3, NotAlone),
        ] {
            let error = Chmod::parse(text.as_bytes(), 0).unwrap_err();
            assert_eq!((error.at, error.fault), (at, fault), "{text}");
        }
        let error = Chmod::parse(b"u+x,g+\x1b", 0).unwrap_err().to_string();
        let says = "invalid mode 'u+x,g+\\x1b': expected a permission (r w x X s t, or u g o), found '\\x1b' at character 7";
        assert_eq!(error, says);
    }

    #[test]
    fn a_list_with_an_error_adds_nothing() {
        let mut chmod = Chmod::parse(b"u+x", 0).unwrap();
        let before = chmod.clone();
        chmod.extend(b"g+x,?", 0).unwrap_err();
        assert_eq!(chmod, before);
        assert!(!chmod.is_empty() && Chmod::default().is_empty());
        assert_eq!(Chmod::default().apply(0o4711, FILE), 0o4711);
    }

    proptest! {
        #[test]
        fn two_lists_are_one_list(
            a in "[DF]?[ugoa]{0,2}[-+=]([rwxXst]{0,3}|[ugo])",
            b in "[DF]?([ugoa]{0,2}[-+=]([rwxXst]{0,3}|[ugo])|[0-7]{1,4})",
            umask in 0_u32..0o1000,
            mode in 0_u32..=ALL,
            is_directory: bool,
        ) {
            let mut apart = Chmod::parse(a.as_bytes(), umask).unwrap();
            apart.extend(b.as_bytes(), umask).unwrap();
            let together = Chmod::parse(format!("{a},{b}").as_bytes(), umask).unwrap();
            prop_assert_eq!(&apart, &together);
            let changed = together.apply(mode, is_directory);
            prop_assert!(changed <= ALL);
            // Users that are not named keep their permissions.
            let who = a.split(['-', '+', '=']).next().unwrap();
            if who.ends_with('u') && !who.contains(['g', 'o', 'a']) {
                let first = Chmod::parse(a.as_bytes(), umask).unwrap().apply(mode, is_directory);
                prop_assert_eq!(first & 0o077, mode & 0o077);
            }
        }

        #[test]
        fn any_text_is_a_list_or_an_error_inside_of_it(text in "[DFugoa0-9+=rwxXst,-]{0,12}") {
            if let Err(error) = Chmod::parse(text.as_bytes(), 0o022) {
                prop_assert!(error.at <= text.len());
            }
        }
    }
}
