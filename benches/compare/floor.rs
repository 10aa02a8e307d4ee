//! The least that the work on a tree can take: each part alone, on one thread and from memory.
//!
//! Owns the measurement of the floors in `docs/performance.md`. The tree's files are taken in batches, in path order,
//! and each part of the work is done with the same batch: reading, hashing, copying, making a tar and compressing it,
//! decompressing, writing. Each counts processor time of this process alone, so a floor is what a program that did
//! nothing else could reach; everything else that a program has to do is its distance from the floor.

use crate::batch::{Listing, Piece};
use crate::child;
use crate::files::{Reader, Writer};
use crate::interrupt;
use crate::measure::{Bench, Outcome};
use crate::mount::Need;
use crate::stats::Spread;
use crate::target::Removal;
use haul::internals::tar;
use serde::Serialize;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use xxhash_rust::xxh3::xxh3_128;
use zstd::bulk::{Compressor, Decompressor};

/// How much is held at once, in bytes.
const BATCH_BYTES: usize = 64 << 20;
/// The length of a frame's tar, as in haul's archives.
const FRAME_BYTES: usize = 4 << 20;

/// The parts, in the order in which [`pass`] gives them.
const PARTS: [&str; 6] = [
    "open, read and close every file: three calls each, and one for each directory",
    "hash the content with xxh3-128",
    "copy the content in memory",
    "compress the tar of all files, in frames of 4 MiB, with zstd's own parameters for the level",
    "decompress these frames",
    "create, write, set the time of and close every file: four calls each, and one for each directory",
];

/// One part: its processor time in each pass, in seconds.
#[derive(Debug, Serialize)]
pub struct Floor {
    pub about: &'static str,
    /// The bytes of its input: content, tar, or frames.
    pub bytes: u64,
    pub cpu: Vec<f64>,
}

impl Floor {
    pub fn spread(&self) -> Spread {
        Spread::of(self.cpu.iter().copied())
    }
}

/// Makes as many passes as there are pairs of runs, after a first one that does not count.
pub fn measure(bench: &mut Bench) -> Outcome<Vec<Floor>> {
    let copies = match bench.target.removal {
        Removal::AtOnce => 1,
        Removal::AtEnd => u64::from(bench.pairs) + 1,
    };
    let room = bench.target.room(Need::of(&bench.profile, copies))?;
    let listing = Listing::of(&bench.tree)?;
    let mut floors = PARTS.map(|about| Floor { about, bytes: 0, cpu: Vec::new() });
    let mut memory = Memory::new(i32::try_from(bench.level)?)?;
    for number in 0..=bench.pairs {
        eprintln!("floors: pass {number} of {}", bench.pairs);
        let out = room.join(format!("floor-{number}"));
        make_directories(&out, &listing)?;
        rustix::fs::syncfs(fs::File::open(&out)?)?;
        let pass = pass(&bench.tree, &out, &listing, &mut memory)?;
        for (floor, taken) in floors.iter_mut().zip(pass) {
            floor.bytes = taken.bytes;
            floor.cpu.extend((number > 0).then_some(taken.cpu));
        }
        bench.target.leave(&out)?;
    }
    Ok(floors.into())
}

fn make_directories(out: &Path, listing: &Listing) -> std::io::Result<()> {
    fs::create_dir(out)?;
    listing.directories.iter().try_for_each(|dir| fs::create_dir(out.join(dir)))
}

/// What a part has taken in one pass.
#[derive(Debug, Clone, Copy, Default)]
struct Taken {
    cpu: f64,
    bytes: u64,
}

impl Taken {
    /// Does the work, and counts it.
    fn clock<T>(&mut self, bytes: usize, work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        let cpu = || child::own_usage().map(|usage| (usage.user + usage.system).as_secs_f64());
        let before = cpu()?;
        let result = work()?;
        self.cpu += cpu()? - before;
        self.bytes += bytes as u64;
        Ok(result)
    }
}

/// Buffers that are reused for every batch, so that no page is touched for the first time while a clock runs.
struct Memory {
    content: Vec<u8>,
    copy: Vec<u8>,
    tar: Vec<u8>,
    frames: Vec<Vec<u8>>,
    compressor: Compressor<'static>,
    decompressor: Decompressor<'static>,
}

impl Memory {
    fn new(level: i32) -> Outcome<Self> {
        let mut compressor = Compressor::new(level)?;
        compressor.include_checksum(true)?;
        Ok(Memory {
            content: vec![0; BATCH_BYTES],
            copy: vec![0; BATCH_BYTES],
            tar: Vec::new(),
            frames: Vec::new(),
            compressor,
            decompressor: Decompressor::new()?,
        })
    }

