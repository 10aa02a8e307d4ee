//! Archives that lie, and archives that are damaged.

use super::build::{Stream, decode, decode_with, gnu, ustar, v7};
use crate::archive::tar::{Ending, Limits, TarFault, number};
use crate::tree::{Kind, PathError, Timestamp};

fn refusal(stream: &Stream) -> PathError {
    match stream.fault() {
        TarFault::Refused { why, .. } => why,
        other => panic!("{other:?}"),
    }
}

/// A member of this name, spelled in every way that an archive has for it.
fn named(name: &[u8]) -> Vec<Stream> {
    let mut streams = vec![
        Stream::default().long(b'L', name).header(gnu(b'0', b"harmless", 0)).end(),
        Stream::default().long(b'K', name).header(gnu(b'1', b"harmless", 0)).end(),
    ];
    if !name.is_empty() {
        streams.push(Stream::default().header(v7(0, name, 0)).end());
        streams.push(Stream::default().header(ustar(b'5', name, 0)).end());
        streams.push(Stream::default().pax(&[("path", name)]).file("harmless", b"").end());
        streams.push(Stream::default().pax(&[("linkpath", name)]).header(ustar(b'1', b"harmless", 0)).end());
    }
    streams
}

#[test]
fn names_that_lead_out_of_the_root_are_refused() {
    for (names, why) in [
        (&["../x", "a/../../x", "a/..", "..", "./../x", "a//..//..//x", "../"][..], PathError::Parent),
        (&["/etc/x", "//x", "///x", "/./x", "/"], PathError::Absolute),
        (&[""], PathError::Empty),
    ] {
        for name in names {
            for stream in named(name.as_bytes()) {
                assert_eq!(refusal(&stream), why, "{name:?}");
            }
        }
    }
    let mut split = ustar(b'0', b"x", 0);
    split.as_ustar_mut().unwrap().prefix[..4].copy_from_slice(b"a/..");
    assert_eq!(refusal(&Stream::default().header(split).end()), PathError::Parent);
    let sparse = [("GNU.sparse.name", &b"../x"[..]), ("GNU.sparse.map", b""), ("GNU.sparse.size", b"1")];
    assert_eq!(refusal(&Stream::default().pax(&sparse).file("harmless", b"").end()), PathError::Parent);
}

#[test]
fn a_refusal_names_the_member_so_that_it_cannot_move_the_cursor() {
    let (_, end) = decode(&Stream::default().file("ok", b"").header(v7(0, b"../\x1b[2J", 0)).0, &[7]);
    let error = end.unwrap_err();
    assert_eq!((error.offset, &*error.member), (512, "../\\x1b[2J"));
    assert_eq!(
        error.to_string(),
        "the name contains '..' (member '../\\x1b[2J', at byte 512 of the tar stream)"
    );
    let link = Stream::default().long(b'K', b"/e\tc").header(gnu(b'1', b"a", 0));
    assert_eq!(
        decode(&link.0, &[7]).1.unwrap_err().to_string(),
        "the link target '/e\\tc' cannot be used: the name is absolute (member 'a', at byte 1024 of the tar stream)"
    );
}

#[test]
fn other_systems_odd_names_are_plain_bytes() {
    for name in
        ["C:..\\x", "C:\\x", "..\\x", "\\\\?\\x", "CON", "f:ads", "-rf", "\n", "\x1b[2J", "...", " ", "~"]
    {
        assert_eq!(
            Stream::default().file(name, b"").end().member().member.entry.path.as_path().as_bytes(),
            name.as_bytes()
        );
    }
    for name in [vec![0xff, 0xfe], vec![b'x'; 255], vec![b'x'; 256], vec![b'x'; 70_000]] {
        let stream = Stream::default().pax(&[("path", &name)]).file("harmless", b"").end();
        assert_eq!(stream.member().member.entry.path.as_path().as_bytes(), name);
    }
    let deep = b"d/".repeat(100_000);
    let stream = Stream::default().long(b'L', &deep).header(gnu(b'5', b"cut", 0)).end();
    assert_eq!(stream.member().member.entry.path.as_path().depth(), 100_000);
}

#[test]
fn the_root_is_a_directory_or_nothing() {
    for name in ["./", ".", "././"] {
        let stream = Stream::default().header(ustar(b'5', name.as_bytes(), 0)).end();
        assert!(stream.member().member.entry.path.as_path().is_root());
    }
    let mut link = ustar(b'2', b".", 0);
    link.as_old_mut().linkname[0] = b'/';
    assert!(matches!(Stream::default().header(link).fault(), TarFault::Malformed(_)));
    assert!(matches!(Stream::default().file(".", b"").fault(), TarFault::Malformed(_)));
    assert!(matches!(
        Stream::default().long(b'K', b"./").header(gnu(b'1', b"a", 0)).fault(),
        TarFault::Malformed(_)
    ));
    assert!(
        matches!(Stream::default().header(ustar(b'2', b"a", 0)).fault(), TarFault::Malformed(_)),
        "no target"
    );
}

