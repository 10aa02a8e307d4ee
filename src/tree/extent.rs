//! Extents: the stretches of a sparse file that hold data.

/// A stretch of data in a sparse file, in bytes. The gap between extents is a hole and reads as zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Extent {
    /// Where the stretch begins in the file.
    pub offset: u64,
    /// How long it is.
    pub len: u64,
}

impl Extent {
    /// The offset just after the stretch.
    pub fn end(self) -> u64 {
        self.offset + self.len
    }
}

/// How many bytes of data `extents` hold.
pub fn data_bytes(extents: &[Extent]) -> u64 {
    extents.iter().map(|e| e.len).sum()
}

/// The parts of `extents` that lie in `[start, end)`.
pub fn within(extents: &[Extent], start: u64, end: u64) -> impl Iterator<Item = Extent> {
    let first = extents.partition_point(|e| e.end() <= start);
    extents[first..].iter().take_while(move |e| e.offset < end).map(move |e| {
        let offset = e.offset.max(start);
        Extent { offset, len: e.end().min(end) - offset }
    })
}

/// The file offset of the byte that is `stored` bytes into the data; `None` after the last byte.
pub fn locate(extents: &[Extent], stored: u64) -> Option<u64> {
    stretches(extents, stored, u64::MAX).next().map(|(offset, _)| offset)
}

/// The first offset at or after `offset` that lies in an extent.
pub fn next_data(extents: &[Extent], offset: u64) -> Option<u64> {
    let first = extents.partition_point(|e| e.end() <= offset);
    extents[first..].iter().find(|e| e.len > 0).map(|e| e.offset.max(offset))
}

/// Where the `len` bytes that begin `stored` bytes into the data lie in the file: pairs of offset and length.
pub fn stretches(extents: &[Extent], stored: u64, len: u64) -> impl Iterator<Item = (u64, u64)> {
    let (mut skip, mut left) = (stored, len);
    extents.iter().filter_map(move |e| {
        let skipped = skip.min(e.len);
        skip -= skipped;
        let taken = left.min(e.len - skipped);
        left -= taken;
        (taken > 0).then_some((e.offset + skipped, taken))
    })
}

/// The `extents` of a file of `size` bytes, widened to whole multiples of `unit` (but not beyond the file's end) and
/// joined where they then meet.
pub fn aligned(extents: &[Extent], size: u64, unit: u64) -> Vec<Extent> {
    let mut wide: Vec<Extent> = Vec::with_capacity(extents.len());
    for extent in extents {
        let offset = extent.offset / unit * unit;
        let end = extent.end().checked_next_multiple_of(unit).map_or(size, |end| end.min(size));
        match wide.last_mut() {
            Some(last) if last.end() >= offset => last.len = end - last.offset,
            _ => wide.push(Extent { offset, len: end - offset }),
        }
    }
    wide
}

/// Whether `extents` can describe a file of `size` bytes: ascending, not overlapping, and inside the file.
pub fn is_valid(extents: &[Extent], size: u64) -> bool {
    let mut floor = 0;
    extents.iter().all(|e| {
        let Some(end) = e.offset.checked_add(e.len) else { return false };
        let fits = e.offset >= floor && end <= size;
        floor = end;
        fits
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const E: [Extent; 2] = [Extent { offset: 10, len: 10 }, Extent { offset: 30, len: 5 }];

    #[test]
    fn a_window_cuts_extents_at_its_edges() {
        assert_eq!(within(&E, 0, 100).collect::<Vec<_>>(), E);
        assert_eq!(
            within(&E, 15, 31).collect::<Vec<_>>(),
            [Extent { offset: 15, len: 5 }, Extent { offset: 30, len: 1 }]
        );
        assert_eq!(within(&E, 20, 30).count(), 0);
    }

    #[test]
    fn stored_bytes_are_located_across_holes() {
        assert_eq!((locate(&E, 0), locate(&E, 9), locate(&E, 10)), (Some(10), Some(19), Some(30)));
        assert_eq!((locate(&E, 15), locate(&[], 0)), (None, None));
        assert_eq!(stretches(&E, 5, 7).collect::<Vec<_>>(), [(15, 5), (30, 2)]);
        assert_eq!((next_data(&E, 0), next_data(&E, 20), next_data(&E, 35)), (Some(10), Some(30), None));
    }

    #[test]
    fn alignment_widens_joins_and_stays_inside() {
        let e = |offset, len| Extent { offset, len };
        assert_eq!(aligned(&E, 35, 8), [e(8, 27)]);
        assert_eq!(aligned(&[e(3, 1), e(17, 1)], 18, 8), [e(0, 8), e(16, 2)]);
        assert_eq!(aligned(&[e(0, 8), e(16, 8)], 24, 8), [e(0, 8), e(16, 8)]);
        assert_eq!(aligned(&[e(u64::MAX - 1, 1)], u64::MAX, 512), [e(u64::MAX / 512 * 512, 511)]);
    }

    #[test]
    fn overlap_disorder_and_overflow_are_not_valid() {
        assert!(is_valid(&E, 35) && !is_valid(&E, 34));
        assert!(!is_valid(&[E[1], E[0]], 100));
        assert!(!is_valid(&[Extent { offset: u64::MAX, len: 2 }], u64::MAX));
    }
}
