//! What holds for every way in which content is copied.
#![allow(clippy::disallowed_methods)] // files of the tests' own, by path

use super::*;
use crate::sys::sparse;
use crate::tree::extent;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

const ALL: [Call; 5] = [Call::Reflink, Call::CopyRange, Call::Send, Call::Allocate, Call::Punch];
/// Each forces one way.
const FORCED: [&[Call]; 5] = [
    &[],
    &[Call::Reflink],
    &[Call::Reflink, Call::CopyRange],
    &[Call::Reflink, Call::CopyRange, Call::Send],
    &ALL,
];
const PLAIN: Ways = Ways { sparse: false, preallocate: false, threads: NonZeroUsize::new(2).unwrap() };
const SPARSE: Ways = Ways { sparse: true, ..PLAIN };
const PREALLOCATE: Ways = Ways { preallocate: true, ..PLAIN };
const BOTH: Ways = Ways { sparse: true, preallocate: true, ..PLAIN };
const TIB: u64 = 1 << 40;

/// A stretch of a file.
#[derive(Debug, Clone)]
enum Part {
    Noise(u64, usize),
    Zeros(usize),
    Hole(usize),
}

/// A new file with this content, open for reading and writing, with its file position at 0.
fn file(parts: &[Part]) -> File {
    let (file, mut at) = (tempfile::tempfile().unwrap(), 0);
    for part in parts {
        let (bytes, len) = match *part {
            Part::Noise(seed, len) => (noise(len, seed), len),
            Part::Zeros(len) => (vec![0; len], len),
            Part::Hole(len) => (Vec::new(), len),
        };
        file.write_all_at(&bytes, at).unwrap();
        at += len as u64;
    }
    file.set_len(at).unwrap();
    file
}

fn of(bytes: &[u8]) -> File {
    let file = tempfile::tempfile().unwrap();
    file.write_all_at(bytes, 0).unwrap();
    file
}

/// A file on another file system than [`file`]'s, where there is one.
fn elsewhere(bytes: &[u8]) -> File {
    let file =
        if Path::new("/dev/shm").is_dir() { tempfile::tempfile_in("/dev/shm") } else { tempfile::tempfile() };
    let file = file.unwrap();
    file.write_all_at(bytes, 0).unwrap();
    file
}

fn empty() -> File {
    tempfile::tempfile().unwrap()
}

fn stat(file: &File) -> Stat {
    Stat::of(file.as_fd()).unwrap()
}

