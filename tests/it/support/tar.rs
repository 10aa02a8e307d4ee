//! Builds tar archives by hand, block by block: also such that no archiver would write.

/// A tar archive that grows.
#[derive(Default, Clone)]
pub struct Tar(Vec<u8>);

/// One header block, before it gets its checksum.
#[derive(Clone)]
pub struct Header(pub [u8; 512]);

impl Header {
    /// A ustar header of this type, with a mode and a time that nothing complains about.
    pub fn new(typeflag: u8, name: impl AsRef<[u8]>, size: u64) -> Self {
        let mut header = Self([0; 512]);
        let mode = if typeflag == b'5' { 0o755 } else { 0o644 };
        header.put(0, 100, name.as_ref()).octal(100, mode).octal(108, 0).octal(116, 0);
        header.put(124, 12, format!("{size:011o}").as_bytes());
        header.put(136, 12, format!("{:011o}", 1_700_000_000).as_bytes());
        header.0[156] = typeflag;
        header.put(257, 8, b"ustar\x0000");
        header
    }

    /// Writes `bytes` at the start of the field of `len` bytes at `at`.
    pub fn put(&mut self, at: usize, len: usize, bytes: &[u8]) -> &mut Self {
        assert!(bytes.len() <= len, "{} bytes do not fit into a field of {len}", bytes.len());
        self.0[at..at + len].fill(0);
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    /// Writes a field of eight octal digits at `at`.
    pub fn octal(&mut self, at: usize, value: u32) -> &mut Self {
        self.put(at, 8, format!("{value:07o}").as_bytes())
    }

    pub fn link(&mut self, target: impl AsRef<[u8]>) -> &mut Self {
        self.put(157, 100, target.as_ref())
    }

    pub fn mode(&mut self, mode: u32) -> &mut Self {
        self.octal(100, mode)
    }

    fn sealed(mut self) -> [u8; 512] {
        self.0[148..156].fill(b' ');
        let sum: u32 = self.0.iter().map(|&b| u32::from(b)).sum();
        self.put(148, 8, format!("{sum:06o}\0 ").as_bytes());
        self.0
    }
}

impl Tar {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a header and its content, padded.
    pub fn member(mut self, header: &Header, content: impl AsRef<[u8]>) -> Self {
        self.0.extend(header.clone().sealed());
        self.0.extend(content.as_ref());
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub fn file(self, name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        let header = Header::new(b'0', name, content.as_ref().len() as u64);
        self.member(&header, content)
    }

    pub fn dir(self, name: impl AsRef<[u8]>) -> Self {
        self.member(&Header::new(b'5', name, 0), "")
    }

    pub fn symlink(self, name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        self.member(Header::new(b'2', name, 0).link(target), "")
    }

    pub fn hard_link(self, name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        self.member(Header::new(b'1', name, 0).link(target), "")
    }

    /// Adds a PAX extended header with these records for the next member.
    pub fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let mut body = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3; // blank, '=', newline
            let mut len = rest;
            while len != rest + len.to_string().len() {
                len = rest + len.to_string().len();
            }
            body.extend(format!("{len} {key}=").bytes());
            body.extend(*value);
            body.push(b'\n');
        }
        self.member(&Header::new(b'x', "PaxHeaders/x", body.len() as u64), body)
    }

    /// Adds a GNU long name (`typeflag` `L`) or long link (`K`) for the next member.
    pub fn gnu_long(self, typeflag: u8, name: impl AsRef<[u8]>) -> Self {
        let body = [name.as_ref(), b"\0"].concat();
        self.member(&Header::new(typeflag, "././@LongLink", body.len() as u64), body)
    }

    /// The archive with its end marker.
    pub fn end(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        self.0
    }

    /// The blocks so far.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// One zstd frame of `bytes`.
pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, 3).unwrap()
}

/// Many zstd frames: `bytes` cut every `each` bytes, without regard to members.
pub fn zstd_frames(bytes: &[u8], each: usize) -> Vec<u8> {
    bytes.chunks(each).flat_map(zstd).collect()
}
