//! Numbers as tar writes them.
//!
//! Header fields hold octal text or, with the top bit of the first byte set, a big-endian two's complement number
//! (GNU's "base-256"). PAX records and sparse maps hold decimal text. Anything that is not exactly a number is an
//! error: a parser that turns garbage into 0 turns a damaged owner into root.

use super::error::TarFault;
use crate::tree::Timestamp;

const NANOS_PER_SECOND: u32 = 1_000_000_000;

/// The number in a header field; `None` if it is not a number.
///
/// Octal digits may follow spaces, and end at a NUL (anything after it is ignored), at the field's end, or in spaces. A
/// field of nothing but spaces and NULs is 0, as in every stock tar: npm's packages leave owners out that way.
pub(super) fn field(field: &[u8]) -> Option<i128> {
    match field.first()? {
        0x80 | 0xff => Some(base_256(field)),
        _ => octal(field),
    }
}

fn base_256(field: &[u8]) -> i128 {
    // At most 12 bytes, so nothing is shifted out. 0x80 marks a positive number, 0xff a negative one.
    let start = if field[0] == 0xff { -1 } else { 0 };
    field[1..].iter().fold(start, |number, &byte| (number << 8) | i128::from(byte))
}

fn octal(field: &[u8]) -> Option<i128> {
    if field[0] == 0 {
        // Readers disagree about digits after a leading NUL (GNU tar reads them, Python does not).
        return field.iter().all(|&b| matches!(b, 0 | b' ')).then_some(0);
    }
    let text = field.split(|&b| b == 0).next()?.trim_ascii_start();
    let digits = text.iter().take_while(|b| matches!(b, b'0'..=b'7')).count();
    if text[digits..].iter().any(|&b| b != b' ') {
        return None;
    }
    // At most 12 digits of 3 bits.
    let number = text[..digits].iter().fold(0, |number, digit| number * 8 + u64::from(digit - b'0'));
    Some(number.into())
}

/// An unsigned decimal number without sign, fraction or leading zeros.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || (text[0] == b'0' && text.len() > 1) {
        return None;
    }
    text.iter().try_fold(0u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// A time as PAX records hold it: decimal seconds with an optional sign and fraction. Rounded down to a nanosecond and
/// clamped to the range. `-1.5` is half a second before -1.
pub(super) fn timestamp(text: &[u8]) -> Option<Timestamp> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let mut parts = digits.splitn(2, |&b| b == b'.');
    let (whole, fraction) = (parts.next()?, parts.next().unwrap_or_default());
    if whole.is_empty() || !whole.iter().chain(fraction).all(u8::is_ascii_digit) {
        return None;
    }
    let seconds = whole.iter().fold(0i64, |n, b| n.saturating_mul(10).saturating_add(i64::from(b - b'0')));
    if seconds == i64::MAX && whole != i64::MAX.to_string().as_bytes() {
        let end = if negative { Timestamp { seconds: i64::MIN, nanos: 0 } } else { LAST };
        return Some(end);
    }
    let (shown, lost) = fraction.split_at(fraction.len().min(9));
    let nanos =
        shown.iter().fold(0u32, |n, b| n * 10 + u32::from(b - b'0')) * 10u32.pow(9 - shown.len() as u32);
    Some(if negative {
        negate(seconds, nanos, lost.iter().any(|&b| b != b'0'))
    } else {
        Timestamp { seconds, nanos }
    })
}

const LAST: Timestamp = Timestamp { seconds: i64::MAX, nanos: NANOS_PER_SECOND - 1 };

/// The time this far before the epoch; one nanosecond more if `more` digits were cut off.
fn negate(seconds: i64, nanos: u32, more: bool) -> Timestamp {
    match nanos + u32::from(more) {
        0 => Timestamp { seconds: -seconds, nanos: 0 },
        nanos => Timestamp { seconds: -seconds - 1, nanos: NANOS_PER_SECOND - nanos },
    }
}

/// A length in bytes. At most `i64::MAX`, as `off_t` is signed; so the sum of a few lengths always fits into a `u64`.
pub(super) fn length(number: Option<i128>) -> Result<u64, TarFault> {
    number
        .and_then(|n| i64::try_from(n).ok())
        .and_then(|n| u64::try_from(n).ok())
        .ok_or(TarFault::Malformed("a length is not a number or out of range"))
}

/// A user or group number. 2^32-1 is not valid: to chown(2) it means "do not change".
pub(super) fn id(number: Option<i128>) -> Result<u32, TarFault> {
    number
        .and_then(|n| u32::try_from(n).ok())
        .filter(|&n| n != u32::MAX)
        .ok_or(TarFault::Malformed("an owner is not a number or out of range"))
}

