//! Maps of sparse files (GNU tar manual, "Storing Sparse Files").
//!
//! Four forms are read: the old GNU map in the header with its extension blocks, PAX 0.0 (a record for every number),
//! PAX 0.1 (one record) and PAX 1.0 (text in front of the content). 1.0 is written. Owns what a map may say: extents
//! ascend, do not overlap, lie inside the file, and add up to what is stored.

use super::error::TarFault;
use super::header::BLOCK;
use super::number;
use crate::tree::Extent;
use crate::tree::extent;
use tar::GnuSparseHeader;

/// Turns a map into a file's extents; `None` if the file has no holes. Empty extents are dropped (writers mark a file's
/// end with one) and adjacent ones joined.
pub(super) fn finish(map: Vec<Extent>, size: u64, stored: u64) -> Result<Option<Box<[Extent]>>, TarFault> {
    if !extent::is_valid(&map, size) {
        return Err(TarFault::Malformed("the map of a sparse file is out of order or beyond its size"));
    }
    // Cannot overflow: the extents are valid, so their sum is at most `size`.
    if extent::data_bytes(&map) != stored {
        return Err(TarFault::Malformed("the map of a sparse file does not add up to its stored size"));
    }
    let mut extents: Vec<Extent> = Vec::new();
    for extent in map.into_iter().filter(|e| e.len > 0) {
        match extents.last_mut() {
            Some(last) if last.end() == extent.offset => last.len += extent.len,
            _ => extents.push(extent),
        }
    }
    Ok((stored != size).then(|| extents.into()))
}

/// The extents, as 1.0 lists them: a file that ends in a hole gets an empty extent at its end, from which GNU tar takes
/// the file's length.
fn listed(extents: &[Extent], size: u64) -> impl Iterator<Item = Extent> {
    let end = extents.last().map_or(0, |e| e.end());
    let mark = (end < size).then_some(Extent { offset: size, len: 0 });
    extents.iter().copied().chain(mark)
}

/// How many bytes [`push_map`] appends.
pub(super) fn map_len(extents: &[Extent], size: u64) -> u64 {
    let line = |number: u64| number::digits(number) as u64 + 1;
    let lines: u64 = listed(extents, size).map(|e| line(e.offset) + line(e.len)).sum();
    let count = listed(extents, size).count() as u64;
    (line(count) + lines).next_multiple_of(BLOCK as u64)
}

/// Appends the 1.0 map of a file, padded to whole blocks.
pub(super) fn push_map(out: &mut Vec<u8>, extents: &[Extent], size: u64) {
    let start = out.len();
    let mut line = |number| {
        number::push_decimal(out, number);
        out.push(b'\n');
    };
    line(listed(extents, size).count() as u64);
    for extent in listed(extents, size) {
        line(extent.offset);
        line(extent.len);
    }
    let len = out.len() - start;
    out.resize(start + len.next_multiple_of(BLOCK), 0);
}

/// Reads the old GNU entries of one header or extension block. Returns whether the list may go on in another block.
pub(super) fn read_gnu(entries: &[GnuSparseHeader], map: &mut Vec<Extent>) -> Result<bool, TarFault> {
    let is_blank = |e: &GnuSparseHeader| e.offset[0] == 0 && e.numbytes[0] == 0;
    let used = entries.iter().position(is_blank).unwrap_or(entries.len());
    // Some readers end the list at the first blank entry and some skip blank ones.
    if !entries[used..].iter().all(is_blank) {
        return Err(TarFault::Malformed("the map of a sparse file has a gap"));
    }
    for entry in &entries[..used] {
        let offset = number::length(number::field(&entry.offset))?;
        let len = number::length(number::field(&entry.numbytes))?;
        map.push(Extent { offset, len });
    }
    Ok(used == entries.len())
}

/// Reads the PAX 0.1 map: offsets and lengths in turn, separated by commas.
pub(super) fn read_list(text: &[u8]) -> Option<Vec<Extent>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let mut numbers = text.split(|&b| b == b',').map(number::decimal);
    let mut map = Vec::new();
    while let Some(offset) = numbers.next() {
        map.push(Extent { offset: offset?, len: numbers.next()?? });
    }
    Some(map)
}

/// Reads a PAX 1.0 map that arrives in pieces.
#[derive(Debug)]
pub(super) struct MapText {
    /// How many bytes may still belong to the map: what the member stores.
    available: u64,
    /// Extents that the map may have.
    most: usize,
    /// How many numbers follow the first, which counts the extents; `None` before that one.
    missing: Option<u64>,
    line: Vec<u8>,
    offset: Option<u64>,
    map: Vec<Extent>,
    consumed: u64,
}

impl MapText {
    /// A map at the front of `available` bytes, of at most `most` extents.
    pub(super) fn new(available: u64, most: usize) -> Self {
        let (missing, line, offset, map, consumed) = (None, Vec::new(), None, Vec::new(), 0);
        MapText { available, most, missing, line, offset, map, consumed }
    }

    /// Whether the map is complete, with its padding.
    fn is_complete(&self) -> bool {
        self.missing == Some(0) && self.consumed.is_multiple_of(BLOCK as u64)
    }

