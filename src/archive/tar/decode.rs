//! The decoder: a push parser that takes slices of any length and returns events.
//!
//! Owns the order of blocks in a stream. Invariants:
//! 1. Every call consumes input, returns an event, or fails; after a failure every call fails in the same way.
//! 2. How the input is split into slices affects only how content is split over [`Event::Data`], nothing else.
//! 3. Memory is bounded by [`Limits`], and grows with what has arrived, not with what a header declares.
//! 4. Extended headers apply to the next member only, never to each other.

use super::content::MemberContent;
use super::error::{DecodeError, TarFault};
use super::header::{BLOCK, Header, kind};
use super::intake::Intake;
use super::limits::Limits;
use super::member::{Declared, Map, Opening};
use super::overrides::Overrides;
use super::sparse::{self, MapText};
use crate::tree::path::escape;
use crate::tree::{Entry, Extent, Kind, Owner};
use std::fmt;
use std::mem;
use std::sync::Arc;

/// Reads a tar stream.
///
/// ```
/// use haul::internals::tar::{Decoder, Event, Limits};
///
/// let archive = haul::internals::tar::END_OF_ARCHIVE;
/// let mut decoder = Decoder::new(Limits::default());
/// let mut input = &archive[..];
/// assert!(matches!(decoder.next(&mut input), Ok(Event::End)));
/// assert!(matches!(decoder.next(&mut input), Ok(Event::NeedMore)));
/// assert!(decoder.finish().is_ok());
/// ```
pub struct Decoder {
    limits: Limits,
    lookup: Box<Lookup>,
    intake: Intake,
    /// Where the unit that is being read begins.
    mark: u64,
    state: State,
    global: Overrides,
    pending: Pending,
    last_owner: Arc<Owner>,
    /// The current member's name as spelled, for messages.
    name: Vec<u8>,
}

type Lookup = dyn Fn(bool, &[u8]) -> Option<u32> + Send;

/// Something in a tar stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// All of the input was consumed.
    NeedMore,
    /// A member begins.
    Member(Member),
    /// Content of the current member.
    Data {
        /// Where in the file it belongs; ranges that no event covers are holes.
        offset: u64,
        /// The bytes, borrowed from the input.
        bytes: &'a [u8],
    },
    /// The current member is complete. Returned for every member, even without content.
    MemberEnd,
    /// The end of the archive. Only zeros may follow.
    End,
}

/// A member of an archive.
#[derive(Debug, PartialEq, Eq)]
pub struct Member {
    /// What it is.
    pub entry: Entry,
    /// Where its first header begins, in bytes of the tar stream.
    pub offset: u64,
    /// How many bytes its headers take, sparse maps included. Its content follows.
    pub header_bytes: u64,
    /// An ACL was left out, because it is malformed or names an unknown user or group.
    pub ignored_acl: bool,
}

/// How an archive ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With the end-of-archive marker.
    Marked,
    /// Between two members, without the marker. Stock tars always write it, so this archive was probably cut off.
    Unmarked,
}

/// What extended headers say about the next member.
#[derive(Debug, Default)]
struct Pending {
    /// Where the first of them begins.
    offset: u64,
    headers: u32,
    bytes: u64,
    pax: Option<Box<Overrides>>,
    /// GNU's long name and long link target.
    long: [Option<Box<[u8]>>; 2],
}

impl Pending {
    fn applies_to_a_member(&self) -> bool {
        self.pax.is_some() || self.long.iter().any(Option::is_some)
    }
}

#[derive(Debug)]
enum State {
    /// A header block is next.
    Header,
    /// The body of an extension header of this type and length is next.
    Extension(u8, u64),
    /// A block with more of an old GNU map is next.
    MapBlock(Box<Opening>, Vec<Extent>),
    /// The map text in front of a file's content is next.
    MapText(Box<Opening>, MapText),
    /// Content of a member is next.
    MemberContent(MemberContent),
    /// So many bytes of padding are next.
    Padding(u64),
    /// After the end of the archive.
    Trailer,
    Failed(DecodeError),
}

impl Decoder {
    /// A decoder at the beginning of a stream.
    pub fn new(limits: Limits) -> Self {
        Decoder {
            limits,
            lookup: Box::new(|_, _| None),
            intake: Intake::default(),
            mark: 0,
            state: State::Header,
            global: Overrides::default(),
            pending: Pending::default(),
            last_owner: Arc::default(),
            name: Vec::new(),
        }
    }

    /// Uses `lookup(is_group, name)` to find the numbers of the users and groups that ACLs name. Without it, only ACLs
    /// that hold numbers are understood.
    #[must_use]
    pub fn with_lookup(mut self, lookup: impl Fn(bool, &[u8]) -> Option<u32> + Send + 'static) -> Self {
        self.lookup = Box::new(lookup);
        self
    }

    /// How many bytes of the stream were consumed.
    pub fn position(&self) -> u64 {
        self.intake.position()
    }

