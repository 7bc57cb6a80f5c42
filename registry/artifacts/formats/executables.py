"""Headers of programs: ELF, Mach-O (also universal) and PE; for which systems and processors they are. Pure."""

import struct
from dataclasses import dataclass
from typing import Final

_ELF: Final = {
    (3, 1): "386",
    (62, 2): "amd64",
    (62, 1): "amd64",
    (40, 1): "arm",
    (183, 2): "arm64",
    (243, 2): "riscv64",
    (22, 2): "s390x",
    (258, 2): "loong64",
}
_ELF_BIG: Final = {(21, ">"): "ppc64", (21, "<"): "ppc64le", (8, ">"): "mips64", (8, "<"): "mips64le"}
_UNIX: Final = frozenset({"linux", "android", "freebsd", "openbsd", "netbsd", "dragonfly", "illumos", "solaris"})
_ABI: Final = {
    2: frozenset({"netbsd"}),
    3: frozenset({"linux", "android"}),
    6: frozenset({"solaris", "illumos"}),
    9: frozenset({"freebsd"}),
    12: frozenset({"openbsd"}),
}
_MACH: Final = {0x01000007: "amd64", 0x0100000C: "arm64", 7: "386", 12: "arm"}
_PE: Final = {0x8664: "amd64", 0xAA64: "arm64", 0x14C: "386", 0x1C4: "arm"}
_DARWIN: Final = frozenset({"darwin", "ios"})
_WINDOWS: Final = frozenset({"windows"})
SYSTEMS: Final = {"macos": "darwin", "osx": "darwin", "win32": "windows", "win": "windows"}
PROCESSORS: Final = {
    "x64": "amd64",
    "x86_64": "amd64",
    "x86-64": "amd64",
    "aarch64": "arm64",
    "x86": "386",
    "i386": "386",
    "i686": "386",
    "ia32": "386",
    "armv7": "arm",
}


@dataclass(frozen=True, slots=True)
class Program:
    """What a header says: its format, the systems it may be for, and its processors."""

    format: str
    systems: frozenset[str]
    processors: frozenset[str]


def system(name: str) -> str:
    """The name of a system as OCI has it: `macos` is `darwin`."""
    return SYSTEMS.get(name.lower(), name.lower())


def processor(name: str) -> str:
    """The name of a processor as OCI has it: `x64` is `amd64`."""
    return PROCESSORS.get(name.lower(), name.lower())


def identify(head: bytes) -> Program | None:
    """The program that starts with these bytes (some 4 KiB), None when it is none of these formats."""
    try:
        if head[:4] == b"\x7fELF":
            return _elf(head)
        if head[:2] == b"MZ":
            return _pe(head)
        if head[:4] in {b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe"}:
            return _mach([struct.unpack_from("<I", head, 4)[0]])
        if head[:4] in {b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf"}:
            return _universal(head)
    except struct.error:
        return None
    return None


def _elf(head: bytes) -> Program | None:
    bits, data, abi = struct.unpack_from("BBxB", head, 4)
    if bits not in {1, 2} or data not in {1, 2} or len(head) < (64 if bits == 2 else 52):
        return None
    order = "<" if data == 1 else ">"
    machine = struct.unpack_from(f"{order}H", head, 18)[0]
    name = _ELF.get((machine, bits)) or _ELF_BIG.get((machine, order))
    return Program("ELF", _ABI.get(abi, _UNIX), frozenset({name} if name else ()))


def _pe(head: bytes) -> Program | None:
    at = struct.unpack_from("<I", head, 0x3C)[0]
    if at > len(head) - 6 or head[at : at + 4] != b"PE\0\0":
        return None
    name = _PE.get(struct.unpack_from("<H", head, at + 4)[0])
    return Program("PE", _WINDOWS, frozenset({name} if name else ()))


def _universal(head: bytes) -> Program | None:
    """A universal Mach-O; a class of Java starts alike, with a version where the count of parts is here."""
    count = struct.unpack_from(">I", head, 4)[0]
    step = 20 if head[3] == 0xBE else 32
    if not 1 <= count <= 16:
        return None
    return _mach([struct.unpack_from(">I", head, 8 + step * index)[0] for index in range(count)])


def _mach(types: list[int]) -> Program:
    return Program("Mach-O", _DARWIN, frozenset(_MACH[one] for one in types if one in _MACH))
