//! Sizes and rates in rsync's notation: `1.5m`, `10KB`, `2g+1`.
//!
//! Values only. Source: rsync(1), `--max-size` and `--bwlimit`.

use std::num::NonZeroU64;

/// The largest size that rsync accepts: 8192P-1.
const LARGEST: u64 = i64::MAX as u64;

/// The unit of a number without a suffix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Byte,
    Kibi,
}

/// A number of bytes, as in `--max-size`.
pub(crate) fn parse_size(text: &str) -> Result<u64, &'static str> {
    parse(text, Unit::Byte).ok_or("a size is a number such as 700, 1.5K, 10MB or 2GiB-1")
}

/// Bytes per second; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Rate(pub(crate) Option<NonZeroU64>);

/// A rate, as in `--bwlimit`.
pub(crate) fn parse_rate(text: &str) -> Result<Rate, &'static str> {
    let rate = parse(text, Unit::Kibi)
        .ok_or("a rate is a number of KiB per second, or a number with a unit such as 1.5M, 10MB or 2GiB")?;
    // rsync's limit, too. Less is surely a mistake: files would take hours.
    if (1..512).contains(&rate) {
        return Err("a rate must be at least 512 bytes per second, or 0 for no limit");
    }
    Ok(Rate(NonZeroU64::new(rate)))
}

/// Nanoseconds, from a number of seconds that may have a fraction.
pub(crate) fn parse_window(text: &str) -> Result<u64, &'static str> {
    const WRONG: &str = "a time is a number of seconds, such as 1 or 0.5";
    let (whole, fraction) =
        number(text).filter(|&(_, _, rest)| rest.is_empty()).map(|n| (n.0, n.1)).ok_or(WRONG)?;
    let nanos = scaled(whole, fraction, 1_000_000_000).and_then(|nanos| u64::try_from(nanos).ok());
    nanos.ok_or("the time is too large")
}

fn parse(text: &str, default: Unit) -> Option<u64> {
    let (whole, fraction, rest) = number(text)?;
    let (unit, offset) = rest.find(['+', '-']).map_or((rest, ""), |at| rest.split_at(at));
    let bytes = scaled(whole, fraction, unit_bytes(unit, default)?)?;
    let bytes = match offset {
        "" => bytes,
        "+1" => bytes + 1,
        "-1" => bytes.checked_sub(1)?,
        _ => return None,
    };
    u64::try_from(bytes).ok().filter(|&bytes| bytes <= LARGEST)
}

/// The digits before the point, those after it, and the rest.
fn number(text: &str) -> Option<(&str, &str, &str)> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, rest) = text.split_at(digits(text));
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(digits(rest)),
        None => ("", rest),
    };
    (!whole.is_empty() || !fraction.is_empty()).then_some((whole, fraction, rest))
}

/// `whole.fraction` times `unit`, rounded down. Exact, unlike floating point.
fn scaled(whole: &str, fraction: &str, unit: u128) -> Option<u128> {
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    // Further digits make no difference, even for a petabyte.
    let kept = &fraction[..fraction.len().min(18)];
    let part =
        if kept.is_empty() { 0 } else { kept.parse::<u128>().ok()? * unit / 10_u128.pow(kept.len() as u32) };
    whole.checked_mul(unit)?.checked_add(part)
}

/// `K` and `KiB` are 1024 bytes, `KB` is 1000.
fn unit_bytes(unit: &str, default: Unit) -> Option<u128> {
    let unit = unit.to_ascii_lowercase();
    let (letter, suffix) = match (unit.chars().next(), default) {
        (None, Unit::Byte) => ('b', ""),
        (None, Unit::Kibi) => ('k', ""),
        (Some(letter), _) => (letter, &unit[letter.len_utf8()..]),
    };
    let power = "bkmgtp".find(letter)? as u32;
    let base = match suffix {
        "" | "ib" => 1024_u128,
        "b" => 1000,
        _ => return None,
    };
    Some(base.pow(power))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_rsync_reads_them() {
        for (text, bytes) in [
            ("0", 0),
            ("700", 700),
            ("700b", 700),
            ("1k", 1024),
            ("1K", 1024),
            ("1KiB", 1024),
            ("1kb", 1000),
            ("1.5mb-1", 1_499_999),
            ("2g+1", 2_147_483_649),
            ("1.5", 1),
            (".5k", 512),
            ("1.", 1),
            ("3T", 3 << 40),
            ("2P", 2 << 50),
            ("8191P", 8191 << 50),
            ("8192P-1", i64::MAX as u64),
            ("0.1G", 107_374_182),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in [
            "",
            "k",
            "-1",
            "+1",
            "1x",
            "1kk",
            "1kib1",
            "1k+2",
            "1k+1+1",
            "1 k",
            "0-1",
            ".",
            "1e3",
            "8192P",
            "1µ",
            "99999999999999999999999999999999999999999",
        ] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_rate_is_in_kibibytes_unless_it_says_more() {
        for (text, rate) in [
            ("0", None),
            ("1", Some(1024)),
            ("1.5m", Some(1_572_864)),
            ("10MB", Some(10_000_000)),
            ("512b", Some(512)),
            ("0.5", Some(512)),
        ] {
            assert_eq!(parse_rate(text).unwrap().0.map(NonZeroU64::get), rate, "{text}");
        }
        assert!(parse_rate("511b").is_err() && parse_rate("x").is_err() && parse_rate("-1").is_err());
    }

    #[test]
    fn a_window_may_be_a_part_of_a_second() {
        for (text, nanos) in
            [("0", 0), ("1", 1_000_000_000), ("0.5", 500_000_000), ("2.000000001", 2_000_000_001)]
        {
            assert_eq!(parse_window(text), Ok(nanos), "{text}");
        }
        for text in ["-1", "", "1s", "1,5", "99999999999999"] {
            assert!(parse_window(text).is_err(), "{text}");
        }
    }
}