#[test]
fn extension_headers_do_not_apply_to_each_other() {
    // Were the size of the records taken for the long name's, its body would be read as a header.
    let stream = Stream::default()
        .pax(&[("size", b"3"), ("uid", b"9")])
        .long(b'L', b"long")
        .records(b'g', &[("gid", b"8")])
        .header(gnu(b'0', b"cut", 0))
        .data(b"abc")
        .end();
    let seen = stream.member();
    assert_eq!((seen.name().as_str(), &seen.data[..]), ("long", &[(0, b"abc".to_vec())][..]));
    assert_eq!((seen.member.entry.meta.owner.uid, seen.member.entry.meta.owner.gid), (9, 8));
    // A trailing slash makes a directory of a member, not of a header before it.
    let stream = Stream::default().long(b'L', b"file").header(v7(0, b"cut/", 3)).data(b"abc").end();
    assert_eq!(stream.member().member.entry.kind, Kind::file(3));
}

#[test]
fn dangling_and_contradicting_extensions_are_refused() {
    let x = |stream: Stream| stream.pax(&[("path", b"x")]);
    for (what, stream) in [
        ("dangling records", x(Stream::default()).end()),
        ("dangling name", Stream::default().long(b'L', b"l").end()),
        ("stacked records", x(x(Stream::default())).file("a", b"").end()),
        ("stacked names", Stream::default().long(b'L', b"l").long(b'L', b"m").file("a", b"").end()),
        ("two names", x(Stream::default().long(b'L', b"l")).file("a", b"").end()),
        ("records of a label", x(Stream::default()).header(gnu(b'V', b"label", 0)).end()),
        ("global path", Stream::default().records(b'g', &[("path", b"a")]).file("a", b"").end()),
        ("global size", Stream::default().records(b'g', &[("size", b"1")]).file("a", b"").end()),
        ("global link", Stream::default().records(b'g', &[("linkpath", b"a")]).file("a", b"").end()),
        ("NUL", x(Stream::default()).pax(&[("path", b"a\0b")]).file("a", b"").end()),
    ] {
        assert!(matches!(stream.fault(), TarFault::Malformed(_)), "{what}");
    }
    let malformed = Stream::default().extension(ustar(b'x', b"x", 5), b"5 a=b").file("a", b"").end();
    assert!(matches!(malformed.fault(), TarFault::Malformed(_)));
}

