//! The least that the work on a tree can take on a target with latency: requests, as many at once as are of use.
//!
//! Owns the measurement of what a program that did nothing else would take: creating every file, listing every directory,
//! and writing large files in requests of 1 MiB. The content is in memory before a clock starts.

use crate::batch::Listing;
use crate::measure::{Bench, Outcome};
use crate::mount::Need;
use crate::slow::Traffic;
use crate::stats::Spread;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

/// As many threads as haul has requests in flight at most.
const THREADS: usize = 64;
/// The size of a request that writes a large file, and of the smallest file that is one.
const REQUEST: usize = 1 << 20;
/// The most content that is held in memory.
const MOST_BYTES: u64 = 2 << 30;

const CREATE: &str = "create, write and close every file, on 64 threads over all directories";
const LIST: &str = "list every directory, level by level, on 64 threads";
const ONE: &str = "write the files of 1 MiB and more, in requests of 1 MiB, one after the other (`dd bs=1M`)";
const EIGHT: &str = "the same with eight requests at once";

/// One kind of work: its time in each pass, in seconds, and the requests of the last.
#[derive(Debug, Serialize)]
pub struct Stream {
    pub about: &'static str,
    pub wall: Vec<f64>,
    pub requests: u32,
    pub most_in_flight: usize,
}

impl Stream {
    pub fn spread(&self) -> Spread {
        Spread::of(self.wall.iter().copied())
    }
}

/// A file's path below the root, and its content.
struct Content {
    path: PathBuf,
    bytes: Vec<u8>,
}

/// Makes as many passes as there are pairs of runs, after a first one that does not count.
pub fn measure(bench: &mut Bench) -> Outcome<Vec<Stream>> {
    if bench.profile.bytes > MOST_BYTES {
        return Err("the tree is too large for these floors, which hold it in memory".into());
    }
    let room = bench.target.room(Need::of(&bench.profile, 3))?;
    let listing = Listing::of(&bench.tree)?;
    let files = contents(&bench.tree, &listing)?;
    let large: Vec<&Content> = files.iter().filter(|file| file.bytes.len() >= REQUEST).collect();
    let mut streams: Vec<Stream> = Vec::new();
    for number in 0..=bench.pairs {
        eprintln!("floors: pass {number} of {}", bench.pairs);
        let out = room.join(format!("floor-{number}"));
        fs::create_dir(&out)?;
        listing.directories.iter().try_for_each(|dir| fs::create_dir(out.join(dir)))?;
        let mut take = |about, work: &dyn Fn() -> Outcome<()>| {
            let taken = time(bench, work)?;
            record(&mut streams, about, taken, number > 0);
            Ok::<_, Box<dyn std::error::Error>>(())
        };
        take(CREATE, &|| create(&out, &files))?;
        take(LIST, &|| list(&out))?;
        if !large.is_empty() {
            for (about, threads) in [(ONE, 1), (EIGHT, 8)] {
                let dir = out.join(format!("large-{threads}"));
                fs::create_dir(&dir)?;
                take(about, &|| write_large(&dir, &large, threads))?;
            }
        }
        fs::remove_dir_all(&out)?;
    }
    Ok(streams)
}

fn time(bench: &Bench, work: &dyn Fn() -> Outcome<()>) -> Outcome<(f64, Traffic)> {
    let (wall, traffic) = bench.target.timed(|| {
        let start = Instant::now();
        work().map(|()| start.elapsed().as_secs_f64())
    });
    Ok((wall?, traffic.ok_or("a target without latency")?))
}

fn record(streams: &mut Vec<Stream>, about: &'static str, (wall, traffic): (f64, Traffic), counts: bool) {
    let at = streams.iter().position(|stream| stream.about == about).unwrap_or_else(|| {
        streams.push(Stream { about, wall: Vec::new(), requests: 0, most_in_flight: 0 });
        streams.len() - 1
    });
    let stream = &mut streams[at];
    stream.wall.extend(counts.then_some(wall));
    (stream.requests, stream.most_in_flight) = (traffic.requests, traffic.most_in_flight);
}

/// The files, taken in turns from all directories: what is created in one directory at once, the kernel makes wait.
fn contents(tree: &Path, listing: &Listing) -> Outcome<Vec<Content>> {
    let mut in_dir: BTreeMap<PathBuf, usize> = BTreeMap::new();
    let mut files = Vec::new();
    for entry in &listing.files {
        let path = PathBuf::from(entry.path.as_path().as_os_str());
        let turn = in_dir.entry(path.parent().map(Path::to_owned).unwrap_or_default()).or_default();
        files.push((*turn, path));
        *turn += 1;
    }
    files.sort();
    let read = |(_, path): (usize, PathBuf)| Ok(Content { bytes: fs::read(tree.join(&path))?, path });
    files.into_iter().map(read).collect()
}