    /// Hashes each piece; returns one number, so that nothing is optimised away.
    fn hash(&self, batch: &[Piece]) -> u128 {
        batch.iter().fold(0, |all, piece| all ^ xxh3_128(&self.content[piece.bytes.clone()]))
    }

    fn copy(&mut self, len: usize) {
        self.copy[..len].copy_from_slice(&self.content[..len]);
        black_box(&self.copy);
    }

    /// Compresses each stretch of the tar into a frame. Returns their total length.
    fn compress(&mut self) -> Outcome<usize> {
        let mut bytes = 0;
        for (number, stretch) in self.tar.chunks(FRAME_BYTES).enumerate() {
            let frame = &mut self.frames[number];
            frame.clear();
            bytes += self.compressor.compress_to_buffer(stretch, frame)?;
        }
        Ok(bytes)
    }

    fn decompress(&mut self) -> Outcome<()> {
        for frame in &self.frames[..self.tar.len().div_ceil(FRAME_BYTES)] {
            self.decompressor.decompress_to_buffer(frame, &mut self.copy[..FRAME_BYTES])?;
        }
        Ok(())
    }

    /// Makes the tar of a batch, and room for its frames.
    fn make_tar(&mut self, batch: &[Piece], listing: &Listing) {
        self.tar.clear();
        for piece in batch {
            let entry = &listing.files[piece.file];
            if piece.is_first {
                tar::encode(entry, &mut self.tar);
            }
            self.tar.extend_from_slice(&self.content[piece.bytes.clone()]);
            if piece.is_last {
                self.tar.resize(self.tar.len() + tar::padding(entry.kind.size()), 0);
            }
        }
        while self.frames.len() < self.tar.len().div_ceil(FRAME_BYTES) {
            self.frames.push(Vec::with_capacity(zstd::zstd_safe::compress_bound(FRAME_BYTES)));
        }
    }
}

fn pass(tree: &Path, out: &Path, listing: &Listing, memory: &mut Memory) -> Outcome<[Taken; PARTS.len()]> {
    let [mut read, mut hash, mut copy, mut compress, mut decompress, mut create] = [Taken::default(); 6];
    let mut reader = Reader::new(tree, listing)?;
    let mut writer = Writer::new(out, listing)?;
    for batch in listing.batches(BATCH_BYTES) {
        interrupt::check()?;
        let len = batch.last().map_or(0, |piece| piece.bytes.end);
        read.clock(len, || reader.read(&batch, &mut memory.content))?;
        black_box(hash.clock(len, || Ok(memory.hash(&batch)))?);
        copy.clock(len, || {
            memory.copy(len);
            Ok(())
        })?;
        create.clock(len, || writer.write(&batch, &memory.content))?;
        memory.make_tar(&batch, listing);
        let frames = compress.clock(memory.tar.len(), || memory.compress())?;
        decompress.clock(frames, || memory.decompress())?;
    }
    Ok([read, hash, copy, compress, decompress, create])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;
    use crate::target::Target;
    use tempfile::TempDir;

    #[test]
    fn the_written_tree_is_the_one_that_was_read_and_every_part_is_counted() {
        let (tree, parent) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        fs::create_dir(tree.path().join("d")).unwrap();
        fs::write(tree.path().join("d/a"), "content").unwrap();
        fs::write(tree.path().join("b"), "").unwrap();
        // Larger than a frame.
        fs::write(tree.path().join("c"), vec![7; FRAME_BYTES + 5]).unwrap();
        let profile = Profile::of(tree.path()).unwrap();
        let target = Target::new(parent.path(), None, Some(Removal::AtEnd)).unwrap();
        let mut bench = Bench {
            tree: tree.path().to_owned(),
            profile: profile.clone(),
            level: 3,
            pairs: 2,
            target,
            duels: Vec::new(),
            failures: Vec::new(),
        };
        let floors = measure(&mut bench).unwrap();
        assert!(floors.iter().all(|floor| floor.cpu.len() == 2));
        let bytes: Vec<_> = floors.iter().map(|floor| floor.bytes).collect();
        assert_eq!([bytes[0], bytes[1], bytes[2], bytes[5]], [profile.bytes; 4]);
        assert!(bytes[3] > profile.bytes && bytes[3] % 512 == 0 && bytes[4] < bytes[3]);
        let room = fs::read_dir(parent.path()).unwrap().next().unwrap().unwrap().path();
        for pass in 0..3 {
            let out = room.join(format!("floor-{pass}"));
            assert!(Profile::of(&out).unwrap().is_like(&profile));
            assert_eq!(fs::read(out.join("d/a")).unwrap(), b"content");
            let modified = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
            assert_eq!(modified(&out.join("c")), modified(&tree.path().join("c")));
        }
    }
}
