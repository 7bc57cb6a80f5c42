"""Archives that two readers could read differently, that leave their folder, or that never end."""

import gzip
import io
import json
import tarfile
import zlib
from typing import Any

import pytest

from registry.artifacts.formats import archive
from registry.artifacts.formats.archive import Limits
from registry.core.errors import MalformedManifest
from tests.artifacts.making import entry, tar, tgz

PLAIN = tarfile.REGTYPE


def read(data: bytes, limits: Limits = archive.DEFAULT, *, gzipped: bool = True) -> dict[str, bytes]:
    found = archive.entries(io.BytesIO(data), limits, gzipped=gzipped, pointer="/layers/0")
    return {one.path: b"".join(one.read()) for one in found}


def refused(data: bytes, limits: Limits = archive.DEFAULT, *, gzipped: bool = True) -> dict[str, Any]:
    with pytest.raises(MalformedManifest) as error:
        read(data, limits, gzipped=gzipped)
    detail = error.value.detail
    assert isinstance(detail, dict)
    assert (detail["document"], detail["pointer"]) == ("layer", "/layers/0")
    assert error.value.message.startswith("The archive is refused. ")
    return {**detail, "message": error.value.message}


def header(path: bytes, kind: bytes = b"0", size: bytes = b"00000000000", **fields: bytes) -> bytes:
    """A header block with a right checksum, whatever else is in it."""
    block = bytearray(512)
    block[: len(path)] = path
    block[100:108] = fields.get("mode", b"0000644\0")
    block[124 : 124 + len(size)] = size
    block[156:157] = kind
    block[257:265] = fields.get("magic", b"ustar\x0000")
    block[345 : 345 + len(fields.get("prefix", b""))] = fields.get("prefix", b"")
    block[148:156] = b" " * 8
    block[148:155] = b"%06o\0" % sum(block)
    return bytes(block)


END = bytes(1024)


@pytest.mark.parametrize("style", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_archives_of_each_usual_format_read_the_same(style: int) -> None:
    long = "/".join(["folder"] * 12) + "/" + "x" * 90 + ".js"
    made = tar([entry("./", kind=tarfile.DIRTYPE), entry("./a.txt", b"a" * 700), entry(long, b"deep")], style=style)
    assert read(made, gzipped=False) == {"a.txt": b"a" * 700, long: b"deep"}
    assert read(gzip.compress(made)) == {"a.txt": b"a" * 700, long: b"deep"}


def test_names_beyond_ascii_and_what_git_archive_writes_are_read() -> None:
    made = tar([entry("grüße/日本.txt", b"1")])
    comment = tarfile.TarInfo.create_pax_global_header({"comment": "0" * 40})
    assert read(comment + made, gzipped=False) == {"grüße/日本.txt": b"1"}


def test_who_may_run_a_file_is_kept_and_owners_are_not() -> None:
    made = tgz(entry("run", b"#!", mode=0o4711 & 0o777), entry("data", b"", mode=0o644, uid=1000, uname="bob"))
    found = {one.path: one for one in archive.entries(io.BytesIO(made), gzipped=True)}
    assert (found["run"].is_executable, found["data"].is_executable) == (True, False)
    assert found["run"].mode == 0o711


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../up",
        "a/../../up",
        "a/./b",
        "a//b",
        "a\\b",
        "C:/windows",
        "file:stream",
        "nul",
        "a/COM1.txt",
        "lpt9 .log",
        "ends.",
        "ends ",
        "tab\there",
        "right\u202eleft",
        "x" * 256,
        "/".join("a" * 70),
        "q?",
    ],
)
def test_paths_that_are_not_safe_everywhere_are_refused(path: str) -> None:
    assert refused(tgz(entry("ok", b"1"), entry(path, b"2")))["suggestion"]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (tarfile.SYMTYPE, {"linkname": "../../etc/passwd"}),
        (tarfile.SYMTYPE, {"linkname": "ok"}),
        (tarfile.LNKTYPE, {"linkname": "ok"}),
        (tarfile.CHRTYPE, {}),
        (tarfile.BLKTYPE, {}),
        (tarfile.FIFOTYPE, {}),
        (tarfile.CONTTYPE, {}),
        (b"V", {}),
        (tarfile.GNUTYPE_SPARSE, {}),
    ],
)
def test_links_and_devices_are_refused_by_their_path(kind: bytes, fields: dict[str, Any]) -> None:
    assert refused(tgz(entry("ok", b"1"), entry("a/odd", kind=kind, **fields)))["path"] == "a/odd"


@pytest.mark.parametrize(
    "paths",
    [
        ("a", "a"),
        ("README", "readme"),
        ("straße", "STRASSE"),
        ("caf\u00e9", "cafe\u0301"),
        ("a", "a/b"),
        ("a/b", "a"),
        ("A/x", "a/y"),
        ("ﬁle", "file"),
    ],
)
def test_paths_that_are_one_file_on_some_system_are_refused(paths: tuple[str, str]) -> None:
    assert refused(tgz(*(entry(path, b"1") for path in paths)))["suggestion"]


def test_a_folder_may_come_before_or_after_what_is_in_it() -> None:
    before = tgz(entry("a", kind=tarfile.DIRTYPE), entry("a/b", b"1"))
    after = tgz(entry("a/b", b"1"), entry("a", kind=tarfile.DIRTYPE))
    assert read(before) == {"a": b"", "a/b": b"1"}
    assert read(after) == {"a": b"", "a/b": b"1"}


@pytest.mark.parametrize("mode", [0o4755, 0o2755])
def test_files_that_run_as_somebody_else_are_refused(mode: int) -> None:
    assert "setuid" in refused(tgz(entry("run", b"1", mode=mode)))["message"]


