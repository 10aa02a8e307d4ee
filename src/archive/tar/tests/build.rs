//! Tar streams made by hand, and a plain account of what the decoder says of one.

use crate::archive::tar::number;
use crate::archive::tar::{
    DecodeError, Decoder, END_OF_ARCHIVE, Ending, Event, Limits, Member, TarFault, padding, pax,
};

/// A stream that grows member by member.
#[derive(Default, Clone)]
pub(super) struct Stream(pub(super) Vec<u8>);

/// A header with sensible fields, `ustar` magic, no checksum yet.
pub(super) fn ustar(typeflag: u8, name: &[u8], size: u64) -> tar::Header {
    fill(tar::Header::new_ustar(), typeflag, name, size)
}

/// The same with GNU's magic.
pub(super) fn gnu(typeflag: u8, name: &[u8], size: u64) -> tar::Header {
    fill(tar::Header::new_gnu(), typeflag, name, size)
}

/// The same without any magic.
pub(super) fn v7(typeflag: u8, name: &[u8], size: u64) -> tar::Header {
    fill(tar::Header::new_old(), typeflag, name, size)
}

fn fill(mut header: tar::Header, typeflag: u8, name: &[u8], size: u64) -> tar::Header {
    header.set_mode(0o644);
    header.set_uid(1);
    header.set_gid(2);
    let old = header.as_old_mut();
    old.name[..name.len()].copy_from_slice(name);
    old.linkflag = [typeflag];
    number::fill(&mut old.size, size);
    header
}

impl Stream {
    /// Appends a header after giving it its checksum.
    pub(super) fn header(mut self, mut header: tar::Header) -> Self {
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self
    }

    /// Appends bytes and padding.
    pub(super) fn data(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self.0.resize(self.0.len() + padding(bytes.len() as u64), 0);
        self
    }

    /// Appends an extended header of `typeflag` with these records.
    pub(super) fn records(self, typeflag: u8, records: &[(&str, &[u8])]) -> Self {
        let mut body = Vec::new();
        for (key, value) in records {
            pax::push(&mut body, [key.as_bytes(), b""], [value, b""]);
        }
        self.extension(ustar(typeflag, b"PaxHeader", body.len() as u64), &body)
    }

    pub(super) fn pax(self, records: &[(&str, &[u8])]) -> Self {
        self.records(b'x', records)
    }

    /// Appends GNU's long name (`L`) or long link target (`K`).
    pub(super) fn long(self, typeflag: u8, text: &[u8]) -> Self {
        let body = [text, b"\0"].concat();
        self.extension(gnu(typeflag, b"././@LongLink", body.len() as u64), &body)
    }

    pub(super) fn extension(self, header: tar::Header, body: &[u8]) -> Self {
        self.header(header).data(body)
    }

    /// Appends a file with this content.
    pub(super) fn file(self, name: &str, content: &[u8]) -> Self {
        self.header(ustar(b'0', name.as_bytes(), content.len() as u64)).data(content)
    }

    pub(super) fn end(self) -> Self {
        self.data(&END_OF_ARCHIVE)
    }

    /// What the decoder says of the stream, which ends as it should.
    pub(super) fn members(&self) -> Vec<Seen> {
        let (seen, end) = decode(&self.0, &[usize::MAX]);
        assert_eq!(end, Ok(Ending::Marked));
        seen
    }

    /// The only member of the stream.
    pub(super) fn member(&self) -> Seen {
        let [seen] = <[Seen; 1]>::try_from(self.members()).expect("one member");
        seen
    }

    /// Why the decoder refuses the stream.
    pub(super) fn fault(&self) -> TarFault {
        decode(&self.0, &[usize::MAX]).1.expect_err("a stream that should be refused").fault
    }
}

/// A member and its content: pieces that follow each other are joined.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) member: Member,
    pub(super) data: Vec<(u64, Vec<u8>)>,
    pub(super) is_complete: bool,
}

impl Seen {
    pub(super) fn name(&self) -> String {
        self.member.entry.path.as_path().as_bytes().escape_ascii().to_string()
    }

    fn push(&mut self, offset: u64, bytes: &[u8]) {
        match self.data.last_mut() {
            Some((start, data)) if *start + data.len() as u64 == offset => data.extend_from_slice(bytes),
            _ => self.data.push((offset, bytes.to_vec())),
        }
    }
}

/// Feeds `stream` in pieces of these lengths, in turn, and collects what the decoder says.
pub(super) fn decode(stream: &[u8], pieces: &[usize]) -> (Vec<Seen>, Result<Ending, DecodeError>) {
    decode_with(Limits::default(), stream, pieces)
}

pub(super) fn decode_with(
    limits: Limits,
    stream: &[u8],
    pieces: &[usize],
) -> (Vec<Seen>, Result<Ending, DecodeError>) {
    let mut decoder = Decoder::new(limits);
    let (mut seen, mut rest) = (Vec::new(), stream);
    for piece in pieces.iter().cycle() {
        let (mut input, after) = rest.split_at((*piece).min(rest.len()));
        rest = after;
        if let Err(error) = drain(&mut decoder, &mut input, &mut seen) {
            assert_eq!(decoder.next(&mut &b"more"[..]), Err(error.clone()), "a failure is final");
            assert_eq!(decoder.finish(), Err(error.clone()));
            return (seen, Err(error));
        }
        assert_eq!(decoder.position(), (stream.len() - rest.len()) as u64);
        if rest.is_empty() {
            break;
        }
    }
    (seen, decoder.finish())
}

fn drain(decoder: &mut Decoder, input: &mut &[u8], seen: &mut Vec<Seen>) -> Result<(), DecodeError> {
    loop {
        let before = (decoder.position(), input.len());
        let event = decoder.next(input)?;
        assert_eq!(decoder.position() - before.0, (before.1 - input.len()) as u64);
        match event {
            Event::NeedMore => {
                assert!(input.is_empty());
                return Ok(());
            }
            Event::End => {}
            Event::Member(member) => {
                assert_eq!(member.offset + member.header_bytes, decoder.position());
                seen.push(Seen { member, data: Vec::new(), is_complete: false });
            }
            Event::Data { offset, bytes } => {
                assert!(!bytes.is_empty());
                seen.last_mut().expect("data belongs to a member").push(offset, bytes);
            }
            Event::MemberEnd => seen.last_mut().expect("an end belongs to a member").is_complete = true,
        }
    }
}
