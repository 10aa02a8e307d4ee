//! Signatures and deltas: those of real contents work, and those of arbitrary bytes do no harm.
#![no_main]

use haul::internals::delta::{
    BlockLayout, Decoder, Encoder, Event, Op, Patch, PatchError, Search, Signature, Table,
};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use std::io;

/// No result is longer, so that a short delta cannot make a long run.
const LIMIT: u64 = 1 << 20;

fn read_at(basis: &[u8]) -> impl Fn(u64, &mut [u8]) -> io::Result<usize> {
    |offset, out| {
        let rest = &basis[offset as usize..];
        let len = rest.len().min(out.len());
        out[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }
}

/// The encoded delta from the signed content to `new`.
fn delta(signature: Signature, new: &[u8], piece: usize) -> Vec<u8> {
    let table = Table::new(signature);
    let mut out = Vec::new();
    let mut encoder = Encoder::begin(&mut out);
    let mut produced = 0;
    let mut emit = |op: Op<'_>| {
        produced += op.produced_bytes();
        encoder.op(op, &mut out);
        Ok::<_, ()>(())
    };
    let mut search = Search::new(&table);
    for piece in new.chunks(piece) {
        search.feed(piece, &mut emit).expect("nothing refuses an op");
    }
    search.finish(&mut emit).expect("nothing refuses an op");
    assert_eq!(produced, new.len() as u64);
    encoder.finish(&mut out);
    out
}

/// The result of the delta on the basis; `None` if it is malformed, or cannot be applied.
fn apply(basis: &[u8], delta: &[u8], piece: usize) -> Option<Vec<u8>> {
    let mut decoder = Decoder::new();
    let mut patch = Patch::new(basis.len() as u64, read_at(basis), Vec::new(), LIMIT);
    for mut input in delta.chunks(piece) {
        loop {
            match decoder.next(&mut input).ok()? {
                Event::NeedMore => break,
                Event::End if input.is_empty() => break,
                Event::End => return None,
                Event::Op(op) => match patch.apply(op) {
                    Ok(()) => {}
                    Err(PatchError::OutsideBasis | PatchError::TooLong) => return None,
                    Err(error) => panic!("{error}"),
                },
            }
        }
    }
    decoder.finish().ok()?;
    let (made, left) = patch.finish();
    assert_eq!(made.len() as u64 + left, LIMIT);
    Some(made)
}

/// Up to so many bytes, as many as the input says.
fn bytes<'a>(u: &mut Unstructured<'a>, most: usize) -> Result<&'a [u8]> {
    let len = u.int_in_range(0..=most.min(u.len().saturating_sub(8)))?;
    u.bytes(len)
}

/// Some bytes of a signature replaced.
fn lie(signature: &mut [u8], u: &mut Unstructured<'_>) -> Result<()> {
    for _ in 0..u.int_in_range(0..=8)? {
        let at = u.choose_index(signature.len())?;
        signature[at] = u.arbitrary()?;
    }
    Ok(())
}

fn run(data: &[u8]) -> Result<()> {
    let mut u = Unstructured::new(data);
    let (block_bytes, piece) = (u.int_in_range(64..=320)?, u.int_in_range(1..=4000)?);
    let basis = bytes(&mut u, 1 << 14)?;
    let new = bytes(&mut u, 1 << 14)?;
    let layout = BlockLayout::new(basis.len() as u64, block_bytes).expect("within the bounds");
    let signature = Signature::of(basis, layout).expect("the layout is that of the basis");

    let mut signed = signature.encode();
    let honest = delta(signature, new, piece);
    assert_eq!(apply(basis, &honest, piece).as_deref(), Some(new));

    lie(&mut signed, &mut u)?;
    if let Ok(signature) = Signature::decode(&signed) {
        apply(basis, &delta(signature, new, piece), piece);
    }

    // The magic need not be guessed.
    let any = [b"hdel\x01", u.take_rest()].concat();
    let whole = apply(basis, &any, usize::MAX);
    assert_eq!(apply(basis, &any, piece), whole);
    Ok(())
}

fuzz_target!(|data: &[u8]| {
    // Too short for an input is nothing to run.
    let _ = run(data);
});