def test_too_many_files_and_folders_are_refused() -> None:
    made = tgz(*(entry(f"{number}/x", b"") for number in range(6)))
    assert len(read(made, Limits(entries=12))) == 6
    refused(made, Limits(entries=11))


def test_bombs_are_refused_before_they_are_expanded() -> None:
    made = tgz(entry("zeros", bytes(8 << 20)))
    assert "times its size" in refused(made)["message"]
    assert "more than an archive may hold" in refused(made, Limits(total=1 << 20, ratio=5000))["message"]
    header_of_a_terabyte = header(b"big", size=b"\x80" + (1 << 40).to_bytes(11, "big"))
    refused(gzip.compress(header_of_a_terabyte + bytes(512)))


def test_an_endless_stream_of_zeros_behind_the_end_is_refused() -> None:
    made = gzip.compress(tar([entry("a", b"1")]) + bytes(3 << 20))
    assert "Something follows" in refused(made, Limits(ratio=5000))["message"]


ONE = tar([entry("a", b"1")])


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(ONE) + gzip.compress(ONE),
        gzip.compress(ONE) + b"\0",
        gzip.compress(ONE) + b"#!/bin/sh",
        gzip.compress(ONE + ONE),
        gzip.compress(ONE + b"x"),
        gzip.compress(ONE)[:-1],
        gzip.compress(ONE)[:-9],
        gzip.compress(ONE[:-10240] + bytes(512)),
        gzip.compress(ONE[:600]),
        gzip.compress(b""),
        gzip.compress(b"no tar" * 200),
        b"",
        b"\x1f\x8b",
        zlib.compress(ONE),
        ONE,
        b"PK\x03\x04" + bytes(600),
    ],
    ids=range(16),
)
def test_what_goes_on_behind_its_end_or_stops_before_it_is_refused(data: bytes) -> None:
    assert refused(data)["suggestion"]


def pax(**records: bytes) -> bytes:
    body = b""
    for key, value in records.items():
        line = b" " + key.replace("_", ".").encode() + b"=" + value + b"\n"
        length = len(line) + len(str(len(line)))
        length = len(line) + len(str(length))
        body += str(length).encode() + line
    return header(b"pax", b"x", b"%011o" % len(body)) + body + bytes(-len(body) % 512)


@pytest.mark.parametrize(
    "blocks",
    [
        pax(size=b"1024") + header(b"a", size=b"00000000000") + bytes(1024),
        pax(size=b"0") + header(b"a", size=b"00000002000") + header(b"hidden") + bytes(512),
        pax(path=b"a") + pax(path=b"b") + header(b"c"),
        pax(path=b"a\0b") + header(b"c"),
        pax(path=b"a") + header(b"././@LongLink", b"L", b"00000000002") + b"b\0" + bytes(510) + header(b"c"),
        header(b"././@LongLink", b"L", b"00000000002") + b"b\0" + bytes(510) + END,
        header(b"././@LongLink", b"K", b"00000000002") + b"b\0" + bytes(510) + header(b"c"),
        header(b"././@LongLink", b"L", b"00010000001") + bytes(1 << 20),
        pax(linkpath=b"x") + header(b"c"),
        pax(GNU_sparse_name=b"x") + header(b"c"),
        pax(hdrcharset=b"BINARY") + header(b"c"),
        header(b"g", b"g", b"00000000011") + b"9 path=x\n" + bytes(503) + header(b"c"),
        header(b"x", b"x", b"00000000011") + b"8 path=x\n" + bytes(503) + header(b"c"),
        header(b"x", b"x", b"00000000022") + b"9 path=x\n9 path=y\n" + bytes(494) + header(b"c"),
        header(b"a\0b"),
        header(b"\xff\xfe"),
        header(b"a/"),
        header(b""),
        header(b"a", size=b"-0000000001"),
        header(b"a", size=b"\xff" * 12),
        header(b"a", b"5", b"00000001000") + bytes(512),
        header(b"a", magic=bytes(8)),
        header(b"a", magic=b"ustar\x0001"),
        header(b"b", prefix=b"/etc"),
        header(b"b", prefix=b"a", magic=b"ustar  \0"),
        header(b"././@LongLink", b"L", b"00000000002") + b"bcd\0" + bytes(508) + header(b"c"),
        header(b"././@LongLink", b"L", b"00000000004") + b"b\0c\0" + bytes(508) + header(b"c"),
        header(b"a")[:148] + b"0000000\0" + header(b"a")[156:],
    ],
    ids=range(28),
)
def test_headers_with_two_readings_are_refused(blocks: bytes) -> None:
    assert refused(gzip.compress(blocks + END))["suggestion"]


def test_a_refusal_of_a_hostile_name_is_itself_harmless() -> None:
    detail = refused(gzip.compress(pax(path=b"a\0\x1b[2J\xed\xa0\x80") + header(b"c") + END))
    assert json.dumps(detail, ensure_ascii=False).encode().isascii() is False
    assert not set("\0\x1b\ud800") & set(json.dumps(detail, ensure_ascii=False))
    assert "\\u0000" not in json.dumps(detail)


def test_a_file_that_is_not_read_is_passed_over() -> None:
    made = tgz(entry("a", b"x" * 5000), entry("b", b"y"))
    assert [one.path for one in archive.entries(io.BytesIO(made), gzipped=True)] == ["a", "b"]
    assert [next(one.read())[:1] for one in archive.entries(io.BytesIO(made), gzipped=True)] == [b"x", b"y"]
