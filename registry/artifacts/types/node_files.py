"""Entry files of modules and plugins inside their archives. Pure."""

import difflib
from collections.abc import Collection
from typing import Any, BinaryIO, Final

from registry.artifacts.common_schema import text
from registry.artifacts.formats import archive, paths
from registry.artifacts.model import Layer, Submission
from registry.core.errors import MalformedManifest

ENTRY: Final = text("The file it starts with, inside of the layer.", 1024, examples=["dist/index.js"])
NODE_VERSION: Final = text(
    "A version of Node.js or a range.", 64, pattern=r"^[0-9vx^~<>=*.| -]+$", examples=["18.x", ">=20"]
)


def check_path(submission: Submission, member: str = "entry") -> None:
    """Hold the path in `config` against what paths inside of a layer are.

    Raises:
        MalformedManifest: it leads out of the layer, or is not safe on every system.
    """
    given = submission.config["config"].get(member)
    why = None if given is None else paths.fault(given.removeprefix("./"))
    if why is not None:
        raise MalformedManifest(
            f"The path config.{member} {why}.",
            pointer=f"/config/{member}",
            value=given,
            suggestion="Write a relative path inside of the layer, such as dist/index.js.",
        )


def check_entry(submission: Submission, layer: Layer, file: BinaryIO) -> None:
    """Read the archive whole; the entry must be a file in it.

    Raises:
        MalformedManifest: the archive is refused, or the entry is not there.
    """
    found = archive.check(layer, file)
    entry = submission.config["config"].get("entry")
    if entry is not None:
        files = [path for path, one in found.items() if not one.is_directory]
        need_file(entry, files, "/config/entry")


def need_file(path: str, files: Collection[str], place: str, **more: Any) -> None:
    """Refuse unless `path` is one of the files.

    Raises:
        MalformedManifest: it is not; the suggestion names those that are near.
    """
    wanted = path.removeprefix("./")
    if wanted in files:
        return
    name = wanted.rpartition("/")[2]
    same = [one for one in files if one.rpartition("/")[2] == name][:3]
    near = (
        same
        or difflib.get_close_matches(wanted, [one for one in list(files)[:1000] if len(one) < 100], 3)
        or sorted(files)[:3]
    )
    hint = f"Build before you publish, or write one that is there: {', '.join(near)[:400]}." if near else "It is empty."
    raise MalformedManifest(
        f"The layer has no file {wanted[:200]!r}.", pointer=place, value=path, suggestion=hint, **more
    )
