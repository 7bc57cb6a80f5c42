"""Files that a WASM agent asked for and did not get, said with their rule.

The functions of WASI are the engine's own and say nothing. `path_open` is therefore called through a module of a few
lines that has the memory of the agent, and its answer is looked at.
"""

from typing import Any, Final

from wasmtime import Caller, Engine, Func, FuncType, Linker, Memory, Module, ValType

from registry.cli.agents.ledger import Ledger

_WASI: Final = "wasi_snapshot_preview1"
_PARAMETERS: Final = "i32 i32 i32 i32 i32 i64 i64 i32 i32"
_PASSED_ON: Final = " ".join(f"local.get {number}" for number in range(9))
_BETWEEN: Final = f"""
(module
  (import "{_WASI}" "path_open" (func $open (param {_PARAMETERS}) (result i32)))
  (import "agent" "memory" (memory 0))
  (export "memory" (memory 0))
  (func (export "path_open") (param {_PARAMETERS}) (result i32) {_PASSED_ON} call $open))
"""
_DENIED: Final = {2: "ACCES", 63: "PERM", 69: "ROFS", 76: "NOTCAPABLE"}
_INVALID: Final = 28
_LONGEST: Final = 4096
_RULE: Final = (
    "only permissions.allowedPaths that were granted with --allow-path are open, writable with filesystem:write."
)


def watch_files(engine: Engine, linker: Linker, ledger: Ledger) -> None:
    """Let `linker`, which has WASI, tell `ledger` which files are denied."""
    inner = Linker(engine)
    inner.define_wasi()
    between = Module(engine, _BETWEEN)
    made: list[Func] = []

    def path_open(caller: Caller, *values: Any) -> int:
        memory = caller.get("memory")
        if not isinstance(memory, Memory):
            return _INVALID
        if not made:
            inner.define(caller, "agent", "memory", memory)
            made.append(_function(inner.instantiate(caller, between).exports(caller)["path_open"]))
        status = int(made[0](caller, *values))
        if status in _DENIED:
            start, length = values[2] & 0xFFFFFFFF, min(values[3] & 0xFFFFFFFF, _LONGEST)
            path = bytes(memory.read(caller, start, start + length)).decode(errors="replace")
            ledger.deny(f"the file {path}", _RULE)
        return status

    types = [getattr(ValType, word)() for word in _PARAMETERS.split()]
    linker.allow_shadowing = True
    linker.define_func(_WASI, "path_open", FuncType(types, [ValType.i32()]), path_open, access_caller=True)


def _function(found: Any) -> Func:
    assert isinstance(found, Func)  # noqa: S101 - the module above exports it
    return found