    /// Reads bytes at the front of `input`; returns how many were used, and whether the map is now complete.
    pub(super) fn feed(&mut self, input: &[u8]) -> Result<(usize, bool), TarFault> {
        for (used, &byte) in input.iter().enumerate() {
            if self.is_complete() {
                return Ok((used, true));
            }
            if self.consumed == self.available {
                return Err(MALFORMED);
            }
            self.consumed += 1;
            if self.missing != Some(0) {
                self.push(byte)?;
            }
        }
        Ok((input.len(), self.is_complete()))
    }

    fn push(&mut self, byte: u8) -> Result<(), TarFault> {
        if byte != b'\n' {
            self.line.push(byte);
            // The longest number has 19 digits.
            return if self.line.len() > 19 { Err(MALFORMED) } else { Ok(()) };
        }
        let number = number::decimal(&self.line).ok_or(MALFORMED)?;
        self.line.clear();
        let Some(missing) = &mut self.missing else {
            if number > self.most as u64 {
                return Err(TarFault::TooLarge("the map of a sparse file has too many extents"));
            }
            self.missing = Some(number * 2);
            return Ok(());
        };
        *missing -= 1;
        match self.offset.take() {
            None => self.offset = Some(number),
            Some(offset) => self.map.push(Extent { offset, len: number }),
        }
        Ok(())
    }

    /// The map, and how many bytes of content follow it.
    pub(super) fn finish(self) -> (Vec<Extent>, u64) {
        (self.map, self.available - self.consumed)
    }
}

const MALFORMED: TarFault = TarFault::Malformed("the map of a sparse file is malformed");

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &[u8], available: u64, piece: usize) -> Result<Option<(Vec<Extent>, u64)>, TarFault> {
        let mut reader = MapText::new(available, 8);
        for piece in text.chunks(piece) {
            let (used, complete) = reader.feed(piece)?;
            if complete {
                return Ok(Some(reader.finish()));
            }
            assert_eq!(used, piece.len());
        }
        Ok(None)
    }

    #[test]
    fn a_map_survives_its_text_at_any_split() {
        let extents = [Extent { offset: 0, len: 512 }, Extent { offset: 1 << 40, len: 7 }];
        let mut text = Vec::new();
        push_map(&mut text, &extents, 1 << 41);
        assert_eq!(text.len() as u64, map_len(&extents, 1 << 41));
        text.extend_from_slice(&[b'x'; 519]);
        for piece in [1, 3, 511, 512, 513, 4096] {
            let (map, stored) = read_text(&text, 512 + 519, piece).unwrap().unwrap();
            assert_eq!(stored, 519);
            assert_eq!(finish(map, 1 << 41, stored).unwrap().unwrap()[..], extents);
        }
    }

    #[test]
    fn malformed_map_texts_are_errors() {
        let padded = |text: &str| [text.as_bytes(), &[0; 512]].concat()[..512].to_vec();
        for text in
            ["\n", "x\n", "-1\n", "1\n0\n\n", "1\n 0\n1\n", "00000000000000000000000001\n", "1\n0\0\n"]
        {
            assert_eq!(read_text(&padded(text), 512, 64), Err(MALFORMED), "{text:?}");
        }
        assert!(matches!(read_text(&padded("9\n"), 512, 64), Err(TarFault::TooLarge(_))));
        assert!(matches!(read_text(&padded("99999999999999999999\n"), 512, 64), Err(MALFORMED)));
        // The map is longer than what the member stores.
        assert_eq!(read_text(&padded("1\n0\n0\n"), 511, 64), Err(MALFORMED));
        // Incomplete, not wrong.
        assert_eq!(read_text(b"2\n0\n1\n", 512, 64), Ok(None));
    }

    #[test]
    fn a_map_must_describe_the_file() {
        let e = |offset, len| Extent { offset, len };
        assert_eq!(finish(vec![e(0, 5), e(5, 5)], 10, 10), Ok(None));
        assert_eq!(finish(vec![], 0, 0), Ok(None));
        assert_eq!(finish(vec![e(10, 0)], 10, 0), Ok(Some(Box::default())));
        assert_eq!(finish(vec![e(0, 2), e(2, 3), e(7, 0)], 10, 5), Ok(Some([e(0, 5)].into())));
        for (map, size, stored) in [
            (vec![e(5, 5), e(0, 5)], 10, 10),
            (vec![e(0, 5), e(4, 5)], 10, 10),
            (vec![e(0, 11)], 10, 11),
            (vec![e(11, 0)], 10, 0),
            (vec![e(u64::MAX, 2)], 10, 2),
            (vec![e(0, 5)], 10, 6),
        ] {
            assert!(finish(map.clone(), size, stored).is_err(), "{map:?}");
        }
    }

    #[test]
    fn lists_hold_pairs() {
        assert_eq!(read_list(b"0,5,10,0").unwrap().len(), 2);
        assert_eq!(read_list(b"").unwrap().len(), 0);
        for text in ["0", "0,1,2", "0,1,", ",", "a,1", "0,-1", "0,1,2,18446744073709551616"] {
            assert_eq!(read_list(text.as_bytes()), None, "{text}");
        }
    }
}
