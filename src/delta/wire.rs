//! Deltas as bytes.
//!
//! Owns the encoding of [`Op`]s; [`super::Patch`] checks what they refer to. Invariant: nothing is allocated, and
//! nothing waits, because of a declared length; literals are passed on as they arrive.
//!
//! A delta is the header, ops, and the end, with nothing after it. Numbers are unsigned LEB128 of at most 64 bits in
//! their shortest form.
//!
//! ```text
//! header   "hdel", version 1 (u8)
//! copy     1 (u8), length, offset in the basis; length is not 0, and the sum fits into 64 bits
//! literal  2 (u8), length, that many bytes; length is not 0
//! end      0 (u8), the sum of all lengths
//! ```

use super::Malformed;
use super::search::Op;

const MAGIC: [u8; 5] = *b"hdel\x01";
const END: u8 = 0;
const COPY: u8 = 1;
const LITERAL: u8 = 2;

const CUT_SHORT: Malformed = Malformed("the delta is cut short");
const TOO_LARGE: Malformed = Malformed("the delta holds a number that is too large");

/// Encodes the ops of one delta.
#[derive(Debug)]
pub struct Encoder {
    total_bytes: u64,
}

impl Encoder {
    /// Appends the header of a delta to `out`.
    pub fn begin(out: &mut Vec<u8>) -> Self {
        out.extend_from_slice(&MAGIC);
        Encoder { total_bytes: 0 }
    }

    /// Appends an op. It must not be empty, and all ops together must produce fewer than 2^64 bytes.
    pub fn op(&mut self, op: Op<'_>, out: &mut Vec<u8>) {
        debug_assert!(op.produced_bytes() > 0);
        self.total_bytes = self.total_bytes.saturating_add(op.produced_bytes());
        match op {
            Op::Copy { from, len } => {
                out.push(COPY);
                put(out, len);
                put(out, from);
            }
            Op::Literal(bytes) => {
                out.push(LITERAL);
                put(out, bytes.len() as u64);
                out.extend_from_slice(bytes);
            }
        }
    }

    /// Appends the end.
    pub fn finish(self, out: &mut Vec<u8>) {
        out.push(END);
        put(out, self.total_bytes);
    }
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// What a decoder returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// The input is used up; more must follow.
    NeedMore,
    /// An op, or a part of a literal.
    Op(Op<'a>),
    /// The delta ends here. The rest of the input is not part of it.
    End,
}

/// What comes next in a delta.
#[derive(Debug, Clone, Copy)]
enum Expect {
    /// Byte `.0` of the magic.
    Magic(usize),
    Kind,
    CopyLen,
    CopyFrom {
        len: u64,
    },
    LiteralLen,
    /// This many bytes of a literal, at least one.
    Literal(u64),
    Total,
    Nothing,
}

/// Decodes a delta that comes in pieces.
#[derive(Debug)]
pub struct Decoder {
    expect: Expect,
    number: Number,
    total_bytes: u64,
}

impl Default for Decoder {
    fn default() -> Self {
        Decoder { expect: Expect::Magic(0), number: Number::default(), total_bytes: 0 }
    }
}

impl Decoder {
    /// A decoder at the beginning of a delta.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes off the front of `input` until they complete an event. After an error, decoding cannot continue.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Event<'a>, Malformed> {
        loop {
            if let Expect::Nothing = self.expect {
                return Ok(Event::End);
            }
            if let Expect::Literal(left) = self.expect
                && !input.is_empty()
            {
                return Ok(Event::Op(self.literal(left, input)));
            }
            let Some((&byte, rest)) = input.split_first() else { return Ok(Event::NeedMore) };
            *input = rest;
            if let Some(op) = self.byte(byte)? {
                return Ok(Event::Op(op));
            }
        }
    }

    /// Ends the input. Fails if the delta has not ended.
    pub fn finish(self) -> Result<(), Malformed> {
        if let Expect::Nothing = self.expect { Ok(()) } else { Err(CUT_SHORT) }
    }

