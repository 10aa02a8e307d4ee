//! `--owner` and `--group`: NAME, NUMBER or NAME:NUMBER, as GNU tar reads them.

use crate::cli::refusal::Refusal;
use haul::internals::users;
use haul::ops::pack::OwnerId;
use haul::tree::path::escape;

/// A database of users or of groups: by name and by number.
#[derive(Clone, Copy)]
pub(crate) struct Accounts {
    pub(crate) number_of: fn(&[u8]) -> Option<u32>,
    pub(crate) name_of: fn(u32) -> Option<Box<[u8]>>,
}

/// The users of this system.
pub(crate) const USERS: Accounts = Accounts { number_of: users::user_id, name_of: users::user_name };
/// The groups of this system.
pub(crate) const GROUPS: Accounts = Accounts { number_of: users::group_id, name_of: users::group_name };

/// Reads the value of a flag. A missing half comes from `accounts`; a number without a name there is stored without
/// one.
pub(crate) fn parse(text: &[u8], flag: &str, accounts: Accounts) -> Result<OwnerId, Refusal> {
    let wrong = |what: &str| Refusal::Usage(format!("{flag}: '{}' {what}", escape(text)));
    if let Some(colon) = text.iter().rposition(|&b| b == b':') {
        let (name, number) = (&text[..colon], &text[colon + 1..]);
        let id = number_of(number).ok_or_else(|| wrong("needs a number after the colon"))?;
        return Ok(OwnerId::new(id, name));
    }
    // A name made of digits is looked up first, as chown(1) and tar do.
    if let Some(id) = (accounts.number_of)(text) {
        return Ok(OwnerId::new(id, text));
    }
    let id = number_of(text).ok_or_else(|| wrong("is unknown on this system; write NAME:NUMBER"))?;
    Ok(OwnerId::new(id, (accounts.name_of)(id).unwrap_or_default()))
}

/// A user's or group's number. The highest means "no change" to chown(2) and is not valid.
fn number_of(text: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?;
    digits.parse().ok().filter(|&number| number != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONLY_ROOT: Accounts = Accounts {
        number_of: |name| (name == b"root").then_some(0),
        name_of: |number| (number == 0).then(|| b"root"[..].into()),
    };

    #[test]
    fn owners_are_read_as_the_table_says() {
        for (text, id, name) in [
            ("root", 0, "root"),
            ("0", 0, "root"),
            ("1234", 1234, ""),
            ("app:1234", 1234, "app"),
            (":7", 7, ""),
            ("a:b:7", 7, "a:b"),
        ] {
            let owner = parse(text.as_bytes(), "--owner", ONLY_ROOT).unwrap();
            assert_eq!((owner.id, &*owner.name), (id, name.as_bytes()), "{text}");
        }
    }

    #[test]
    fn an_owner_without_a_number_is_an_error() {
        for text in ["nobody-here", "", "root:", "root:x", "app:-1", "+5", "4294967295", "99999999999"] {
            let error = parse(text.as_bytes(), "--owner", ONLY_ROOT).unwrap_err();
            assert!(
                matches!(&error, Refusal::Usage(what) if what.starts_with("--owner: ")),
                "{text}: {error}"
            );
        }
    }
}
