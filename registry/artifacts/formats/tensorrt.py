"""TensorRT: the beginning of a serialised engine. Pure.

The format is not published, and an engine runs only on the kind of device that it was made for: what is behind the
beginning is not proven.
"""

from typing import Final

from registry.artifacts.formats.inflate import Refused
from registry.artifacts.formats.reading import Reader

MAGIC: Final = b"ftrt"
_LEAST: Final = 24


def begins(head: bytes) -> bool:
    """Whether a file with this beginning looks like one."""
    return head[:4] == MAGIC


def check(reader: Reader) -> None:
    """Hold the beginning against what engines of TensorRT 8 to 10 begin with.

    Raises:
        Refused: it is no such file.
    """
    if not begins(reader.take(_LEAST, "its header")):
        raise Refused("It does not begin with ftrt, as engines do.", "Serialise it with IBuilder or trtexec.")