#[test]
fn extension_headers_have_limits() {
    let limits = Limits { metadata_bytes: 1000, pending_headers: 3, sparse_extents: 3 };
    let fault = |stream: Stream| decode_with(limits, &stream.0, &[1000]).1.map_err(|e| e.fault);
    let globals = |n: usize| (0..n).fold(Stream::default(), |s, _| s.records(b'g', &[("comment", b"")]));
    assert_eq!(fault(globals(3).file("a", b"").file("b", b"").end()), Ok(Ending::Marked));
    assert!(matches!(fault(globals(4)), Err(TarFault::TooLarge(_))));
    assert!(matches!(fault(Stream::default().long(b'L', &[b'n'; 1001])), Err(TarFault::TooLarge(_))));
    // A declared length is refused before a byte of it has arrived.
    assert!(matches!(
        fault(Stream::default().header(ustar(b'x', b"x", 1 << 40))),
        Err(TarFault::TooLarge(_))
    ));
    // The limit is for each member.
    let stream =
        (0..5).fold(Stream::default(), |s, _| s.long(b'L', &[b'n'; 900]).header(gnu(b'0', b"cut", 0)));
    assert_eq!(fault(stream.end()), Ok(Ending::Marked));
    let text = Stream::default()
        .pax(&[("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"0"), ("GNU.sparse.realsize", b"9")])
        .header(ustar(b'0', b"a", 1 << 40))
        .data(b"1000000000\n");
    assert!(matches!(fault(text), Err(TarFault::TooLarge(_))));
}

#[test]
fn an_endless_old_map_is_refused() {
    let mut header = gnu(b'S', b"a", 0);
    let fields = header.as_gnu_mut().unwrap();
    fields.set_real_size(1 << 40);
    fields.set_is_extended(true);
    fields.sparse.iter_mut().for_each(|e| (e.offset, e.numbytes) = (*b"00000000000\0", *b"00000000000\0"));
    let mut block = tar::GnuExtSparseHeader::new();
    block.set_is_extended(true);
    block.sparse.iter_mut().for_each(|e| (e.offset, e.numbytes) = (*b"00000000000\0", *b"00000000000\0"));
    let limits = Limits { sparse_extents: 1000, ..Limits::default() };
    let stream = (0..100).fold(Stream::default().header(header), |s, _| s.data(block.as_bytes()));
    assert!(matches!(decode_with(limits, &stream.0, &[512]).1.unwrap_err().fault, TarFault::TooLarge(_)));
}

#[test]
fn sizes_that_are_none_are_refused_and_large_ones_do_not_overflow() {
    let sized = |field: [u8; 12]| {
        let mut header = ustar(b'0', b"a", 0);
        header.as_old_mut().size = field;
        Stream::default().header(header)
    };
    let binary = |number: u64| {
        let mut field = [0; 12];
        number::fill(&mut field, number);
        field[0] |= 0x80;
        field
    };
    for field in [
        [0xff; 12],
        *b"0000000000x\0",
        *b"00000000008\0",
        *b"-0000000001\0",
        binary(1 << 63),
        binary(u64::MAX - 511),
    ] {
        assert!(matches!(sized(field).fault(), TarFault::Malformed(_)), "{field:?}");
    }
    let (seen, end) = decode(&sized(binary(i64::MAX as u64)).data(b"some").0, &[100]);
    assert_eq!(seen[0].member.entry.kind, Kind::file(i64::MAX as u64));
    assert_eq!(end.unwrap_err().fault, TarFault::Truncated);
}

#[test]
fn only_files_have_content() {
    for typeflag in *b"23456" {
        let mut header = ustar(typeflag, b"a", 1);
        header.as_old_mut().linkname[0] = b't';
        assert!(matches!(Stream::default().header(header).data(b"x").fault(), TarFault::Malformed(_)));
    }
    assert!(matches!(
        Stream::default().header(v7(0, b"directory/", 1)).data(b"x").fault(),
        TarFault::Malformed(_)
    ));
}

#[test]
fn owners_that_are_none_are_refused() {
    for field in [*b"37777777777\0", *b"0x000000000\0"] {
        let mut header = ustar(b'0', b"a", 0);
        header.as_old_mut().uid.copy_from_slice(&field[..8]);
        header.as_old_mut().gid.copy_from_slice(b"garbage\0");
        assert!(matches!(Stream::default().header(header).fault(), TarFault::Malformed(_)));
    }
    for id in [u64::from(u32::MAX), 1 << 32, 1 << 40] {
        let mut header = ustar(b'0', b"a", 0);
        header.set_gid(id);
        assert!(matches!(Stream::default().header(header).fault(), TarFault::Malformed(_)), "{id}");
        let stream = Stream::default().pax(&[("uid", id.to_string().as_bytes())]).file("a", b"");
        assert!(matches!(stream.fault(), TarFault::Malformed(_)), "{id}");
    }
}

#[test]
fn times_far_away_are_held_to_the_range() {
    for (field, seconds) in [([0xff; 12], -1), ([0x80, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], i64::MAX)] {
        let mut header = gnu(b'0', b"a", 0);
        header.as_old_mut().mtime = field;
        let mtime = Stream::default().header(header).end().member().member.entry.meta.mtime;
        assert_eq!(mtime, Timestamp { seconds, nanos: 0 });
    }
}

#[test]
fn modes_with_bits_of_the_files_type_are_masked() {
    let mut header = ustar(b'0', b"a", 0);
    header.set_mode(0o104_755);
    assert_eq!(Stream::default().header(header).end().member().member.entry.meta.mode, 0o4755);
}

#[test]
fn an_archive_cut_anywhere_is_not_taken_for_a_whole_one() {
    let stream = Stream::default().pax(&[("mtime", b"1.5")]).file("a", &[b'a'; 600]).file("b", b"").0;
    let whole = [&stream[..], &[0; 1024]].concat();
    // Between members, and inside the marker's second block, nothing is missing.
    let boundaries = [1024 + 512 + 1024, stream.len()];
    for len in 1..whole.len() {
        let (_, end) = decode(&whole[..len], &[len]);
        if boundaries.contains(&len) {
            assert_eq!(end, Ok(Ending::Unmarked), "{len}");
        } else if len >= stream.len() + 512 {
            assert_eq!(end, Ok(Ending::Marked), "{len}");
        } else {
            let fault = end.unwrap_err().fault;
            assert_eq!(fault, if len < 512 { TarFault::NotTar } else { TarFault::Truncated }, "{len}");
        }
    }
}

#[test]
fn only_zeros_follow_the_end() {
    let one = Stream::default().file("a", b"").data(&[0; 512]);
    assert_eq!(one.members().len(), 1);
    assert_eq!(one.clone().data(&[0; 10_240]).members().len(), 1);
    for rest in [Stream::default().file("b", b"").end().0, b"\0\0x".to_vec()] {
        let stream = Stream([one.0.clone(), rest].concat());
        assert_eq!(stream.fault(), TarFault::Malformed("data after the end of the archive"));
    }
}

#[test]
fn what_is_no_tar_is_called_so() {
    for bytes in [&b""[..], b"x", &[b'x'; 511], &[b'x'; 512], &[b'x'; 2000]] {
        assert_eq!(decode(bytes, &[300]).1.unwrap_err().fault, TarFault::NotTar);
    }
    let mut damaged = Stream::default().file("a", b"").file("b", b"");
    damaged.0[512] ^= 1;
    assert_eq!(damaged.fault(), TarFault::Malformed("a header's checksum is wrong"));
    assert_eq!(Stream::default().data(&[0; 10_240]).members(), []);
}