    fn literal<'a>(&mut self, left: u64, input: &mut &'a [u8]) -> Op<'a> {
        let now = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
        let (bytes, rest) = input.split_at(now);
        *input = rest;
        self.expect = match left - now as u64 {
            0 => Expect::Kind,
            left => Expect::Literal(left),
        };
        Op::Literal(bytes)
    }

    /// Takes one byte of anything but a literal.
    fn byte(&mut self, byte: u8) -> Result<Option<Op<'static>>, Malformed> {
        self.expect = match self.expect {
            Expect::Magic(at) => match MAGIC.get(at) {
                Some(&expected) if expected != byte => {
                    return Err(Malformed("not a delta, or a delta of another version"));
                }
                _ if at + 1 == MAGIC.len() => Expect::Kind,
                _ => Expect::Magic(at + 1),
            },
            Expect::Kind => match byte {
                END => Expect::Total,
                COPY => Expect::CopyLen,
                LITERAL => Expect::LiteralLen,
                _ => return Err(Malformed("the delta holds a step of unknown kind")),
            },
            Expect::CopyLen | Expect::CopyFrom { .. } | Expect::LiteralLen | Expect::Total => {
                let Some(number) = self.number.push(byte)? else { return Ok(None) };
                return self.number_read(number);
            }
            Expect::Literal(_) | Expect::Nothing => self.expect,
        };
        Ok(None)
    }

    /// Continues after a complete number.
    fn number_read(&mut self, number: u64) -> Result<Option<Op<'static>>, Malformed> {
        let mut op = None;
        self.expect = match self.expect {
            Expect::CopyLen => Expect::CopyFrom { len: self.counted(number)? },
            Expect::LiteralLen => Expect::Literal(self.counted(number)?),
            Expect::CopyFrom { len } => {
                number.checked_add(len).ok_or(TOO_LARGE)?;
                op = Some(Op::Copy { from: number, len });
                Expect::Kind
            }
            Expect::Total if number == self.total_bytes => Expect::Nothing,
            Expect::Total => return Err(Malformed("the delta's length does not match its total")),
            other => other,
        };
        Ok(op)
    }

    /// A length, added to the total.
    fn counted(&mut self, len: u64) -> Result<u64, Malformed> {
        if len == 0 {
            return Err(Malformed("the delta holds an empty step"));
        }
        self.total_bytes = self.total_bytes.checked_add(len).ok_or(TOO_LARGE)?;
        Ok(len)
    }
}

/// A number that has been read in part.
#[derive(Debug, Default)]
struct Number {
    value: u64,
    shift: u32,
}

