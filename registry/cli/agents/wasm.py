"""WASM agents, in wasmtime: no file, no variable and no network but what is handed in."""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wasmtime import (
    Caller,
    Config,
    Engine,
    ExitTrap,
    Func,
    FuncType,
    Linker,
    Module,
    Store,
    Trap,
    TrapCode,
    ValType,
    WasiConfig,
    WasmtimeError,
)
from wasmtime import Memory as WasmMemory

from registry.cli.agents.denied_files import watch_files
from registry.cli.agents.host_calls import HostCalls
from registry.cli.agents.ledger import Ledger
from registry.cli.agents.model import TRAPPED, Agent, Limits, Setting
from registry.cli.problems import Problem, Refused

_LARGEST: Final = 256 << 20
_TABLE: Final = 1 << 20
_GRACE: Final = 2.0
_I32: Final = ValType.i32
_PROVIDED: Final = ("wasi_snapshot_preview1", "gati")


@dataclass(frozen=True, slots=True)
class Room:
    """What a WASM agent runs in."""

    limits: Limits
    setting: Setting
    calls: HostCalls
    ledger: Ledger


class _Memory:
    """The memory of the agent that calls."""

    def __init__(self, caller: Caller) -> None:
        memory = caller.get("memory")
        self._memory = memory if isinstance(memory, WasmMemory) else None
        self._caller = caller

    def read(self, start: int, length: int) -> bytes:
        """Bytes of it; IndexError where it has none."""
        return bytes(self._within(start, length).read(self._caller, start, start + length))

    def write(self, start: int, content: bytes) -> None:
        """Put bytes into it; IndexError where it has none."""
        memory = self._within(start, len(content))
        if content:
            memory.write(self._caller, content, start)

    def _within(self, start: int, length: int) -> WasmMemory:
        if self._memory is None or start < 0 or start + length > self._memory.data_len(self._caller):
            raise IndexError
        return self._memory


def run(agent: Agent, room: Room) -> int:
    """Run an agent to its end; its exit status.

    Raises:
        Problem: it is no command that can be run here, it trapped, or a limit ended it (Refused).
    """
    engine = Engine(_config())
    module = _module(engine, agent.folder / str(agent.config.get("wasmFile")))
    store = Store(engine)
    store.set_fuel(room.limits.fuel)
    store.set_epoch_deadline(1)
    store.set_limits(room.limits.memory, _TABLE, 8, 16, 1)
    store.set_wasi(_wasi(agent, room.setting))
    run = _Run(engine, store, module, room)
    return run.ended(room.limits.seconds)


class _Run:
    """One run, in a thread of its own, so that an interrupt and the end of its time reach it."""

    def __init__(self, engine: Engine, store: Store, module: Module, room: Room) -> None:
        self._engine = engine
        self._store = store
        self._module = module
        self._room = room
        self._error: BaseException | None = None

    def ended(self, seconds: float) -> int:
        """Wait for its end, which comes after `seconds` at the latest."""
        # A call into the system that does not come back is left behind with its thread when the process ends.
        thread = threading.Thread(target=self._work, daemon=True)
        thread.start()
        try:
            thread.join(seconds)
        finally:
            is_late = thread.is_alive()
            self._engine.increment_epoch()
        thread.join(_GRACE)
        if is_late:
            raise Refused(f"The agent ran for {seconds:g} s, which is all it may (maxDuration).", code="TIME_LIMIT")
        return self._status()

    def _work(self) -> None:
        try:
            linker = _linker(self._engine, self._room)
            instance = linker.instantiate(self._store, self._module)
            start = instance.exports(self._store)["_start"]
            if isinstance(start, Func):
                start(self._store)
        except BaseException as error:  # noqa: BLE001 - it is raised again where the run is waited for
            self._error = error

    def _status(self) -> int:
        match self._error:
            case None:
                return 0
            case ExitTrap() as ended:
                return ended.code
            case Trap() as trap:
                raise self._trapped(trap)
            case WasmtimeError() as error:
                raise self._failed(error)
            case error:
                raise error

    def _trapped(self, trap: Trap) -> Problem:
        limits = self._room.limits
        if trap.trap_code is TrapCode.OUT_OF_FUEL:
            told = f"The agent used up its fuel: {limits.fuel:,} units."
            return Refused(told, "Give it more with --fuel, if it is meant to work so long.", code="FUEL_LIMIT")
        if trap.trap_code is TrapCode.INTERRUPT:
            return Problem("Interrupted: the agent was ended.", code="INTERRUPTED")
        reason = trap.message.strip().splitlines()
        where = next((frame.func_name for frame in trap.frames if frame.func_name), None)
        told = f"The agent trapped{f' in {where}' if where else ''}: {_cause(reason)}."
        return Trapped(told, f"It may have {limits.memory >> 10:,} KiB of memory: an allocation beyond that fails.")

    def _failed(self, error: WasmtimeError) -> Problem:
        text = str(error)
        if "memory minimum size" in text or "exceeds memory limits" in text:
            return Refused(
                f"The agent asks for more memory than it may have: {self._room.limits.memory >> 10:,} KiB.",
                "Its limit is permissions.maxMemory of its manifest, and --memory of this command.",
                code="MEMORY_LIMIT",
            )
        return Problem(f"The agent cannot be run: {_cause(text.splitlines())}.", code="INVALID_AGENT")