/// How many decimal digits `number` has.
pub(super) fn digits(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// Appends `number` as decimal text.
pub(super) fn push_decimal(out: &mut Vec<u8>, mut number: u64) {
    let (start, len) = (out.len(), digits(number));
    out.resize(start + len, b'0');
    for slot in out[start..].iter_mut().rev() {
        *slot = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Appends `time` in the form that [`timestamp`] reads, without trailing zeros.
pub(super) fn push_timestamp(out: &mut Vec<u8>, time: Timestamp) {
    let Timestamp { seconds, nanos } = time;
    // POSIX and GNU tar count the fraction away from zero, too.
    let (whole, mut fraction) = match (seconds < 0, nanos) {
        (true, 1..) => ((seconds + 1).unsigned_abs(), NANOS_PER_SECOND - nanos),
        _ => (seconds.unsigned_abs(), nanos),
    };
    if seconds < 0 {
        out.push(b'-');
    }
    push_decimal(out, whole);
    if fraction > 0 {
        out.push(b'.');
        let mut unit = NANOS_PER_SECOND / 10;
        while fraction > 0 {
            out.push(b'0' + (fraction / unit) as u8);
            fraction %= unit;
            unit /= 10;
        }
    }
}

/// Fills a header field with octal digits and a NUL, or in base-256 if the digits do not fit.
pub(super) fn fill(field: &mut [u8], number: u64) {
    let Some((last, digits)) = field.split_last_mut() else { return };
    *last = 0;
    let mut rest = number;
    for slot in digits.iter_mut().rev() {
        *slot = b'0' + (rest & 7) as u8;
        rest >>= 3;
    }
    if rest > 0 {
        let mut rest = number;
        for slot in field.iter_mut().rev() {
            *slot = rest as u8;
            rest >>= 8;
        }
        field[0] |= 0x80;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn header_fields_hold_octal_or_base_256() {
        for (text, number) in [
            (&b"0000644\0"[..], Some(0o644)),
            (b"   644 \0", Some(0o644)),
            (b"644\0junk", Some(0o644)),
            (b"00000644", Some(0o644)),
            (b"        ", Some(0)),
            (b"\0\0\0\0\0\0\0\0", Some(0)),
            (b"\0\x20\0\0\0\0\0\0", Some(0)),
            (b"\x80\0\0\0\0\0\x01\0", Some(256)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xfe", Some(-2)),
            (b"\x000644\0\0\0", None),
            (b"0000648\0", None),
            (b"644 644\0", None),
            (b"-000001\0", None),
            (b"+000001\0", None),
            (b"0x1ff\0\0\0", None),
            (b"\x90\0\0\0\0\0\0\0", None),
        ] {
            assert_eq!(field(text), number, "{:?}", text.escape_ascii().to_string());
        }
    }

    #[test]
    fn decimals_have_one_spelling() {
        assert_eq!(decimal(b"0"), Some(0));
        assert_eq!(decimal(b"18446744073709551615"), Some(u64::MAX));
        for text in ["", "+1", "-1", "01", "1.0", " 1", "1 ", "0x1", "18446744073709551616", "1e3"] {
            assert_eq!(decimal(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn times_are_rounded_down_and_held_to_the_range() {
        for (text, seconds, nanos) in [
            ("1.5", 1, 500_000_000),
            ("1.", 1, 0),
            ("-1.5", -2, 500_000_000),
            ("-0.000000001", -1, 999_999_999),
            ("-0", 0, 0),
            ("1.9999999999", 1, 999_999_999),
            ("-1.0000000001", -2, 999_999_999),
            ("-1.0000000000", -1, 0),
            ("9223372036854775807.25", i64::MAX, 250_000_000),
            ("9223372036854775808", i64::MAX, 999_999_999),
            ("99999999999999999999999", i64::MAX, 999_999_999),
            ("-9223372036854775807.5", i64::MIN, 500_000_000),
            ("-9223372036854775808", i64::MIN, 0),
            ("-99999999999999999999999.5", i64::MIN, 0),
        ] {
            assert_eq!(timestamp(text.as_bytes()), Some(Timestamp { seconds, nanos }), "{text}");
        }
        for text in ["", "-", ".5", "1e999", "NaN", "inf", "+1", " 1", "1,5", "1.5.5", "--1", "1.-5"] {
            assert_eq!(timestamp(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn the_number_that_means_no_change_is_no_owner() {
        assert_eq!(id(Some(4_294_967_294)), Ok(4_294_967_294));
        for number in [None, Some(-1), Some(4_294_967_295), Some(1 << 40)] {
            assert!(id(number).is_err());
        }
    }

    proptest! {
        #[test]
        fn a_time_survives_its_text(seconds: i64, nanos in 0..NANOS_PER_SECOND) {
            let mut text = Vec::new();
            push_timestamp(&mut text, Timestamp { seconds, nanos });
            prop_assert_eq!(timestamp(&text), Some(Timestamp { seconds, nanos }));
        }

        #[test]
        fn a_number_survives_its_field_and_its_text(number: u64, narrow in 0u64..(1 << 56)) {
            let (mut wide_field, mut narrow_field) = ([0; 12], [0; 8]);
            fill(&mut wide_field, number);
            fill(&mut narrow_field, narrow);
            prop_assert_eq!(field(&wide_field), Some(i128::from(number)));
            prop_assert_eq!(field(&narrow_field), Some(i128::from(narrow)));
            let mut text = Vec::new();
            push_decimal(&mut text, number);
            prop_assert_eq!(text.len(), digits(number));
            prop_assert_eq!(decimal(&text), Some(number));
        }
    }
}
