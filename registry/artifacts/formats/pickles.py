"""Pickles: what they would do, read from their opcodes without doing it. Pure.

A small machine follows the stack and the memo as an unpickler does, with texts where they are written and nothing
else, so that the names of what would be imported are known exactly. Only what weights need may be imported.
"""

import pickletools
import struct
from typing import Final

from registry.artifacts.formats.inflate import Refused
from registry.artifacts.formats.reading import Reader

OPERATIONS: Final = 4_000_000
MEMO: Final = 500_000
STACK: Final = 200_000
_LINE: Final = 1 << 14
_NAME: Final = 64
_AGAIN: Final = "Save weights alone: tensors, numbers, texts, lists and dictionaries; safetensors needs no pickle."
_LEGACY: Final = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""The pickle that files of torch.save began with before PyTorch 1.6; four more follow, then bytes of tensors."""

_MARK: Final = object()
_STORAGES: Final = (
    "Float Double Half BFloat16 Byte Char Short Int Long Bool ComplexFloat ComplexDouble QInt8 QUInt8 QInt32 QUInt4x2 "
    "QUInt2x4 Untyped Typed"
)
_DTYPES: Final = (
    "float64 float32 float16 bfloat16 uint8 int8 int16 int32 int64 bool complex64 complex128 complex32 qint8 quint8 "
    "qint32 float8_e4m3fn float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz uint16 uint32 uint64 strided sparse_coo"
)
ALLOWED: Final = frozenset(
    {
        "collections.OrderedDict",
        "builtins.set",
        "builtins.frozenset",
        "builtins.complex",
        "__builtin__.set",
        "__builtin__.frozenset",
        "__builtin__.complex",
        "_codecs.encode",
        "torch.Size",
        "torch.device",
        "torch.Tensor",
        "torch.nn.parameter.Parameter",
        "torch._utils._rebuild_tensor",
        "torch._utils._rebuild_tensor_v2",
        "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_parameter_with_state",
        "torch._utils._rebuild_qtensor",
        "torch._utils._rebuild_sparse_tensor",
        "torch.serialization._get_layout",
        "numpy.ndarray",
        "numpy.dtype",
    }
    | {f"torch.{name}Storage" for name in _STORAGES.split()}
    | {f"torch.storage.{name}Storage" for name in _STORAGES.split()}
    | {f"torch.{name}" for name in _DTYPES.split()}
    | {f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("_reconstruct", "scalar")}
)
"""What weights need; none of it runs code that is given to it."""

_COUNTS: Final = {
    pickletools.TAKEN_FROM_ARGUMENT1: struct.Struct("<B"),
    pickletools.TAKEN_FROM_ARGUMENT4: struct.Struct("<i"),
    pickletools.TAKEN_FROM_ARGUMENT4U: struct.Struct("<I"),
    pickletools.TAKEN_FROM_ARGUMENT8U: struct.Struct("<Q"),
}
_OPCODES: Final = {opcode.code.encode("latin-1"): opcode for opcode in pickletools.opcodes}
_TEXTS: Final = frozenset({"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"})
_PUTS: Final = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_GETS: Final = frozenset({"GET", "BINGET", "LONG_BINGET"})


class Unsafe(Refused):
    """It is a pickle, and it would do more than to hold weights."""


def begins(head: bytes) -> bool:
    """Whether a file with this beginning looks like a pickle of protocol 2 to 5."""
    return len(head) > 2 and head[0] == 0x80 and 2 <= head[1] <= 5


def check(reader: Reader) -> None:
    """Follow all pickles of a file, one behind the other.

    Raises:
        Unsafe: one would import something that weights do not need.
        Refused: it is no such file.
        Beyond: it goes on behind what is given.
    """
    if not begins(reader.take(min(reader.left, 3), "its beginning")):
        raise Refused("It does not begin as a pickle of protocol 2 to 5.", _AGAIN)
    reader.at = 0
    is_legacy = reader.left > len(_LEGACY) and reader.take(len(_LEGACY)) == _LEGACY
    reader.at = 0
    budget, count = OPERATIONS, 0
    while reader.left and not (is_legacy and count == 5):
        budget = _Machine(reader).run(budget)
        count += 1
    if is_legacy and count < 5:
        raise Refused("It ends before the five pickles that files of torch.save begin with.", _AGAIN)


class _Machine:
    """An unpickler that makes nothing."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._stack: list[object] = []
        self._memo: dict[int, object] = {}

    def run(self, budget: int) -> int:
        """Follow one pickle; what is left of the operations that all may have."""
        while budget:
            budget -= 1
            opcode = _OPCODES.get(self._reader.take(1, "a pickle"))
            if opcode is None:
                raise Refused(f"It has no operation of pickles at byte {self._reader.at - 1}.", _AGAIN)
            self._apply(opcode, self._argument(opcode))
            if opcode.name == "STOP":
                return budget
        raise Refused(f"It has more than {OPERATIONS} operations.", _AGAIN)

    def _argument(self, opcode: pickletools.OpcodeInfo) -> bytes:
        """The argument of an operation; of a long one, its beginning."""
        if opcode.arg is None:
            return b""
        length = opcode.arg.n
        if length == pickletools.UP_TO_NEWLINE:
            lines = 2 if opcode.name in {"GLOBAL", "INST"} else 1
            return b".".join(self._reader.line(_LINE, "a line of a pickle") for _ in range(lines))
        if length < 0:
            length = self._reader.number(_COUNTS[length], "the length of an argument")
        if length < 0:
            raise Refused("It has an argument of less than no bytes.", _AGAIN)
        if length <= _NAME:
            return self._reader.take(length, "an argument")
        self._reader.skip(length, "an argument")
        return b""

    def _apply(self, opcode: pickletools.OpcodeInfo, argument: bytes) -> None:
        name = opcode.name
        if name in _TEXTS:
            self._push(argument.decode("utf-8", "replace") or None)
        elif name in _GETS:
            self._push(self._memo.get(_index(name, argument)))
        elif name in _PUTS or name == "MEMOIZE":
            self._remember(len(self._memo) if name == "MEMOIZE" else _index(name, argument))
        elif name == "DUP":
            self._push(self._top(1))
        else:
            self._check_import(name, argument)
            self._move(opcode)

    def _check_import(self, name: str, argument: bytes) -> None:
        if name in {"GLOBAL", "INST"}:
            wanted: str | None = argument.decode("utf-8", "replace")
        elif name == "STACK_GLOBAL":
            module, member = self._top(2), self._top(1)
            wanted = f"{module}.{member}" if isinstance(module, str) and isinstance(member, str) else None
        elif name.startswith("EXT"):
            wanted = None
        else:
            return
        if wanted not in ALLOWED:
            what = f"imports {wanted[:100]!r}" if wanted else "imports what it names only while it is read"
            raise Unsafe(f"Reading it {what}, which weights do not need and which may run code.", _AGAIN)

    def _move(self, opcode: pickletools.OpcodeInfo) -> None:
        """Take from the stack and put onto it as the operation does."""
        before = list(opcode.stack_before)
        if pickletools.markobject in before:
            before = before[: before.index(pickletools.markobject)]
            while self._top(1) is not _MARK:
                self._stack.pop()
            self._stack.pop()
        if before:
            self._top(len(before))
            del self._stack[-len(before) :]
        for after in opcode.stack_after:
            self._push(_MARK if after is pickletools.markobject else None)

    def _push(self, value: object) -> None:
        if len(self._stack) >= STACK:
            raise Refused(f"It needs a stack of more than {STACK} values.", _AGAIN)
        self._stack.append(value)

    def _top(self, depth: int) -> object:
        if len(self._stack) < depth:
            raise Refused("It takes from its stack what is not there.", _AGAIN)
        return self._stack[-depth]

    def _remember(self, index: int) -> None:
        if index >= 2 * MEMO or (len(self._memo) >= MEMO and index not in self._memo):
            raise Refused(f"It remembers more than {MEMO} values.", _AGAIN)
        self._memo[index] = self._top(1)


def _index(name: str, argument: bytes) -> int:
    if name in {"PUT", "GET"}:
        if not argument.isdigit() or len(argument) > 9:
            raise Refused("It remembers a value under what is no number.", _AGAIN)
        return int(argument)
    return int.from_bytes(argument, "little")