fn bytes(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; stat(file).size as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

/// Bytes without a pattern.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        // Marsaglia's xorshift64.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// What is known when these calls were refused to copies from the device of `file`.
fn refusing(calls: &[Call], file: &File) -> Learned {
    let learned = Learned::default();
    for &call in calls {
        learned.of(stat(file).dev).note(call, Errno::OPNOTSUPP);
    }
    learned
}

/// Runs `act` with a source that is `src` as it is now. Checks what is reported on the way.
fn run(
    (ways, refused): (Ways, &[Call]),
    src: &File,
    act: impl FnOnce(&mut Copier<'_>, Source<'_>, &mut Moved<'_>) -> Result<Copied, Stop>,
) -> (Result<Copied, Stop>, u64) {
    let learned = refusing(refused, src);
    let mut sum = 0;
    let stat = stat(src);
    let result = act(&mut Copier::new(ways, &learned), Source { file: src, stat: &stat }, &mut |bytes| {
        sum += bytes;
        Flow::Continue(())
    });
    (result, sum)
}

fn fresh(how: (Ways, &[Call]), src: &File, dst: &File) -> Copied {
    let (copied, moved) = run(how, src, |copier, src, moved| copier.fresh(src, dst, moved));
    assert_eq!(moved, stat(src).size);
    copied.unwrap()
}

fn inplace(how: (Ways, &[Call]), src: &File, dst: &File) -> Copied {
    let (copied, moved) = run(how, src, |copier, src, moved| copier.inplace(src, dst, moved));
    assert_eq!(moved, stat(src).size);
    copied.unwrap()
}

fn delta(how: (Ways, &[Call]), src: &File, basis: &File, dst: &File) -> Copied {
    let (copied, moved) = run(how, src, |copier, src, moved| copier.delta(src, basis, dst, moved));
    assert_eq!(moved, stat(src).size);
    copied.unwrap()
}

fn same(src: &File, dst: &File, size: u64) -> Result<bool, Stop> {
    let learned = Learned::default();
    Copier::new(PLAIN, &learned).same(src, dst, size, &mut |_| Flow::Continue(()))
}

/// A length near a border of blocks, buffers or steps, or any small one.
fn length() -> impl Strategy<Value = usize> {
    let border = prop::sample::select(vec![4 << 10, 8 << 10, 64 << 10, 256 << 10, 1 << 20]);
    prop_oneof![3 => 0_usize..20_000, 1 => (border, 0_usize..3).prop_map(|(border, off)| border - 1 + off)]
}

fn parts() -> impl Strategy<Value = Vec<Part>> {
    let part = prop_oneof![
        (any::<u64>(), length()).prop_map(|(seed, len)| Part::Noise(seed, len)),
        length().prop_map(Part::Zeros),
        length().prop_map(Part::Hole),
    ];
    vec(part, 0..6)
}

fn how() -> impl Strategy<Value = (Ways, &'static [Call])> {
    let ways = prop::sample::select(vec![PLAIN, SPARSE, PREALLOCATE, BOTH]);
    (ways, prop::sample::select(FORCED.to_vec()))
}

/// Content made of other content: stretches overwritten, put in, and taken out.
fn edited(mut content: Vec<u8>, edits: &[(u8, Index, usize, u64)]) -> Vec<u8> {
    for (kind, at, len, seed) in edits {
        let at = at.index(content.len() + 1);
        let end = content.len().min(at + len);
        match kind {
            0 => drop(content.splice(at..end, noise(end - at, *seed))),
            1 => drop(content.splice(at..at, noise(*len, *seed))),
            2 => drop(content.splice(at..end, vec![0; end - at])),
            _ => drop(content.drain(at..end)),
        }
    }
    content
}

fn edits() -> impl Strategy<Value = Vec<(u8, Index, usize, u64)>> {
    vec((0..4_u8, any::<Index>(), length(), any::<u64>()), 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_new_file_is_like_its_source(parts in parts(), how in how(), is_elsewhere: bool) {
        let src = file(&parts);
        let dst = if is_elsewhere { elsewhere(b"") } else { empty() };
        let copied = fresh(how, &src, &dst);
        prop_assert_eq!(copied.matched, 0);
        prop_assert!(copied.written <= stat(&src).size);
        prop_assert!(bytes(&dst) == bytes(&src));
    }

    #[test]
    fn an_update_in_place_makes_the_source(parts in parts(), edits in edits(), cut: Index, how in how()) {
        let src = file(&parts);
        let mut old = edited(bytes(&src), &edits);
        old.truncate(cut.index(old.len() + 1).max(old.len() / 2));
        let dst = of(&old);
        inplace(how, &src, &dst);
        prop_assert!(bytes(&dst) == bytes(&src));
        // Then there is nothing left to do.
        prop_assert_eq!(inplace(how, &src, &dst).written, 0);
    }

    #[test]
    fn what_is_appended_makes_the_source(parts in parts(), from: Index, how in how()) {
        let src = file(&parts);
        let new = bytes(&src);
        let from = from.index(new.len() + 1);
        let dst = of(&new[..from]);
        let (copied, moved) = run(how, &src, |copier, src, moved| copier.append(src, &dst, from as u64, moved));
        prop_assert!(copied.is_ok());
        prop_assert_eq!(moved, (new.len() - from) as u64);
        prop_assert!(bytes(&dst) == new);
    }

    #[test]
    fn a_file_put_together_from_an_old_one_is_like_its_source(
        parts in parts(), edits in edits(), how in how(), is_elsewhere: bool, has_holes: bool,
    ) {
        let src = file(&parts);
        let old = edited(bytes(&src), &edits);
        let basis = if is_elsewhere { elsewhere(&old) } else { of(&old) };
        let (src, basis) = if has_holes { (basis, src) } else { (src, basis) };
        let dst = empty();
        let copied = delta(how, &src, &basis, &dst);
        prop_assert!(copied.written + copied.matched <= stat(&src).size);
        prop_assert!(bytes(&dst) == bytes(&src));
    }

    #[test]
    fn files_are_the_same_when_their_bytes_are(parts in parts(), edits in edits()) {
        let src = file(&parts);
        let new = bytes(&src);
        let other = edited(new.clone(), &edits);
        let size = new.len() as u64;
        prop_assert_eq!(same(&src, &of(&new), size), Ok(true));
        prop_assert_eq!(same(&src, &of(&other), size), Ok(other.starts_with(&new)));
    }
}

#[test]
fn a_delta_takes_from_the_basis_what_is_there() {
    let old = noise(3 << 20, 1);
    let new = [&old[..1 << 20], &noise(100, 2)[..], &old[1 << 20..]].concat();
    for refused in FORCED.into_iter().skip(1) {
        let (src, dst) = (elsewhere(&new), empty());
        let copied = delta((PLAIN, refused), &src, &of(&old), &dst);
        assert!(
            copied.written <= 100 + 4096 && copied.written + copied.matched == new.len() as u64,
            "{copied:?}"
        );
        assert!(bytes(&dst) == new);
    }
}

#[test]
fn an_update_in_place_writes_only_what_differs() {
    let old = noise(1 << 20, 1);
    let mut new = old.clone();
    for at in [0, 4096 * 7 + 3, 4096 * 8, (1 << 20) - 1] {
        new[at] ^= 1;
    }
    let dst = of(&old);
    let copied = inplace((PLAIN, &[]), &of(&new), &dst);
    assert_eq!(copied, Copied { written: 4 * 4096, matched: (1 << 20) - 4 * 4096 });
    assert!(bytes(&dst) == new);
}

/// A file of 1 TiB with a little data in it.
fn huge(seed: u64) -> Option<File> {
    let file = empty();
    file.set_len(TIB).ok()?;
    for at in [0, 1 << 30, TIB / 2 + 5, TIB - (1 << 20)] {
        file.write_all_at(&noise(10_000, seed + at), at).unwrap();
    }
    Some(file)
}

#[test]
fn a_tebibyte_of_holes_costs_nothing() {
    let (Some(src), Some(basis)) = (huge(1), huge(2)) else { return };
    let is_like_source = |dst: &File| {
        assert_eq!(stat(dst).size, TIB);
        assert!(stat(dst).blocks < 1000, "{} blocks", stat(dst).blocks);
        let data = sparse::extents(dst, TIB).unwrap().unwrap();
        assert!(extent::data_bytes(&data) < 500_000);
        assert_eq!(same(&src, dst, TIB), Ok(true));
    };
    for refused in FORCED {
        for ways in [PLAIN, SPARSE] {
            let dst = empty();
            assert!(fresh((ways, refused), &src, &dst).written < TIB);
            is_like_source(&dst);
        }
    }
    let dst = empty();
    delta((PLAIN, FORCED[1]), &src, &basis, &dst);
    is_like_source(&dst);
    basis.write_all_at(b"in a hole", TIB / 4).unwrap();
    assert_eq!(same(&src, &basis, TIB), Ok(false));
    inplace((PLAIN, &[]), &src, &basis);
    is_like_source(&basis);
}

#[test]
fn a_file_of_one_hole_stays_one() {
    for refused in FORCED {
        let (src, dst) = (file(&[Part::Hole(1 << 20)]), empty());
        fresh((PLAIN, refused), &src, &dst);
        assert_eq!((stat(&dst).size, stat(&dst).blocks), (1 << 20, 0));
    }
}

#[test]
fn sparse_makes_holes_of_zeros_even_in_allocated_room() {
    let src =
        file(&[Part::Noise(1, 64 << 10), Part::Zeros(1 << 20), Part::Noise(2, 5), Part::Zeros(1 << 20)]);
    assert!(stat(&src).blocks * 512 >= 2 << 20, "the zeros are allocated");
    let other = file(&[Part::Noise(9, 5000)]);
    for ways in [SPARSE, BOTH] {
        let dst = empty();
        fresh((ways, &[]), &src, &dst);
        assert!(bytes(&dst) == bytes(&src));
        assert!(stat(&dst).blocks * 512 < 256 << 10, "{} blocks", stat(&dst).blocks);
        let dst = empty();
        delta((ways, &[]), &src, &other, &dst);
        assert!(stat(&dst).blocks * 512 < 256 << 10, "{} blocks", stat(&dst).blocks);
        let dst = of(&noise(stat(&src).size as usize, 3));
        inplace((ways, &[]), &src, &dst);
        assert!(stat(&dst).blocks * 512 < 256 << 10, "{} blocks", stat(&dst).blocks);
    }
}

#[test]
fn preallocated_room_is_kept_where_the_source_has_holes() {
    let src = file(&[Part::Noise(1, 4096), Part::Hole(1 << 20)]);
    let dst = empty();
    fresh((PREALLOCATE, &[]), &src, &dst);
    assert!(bytes(&dst) == bytes(&src));
    assert!(stat(&dst).blocks * 512 >= 1 << 20, "{} blocks", stat(&dst).blocks);
}

#[test]
fn room_that_cannot_be_had_is_an_error_before_anything_is_read() {
    // Reading it would fail.
    let src = File::from(
        crate::sys::Dir::open(&std::env::temp_dir()).unwrap().as_fd().try_clone_to_owned().unwrap(),
    );
    let learned = Learned::default();
    let stat = Stat { size: 1 << 61, ..stat(&empty()) };
    let end =
        Copier::new(PREALLOCATE, &learned)
            .fresh(Source { file: &src, stat: &stat }, &empty(), &mut |_| Flow::Continue(()));
    assert!(matches!(end, Err(Stop::Write(Errno::NOSPC | Errno::FBIG))), "{end:?}");
}

type Act<'d> = dyn Fn(&mut Copier<'_>, Source<'_>, &mut Moved<'_>) -> Result<Copied, Stop> + 'd;

/// Runs every act with the destination that it expects, and a basis if it needs one; `check` gets the result.
fn every_act(
    old: &[u8],
    how: (Ways, &[Call]),
    src: Source<'_>,
    check: impl Fn(&str, Result<Copied, Stop>, &File),
) {
    let half = old.len() / 2;
    let [new, whole, begun, put_together] = [empty(), of(old), of(&old[..half]), empty()];
    let basis = of(old);
    let acts: [(&str, &File, &Act<'_>); 4] = [
        ("fresh", &new, &|copier, src, moved| copier.fresh(src, &new, moved)),
        ("inplace", &whole, &|copier, src, moved| copier.inplace(src, &whole, moved)),
        ("append", &begun, &|copier, src, moved| copier.append(src, &begun, half as u64, moved)),
        ("delta", &put_together, &|copier, src, moved| copier.delta(src, &basis, &put_together, moved)),
    ];
    for (name, dst, act) in acts {
        let learned = refusing(how.1, src.file);
        let result = act(&mut Copier::new(how.0, &learned), src, &mut |_| Flow::Continue(()));
        check(name, result, dst);
    }
}

#[test]
fn a_source_that_became_shorter_is_told() {
    for tail in [Part::Noise(2, 100_000), Part::Hole(100_000)] {
        let src = file(&[Part::Noise(1, 300_000), tail]);
        let old = bytes(&src);
        let then = stat(&src);
        for short in [350_000, 300_000, 150_000, 0] {
            src.set_len(short).unwrap();
            for refused in FORCED {
                for ways in [PLAIN, SPARSE, PREALLOCATE] {
                    every_act(
                        &old,
                        (ways, refused),
                        Source { file: &src, stat: &then },
                        |name, result, _| {
                            assert_eq!(result, Err(Stop::Shrunk), "{name} {short} {ways:?} {refused:?}");
                        },
                    );
                }
            }
            assert_eq!(same(&src, &of(&bytes(&src)), then.size), Err(Stop::Shrunk));
            assert_eq!(same(&of(&old), &src, then.size), Ok(false));
            src.set_len(then.size).unwrap();
            src.write_all_at(&old, 0).unwrap();
        }
    }
}

#[test]
fn a_source_that_became_longer_is_cut() {
    for size in [300_000, 303_104] {
        let src = of(&noise(size, 1));
        let (then, old) = (stat(&src), bytes(&src));
        src.write_all_at(b"more", size as u64).unwrap();
        for refused in FORCED {
            every_act(&old, (PLAIN, refused), Source { file: &src, stat: &then }, |name, result, dst| {
                assert!(result.is_ok() && bytes(dst) == old, "{name} {refused:?} {result:?}");
            });
        }
    }
}

#[test]
fn errors_of_the_two_sides_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    std::fs::write(&path, noise(100_000, 1)).unwrap();
    let (read_only, src) = (File::open(&path).unwrap(), of(&noise(100_000, 2)));
    let directory = File::open(dir.path()).unwrap();
    let write_only = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let then = stat(&src);
    for refused in FORCED {
        for ways in [PLAIN, SPARSE, PREALLOCATE] {
            for (unreadable, errno) in [(&directory, Errno::ISDIR), (&write_only, Errno::BADF)] {
                every_act(
                    &noise(100_000, 3),
                    (ways, refused),
                    Source { file: unreadable, stat: &then },
                    |name, result, _| {
                        assert_eq!(result, Err(Stop::Read(errno)), "{name} {ways:?} {refused:?}");
                    },
                );
            }
            let how = (ways, refused);
            let (fresh, _) = run(how, &src, |copier, src, moved| copier.fresh(src, &read_only, moved));
            let (inplace, _) = run(how, &src, |copier, src, moved| copier.inplace(src, &read_only, moved));
            let (append, _) =
                run(how, &src, |copier, src, moved| copier.append(src, &read_only, 50_000, moved));
            let (delta, _) =
                run(how, &src, |copier, src, moved| copier.delta(src, &of(b"old"), &read_only, moved));
            for result in [fresh, inplace, append, delta] {
                assert_eq!(result, Err(Stop::Write(Errno::BADF)), "{ways:?} {refused:?}");
            }
        }
    }
    assert_eq!(same(&directory, &src, 10), Err(Stop::Read(Errno::ISDIR)));
    assert_eq!(same(&src, &directory, 10), Err(Stop::Write(Errno::ISDIR)));
}

#[test]
fn a_basis_that_cannot_be_read_is_done_without() {
    let dir = tempfile::tempdir().unwrap();
    let directory = File::open(dir.path()).unwrap();
    let (src, dst) = (of(&noise(100_000, 1)), empty());
    assert_eq!(delta((PLAIN, FORCED[1]), &src, &directory, &dst), Copied { written: 100_000, matched: 0 });
    assert!(bytes(&dst) == bytes(&src));
}

#[test]
fn a_basis_that_changes_meanwhile_is_done_without() {
    let old = noise(1 << 20, 1);
    for change in [
        |basis: &File| basis.set_len(8192).unwrap(),
        |basis: &File| {
            basis.write_all_at(&noise(1 << 20, 7), 0).unwrap();
        },
    ] {
        let (src, basis, dst) = (of(&old), of(&old), empty());
        // Told for the first time before the first block is hashed, for the second when all are.
        let mut told = 0;
        let learned = refusing(&[Call::Reflink], &src);
        let stat = stat(&src);
        let copied =
            Copier::new(PLAIN, &learned).delta(Source { file: &src, stat: &stat }, &basis, &dst, &mut |_| {
                told += 1;
                if told == 2 {
                    change(&basis);
                }
                Flow::Continue(())
            });
        assert_eq!(copied, Ok(Copied { written: 1 << 20, matched: 0 }));
        assert!(bytes(&dst) == old);
    }
}

#[test]
fn a_basis_without_anything_in_common_is_given_up() {
    let new = noise(80 << 20, 1);
    let (src, dst) = (elsewhere(&new), empty());
    let copied = delta((PLAIN, FORCED[1]), &src, &file(&[Part::Noise(2, 1 << 20)]), &dst);
    assert_eq!(copied, Copied { written: new.len() as u64, matched: 0 });
    assert!(bytes(&dst) == new);
}

#[test]
fn a_run_that_is_cancelled_stops() {
    let new = noise(3 << 20, 1);
    let src = of(&new);
    let then = stat(&src);
    for refused in FORCED.into_iter().skip(1) {
        let learned = refusing(refused, &src);
        let mut copier = Copier::new(PLAIN, &learned);
        let source = Source { file: &src, stat: &then };
        let stop = &mut |_: u64| Flow::Break(());
        assert_eq!(copier.fresh(source, &empty(), stop), Err(Stop::Cancelled));
        assert_eq!(copier.inplace(source, &of(&new), stop), Err(Stop::Cancelled));
        assert_eq!(copier.append(source, &of(&new[..5]), 5, stop), Err(Stop::Cancelled));
        assert_eq!(copier.delta(source, &of(&new), &empty(), stop), Err(Stop::Cancelled));
        assert_eq!(copier.same(&src, &of(&new), then.size, stop), Err(Stop::Cancelled));
    }
}

#[test]
fn an_empty_source_costs_no_call() {
    // None would succeed on a directory.
    let directory = File::open("/").unwrap();
    let learned = Learned::default();
    let none = Stat { size: 0, blocks: 0, ..stat(&directory) };
    let mut copier = Copier::new(BOTH, &learned);
    let source = Source { file: &directory, stat: &none };
    let go_on = &mut |_: u64| Flow::Continue(());
    assert_eq!(copier.fresh(source, &directory, go_on), Ok(Copied::default()));
    assert_eq!(copier.delta(source, &directory, &directory, go_on), Ok(Copied::default()));
}

#[test]
fn what_a_file_system_refuses_is_asked_of_it_once() {
    let (src, other) = (of(b"content"), elsewhere(b""));
    if stat(&src).dev == stat(&other).dev {
        return;
    }
    let learned = Learned::default();
    let then = stat(&src);
    let source = Source { file: &src, stat: &then };
    Copier::new(PLAIN, &learned).fresh(source, &other, &mut |_| Flow::Continue(())).unwrap();
    let refused = learned.of(then.dev);
    assert!(refused.holds(Call::Reflink) && refused.holds(Call::CopyRange) && !refused.holds(Call::Send));
}