/// Does `work` for each number below `count`, on so many threads. Returns the first error.
fn on_threads(
    threads: usize,
    count: usize,
    work: &(dyn Fn(usize) -> std::io::Result<()> + Sync),
) -> Outcome<()> {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(None);
    thread::scope(|scope| {
        for _ in 0..threads.min(count) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    if let Err(error) = work(number) {
                        if let Ok(mut failed) = failed.lock() {
                            failed.get_or_insert(error);
                        }
                        return;
                    }
                }
            });
        }
    });
    match failed.into_inner() {
        Ok(None) => Ok(()),
        Ok(Some(error)) => Err(error.into()),
        Err(_) => Err("a thread panicked".into()),
    }
}

fn create(out: &Path, files: &[Content]) -> Outcome<()> {
    on_threads(THREADS, files.len(), &|number| {
        let Content { path, bytes } = &files[number];
        File::create_new(out.join(path))?.write_all_at(bytes, 0)
    })
}

/// A directory's entries are known once it is listed, so each level waits for the one above.
fn list(out: &Path) -> Outcome<()> {
    let mut level = vec![out.to_owned()];
    while !level.is_empty() {
        let below = Mutex::new(Vec::new());
        on_threads(THREADS, level.len(), &|number| {
            for entry in fs::read_dir(&level[number])? {
                let entry = entry?;
                if entry.file_type()?.is_dir()
                    && let Ok(mut below) = below.lock()
                {
                    below.push(entry.path());
                }
            }
            Ok(())
        })?;
        level = below.into_inner().map_err(|_| "a thread panicked")?;
    }
    Ok(())
}

fn write_large(dir: &Path, files: &[&Content], threads: usize) -> Outcome<()> {
    for (number, content) in files.iter().enumerate() {
        let file = File::create_new(dir.join(number.to_string()))?;
        on_threads(threads, content.bytes.len().div_ceil(REQUEST), &|piece| {
            let from = piece * REQUEST;
            let to = content.bytes.len().min(from + REQUEST);
            file.write_all_at(&content.bytes[from..to], from as u64)
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;
    use crate::slow::Slowness;
    use crate::target::Target;
    use std::time::Duration;
    use tempfile::TempDir;

    #[test]
    fn floors_are_measured_on_a_target_with_latency() {
        let (tree, parent) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        for dir in 0..8 {
            fs::create_dir(tree.path().join(dir.to_string())).unwrap();
            for file in 0..4 {
                fs::write(tree.path().join(format!("{dir}/{file}")), "content").unwrap();
            }
        }
        fs::write(tree.path().join("large"), vec![7; 3 * REQUEST + 1]).unwrap();
        let profile = Profile::of(tree.path()).unwrap();
        let slowness = Slowness { latency: Duration::from_millis(5), refuses_times: false };
        let target = Target::new(parent.path(), None, None).unwrap().slowed(Some(slowness));
        let (tree, level, pairs) = (tree.path().to_owned(), 3, 1);
        let mut bench =
            Bench { tree, profile, level, pairs, target, duels: Vec::new(), failures: Vec::new() };
        if bench.target.room(Need { bytes: 0, inodes: 0 }).is_err() {
            return eprintln!("SKIPPED: FUSE cannot be mounted");
        }
        let streams = measure(&mut bench).unwrap();
        assert_eq!(streams.iter().map(|stream| stream.about).collect::<Vec<_>>(), [CREATE, LIST, ONE, EIGHT]);
        for stream in &streams {
            assert_eq!(stream.wall.len(), 1);
            assert!(stream.spread().min >= 0.005, "{stream:?}");
        }
        let [create, list, one, eight] = &streams[..] else { panic!("{streams:?}") };
        // Lookup, create, write and flush; and what the kernel asks of directories.
        assert!(create.requests >= 33 * 4 && create.most_in_flight > 4, "{create:?}");
        assert!(list.requests >= 9 * 2 && list.most_in_flight > 1, "{list:?}");
        // The kernel may let only one writer at a time into a file.
        assert!(one.requests >= 4 && eight.requests >= 4, "{one:?} {eight:?}");
    }
}
