//! What every writer's tar means.

use super::build::{Stream, gnu, ustar, v7};
use crate::archive::tar::{TarFault, number};
use crate::tree::{Device, Extent, Kind, Timestamp};

fn kinds(stream: &Stream) -> Vec<(String, Kind)> {
    stream.members().into_iter().map(|seen| (seen.name(), seen.member.entry.kind)).collect()
}

#[test]
fn every_type_of_member_is_understood() {
    let linked = |mut header: tar::Header| {
        header.as_old_mut().linkname[..6].copy_from_slice(b"target");
        header
    };
    let device = |mut header: tar::Header| {
        header.set_device_major(8).unwrap();
        header.set_device_minor(17).unwrap();
        header
    };
    let numbers = Device { major: 8, minor: 17 };
    let stream = Stream::default()
        .file("0", b"x")
        .header(v7(0, b"nul", 0))
        .header(ustar(b'7', b"contiguous", 2))
        .data(b"yz")
        .header(linked(ustar(b'1', b"1", 0)))
        .header(linked(gnu(b'2', b"2", 0)))
        .header(device(ustar(b'3', b"3", 0)))
        .header(device(gnu(b'4', b"4", 0)))
        .header(ustar(b'5', b"5/", 0))
        .header(ustar(b'6', b"6", 0))
        .header(v7(0, b"old-directory/", 0))
        .header(gnu(b'V', b"label", 0))
        .end();
    let named = |name: &str, kind| (name.to_owned(), kind);
    assert_eq!(
        kinds(&stream),
        [
            named("0", Kind::file(1)),
            named("nul", Kind::file(0)),
            named("contiguous", Kind::file(2)),
            named("1", Kind::HardLink(crate::tree::RelPathBuf::from_member_name(b"target").unwrap())),
            named("2", Kind::Symlink(b"target"[..].into())),
            named("3", Kind::CharDevice(numbers)),
            named("4", Kind::BlockDevice(numbers)),
            named("5", Kind::Directory),
            named("6", Kind::Fifo),
            named("old-directory", Kind::Directory),
        ]
    );
}

#[test]
fn members_of_unknown_type_are_refused() {
    for typeflag in *b"8DMNAEZ?\xff\x01" {
        assert_eq!(Stream::default().header(gnu(typeflag, b"a", 0)).fault(), TarFault::Unsupported(typeflag));
    }
    // star's sparse files have another layout.
    assert_eq!(Stream::default().header(ustar(b'S', b"a", 0)).fault(), TarFault::Unsupported(b'S'));
}

#[test]
fn records_override_the_header_of_the_next_member_only() {
    let stream = Stream::default()
        .records(b'g', &[("comment", b"a commit"), ("gid", b"77"), ("mtime", b"5")])
        .pax(&[
            ("path", b"long"),
            ("size", b"3"),
            ("uid", b"3000000"),
            ("uname", "jo\u{eb}".as_bytes()),
            ("mtime", b"-1.5"),
            ("atime", b"not even a time"),
            ("SCHILY.dev", b"?"),
            ("VENDOR.thing", b""),
        ])
        .header(ustar(b'0', b"short", 0))
        .data(b"abc")
        .file("next", b"")
        .end();
    let [first, next] = &stream.members()[..] else { panic!("two members") };
    let meta = &first.member.entry.meta;
    assert_eq!((first.name().as_str(), &first.data[..]), ("long", &[(0, b"abc".to_vec())][..]));
    assert_eq!((meta.owner.uid, meta.owner.gid, &*meta.owner.user), (3_000_000, 77, "jo\u{eb}".as_bytes()));
    assert_eq!(meta.mtime, Timestamp { seconds: -2, nanos: 500_000_000 });
    assert_eq!(
        (next.name().as_str(), next.member.entry.meta.owner.uid, next.member.entry.meta.owner.gid),
        ("next", 1, 77)
    );
    assert_eq!(next.member.entry.meta.mtime, Timestamp { seconds: 5, nanos: 0 });
}

#[test]
fn the_size_of_a_record_beats_that_of_the_header() {
    let inner = Stream::default().file("smuggled", b"").end().0;
    let size = inner.len().to_string();
    for declared in [0, 512, 1 << 33] {
        let stream = Stream::default()
            .pax(&[("size", size.as_bytes())])
            .header(ustar(b'0', b"nested.tar", declared))
            .data(&inner)
            .end();
        assert_eq!(stream.member().data, [(0, inner.clone())]);
    }
}

