"""WebAssembly modules (Core Specification 2.0, section 5): their sections, imports and exports, read forward. Pure."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from registry.artifacts.formats.inflate import Refused

MAGIC: Final = b"\0asm"
_VERSION: Final = b"\1\0\0\0"
_COMPONENT: Final = b"\x0d\0\1\0"
_ORDER: Final = {section: place for place, section in enumerate((1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11))}
_IMPORTS, _FUNCTIONS, _EXPORTS, _CODE = 2, 3, 7, 10
_KINDS: Final = ("function", "table", "memory", "global", "tag")
_PIECE: Final = 1 << 16
_AGAIN: Final = "Build it again, and publish what the compiler wrote."


@dataclass(frozen=True, slots=True)
class Limits:
    """What a module may be.

    Attributes:
        section: bytes of a section of imports or exports.
        name: bytes of a name.
    """

    section: int = 4 << 20
    sections: int = 1000
    imports: int = 1000
    exports: int = 10_000
    functions: int = 1_000_000
    name: int = 1000


@dataclass(frozen=True, slots=True)
class Named:
    """An import (`module` and `name`) or an export (`module` is empty)."""

    module: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Outline:
    """What a module takes and gives."""

    imports: tuple[Named, ...] = ()
    exports: tuple[Named, ...] = ()


class _Short(Exception):
    """The bytes end here."""


DEFAULT: Final = Limits()


def read(file: BinaryIO, limits: Limits = DEFAULT) -> Outline:
    """The outline of a module, after all of it was read, once, forward.

    Raises:
        Refused: it is no well-formed module, or over a limit.
    """
    reader = _Reader(file, limits)
    try:
        reader.read_all()
    except _Short as error:
        raise Refused("The module ends in the middle of a section.", "Push it again: it was cut off.") from error
    return Outline(reader.imports, reader.exports)


def read_head(head: bytes, limits: Limits = DEFAULT) -> tuple[Named, ...] | None:
    """The imports of a module, by its first bytes; None when they are not among these.

    Raises:
        Refused: what is there is no well-formed module.
    """
    reader = _Reader(io.BytesIO(head), limits)
    try:
        return reader.imports if reader.read_imports() else None
    except _Short:
        return None


class _Source:
    """Bytes that are read forward; `at` counts them."""

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        self._file = file
        self._limits = limits
        self.at = 0

    def take(self, size: int) -> bytes:
        found = self._file.read(size)
        if len(found) < size:
            raise _Short
        self.at += size
        return found

    def skip(self, size: int) -> None:
        while size > 0:
            size -= len(self.take(min(size, _PIECE)))

    def number(self, bits: int = 32) -> int:
        """An unsigned number (LEB128), of at most five bytes for 32 bits, ten for 64."""
        value = shift = 0
        while shift < bits:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value >> bits:
                    break
                return value
            shift += 7
        raise Refused(f"A number in the module is larger than {bits} bits.", _AGAIN)

    def name(self) -> str:
        size = self.number()
        if size > self._limits.name:
            raise Refused(f"A name in the module is longer than {self._limits.name} bytes.", _AGAIN)
        try:
            return self.take(size).decode()
        except UnicodeDecodeError as error:
            raise Refused("A name in the module is not UTF-8.", _AGAIN) from error

    def count(self, most: int) -> int:
        found = self.number()
        if found > most:
            raise Refused(f"The module has a list of {found} entries; {most} is the limit.", _AGAIN)
        return found


class _Reader(_Source):
    """One reading of one module."""

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        super().__init__(file, limits)
        self._functions = self._bodies = 0
        self.imports: tuple[Named, ...] = ()
        self.exports: tuple[Named, ...] = ()

    def read_all(self) -> None:
        self._read_preamble()
        for section in self._sections():
            self._read_section(section)
        if self._functions != self._bodies:
            raise Refused("The module declares other functions than it has code for.", _AGAIN)

    def read_imports(self) -> bool:
        """Read on until the imports are read, or cannot follow any more; False at the end of what is there."""
        self._read_preamble()
        for section in self._sections():
            if _ORDER.get(section, 0) > _ORDER[_IMPORTS]:
                return True
            self._read_section(section)
            if section == _IMPORTS:
                return True
        return False

    def _sections(self) -> Iterator[int]:
        """The number of each section; what follows it must be read before the next is asked for."""
        last, count = -1, 0
        while first := self._file.read(1):
            count += 1
            if count > self._limits.sections:
                raise Refused(f"The module has more than {self._limits.sections} sections.", "Strip it (wasm-strip).")
            last = self._in_order(first[0], last)
            yield first[0]

    def _read_preamble(self) -> None:
        start = self._file.read(8)
        if start[:4] != MAGIC:
            raise Refused("It does not start with \\0asm: it is no WebAssembly.", "Publish the compiled .wasm file.")
        if start[4:] == _COMPONENT:
            raise Refused("It is a component; a core module is wanted.", "Build it as a core module (wasm32-wasip1).")
        if start[4:] != _VERSION:
            raise Refused("It is of no known version of WebAssembly.", "Build it as a core module of version 1.")

    def _in_order(self, section: int, last: int) -> int:
        if section == 0:
            return last
        place = _ORDER.get(section)
        if place is None:
            raise Refused(f"The module has a section of the unknown kind {section}.", _AGAIN)
        if place <= last:
            raise Refused("A section of the module is there twice, or not in its place.", _AGAIN)
        return place

    def _read_section(self, section: int) -> None:
        size = self.number()
        end = self.at + size
        if section in {_IMPORTS, _EXPORTS}:
            self._read_names(section, size)
        elif section == _CODE:
            self._read_code(end)
        elif section == _FUNCTIONS and size:
            self._functions = self.count(self._limits.functions)
        elif section == 0 and size:
            self.name()
        if self.at > end:
            raise Refused("A section of the module is longer than it says.", _AGAIN)
        self.skip(end - self.at)

    def _read_names(self, section: int, size: int) -> None:
        if size > self._limits.section:
            raise Refused(f"A section of the module is larger than {self._limits.section} bytes.", _AGAIN)
        inner = _Names(io.BytesIO(self.take(size)), self._limits)
        try:
            found = tuple(inner.imports() if section == _IMPORTS else inner.exports())
        except _Short as error:
            raise Refused("A list in the module is longer than its section.", _AGAIN) from error
        if inner.at != size:
            raise Refused("A section of the module is longer than what it lists.", _AGAIN)
        if section == _IMPORTS:
            self.imports = found
        else:
            self.exports = found

    def _read_code(self, end: int) -> None:
        """The bodies fill the section exactly."""
        self._bodies = self.count(self._limits.functions)
        for _ in range(self._bodies):
            body = self.number()
            if self.at + body > end:
                break
            self.skip(body)
        if self.at != end:
            raise Refused("The functions of the module do not fill its code section.", _AGAIN)


class _Names(_Source):
    """The content of a section of imports or exports."""

    def imports(self) -> Iterator[Named]:
        for _ in range(self.count(self._limits.imports)):
            module, name = self.name(), self.name()
            yield Named(module, name, self._described())

    def exports(self) -> Iterator[Named]:
        seen: set[str] = set()
        for _ in range(self.count(self._limits.exports)):
            name, kind = self.name(), self._kind()
            if name in seen:
                raise Refused("The module exports one name twice.", _AGAIN)
            seen.add(name)
            self.number()
            yield Named("", name, kind)

    def _kind(self) -> str:
        code = self.take(1)[0]
        if code >= len(_KINDS):
            raise Refused("The module imports or exports something of an unknown kind.", _AGAIN)
        return _KINDS[code]

    def _described(self) -> str:
        kind = self._kind()
        if kind == "tag":
            self.take(1)
        if kind in {"function", "tag"}:
            self.number()
        elif kind == "global":
            self._skip_type()
            self.take(1)
        else:
            if kind == "table":
                self._skip_type()
            self._skip_limits()
        return kind

    def _skip_type(self) -> None:
        """A value type is one byte, or two kinds of references with a type behind."""
        if self.take(1)[0] in {0x63, 0x64}:
            self.number(33)

    def _skip_limits(self) -> None:
        flags = self.take(1)[0]
        if flags > 0x0F:
            raise Refused("The limits of a memory or table of the module are of an unknown form.", _AGAIN)
        bits = 64 if flags & 4 else 32
        for _ in range(2 if flags & 1 else 1):
            self.number(bits)
        if flags & 8:
            self.number()
