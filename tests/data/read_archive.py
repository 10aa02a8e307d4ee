#!/usr/bin/env python3
"""Reads an archive of haul, independently of haul: written from docs/format.md alone.

    read_archive.py ARCHIVE

Prints each entry as one JSON object a line: path and path_hex, kind, size, mode, uid, gid, mtime as seconds and
nanoseconds, and, where the entry has them, target_hex, device, extents, xattrs (both in hexadecimal) and digest. Of a
delta, then, what it is a delta of (base_hex, base_length), and path and path_hex of all that it removes.
Decodes every frame (with the zstd program) and checks everything that the page says a reader must check, except what
needs XXH3, which Python's standard library lacks. What does not hold is named on stderr, with exit status 1.
"""

import json
import struct
import subprocess
import sys

BLOCK = 512
PART = 4 << 20
ZSTD_MAGIC = 0xFD2FB528
HAUL_MAGIC = 0x184D2A5D
SEEK_MAGIC = 0x184D2A5E
KINDS = ["file", "directory", "symlink", "hardlink", "fifo", "char-device", "block-device"]
TYPEFLAGS = {b"0": 0, b"5": 1, b"2": 2, b"1": 3, b"6": 4, b"3": 5, b"4": 6}
HAS_EXTENTS, HAS_XATTRS = 0x10, 0x20
ACLS = {b"system.posix_acl_access": b"SCHILY.acl.access", b"system.posix_acl_default": b"SCHILY.acl.default"}


class Malformed(Exception):
    pass


def check(holds, what):
    if not holds:
        raise Malformed(what)