#[test]
fn long_names_and_links_are_joined_with_their_member() {
    let (name, target) = (vec![b'n'; 300], vec![b't'; 300]);
    let stream = Stream::default().long(b'K', &target).long(b'L', &name).header(gnu(b'2', b"cut", 0)).end();
    let seen = stream.member();
    assert_eq!(seen.member.entry.path.as_path().as_bytes(), name);
    assert_eq!(seen.member.entry.kind, Kind::Symlink(target.into()));
    assert_eq!((seen.member.offset, seen.member.header_bytes), (0, 2 * 1024 + 512));
}

#[test]
fn gnu_times_are_not_taken_for_a_prefix() {
    let mut header = gnu(b'0', b"name", 0);
    header.as_gnu_mut().unwrap().set_atime(0o12_345_670_123);
    let mut prefixed = ustar(b'0', b"name", 0);
    prefixed.as_ustar_mut().unwrap().prefix[..5].copy_from_slice(b"a/dir");
    let names: Vec<_> = kinds(&Stream::default().header(header).header(prefixed).end());
    assert_eq!((names[0].0.as_str(), names[1].0.as_str()), ("name", "a/dir/name"));
}

#[test]
fn owners_left_blank_are_0_as_in_every_tar() {
    let mut header = ustar(b'0', b"package/index.js", 0);
    let old = header.as_old_mut();
    (old.uid, old.gid) = ([0; 8], [0; 8]);
    let owner = Stream::default().header(header).end().member().member.entry.meta.owner;
    assert_eq!((owner.uid, owner.gid), (0, 0));
}

#[test]
fn the_content_of_a_link_is_passed_over_where_a_format_gives_it_content() {
    let link = |mut header: tar::Header| {
        header.as_old_mut().linkname[..6].copy_from_slice(b"target");
        header
    };
    // POSIX: content follows. Old and GNU tars: the size is that of the file linked to.
    for stream in [
        Stream::default().header(link(ustar(b'1', b"link", 600))).data(&[b'x'; 600]),
        Stream::default().header(link(gnu(b'1', b"link", 600))),
        Stream::default().header(link(v7(b'1', b"link", 600))),
    ] {
        let members = stream.file("next", b"n").end().members();
        assert_eq!((members.len(), members[0].data.len(), members[0].is_complete), (2, 0, true));
        assert_eq!(members[1].name(), "next");
    }
}

const MAP: [Extent; 2] = [Extent { offset: 1000, len: 300 }, Extent { offset: 5000, len: 300 }];
const SIZE: u64 = 9000;

fn assert_is_sparse_sample(stream: &Stream) {
    let stream = stream.clone().file("next", b"").end();
    let seen = stream.members();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].name(), "sparse");
    assert_eq!(seen[0].member.entry.kind, Kind::File { size: SIZE, extents: Some(MAP.into()) });
    assert_eq!(seen[0].data, [(1000, vec![b'd'; 300]), (5000, vec![b'd'; 300])]);
}

#[test]
fn the_four_forms_of_sparse_files_are_understood() {
    let content = [b'd'; 600];
    let pax = |records: &[(&str, &[u8])], name: &[u8]| {
        Stream::default().pax(records).header(ustar(b'0', name, 600)).data(&content)
    };
    assert_is_sparse_sample(&pax(
        &[
            ("GNU.sparse.size", b"9000"),
            ("GNU.sparse.numblocks", b"3"),
            ("GNU.sparse.offset", b"1000"),
            ("GNU.sparse.numbytes", b"300"),
            ("GNU.sparse.offset", b"5000"),
            ("GNU.sparse.numbytes", b"300"),
            ("GNU.sparse.offset", b"9000"),
            ("GNU.sparse.numbytes", b"0"),
        ],
        b"sparse",
    ));
    assert_is_sparse_sample(&pax(
        &[
            ("GNU.sparse.size", b"9000"),
            ("GNU.sparse.numblocks", b"3"),
            ("GNU.sparse.name", b"sparse"),
            ("GNU.sparse.map", b"1000,300,5000,300,9000,0"),
        ],
        b"GNUSparseFile.1/sparse",
    ));
    let text = Stream::default()
        .pax(&[
            ("GNU.sparse.major", b"1"),
            ("GNU.sparse.minor", b"0"),
            ("GNU.sparse.name", b"sparse"),
            ("GNU.sparse.realsize", b"9000"),
        ])
        .header(ustar(b'0', b"GNUSparseFile.1/sparse", 512 + 600))
        .data(b"3\n1000\n300\n5000\n300\n9000\n0\n")
        .data(&content);
    assert_is_sparse_sample(&text);
    assert_is_sparse_sample(&Stream::default().header(old_sparse(&MAP, false)).data(&content));
}

