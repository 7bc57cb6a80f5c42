import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

from registry.cli.extracting import Writer, extract, unpack
from registry.cli.problems import Problem, Tampered
from tests.cli.depot import packed


def entry(
    name: str, kind: bytes = tarfile.REGTYPE, link: str = "", content: bytes = b""
) -> tuple[tarfile.TarInfo, bytes]:
    found = tarfile.TarInfo(name)
    found.type, found.linkname, found.size = kind, link, len(content)
    return found, content


def tar(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content))
    return raw.getvalue()


HOSTILE = {
    "a path that climbs": tar(entry("../out", content=b"x")),
    "a path that climbs later": tar(entry("a/../../out", content=b"x")),
    "an absolute path": tar(entry("/out", content=b"x")),
    "a symbolic link out": tar(entry("link", tarfile.SYMTYPE, "../.."), entry("link/out", content=b"x")),
    "a symbolic link inside": tar(entry("a", content=b"x"), entry("link", tarfile.SYMTYPE, "a")),
    "a hard link": tar(entry("link", tarfile.LNKTYPE, "../out")),
    "a device": tar(entry("null", tarfile.CHRTYPE)),
    "a pipe": tar(entry("pipe", tarfile.FIFOTYPE)),
    "one file twice": tar(entry("a", content=b"1"), entry("a", content=b"2")),
    "two that are one by case": tar(entry("a", content=b"1"), entry("A", content=b"2")),
    "a file that is a folder": tar(entry("a", content=b"1"), entry("a/b", content=b"2")),
    "what belongs to gati": tar(entry(".gati/manifest.json", content=b"{}")),
    "what belongs to gati in capitals": tar(entry(".GATI/x", content=b"{}")),
    "a second archive behind": tar(entry("a")) + tar(entry("../out")),
    "half an archive": tar(entry("a", content=b"x" * 600))[:700],
    "no archive": b"hello",
    "far too much": tar(entry("zeros", content=bytes(4 << 20))),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_leaves_nothing_anywhere(name: str, tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    layer.write_bytes(gzip.compress(HOSTILE[name], mtime=0))
    with pytest.raises(Tampered):
        extract(layer, tmp_path / "sub" / "folder")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["layer", "sub"]


def test_an_archive_becomes_a_folder_with_the_modes_of_gati(tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    layer.write_bytes(packed({"a/b.txt": b"hello", "run!": b"#!/bin/sh\n"}))
    extract(layer, tmp_path / "folder")
    assert (tmp_path / "folder" / "a" / "b.txt").read_bytes() == b"hello"
    assert os.access(tmp_path / "folder" / "run", os.X_OK)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "layer"]


def test_a_folder_that_is_there_stays(tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    layer.write_bytes(packed({"a": b"new"}))
    (tmp_path / "folder").mkdir()
    with pytest.raises(Problem, match="is there already"):
        extract(layer, tmp_path / "folder")
    assert list((tmp_path / "folder").iterdir()) == []


def test_two_archives_of_one_artifact_may_not_hold_one_file(tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    layer.write_bytes(packed({"a": b"1"}))
    writer = Writer(tmp_path / "folder")
    unpack(layer, writer, gzipped=True)
    with pytest.raises(Tampered, match="'a' twice"):
        unpack(layer, writer, gzipped=True)


@pytest.mark.parametrize("title", ["../x", "/x", ".gati/oci.json", "a\\b", "con", "a/\x00"])
def test_a_title_is_as_safe_as_a_path(tmp_path: Path, title: str) -> None:
    with pytest.raises(Tampered):
        Writer(tmp_path / "folder").put(title, b"")
