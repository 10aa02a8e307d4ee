//! Any bytes through the tar decoder: no panic, progress at every call, the same events however the input is cut.
#![no_main]

use haul::internals::tar::{DecodeError, Decoder, Ending, Event, Limits, Member};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits { metadata_bytes: 64 << 10, pending_headers: 16, sparse_extents: 1 << 10 };

/// What the decoder says, apart from how content is cut.
#[derive(Debug, Default, PartialEq)]
struct Account {
    members: Vec<Member>,
    ended: usize,
    /// For every stretch of content: the member's number, the place in the file, the bytes.
    content: Vec<(usize, u64, Vec<u8>)>,
}

impl Account {
    fn add(&mut self, event: Event<'_>) {
        match event {
            Event::NeedMore | Event::End => {}
            Event::Member(member) => self.members.push(member),
            Event::MemberEnd => self.ended += 1,
            Event::Data { offset, bytes } => {
                assert!(!bytes.is_empty());
                match self.content.last_mut() {
                    Some((member, start, data))
                        if *member == self.members.len() && *start + data.len() as u64 == offset =>
                    {
                        data.extend_from_slice(bytes);
                    }
                    _ => self.content.push((self.members.len(), offset, bytes.to_vec())),
                }
            }
        }
    }
}

fn decode(stream: &[u8], piece: usize) -> (Account, Result<Ending, DecodeError>) {
    let mut decoder = Decoder::new(LIMITS);
    let mut account = Account::default();
    for mut input in stream.chunks(piece) {
        // Every call consumes something, or gives one of the few events that need no input.
        for _ in 0..2 * input.len() + 4 {
            match decoder.next(&mut input) {
                Ok(Event::NeedMore) => break,
                Ok(event) => account.add(event),
                Err(error) => return (account, Err(error)),
            }
        }
        assert!(input.is_empty(), "no progress");
    }
    let end = decoder.finish();
    (account, end)
}

/// Gives every block the checksum of a header, so that mutations get past it. In content and records it is just noise.
fn sum_all(stream: &mut [u8]) {
    for block in stream.chunks_exact_mut(512).filter(|block| block.iter().any(|&b| b != 0)) {
        let mut header = tar::Header::from_byte_slice(block).clone();
        header.set_cksum();
        block.copy_from_slice(header.as_bytes());
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&piece, stream)) = data.split_first() else { return };
    let mut stream = stream.to_vec();
    if piece % 2 == 0 {
        sum_all(&mut stream);
    }
    let whole = decode(&stream, usize::MAX);
    assert_eq!(decode(&stream, usize::from(piece) * 8 + 1), whole);
});