fn old_sparse(map: &[Extent], is_extended: bool) -> tar::Header {
    let mut header = gnu(b'S', b"sparse", map.iter().map(|e| e.len).sum());
    let gnu = header.as_gnu_mut().unwrap();
    gnu.set_real_size(SIZE);
    gnu.set_is_extended(is_extended);
    for (slot, extent) in gnu.sparse.iter_mut().zip(map) {
        slot.set_offset(extent.offset);
        slot.set_length(extent.len);
    }
    header
}

fn map_block(map: &[Extent], is_extended: bool) -> Vec<u8> {
    let mut block = tar::GnuExtSparseHeader::new();
    block.set_is_extended(is_extended);
    for (slot, extent) in block.sparse.iter_mut().zip(map) {
        slot.set_offset(extent.offset);
        slot.set_length(extent.len);
    }
    block.as_bytes().to_vec()
}

#[test]
fn an_old_map_goes_on_in_extension_blocks() {
    let map: Vec<_> = (0..30).map(|i| Extent { offset: i * 100, len: 10 }).collect();
    let mut header = old_sparse(&map[..4], true);
    number::fill(&mut header.as_old_mut().size, 300);
    let stream = Stream::default()
        .header(header)
        .data(&map_block(&map[4..25], true))
        .data(&map_block(&map[25..], false))
        .data(&[b'd'; 300])
        .end();
    let seen = stream.member();
    assert_eq!(seen.member.entry.kind, Kind::File { size: SIZE, extents: Some(map.into()) });
    assert_eq!((seen.member.header_bytes, seen.data.len()), (3 * 512, 30));
}

#[test]
fn hostile_old_maps_are_refused() {
    let e = |offset, len| Extent { offset, len };
    let with = |map: &[Extent], is_extended| Stream::default().header(old_sparse(map, is_extended));
    for (what, stream) in [
        ("overlap", with(&[e(0, 10), e(5, 10)], false)),
        ("order", with(&[e(50, 10), e(5, 10)], false)),
        ("beyond the size", with(&[e(SIZE, 1)], false)),
        ("continues after its end", with(&[e(0, 10)], true)),
        ("a gap", with(&[e(0, 10); 4], true).data(&map_block(&[e(0, 0); 3], false)).clone()),
        ("size", {
            let mut header = old_sparse(&[e(0, 10)], false);
            number::fill(&mut header.as_old_mut().size, 11);
            Stream::default().header(header)
        }),
        ("negative size", {
            let mut header = old_sparse(&[e(0, 10)], false);
            header.as_gnu_mut().unwrap().realsize = [0xff; 12];
            Stream::default().header(header)
        }),
    ] {
        assert!(matches!(stream.fault(), TarFault::Malformed(_)), "{what}");
    }
}

#[test]
fn sparse_records_must_agree_with_each_other() {
    let map: (&str, &[u8]) = ("GNU.sparse.map", b"0,1");
    let size: (&str, &[u8]) = ("GNU.sparse.size", b"9");
    for records in [
        &[map][..],
        &[size],
        &[("GNU.sparse.name", b"n")],
        &[map, size, ("GNU.sparse.numblocks", b"2")],
        &[map, size, ("GNU.sparse.offset", b"3")],
        &[map, size, ("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"0")],
        &[size, ("GNU.sparse.major", b"2"), ("GNU.sparse.minor", b"0")],
        &[size, ("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"1")],
        &[("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"0")],
        &[size, ("GNU.sparse.map", b"0,2")],
        &[size, ("GNU.sparse.map", b"9,1")],
        &[size, ("GNU.sparse.map", b"18446744073709551615,1")],
    ] {
        let stream = Stream::default().pax(records).header(ustar(b'0', b"a", 1)).data(b"d").end();
        assert!(matches!(stream.fault(), TarFault::Malformed(_)), "{records:?}");
    }
    let directory = Stream::default().pax(&[map, size]).header(ustar(b'5', b"a", 0)).end();
    assert!(matches!(directory.fault(), TarFault::Malformed(_)));
    let plain = Stream::default().pax(&[("SCHILY.realsize", b"1")]).file("a", b"d").end();
    assert_eq!(plain.member().member.entry.kind, Kind::file(1));
}