def padded(length):
    return -(-length // BLOCK) * BLOCK


# zstd frames


def skippable(data, offset, magic, what):
    """The payload of a skippable frame, and the offset after it."""
    check(offset + 8 <= len(data), f"{what}: cut short")
    found, length = struct.unpack_from("<II", data, offset)
    check(found == magic, f"{what}: no skippable frame of that magic")
    check(offset + 8 + length <= len(data), f"{what}: cut short")
    return data[offset + 8 : offset + 8 + length], offset + 8 + length


def check_frame_header(frame, decoded):
    """RFC 8878, section 3.1.1.1."""
    magic, descriptor = struct.unpack_from("<IB", frame)
    check(magic == ZSTD_MAGIC, "a frame is not zstd")
    check(descriptor & 0x04, "a frame has no checksum")
    check(descriptor & 0x03 == 0, "a frame needs a dictionary")
    single_segment = descriptor >> 5 & 1
    at = 5
    if not single_segment:
        exponent, mantissa = frame[at] >> 3, frame[at] & 7
        base = 1 << (10 + exponent)
        check(base + base // 8 * mantissa <= 1 << 27, "a frame needs a window of more than 2^27 bytes")
        at += 1
    length = [single_segment, 2, 4, 8][descriptor >> 6]
    check(length > 0, "a frame has no content size")
    size = int.from_bytes(frame[at : at + length], "little") + (256 if length == 2 else 0)
    check(size == decoded, "a frame's content size is not what the index says")


def decompress(frame):
    run = subprocess.run(["zstd", "-dcq", "--memory=128MiB"], input=frame, capture_output=True)
    check(run.returncode == 0, f"zstd: {run.stderr.decode(errors='replace').strip()}")
    return run.stdout


# The frames after the data


def read_seek_table(data):
    """The lines of the table, and where it begins."""
    check(len(data) >= 17, "shorter than an empty seek table")
    count, descriptor, magic = struct.unpack("<IBI", data[-9:])
    check(magic == 0x8F92EAB1, "no seek table")
    check(descriptor == 0, "the seek table has an unknown descriptor")
    start = len(data) - 17 - 8 * count
    check(start >= 0, "the seek table is longer than the file")
    payload, end = skippable(data, start, SEEK_MAGIC, "seek table")
    check(end == len(data), "the seek table does not end the file")
    return list(struct.iter_unpack("<II", payload[:-9])), start


def read_locator(data, table_start):
    check(table_start >= 64, "no room for a locator")
    payload, end = skippable(data, table_start - 64, HAUL_MAGIC, "locator")
    check(end == table_start and payload[:8] in (b"haulLOC1", b"haulLOC2"), "no locator")
    offset, length, decoded = struct.unpack_from("<QQQ", payload, 8)
    return offset, length, decoded, payload[7:8]


def read_trailer(data):
    """The index's bytes and version, and the place in the file of every frame: (offset, length), the end frame last."""
    table, table_start = read_seek_table(data)
    index_start, index_length, index_decoded, version = read_locator(data, table_start)
    payload, end = skippable(data, index_start, HAUL_MAGIC, "index")
    check(end == index_start + index_length and payload[:8] == b"haulIDX" + version, "the locator points at no index")
    index = decompress(payload[8:])
    check(len(index) == index_decoded, "the index has another length than the locator says")
    frames = read_frames(Columns(index))
    check(len(frames) > 0, "the index has no end frame")
    lines = frames[:-1] + [(index_length, 0), frames[-1], (64, 0)]
    check(table == lines, "the seek table and the index disagree")
    check(sum(line[0] for line in table) == table_start, "the seek table does not add up")
    offset, places = 0, []
    for length, decoded in frames[:-1]:
        places.append((offset, length, decoded))
        offset += length
    check(offset == index_start, "the index does not follow the last data frame")
    places.append((end, *frames[-1]))
    return index, version, places


# The index


class Columns:
    def __init__(self, data):
        self.data, self.at = data, 0

    def bytes(self, length):
        check(self.at + length <= len(self.data), "the index is cut short")
        self.at += length
        return self.data[self.at - length : self.at]

    def number(self):
        value = shift = 0
        while True:
            byte = self.bytes(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                check(value < 1 << 64, "the index holds a number of more than 64 bits")
                return value

    def signed(self):
        value = self.number()
        return -(value + 1) // 2 if value & 1 else value // 2

    def string(self):
        return self.bytes(self.number())

    def numbers(self, count):
        return [self.number() for _ in range(count)]


def read_frames(columns):
    """The length in the file and the decoded length of each frame. Their hashes are XXH3's."""
    frames = []
    for _ in range(columns.number()):
        frames.append((columns.number(), columns.number()))
        columns.bytes(8)
    return frames


def read_paths(columns, count):
    shared, lengths = columns.numbers(count), columns.numbers(count)
    path, paths = b"", []
    for common, length in zip(shared, lengths):
        check(common <= len(path), "a path shares more than there is")
        path = path[:common] + columns.bytes(length)
        paths.append(path)
    return paths


def read_seconds(columns, count):
    seconds, total = [], 0
    for _ in range(count):
        total = (total + columns.signed() + (1 << 63)) % (1 << 64) - (1 << 63)
        seconds.append(total)
    return seconds


def read_extents(columns):
    extents, end = [], 0
    for _ in range(columns.number()):
        offset = end + columns.number()
        end = offset + columns.number()
        extents.append([offset, end - offset])
    return extents


def read_index(data, version):
    """The entries, each a dictionary, and of a delta what it says of its base: digest, length, removed paths."""
    columns = Columns(data)
    read_frames(columns)
    count = columns.number()
    kinds = columns.bytes(count)
    paths = read_paths(columns, count)
    owner_table = []
    for _ in range(columns.number()):
        ids = columns.number(), columns.number()
        owner_table.append((*ids, columns.string(), columns.string()))
    owners = columns.numbers(count)
    modes = columns.numbers(count)
    seconds, nanos = read_seconds(columns, count), columns.numbers(count)
    blocks = columns.numbers(count)
    entries = []
    for i in range(count):
        check(kinds[i] & 0x0F < len(KINDS) and kinds[i] & 0xC0 == 0, "an unknown kind or flag")
        check(owners[i] < len(owner_table), "an owner that is not listed")
        uid, gid, user, group = owner_table[owners[i]]
        entries.append(
            {"path": paths[i], "kind": kinds[i] & 0x0F, "mode": modes[i], "uid": uid, "gid": gid, "user": user,
             "group": group, "mtime": (seconds[i], nanos[i]), "size": 0, "target": None, "device": None,
             "extents": None, "xattrs": {}, "blocks": blocks[i], "digest": None}
        )  # fmt: skip
    for entry in entries:
        if entry["kind"] == 0:
            entry["size"] = columns.number()
    for entry in entries:
        if entry["kind"] in (2, 3):
            entry["target"] = columns.string()
        elif entry["kind"] in (5, 6):
            entry["device"] = (columns.number(), columns.number())
    for entry, byte in zip(entries, kinds):
        if byte & HAS_EXTENTS:
            check(entry["kind"] == 0, "extents of an entry that is not a file")
            entry["extents"] = read_extents(columns)
    for entry, byte in zip(entries, kinds):
        if byte & HAS_XATTRS:
            entry["xattrs"] = dict((columns.string(), columns.string()) for _ in range(columns.number()))
    for entry in entries:
        if entry["kind"] == 0:
            entry["digest"] = columns.bytes(16)
    delta = None
    if version == b"2":
        delta = columns.bytes(16), columns.number(), read_paths(columns, columns.number())
    check(columns.at == len(data), "there is data after the last column")
    check_entries(entries)
    if delta:
        check_removed(entries, delta[2])
    return entries, delta


def check_removed(entries, removed):
    """What holds of what a delta removes."""
    order = [path.replace(b"/", b"\0") for path in removed]
    check(all(a < b for a, b in zip(order, order[1:])), "removed paths do not ascend")
    held = {entry["path"]: entry["kind"] for entry in entries}
    for number, path in enumerate(removed):
        check(path and path not in held, f"{path!r} is removed and held")
        check(not any(name.startswith(path + b"/") for name in held), f"{path!r} is removed and holds something")
        above = [path[:at] for at, byte in enumerate(path) if byte == ord("/")]
        check(not any(name in removed[:number] for name in above), f"{path!r} is removed twice")
        check(all(held.get(name, 1) == 1 for name in above), f"{path!r} is below an entry that is not a directory")


def check_entries(entries):
    """What holds of every index."""
    order = [entry["path"].replace(b"/", b"\0") for entry in entries]
    check(all(a < b for a, b in zip(order, order[1:])), "paths do not ascend")
    seen = {b"": 1}
    for entry in entries:
        path, kind = entry["path"], entry["kind"]
        components = path.split(b"/") if path else []
        check(not any(c in (b"", b".", b"..") or b"\0" in c for c in components), f"{path!r} is not a path")
        check(seen.get(path.rpartition(b"/")[0]) == 1, f"{path!r} is below an entry that is not a directory")
        check(path or kind == 1, "the root is not a directory")
        if kind == 3:
            check(seen.get(entry["target"], 1) not in (1, 3), f"{path!r} links to an entry that cannot be a target")
        if kind == 2:
            check(entry["target"] and b"\0" not in entry["target"], f"{path!r} has no usable target")
        end = 0
        for offset, length in entry["extents"] or []:
            check(offset >= end and offset % BLOCK == 0, f"{path!r}: extents out of order")
            end = offset + length
        check(end <= entry["size"], f"{path!r}: extents beyond its end")
        check(entry["blocks"] > 0, f"{path!r} has no header")
        check(entry["mtime"][1] < 10**9, f"{path!r} has an invalid time")
        check(max(entry["uid"], entry["gid"]) < 2**32 - 1, f"{path!r} has an owner that cannot be")
        seen[path] = kind


def stored(entry):
    if entry["extents"] is None:
        return entry["size"]
    return sum(length for _, length in entry["extents"])


# The tar


def text(field):
    return field.split(b"\0")[0]


def octal(field):
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    return int(text(field), 8)


def read_header(block):
    """The fields of a header block."""
    check(len(block) == BLOCK, "a header block is cut short")
    total = sum(block) - sum(block[148:156]) + 8 * ord(" ")
    check(block[148:156] == b"%06o\0 " % total, "a header has a wrong checksum")
    check(block[257:265] == b"ustar\x0000" and not any(block[345:]), "a header of another dialect")
    return {
        "name": text(block[:100]), "mode": octal(block[100:108]), "uid": octal(block[108:116]),
        "gid": octal(block[116:124]), "size": octal(block[124:136]), "mtime": octal(block[136:148]),
        "typeflag": block[156:157], "linkname": text(block[157:257]), "uname": text(block[265:297]),
        "gname": text(block[297:329]), "device": (octal(block[329:337]), octal(block[337:345])),
    }  # fmt: skip


def read_records(body):
    records = []
    while body:
        length = int(body[: body.index(b" ")])
        record, body = body[:length], body[length:]
        check(len(record) == length and record.endswith(b"\n"), "a record has a wrong length")
        key, _, value = record[record.index(b" ") + 1 : -1].partition(b"=")
        records.append((key, value))
    check(len(dict(records)) == len(records), "a record occurs twice")
    return records


def read_time(value):
    """Seconds, rounded down, and nanoseconds."""
    whole, _, fraction = value.decode().lstrip("-").partition(".")
    nanos = int(whole) * 10**9 + int(fraction.ljust(9, "0"))
    return divmod(-nanos if value.startswith(b"-") else nanos, 10**9)


def read_map(tar):
    """The extents of a sparse file, and the length of the map."""
    at = 0

    def line():
        nonlocal at
        end = tar.index(b"\n", at)
        number, at = int(tar[at:end]), end + 1
        return number

    extents = [[line(), line()] for _ in range(line())]
    return extents, padded(at)


def read_member(tar, at):
    """The entry that the headers at this place describe, in the same form as the index has it."""
    start, records = at, []
    header = read_header(tar[at : at + BLOCK])
    at += BLOCK
    if header["typeflag"] == b"x":
        fixed = (b"././@PaxHeader", 0o644, 0, 0, 0, b"", b"", b"", (0, 0))
        keys = ("name", "mode", "uid", "gid", "mtime", "linkname", "uname", "gname", "device")
        check(tuple(header[key] for key in keys) == fixed, "an extended header says more than its size")
        records = read_records(tar[at : at + header["size"]])
        at += padded(header["size"])
        header = read_header(tar[at : at + BLOCK])
        at += BLOCK
    given = dict(records)
    check(header["typeflag"] in TYPEFLAGS, "a member of unknown type")
    kind = TYPEFLAGS[header["typeflag"]]
    link = given.get(b"linkpath", header["linkname"])
    entry = {
        "path": given.get(b"path", header["name"]), "kind": kind, "mode": header["mode"],
        "uid": int(given.get(b"uid", header["uid"])), "gid": int(given.get(b"gid", header["gid"])),
        "user": given.get(b"uname", header["uname"]), "group": given.get(b"gname", header["gname"]),
        "mtime": read_time(given[b"mtime"]) if b"mtime" in given else (header["mtime"], 0),
        "size": int(given.get(b"size", header["size"])), "target": link if kind in (2, 3) else None,
        "device": header["device"] if kind in (5, 6) else None, "extents": None,
    }  # fmt: skip
    if b"GNU.sparse.major" in given:
        at += read_sparse(entry, given, tar, at)
    check(entry["path"].endswith(b"/") == (kind == 1), "directories and only they end in a slash")
    entry["path"] = b"" if entry["path"] == b"./" else entry["path"].rstrip(b"/")
    entry["attributes"] = [r for r in records if r[0].startswith((b"SCHILY.", b"LIBARCHIVE."))]
    entry["blocks"] = (at - start) // BLOCK
    return entry


def read_sparse(entry, given, tar, at):
    """Completes the entry of a sparse file, and returns the length of its map."""
    check((given[b"GNU.sparse.major"], given[b"GNU.sparse.minor"]) == (b"1", b"0"), "an unknown sparse format")
    content = entry["size"]
    entry["path"], entry["size"] = given[b"GNU.sparse.name"], int(given[b"GNU.sparse.realsize"])
    extents, length = read_map(tar[at : at + content])
    if extents and extents[-1] == [entry["size"], 0]:
        extents.pop()
    entry["extents"] = extents
    check(stored(entry) + length == content, "a sparse map does not add up")
    return length


def acl_text(value):
    """The text of an ACL in the kernel's form."""
    names = {1: b"user", 2: b"user", 4: b"group", 8: b"group", 0x10: b"mask", 0x20: b"other"}
    lines = []
    for tag, rights, number in struct.iter_unpack("<HHI", value[4:]):
        letters = b"".join(c if rights & bit else b"-" for bit, c in ((4, b"r"), (2, b"w"), (1, b"x")))
        lines.append(b"%s:%s:%s" % (names[tag], b"%d" % number if tag in (2, 8) else b"", letters))
    return b"\n".join(lines)


def xattr_records(xattrs):
    """The records that the xattrs of an index entry should have, as sets of alternatives."""
    records = []
    for name, value in xattrs.items():
        key = b"SCHILY.xattr." + name.replace(b"%", b"%25").replace(b"=", b"%3D")
        allowed = [(key, value)]
        if name in ACLS and value[:4] == b"\2\0\0\0" and len(value) > 4 and len(value) % 8 == 4:
            allowed.append((ACLS[name], acl_text(value)))
        records.append(allowed)
    return records


def check_member(tar, at, entry):
    """The headers in the tar say what the index says."""
    member = read_member(tar, at)
    for key, value in member.items():
        if key != "attributes":
            check(entry[key] == value, f"{entry['path']!r}: {key} is {value!r} in the tar, {entry[key]!r} in the index")
    wanted = xattr_records(entry["xattrs"])
    matched = len(wanted) == len(member["attributes"]) and all(
        record in allowed for record, allowed in zip(member["attributes"], wanted)
    )
    check(matched, f"{entry['path']!r}: other xattrs in the tar than in the index")


def check_tar(tar, entries):
    """Members follow each other, and then comes the end. Returns where each begins and where its data does."""
    places, at = [], 0
    for entry in entries:
        check_member(tar, at, entry)
        content = at + entry["blocks"] * BLOCK
        places.append((at, content))
        end = content + stored(entry)
        at = padded(end)
        check(not any(tar[end:at]), f"{entry['path']!r}: its padding is not zeros")
    check(tar[at:] == bytes(2 * BLOCK), "the tar does not end in two blocks of zeros")
    return places


def check_cuts(starts, places, entries):
    """Every frame begins at a member, or in a large file at a multiple of 4 MiB."""
    allowed = {start for start, _ in places}
    for (_, content), entry in zip(places, entries):
        if stored(entry) > PART:
            done = before = 0
            for offset, length in entry["extents"] or [[0, entry["size"]]]:
                if offset // PART * PART >= before:
                    # The extent is the first data after a multiple of 4 MiB.
                    allowed.add(content + done)
                first = -(-offset // PART) * PART
                allowed.update(content + done + at - offset for at in range(first, offset + length, PART))
                done, before = done + length, offset + length
    for start in starts:
        check(start in allowed, f"a frame begins at byte {start} of the tar, inside of what must not be cut")


# All of it


def read_archive(data):
    if not data.endswith(b"\xb1\xea\x92\x8f"):
        return read_single_frame(data), None
    index, version, frames = read_trailer(data)
    entries, delta = read_index(index, version)
    tar, starts = bytearray(), []
    for offset, length, decoded in frames:
        frame = data[offset : offset + length]
        check_frame_header(frame, decoded)
        content = decompress(frame)
        check(len(content) == decoded, "a frame decodes to another length than the index says")
        starts.append(len(tar))
        tar += content
    check(content == bytes(2 * BLOCK), "the end frame is not two blocks of zeros")
    check_cuts(starts[:-1], check_tar(bytes(tar), entries), entries)
    return entries, delta


def read_single_frame(data):
    """An archive without an index: the entries, by their headers."""
    tar, at, entries = decompress(data), 0, []
    while tar[at : at + BLOCK] != bytes(BLOCK):
        entry = read_member(tar, at)
        at = padded(at + entry["blocks"] * BLOCK + stored(entry))
        entries.append({**entry, "xattrs": {}, "digest": None})
    check(tar[at:] == bytes(2 * BLOCK), "the tar does not end in two blocks of zeros")
    return entries


def show(entry):
    line = {
        "path": entry["path"].decode(errors="backslashreplace") or ".", "path_hex": entry["path"].hex(),
        "kind": KINDS[entry["kind"]], "size": entry["size"], "mode": entry["mode"], "uid": entry["uid"],
        "gid": entry["gid"], "mtime": entry["mtime"],
    }  # fmt: skip
    if entry["target"] is not None:
        line["target_hex"] = entry["target"].hex()
    if entry["xattrs"]:
        line["xattrs"] = {name.hex(): value.hex() for name, value in entry["xattrs"].items()}
    for key in ("device", "extents"):
        if entry[key] is not None:
            line[key] = entry[key]
    if entry["digest"] is not None:
        line["digest"] = entry["digest"].hex()
    return json.dumps(line)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1], "rb") as archive:
        data = archive.read()
    try:
        entries, delta = read_archive(data)
        for entry in entries:
            print(show(entry))
        if delta:
            base, length, removed = delta
            print(json.dumps({"base_hex": base.hex(), "base_length": length}))
            for path in removed:
                print(json.dumps({"path": path.decode(errors="backslashreplace"), "path_hex": path.hex()}))
    except (Malformed, ValueError, IndexError, KeyError, struct.error) as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