class Trapped(Problem):
    """An agent did what WASM forbids, or gave up."""

    status = TRAPPED
    default_code = "TRAPPED"


def _cause(lines: list[str]) -> str:
    told = [line.strip() for line in lines if line.strip()]
    after = told[told.index("Caused by:") + 1 :] if "Caused by:" in told else []
    causes = [line.removeprefix("0: ").removeprefix("wasm trap: ") for line in after or told]
    return (causes or ["no reason is known"])[0].rstrip(".")[:300]


def _config() -> Config:
    config = Config()
    config.consume_fuel = True
    config.epoch_interruption = True
    config.wasm_threads = False
    config.wasm_memory64 = False
    return config


def _module(engine: Engine, path: Path) -> Module:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise Problem(f"{path.name} has more than {_LARGEST >> 20} MiB.")
        if content[:4] != b"\0asm":
            raise Problem(f"{path.name} is no WASM module.", "See config.wasmFile of the agent.", code="INVALID_AGENT")
        module = Module(engine, content)
    except OSError as error:
        raise Problem(f"{path} cannot be read: {error.strerror}.") from error
    except WasmtimeError as error:
        told = _cause(str(error).splitlines())
        raise Problem(f"{path.name} is no valid WASM module: {told}.", code="INVALID_AGENT") from error
    _check(module)
    return module


def _check(module: Module) -> None:
    strange = [f"{one.module}.{one.name}" for one in module.imports if one.module not in _PROVIDED]
    if strange:
        raise Problem(
            f"The agent imports what gati does not provide: {', '.join(strange[:5])}.",
            "It may import wasi_snapshot_preview1 and the calls of gati: see docs/artifacts/agents.md.",
            code="INVALID_AGENT",
        )
    if not any(one.name == "_start" and isinstance(one.type, FuncType) for one in module.exports):
        raise Problem(
            "The agent exports no function _start: it is a library, no command.",
            "Build it as a WASI command (target wasm32-wasip1, with a main function).",
            code="INVALID_AGENT",
        )


def _wasi(agent: Agent, setting: Setting) -> WasiConfig:
    wasi = WasiConfig()
    wasi.argv = [agent.name, *setting.arguments]
    wasi.env = list(setting.environment.items())
    for mount in setting.mounts:
        wasi.preopen_dir(str(mount.folder), mount.guest, mount.is_writable)
    streams = setting.streams
    if streams.stdin is None:
        wasi.inherit_stdin()
    else:
        wasi.stdin_file = str(streams.stdin)
    if streams.stdout is None:
        wasi.inherit_stdout()
    else:
        wasi.stdout_file = str(streams.stdout)
    if streams.stderr is None:
        wasi.inherit_stderr()
    else:
        wasi.stderr_file = str(streams.stderr)
    return wasi


def _linker(engine: Engine, room: Room) -> Linker:
    linker = Linker(engine)
    linker.define_wasi()
    watch_files(engine, linker, room.ledger)

    def http_request(caller: Caller, start: int, length: int) -> int:
        return room.calls.http_request(_Memory(caller), start & 0xFFFFFFFF, length & 0xFFFFFFFF)

    def http_read(caller: Caller, part: int, start: int, length: int) -> int:
        return room.calls.http_read(_Memory(caller), part, start & 0xFFFFFFFF, length & 0xFFFFFFFF)

    two, three = FuncType([_I32()] * 2, [_I32()]), FuncType([_I32()] * 3, [_I32()])
    linker.define_func("gati", "http_request", two, http_request, access_caller=True)
    linker.define_func("gati", "http_read", three, http_read, access_caller=True)
    return linker
