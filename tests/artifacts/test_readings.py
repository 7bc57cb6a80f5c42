"""Whatever bytes are accepted, every other reader of the format reads the same in them."""

import gzip
import io
import tarfile
from typing import Any

import wasmtime
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.artifacts.formats import archive, wasm
from registry.artifacts.formats.inflate import Refused
from registry.core.errors import MalformedManifest
from tests.artifacts.making import entry, tar

SEEDS = [
    tar([entry("a", b"1" * 600), entry("b/c", b"2"), entry("b", kind=tarfile.DIRTYPE)], style=style)
    for style in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT)
] + [
    tar([entry("x" * 130, b"1"), entry("é/" + "y" * 99, b"2")], style=style)
    for style in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT)
]
MODULE = bytes(
    wasmtime.wat2wasm(
        """(module (import "gati:db/read" "query" (func (param i32) (result i64))) (import "env" "memory" (memory 1 4))
        (import "env" "table" (table 1 funcref)) (import "env" "g" (global (mut i32)))
        (func (export "run") (param i32) (result i64) local.get 0 call 0) (data (i32.const 0) "hello"))"""
    )
)
EDITS = st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), min_size=1, max_size=3)


def edited(data: bytes, edits: list[tuple[int, int]]) -> bytes:
    found = bytearray(data)
    for place, value in edits:
        found[place % len(found)] = value
    return bytes(found)


def with_checksums(data: bytes) -> bytes:
    """The same with a right checksum in each block that was a header's, so that edits of headers are judged."""
    found = bytearray(data)
    for at in range(0, len(found), 512):
        if found[at + 257 : at + 262] == b"ustar":
            found[at + 148 : at + 156] = b" " * 8
            found[at + 148 : at + 156] = b"%06o\0 " % sum(found[at : at + 512])
    return bytes(found)


def ours(data: bytes, *, gzipped: bool = False) -> dict[str, Any] | None:
    try:
        found = archive.entries(io.BytesIO(data), gzipped=gzipped)
        return {one.path: None if one.is_directory else b"".join(one.read()) for one in found}
    except MalformedManifest:
        return None


def theirs(data: bytes) -> dict[str, Any]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:", encoding="utf-8", errors="surrogateescape") as opened:
        found: dict[str, Any] = {}
        for one in opened.getmembers():
            file = opened.extractfile(one)
            found[one.name.removeprefix("./")] = None if one.isdir() or file is None else file.read()
        return {path: data for path, data in found.items() if path != "."}


@given(st.integers(0, 3), EDITS)
@settings(max_examples=400, deadline=None)
def test_a_tar_that_is_accepted_is_read_alike_by_another_reader(seed: int, edits: list[tuple[int, int]]) -> None:
    made = with_checksums(edited(SEEDS[seed], edits))
    found = ours(made)
    assert found is None or found == theirs(made)


@given(st.integers(0, 3), EDITS)
@settings(max_examples=100, deadline=None)
def test_a_compressed_tar_that_is_accepted_expands_alike_elsewhere(seed: int, edits: list[tuple[int, int]]) -> None:
    made = edited(gzip.compress(SEEDS[seed], mtime=0), edits)
    found = ours(made, gzipped=True)
    assert found is None or found == theirs(gzip.decompress(made))


@given(st.binary(max_size=2000))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_an_archive_or_refused(data: bytes) -> None:
    assert ours(data, gzipped=True) is None
    assert ours(data) is None


@given(EDITS)
@settings(max_examples=400, deadline=None)
def test_a_module_that_a_runtime_takes_has_the_imports_that_were_judged(edits: list[tuple[int, int]]) -> None:
    made = edited(MODULE, edits)
    try:
        module = wasmtime.Module(wasmtime.Engine(), made)
    except wasmtime.WasmtimeError:
        return
    try:
        outline = wasm.read(io.BytesIO(made))
    except Refused:
        return
    assert [(one.module, one.name) for one in outline.imports] == [(one.module, one.name) for one in module.imports]
    assert wasm.read_head(made) == outline.imports
