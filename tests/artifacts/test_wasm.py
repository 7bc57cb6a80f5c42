"""Modules in WebAssembly: well formed, and importing nothing that was not declared."""

import io
from typing import Any

import pytest
import wasmtime

from registry.artifacts import checking
from registry.artifacts.catalogue import BY_NAME
from registry.artifacts.formats import wasm
from registry.artifacts.formats.inflate import Refused
from registry.artifacts.model import WASM
from registry.artifacts.types.examples import ADDER
from registry.core.errors import MalformedManifest
from tests.artifacts.making import changed, layer, submit

MODULE = BY_NAME["module-wasm"]
PREAMBLE = b"\0asm\1\0\0\0"
WASI = "wasi_snapshot_preview1"


def number(value: int) -> bytes:
    found = b""
    while value > 0x7F:
        found += bytes([value & 0x7F | 0x80])
        value >>= 7
    return found + bytes([value])


def section(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + number(len(body)) + body


def named(text: str) -> bytes:
    return number(len(text.encode())) + text.encode()


def importing(*names: tuple[str, str]) -> bytes:
    """A module that imports these functions."""
    types = section(1, b"\1\x60\0\0")
    imports = number(len(names)) + b"".join(named(module) + named(name) + b"\0\0" for module, name in names)
    return PREAMBLE + types + section(2, imports)


def must_publish(module: bytes, **members: Any) -> None:
    config = {"type": "wasm", "wasmFile": "a.wasm", **members.pop("config", {})}
    given = changed(submit(MODULE, layers=[("a.wasm", WASM, module)]), config=config, **members)
    checking.check(given)
    checking.check_whole(given, given.layers[0], io.BytesIO(module))


def refused(module: bytes, **members: Any) -> dict[str, Any]:
    with pytest.raises(MalformedManifest) as error:
        must_publish(module, **members)
    assert isinstance(error.value.detail, dict)
    return error.value.detail


def test_the_module_of_the_example_is_one_to_a_runtime_too() -> None:
    wasmtime.Module.validate(wasmtime.Engine(), ADDER)
    assert wasm.read(io.BytesIO(ADDER)).exports == (wasm.Named("", "add", "function"),)


def test_what_a_compiler_writes_is_read_as_a_runtime_reads_it() -> None:
    text = """(module
        (import "env" "memory" (memory 1 4)) (import "gati:db/read" "query" (func (param i32) (result i64)))
        (import "env" "table" (table 1 funcref)) (import "env" "__stack" (global (mut i32)))
        (func (export "run") (param i32) (result i64) local.get 0 call 0) (data (i32.const 0) "hello"))"""
    module = bytes(wasmtime.wat2wasm(text))
    outline = wasm.read(io.BytesIO(module))
    theirs = wasmtime.Module(wasmtime.Engine(), module)
    assert [(one.module, one.name) for one in outline.imports] == [(one.module, one.name) for one in theirs.imports]
    assert [one.kind for one in outline.imports] == ["memory", "function", "table", "global"]
    assert [one.name for one in outline.exports] == [one.name for one in theirs.exports]
    must_publish(module, capabilities=["db:read"])


@pytest.mark.parametrize(
    "module",
    [
        b"",
        b"\0as",
        b"not wasm at all",
        b"\x7fELF" + bytes(60),
        b"\0asm\2\0\0\0",
        b"\0asm\x0d\0\1\0",
        PREAMBLE + b"\1",
        PREAMBLE + section(14, b""),
        PREAMBLE + section(3, b"\0") + section(1, b"\0"),
        PREAMBLE + section(1, b"\0") * 2,
        PREAMBLE + b"\1\xff\xff\xff\xff\xff\0",
        PREAMBLE + b"\1\xff\xff\xff\xff\x1f",
        PREAMBLE + b"\1\x80\x80\x80\x80\x80\0",
        PREAMBLE + b"\1\x05\0",
        PREAMBLE + section(2, b"\2" + named("a") + named("b") + b"\0\0"),
        PREAMBLE + section(2, b"\0\0"),
        PREAMBLE + section(2, number(1001)),
        PREAMBLE + section(2, b"\1" + number(1001) + b"a" * 1001),
        PREAMBLE + section(2, b"\1\1\xff" + named("b") + b"\0\0"),
        PREAMBLE + section(2, b"\1" + named("a") + named("b") + b"\7\0"),
        PREAMBLE + section(7, b"\2" + (named("a") + b"\0\0") * 2),
        PREAMBLE + section(3, b"\1\0"),
        PREAMBLE + section(3, b"\1\0") + section(10, b"\1\3\0\x0b"),
        PREAMBLE + section(3, b"\1\0") + section(10, b"\1\2\0\x0b\0"),
        PREAMBLE + section(0, named("x")) * 1001,
        PREAMBLE + section(0, b"\5ab"),
        PREAMBLE + b"\2\xff\xff\xff\x0f",
    ],
    ids=range(27),
)
def test_modules_that_are_not_well_formed_are_refused(module: bytes) -> None:
    with pytest.raises(Refused):
        wasm.read(io.BytesIO(module))
    assert refused(module)["pointer"] == "/layers/0"


def test_a_module_may_pad_its_numbers_as_linkers_do() -> None:
    padded = PREAMBLE + b"\3\x86\x80\x80\x80\0" + b"\x81\x80\x80\x80\0\0" + section(10, b"\1\2\0\x0b")
    assert wasm.read(io.BytesIO(padded)) == wasm.Outline()


@pytest.mark.parametrize("length", range(8, len(ADDER)))
def test_a_module_that_was_cut_off_is_never_taken_for_a_whole_one(length: int) -> None:
    assert not wasm.read_head(ADDER[:length])
    if length not in {8, 17}:
        with pytest.raises(Refused):
            wasm.read(io.BytesIO(ADDER[:length]))


@pytest.mark.parametrize(
    ("module", "name", "capability"),
    [
        (WASI, "sock_send", "network:egress"),
        (WASI, "sock_accept", "network:ingress"),
        (WASI, "path_open", "filesystem:read"),
        (WASI, "fd_readdir", "filesystem:read"),
        (WASI, "path_unlink_file", "filesystem:write"),
        ("wasi:sockets/tcp@0.2.0", "connect", "network:egress"),
        ("gati:db/read", "query", "db:read"),
        ("gati:db", "write", "db:write"),
        ("gati", "fetch", "network:egress"),
        ("gati", "cache_read", "cache:read"),
        ("gati", "log", "log:write"),
        ("gati", "secrets.read", "secrets:read"),
    ],
)
def test_an_import_asks_for_its_capability_and_says_which(module: str, name: str, capability: str) -> None:
    made, inner = importing((module, name)), {"wasi": True}
    detail = refused(made, config=inner, capabilities=["crypto"])
    assert (detail["pointer"], detail["value"]) == ("/capabilities", f"{module}.{name}")
    assert f'"{capability}"' in detail["suggestion"]
    must_publish(made, config=inner, capabilities=[capability])
    must_publish(
        made,
        config={**inner, "capabilities": [capability.partition(":")[0]]} if "log" not in name else inner,
        capabilities=[capability],
    )


def test_a_file_may_be_opened_by_who_reads_or_writes() -> None:
    made = importing((WASI, "path_open"))
    must_publish(made, config={"wasi": True}, capabilities=["storage"])
    must_publish(made, config={"wasi": True}, capabilities=["filesystem"])


def test_wasi_must_be_declared_and_writing_to_the_console_needs_nothing_more() -> None:
    made = importing((WASI, "fd_write"), (WASI, "proc_exit"), (WASI, "environ_get"))
    assert refused(made)["pointer"] == "/config/wasi"
    assert refused(made, config={"wasi": False})["pointer"] == "/config/wasi"
    must_publish(made, config={"wasi": True})


@pytest.mark.parametrize("module", ["wbg", "env", "gati:", "GATI:db/read", "wasi_", "gati:db/"])
def test_imports_that_nothing_provides_are_refused(module: str) -> None:
    detail = refused(importing((module, "steal")), config={"wasi": True}, capabilities=["db"])
    assert detail["pointer"] == "/layers/0"


def test_names_that_command_a_terminal_are_not_repeated() -> None:
    detail = refused(importing(("\0\x1b[2J", "\x07")))
    assert not set("\0\x1b\x07") & set(detail["value"])


def test_what_assemblyscript_imports_needs_no_capability() -> None:
    must_publish(importing(("env", "abort"), ("env", "seed"), ("env", "Date.now")))


def test_imports_behind_the_first_part_of_a_module_are_found_when_it_is_read_whole() -> None:
    padding = section(0, named("padding") + bytes(2 << 20))
    made = PREAMBLE + padding + importing(("gati", "db_read"))[8:]
    given = changed(submit(MODULE, layers=[("a.wasm", WASM, made)]), config={"type": "wasm", "wasmFile": "a.wasm"})
    assert checking.check(given).pending == given.layers
    with pytest.raises(MalformedManifest):
        checking.check_whole(given, given.layers[0], io.BytesIO(made))


def test_the_wasm_file_is_the_title_of_a_layer() -> None:
    given = changed(submit(MODULE), config={"type": "wasm", "wasmFile": "ader.wasm"})
    with pytest.raises(MalformedManifest) as error:
        checking.check(given)
    assert error.value.pointer == "/config/wasmFile"
    assert "Did you mean adder.wasm?" in error.value.suggestion
    assert layer(0, WASM, ADDER).title is None