    /// Takes bytes off the front of `input` and returns the next event; [`Event::NeedMore`] once all of it is consumed.
    ///
    /// Fails if the stream is not a valid tar, and from then on always in the same way.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Event<'a>, DecodeError> {
        loop {
            if let State::Failed(error) = &self.state {
                return Err(error.clone());
            }
            match self.step(input) {
                Ok(Some(event)) => {
                    if !matches!(event, Event::NeedMore) {
                        self.mark = self.position();
                    }
                    return Ok(event);
                }
                Ok(None) => self.mark = self.position(),
                Err(fault) => self.state = State::Failed(self.error(self.mark, fault)),
            }
        }
    }

    /// Returns how the archive ended. Call it at the end of the input, after [`Event::NeedMore`].
    ///
    /// Fails if the stream ends inside a member or is empty.
    pub fn finish(&self) -> Result<Ending, DecodeError> {
        match &self.state {
            State::Failed(error) => Err(error.clone()),
            State::Trailer => Ok(Ending::Marked),
            State::Header if self.mark == 0 => Err(self.error(0, TarFault::NotTar)),
            State::Header if !self.intake.is_inside_unit() && self.pending.headers == 0 => {
                Ok(Ending::Unmarked)
            }
            _ => Err(self.error(self.position(), TarFault::Truncated)),
        }
    }

    fn error(&self, offset: u64, fault: TarFault) -> DecodeError {
        DecodeError { offset, member: escape(&self.name).into(), fault }
    }

    /// Reads one unit. `None` if it completed no event.
    fn step<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Event<'a>>, TarFault> {
        match &mut self.state {
            State::Header => self.header(input),
            &mut State::Extension(typeflag, len) => self.extension(typeflag, len, input),
            State::MapBlock(..) => self.map_block(input),
            State::MapText(..) => self.map_text(input),
            State::MemberContent(content) => {
                let event = next_content(content, &mut self.intake, input);
                if matches!(event, Some(Event::MemberEnd)) {
                    self.state = after_padding(content.padding);
                    self.name.clear();
                }
                Ok(event)
            }
            State::Padding(left) => {
                *left -= self.intake.slice(input, *left).len() as u64;
                if *left > 0 {
                    return Ok(Some(Event::NeedMore));
                }
                self.state = State::Header;
                Ok(None)
            }
            State::Trailer => {
                let rest = self.intake.slice(input, u64::MAX);
                let is_clean = rest.iter().all(|&b| b == 0);
                if is_clean {
                    Ok(Some(Event::NeedMore))
                } else {
                    Err(TarFault::Malformed("data after the end of the archive"))
                }
            }
            State::Failed(error) => Err(error.fault.clone()),
        }
    }

    fn header<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Event<'a>>, TarFault> {
        let Some(block) = self.intake.take(input, BLOCK) else { return Ok(Some(Event::NeedMore)) };
        if block[0] == 0 && block.iter().all(|&b| b == 0) {
            if self.pending.applies_to_a_member() {
                return Err(TarFault::Malformed("an extended header without a member"));
            }
            self.state = State::Trailer;
            return Ok(Some(Event::End));
        }
        let Some(header) = Header::parse(&block) else {
            return Err(if self.mark == 0 {
                TarFault::NotTar
            } else {
                TarFault::Malformed("a header's checksum is wrong")
            });
        };
        let header = header?;
        if self.pending.headers == 0 {
            self.pending.offset = self.mark;
        }
        match header.typeflag() {
            kind::PAX | kind::SOLARIS_PAX | kind::GLOBAL_PAX | kind::LONG_NAME | kind::LONG_LINK => {
                self.begin_extension(&header)?;
                Ok(None)
            }
            kind::GNU_VOLUME => self.skip_volume_label(&header),
            _ => self.open_member(&header),
        }
    }

    fn begin_extension(&mut self, header: &Header) -> Result<(), TarFault> {
        let len = header.size()?;
        self.pending.headers += 1;
        self.pending.bytes = self.pending.bytes.saturating_add(len);
        if self.pending.headers > self.limits.pending_headers {
            return Err(TarFault::TooLarge("too many extended headers before one member"));
        }
        if self.pending.bytes > self.limits.metadata_bytes {
            return Err(TarFault::TooLarge("the extended headers of one member are too large"));
        }
        self.state = State::Extension(header.typeflag(), len);
        Ok(())
    }

    fn extension<'a>(
        &mut self,
        typeflag: u8,
        len: u64,
        input: &mut &'a [u8],
    ) -> Result<Option<Event<'a>>, TarFault> {
        // Fits: `begin_extension` checked it against a limit on memory.
        let Some(body) = self.intake.take(input, len as usize) else { return Ok(Some(Event::NeedMore)) };
        let text = || Box::from(super::header::text(&body));
        let repeated = match typeflag {
            kind::GLOBAL_PAX => {
                self.global.add_global(&body)?;
                false
            }
            kind::LONG_NAME => self.pending.long[0].replace(text()).is_some(),
            kind::LONG_LINK => self.pending.long[1].replace(text()).is_some(),
            _ => self.pending.pax.replace(Box::new(Overrides::parse(&body)?)).is_some(),
        };
        if repeated {
            return Err(TarFault::Malformed("two extended headers of one type for one member"));
        }
        self.state = after_padding(super::padding(len) as u64);
        Ok(None)
    }

    fn skip_volume_label<'a>(&mut self, header: &Header) -> Result<Option<Event<'a>>, TarFault> {
        if header.size()? > 0 || self.pending.applies_to_a_member() {
            return Err(TarFault::Malformed("a volume label with content or extended headers"));
        }
        self.pending = Pending::default();
        Ok(None)
    }

    fn open_member<'a>(&mut self, header: &Header) -> Result<Option<Event<'a>>, TarFault> {
        let mut own = self.pending.pax.take().unwrap_or_default();
        let long = mem::take(&mut self.pending.long);
        let declared = Declared {
            header,
            own: &mut own,
            global: &self.global,
            long: long.each_ref().map(Option::as_deref),
            lookup: &*self.lookup,
            last_owner: &mut self.last_owner,
        };
        self.name.extend_from_slice(&declared.name());
        let mut opening = declared.open()?;
        match mem::replace(&mut opening.map, Map::None) {
            Map::None => Ok(Some(self.begin_member(opening))),
            Map::Known(map) => self.finish_map(opening, map),
            Map::Blocks(map) => {
                self.state = State::MapBlock(Box::new(opening), map);
                Ok(None)
            }
            Map::Text => {
                let reader = MapText::new(opening.stored, self.limits.sparse_extents);
                self.state = State::MapText(Box::new(opening), reader);
                Ok(None)
            }
        }
    }

    fn map_block<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Event<'a>>, TarFault> {
        let Some(block) = self.intake.take(input, BLOCK) else { return Ok(Some(Event::NeedMore)) };
        let State::MapBlock(opening, mut map) = mem::replace(&mut self.state, State::Header) else {
            return Ok(None);
        };
        let mut entries = tar::GnuExtSparseHeader::new();
        entries.as_mut_bytes().copy_from_slice(&block);
        let goes_on = sparse::read_gnu(entries.sparse(), &mut map)?;
        if map.len() > self.limits.sparse_extents {
            return Err(TarFault::TooLarge("the map of a sparse file has too many extents"));
        }
        match (goes_on, entries.isextended[0]) {
            (_, 0) => self.finish_map(*opening, map),
            (true, _) => {
                self.state = State::MapBlock(opening, map);
                Ok(None)
            }
            (false, _) => Err(TarFault::Malformed("the map of a sparse file continues after its end")),
        }
    }

    fn map_text<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Event<'a>>, TarFault> {
        let State::MapText(_, reader) = &mut self.state else { return Ok(None) };
        let (used, is_complete) = reader.feed(input)?;
        self.intake.slice(input, used as u64);
        if !is_complete {
            return Ok(Some(Event::NeedMore));
        }
        let State::MapText(mut opening, reader) = mem::replace(&mut self.state, State::Header) else {
            return Ok(None);
        };
        let (map, stored) = reader.finish();
        opening.stored = stored;
        self.finish_map(*opening, map)
    }

    fn finish_map<'a>(
        &mut self,
        mut opening: Opening,
        map: Vec<Extent>,
    ) -> Result<Option<Event<'a>>, TarFault> {
        if let Kind::File { size, extents } = &mut opening.entry.kind {
            *extents = sparse::finish(map, *size, opening.stored)?;
        }
        Ok(Some(self.begin_member(opening)))
    }

    fn begin_member<'a>(&mut self, opening: Opening) -> Event<'a> {
        let Opening { entry, stored, ignored_acl, .. } = opening;
        self.state = State::MemberContent(MemberContent::new(&entry.kind, stored));
        let offset = mem::take(&mut self.pending).offset;
        Event::Member(Member { entry, offset, header_bytes: self.position() - offset, ignored_acl })
    }
}

/// The next piece of a member's content, or its end. `None` after bytes that are skipped.
fn next_content<'a>(
    content: &mut MemberContent,
    intake: &mut Intake,
    input: &mut &'a [u8],
) -> Option<Event<'a>> {
    let Some((left, offset)) = content.stretch() else { return Some(Event::MemberEnd) };
    let bytes = intake.slice(input, left);
    content.advance(bytes.len() as u64);
    match bytes {
        [] => Some(Event::NeedMore),
        _ if content.is_hidden => None,
        _ => Some(Event::Data { offset, bytes }),
    }
}

fn after_padding(padding: u64) -> State {
    if padding == 0 { State::Header } else { State::Padding(padding) }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("position", &self.position())
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