impl Number {
    /// Takes the next byte; returns the number if that was its last.
    fn push(&mut self, byte: u8) -> Result<Option<u64>, Malformed> {
        let bits = u64::from(byte & 0x7F);
        if self.shift > 63 || (self.shift == 63 && bits > 1) {
            return Err(TOO_LARGE);
        }
        self.value |= bits << self.shift;
        if byte >= 0x80 {
            self.shift += 7;
            return Ok(None);
        }
        if byte == 0 && self.shift > 0 {
            return Err(Malformed("the delta holds a number that is longer than needed"));
        }
        Ok(Some(std::mem::take(self).value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const AFTER: Malformed = Malformed("there is data after the delta");

    /// What a delta says, with the pieces of each literal joined, if it arrives in pieces of this length.
    fn decode(delta: &[u8], piece: usize) -> Result<Vec<(u64, u64, Vec<u8>)>, Malformed> {
        let (mut decoder, mut ops, mut is_open) = (Decoder::new(), Vec::new(), false);
        for mut input in delta.chunks(piece.max(1)) {
            loop {
                match decoder.next(&mut input)? {
                    Event::NeedMore => break,
                    Event::End if input.is_empty() => break,
                    Event::End => return Err(AFTER),
                    Event::Op(Op::Copy { from, len }) => ops.push((from, len, Vec::new())),
                    Event::Op(Op::Literal(bytes)) if is_open => ops.last_mut().unwrap().2.extend(bytes),
                    Event::Op(Op::Literal(bytes)) => ops.push((0, 0, bytes.to_vec())),
                }
                is_open = matches!(decoder.expect, Expect::Literal(_)) && !ops.is_empty();
            }
        }
        decoder.finish()?;
        Ok(ops)
    }

    fn encode(ops: &[(u64, u64, Vec<u8>)]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = Encoder::begin(&mut out);
        for (from, len, bytes) in ops {
            let op = if *len > 0 { Op::Copy { from: *from, len: *len } } else { Op::Literal(bytes) };
            encoder.op(op, &mut out);
        }
        encoder.finish(&mut out);
        out
    }

    fn op() -> impl Strategy<Value = (u64, u64, Vec<u8>)> {
        prop_oneof![
            (0..1_u64 << 60, 1..1_u64 << 50).prop_map(|(from, len)| (from, len, Vec::new())),
            prop::collection::vec(any::<u8>(), 1..300).prop_map(|bytes| (0, 0, bytes)),
        ]
    }

    proptest! {
        #[test]
        fn ops_survive_however_the_delta_is_cut(ops in prop::collection::vec(op(), 0..20), piece in 1_usize..100) {
            prop_assert_eq!(decode(&encode(&ops), piece), Ok(ops));
        }

        #[test]
        fn a_delta_cut_anywhere_is_an_error(ops in prop::collection::vec(op(), 0..5), cut: prop::sample::Index) {
            let delta = encode(&ops);
            prop_assert_eq!(decode(&delta[..cut.index(delta.len())], 7), Err(CUT_SHORT));
        }

        /// Every delta has only one encoding, up to how literals are cut.
        #[test]
        fn damage_is_an_error_or_another_delta(
            ops in prop::collection::vec(op(), 0..5),
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
            piece in 1_usize..100,
        ) {
            let mut delta = encode(&ops);
            for (at, byte) in damage {
                let at = at.index(delta.len());
                delta[at] = byte;
            }
            let whole = decode(&delta, usize::MAX);
            if let Ok(ops) = &whole {
                prop_assert_eq!(&encode(ops), &delta);
            }
            prop_assert_eq!(decode(&delta, piece), whole);
        }
    }

    fn fault(ops: &[u8]) -> Malformed {
        decode(&[&MAGIC, ops].concat(), usize::MAX).unwrap_err()
    }

    #[test]
    fn a_copy_beyond_64_bits_is_an_error() {
        let max = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01];
        assert_eq!(fault(&[&[COPY], &[1][..], &max].concat()), TOO_LARGE);
        assert_eq!(fault(&[&[COPY], &max[..], &[0], &[COPY], &[1], &[0]].concat()), TOO_LARGE);
    }

    #[test]
    fn numbers_that_are_too_long_are_errors() {
        assert_eq!(fault(&[&[COPY], &[0xFF; 11][..]].concat()), TOO_LARGE);
        assert_eq!(fault(&[&[COPY], &[0xFF; 9][..], &[0x02]].concat()), TOO_LARGE);
        assert!(fault(&[COPY, 0x81, 0x00]).0.contains("longer"));
    }

    #[test]
    fn empty_and_unknown_steps_and_wrong_totals_are_errors() {
        assert!(fault(&[COPY, 0, 0]).0.contains("empty"));
        assert!(fault(&[LITERAL, 0]).0.contains("empty"));
        assert!(fault(&[3]).0.contains("unknown"));
        assert!(fault(&[COPY, 5, 0, END, 4]).0.contains("does not match its total"));
        assert!(decode(b"hdel\x02\0\0", 1).unwrap_err().0.contains("version"));
    }

    #[test]
    fn a_literal_of_any_declared_length_takes_no_memory() {
        let mut delta = [&MAGIC[..], &[LITERAL], &[0xFF; 9], &[0x01]].concat();
        delta.extend_from_slice(b"abc");
        let (mut decoder, mut input) = (Decoder::new(), &delta[..]);
        assert_eq!(decoder.next(&mut input), Ok(Event::Op(Op::Literal(b"abc"))));
        assert_eq!(decoder.next(&mut input), Ok(Event::NeedMore));
        assert_eq!(decoder.finish(), Err(CUT_SHORT));
    }
}
