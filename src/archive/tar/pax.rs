//! PAX records: the `length key=value` lines of an extended header (POSIX.1-2017, pax, "pax Header Block").
//!
//! Owns the syntax, not the meaning.

use super::error::TarFault;
use super::number;

/// Appends the record of `key` with `value`, each in two parts.
pub(super) fn push(out: &mut Vec<u8>, key: [&[u8]; 2], value: [&[u8]; 2]) {
    let payload = b" =\n".len() + key.concat_len() + value.concat_len();
    number::push_decimal(out, record_len(payload));
    out.push(b' ');
    out.extend_from_slice(key[0]);
    out.extend_from_slice(key[1]);
    out.push(b'=');
    out.extend_from_slice(value[0]);
    out.extend_from_slice(value[1]);
    out.push(b'\n');
}

/// The length of a record with `payload` bytes after its length. The length counts its own digits, which can make it
/// one digit longer.
fn record_len(payload: usize) -> u64 {
    let payload = payload as u64;
    let guess = payload + number::digits(payload) as u64;
    payload + number::digits(guess) as u64
}

trait ConcatLen {
    fn concat_len(&self) -> usize;
}

impl ConcatLen for [&[u8]; 2] {
    fn concat_len(&self) -> usize {
        self[0].len() + self[1].len()
    }
}

/// The records of an extended header's body. Ends after the first malformed one.
pub(super) fn records(body: &[u8]) -> impl Iterator<Item = Result<(&[u8], &[u8]), TarFault>> {
    let mut rest = body;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let split = split_record(rest);
        rest = split.map_or(&b""[..], |(_, _, after)| after);
        let malformed = TarFault::Malformed("a record of an extended header is malformed");
        Some(split.map(|(key, value, _)| (key, value)).ok_or(malformed))
    })
}

fn split_record(rest: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    // Searched only as far as a length can reach: a body without spaces must not be scanned over and over.
    let space = rest.iter().take(20).position(|&b| b == b' ')?;
    let len = usize::try_from(number::decimal(&rest[..space])?).ok()?;
    let (record, after) = rest.split_at_checked(len)?;
    let text = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = text.iter().position(|&b| b == b'=')?;
    (equals > 0).then(|| (&text[..equals], &text[equals + 1..], after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn malformed_records_are_errors() {
        for body in [
            "12 path=abc",   // no newline
            "13 path=abc\n", // longer than the body
            "11 path=abc\n", // shorter than the record
            "0 path=abc\n",
            "5 path=abc\n",
            "x path=abc\n",
            "-12 path=abc\n",
            "+12 path=abc\n",
            "012 path=abc\n",
            " 12 path=abc\n",
            "12path=abc\n",
            "9 pathabc\n", // no '='
            "6 =a\n\n",
            "5 =a\n",          // no key
            "12 path=abc\n\0", // data after the last record
            "99999999999999999999999 a=b\n",
            "18446744073709551615 a=b\n",
        ] {
            assert!(records(body.as_bytes()).any(|r| r.is_err()), "{body:?}");
        }
    }

    #[test]
    fn lengths_that_grow_by_their_own_digits_are_right() {
        for len in 0..12_000 {
            let value = vec![b'v'; len];
            let mut body = Vec::new();
            push(&mut body, [b"k", b""], [&value, b""]);
            assert_eq!(records(&body).collect::<Vec<_>>(), [Ok((&b"k"[..], &value[..]))]);
        }
    }

    proptest! {
        #[test]
        fn records_survive_whatever_they_hold(
            pairs in prop::collection::vec((prop::collection::vec(any::<u8>(), 1..20), any::<Vec<u8>>()), 0..8)
        ) {
            let mut body = Vec::new();
            let pairs: Vec<_> = pairs.into_iter().filter(|(key, _)| !key.contains(&b'=')).collect();
            for (key, value) in &pairs {
                push(&mut body, [key, b""], [b"", value]);
            }
            let read: Vec<_> = records(&body).map(|r| r.map(|(k, v)| (k.to_vec(), v.to_vec()))).collect();
            prop_assert_eq!(read, pairs.into_iter().map(Ok).collect::<Vec<_>>());
        }
    }
}
