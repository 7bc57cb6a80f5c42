"""Snapshots: what a project has, each pinned by its digest, and its configuration without secrets. Pure.

The document is the member `config` of the Gati manifest of the artifact; its layer is the project's `gati.lock`.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from registry.artifacts import secrets
from registry.artifacts.formats import paths
from registry.cli import lockfile, strict_json
from registry.cli.application import FILE as WANTED
from registry.cli.lockfile import Lock, Locked
from registry.cli.problems import Problem, Refused, Tampered
from registry.core.pointers import pointer

LISTS: Final = {
    "plugin": "plugins",
    "agent": "agents",
    "model": "models",
    "template": "templates",
    "transformer": "transformers",
    "snapshot": "snapshots",
}
"""The list that artifacts of a type stand in; all others are modules."""

ALL_LISTS: Final = ("modules", *LISTS.values())
FILES: Final = 100
_NAME: Final = re.compile(r"\$\{([A-Z_][A-Z0-9_]{0,127})\}")
_WORD: Final = re.compile(r"[^A-Za-z0-9]+")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_OURS: Final = ("gati_modules", lockfile.FILE, ".git", ".gati", ".ssh")


@dataclass(frozen=True, slots=True)
class Environment:
    """What a snapshot keeps.

    Attributes:
        lock: what is installed.
        files: configuration, by path: a JSON document, or a text.
        secrets: the names that stand for secrets in `files`; an environment that is captured may have none yet.
    """

    lock: Lock
    files: Mapping[str, Any]
    cli_version: str
    platform: str
    gati_version: str | None = None
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot: the document and the bytes of its layer."""

    config: Mapping[str, Any]
    lock: bytes


def capture(found: Environment, visibility: str, hidden: Iterable[str] = ()) -> Snapshot:
    """The snapshot of an environment.

    Args:
        found: the environment.
        visibility: `public`, `internal` or `private`.
        hidden: further values that are secrets, as `FILE#POINTER`.

    Raises:
        Refused: a value looks like a secret and has no name.
        Problem: `hidden` means nothing that is there, or a path is none of a file of a project.
    """
    files, names = _without_secrets(found.files, set(hidden))
    config: dict[str, Any] = {
        "cliVersion": found.cli_version,
        "platform": found.platform,
        "visibility": visibility,
        **{name: [] for name in ALL_LISTS},
        "config": {"files": files, "secrets": [{"name": name} for name in sorted(names | set(found.secrets))]},
    }
    if found.gati_version is not None:
        config["gatiVersion"] = found.gati_version
    if found.lock.registry is not None:
        config["registry"] = found.lock.registry
    for one in sorted(found.lock.artifacts.values(), key=lambda one: one.repository):
        config[LISTS.get(one.type, "modules")].append(_entry(one))
    _refuse_secrets(config)
    return Snapshot(config, lockfile.render(found.lock))


def _entry(one: Locked) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "reference": one.repository,
        "version": one.version,
        "digest": one.digest,
        "type": one.type,
        "dependencies": dict(sorted(one.dependencies.items())),
    }
    entry |= {"dev": True} if one.dev else {}
    entry |= {"capabilities": sorted(one.capabilities)} if one.capabilities else {}
    return entry | ({"engines": one.engines} if one.engines else {})


def restore(config: Mapping[str, Any], lock: bytes | None = None) -> Environment:
    """The environment that a snapshot keeps; without its layer, the lock is told by the document alone.

    Raises:
        Tampered: the layer and the document are of two environments, or an entry is not as it should be.
    """
    told = {one.repository: one for name in ALL_LISTS for one in map(_locked, _objects(config.get(name, []), name))}
    registry = config.get("registry")
    found = Lock(registry if isinstance(registry, str) else None, told)
    if lock is not None:
        written = lockfile.parse(lock)
        bare = {name: replace(one, layers=(), signer=None) for name, one in written.artifacts.items()}
        if bare != told or written.registry != found.registry:
            raise _broken("its lock names other artifacts than it does itself")
        found = written
    inner = config.get("config")
    inner = inner if isinstance(inner, dict) else {}
    files, names = inner.get("files", {}), inner.get("secrets", [])
    if not isinstance(files, dict) or len(files) > FILES:
        raise _broken("its configuration is none")
    for path in files:
        check_path(path)
    gati = config.get("gatiVersion")
    return Environment(
        found,
        files,
        str(config.get("cliVersion")),
        str(config.get("platform")),
        gati if isinstance(gati, str) else None,
        tuple(sorted(str(one.get("name")) for one in _objects(names, "secrets"))),
    )


def _objects(found: Any, name: str) -> Sequence[Mapping[str, Any]]:
    if isinstance(found, list) and all(isinstance(one, dict) for one in found):
        return found
    raise _broken(f"{name} is no list of artifacts")


def _locked(entry: Mapping[str, Any]) -> Locked:
    """An entry, read as strictly as one of the lock."""
    name = str(entry.get("reference"))
    rest = {key: value for key, value in entry.items() if key != "reference"}
    document = {"lockfileVersion": lockfile.VERSION, "artifacts": {name: {"type": "", "dependencies": {}} | rest}}
    return lockfile.parse(strict_json.write(document)).artifacts[name]


def _broken(what: str) -> Tampered:
    return Tampered(f"The snapshot is not as gati made it: {what}.", code="UNSAFE_ARTIFACT")


def check_path(path: str) -> None:
    """Raise a Problem unless `path` is that of a file of a project that is neither `gati`'s own nor of a tool."""
    why = paths.fault(path) if path else "is empty"
    first = path.partition("/")[0].lower()
    if why is None and (first in _OURS or ".git" in path.lower().split("/")):
        why = "is one that gati or a tool writes"
    if why is not None:
        raise Problem(f"The file {path[:200]!r} of a snapshot {why}.", "Name a file of configuration in the project.")


def written(document: Any) -> bytes:
    """A file of configuration as it is restored."""
    if isinstance(document, dict) and set(document) == {"text"}:
        return str(document["text"]).encode()
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()


def read(path: str, raw: bytes) -> Any:
    """A file of configuration as a snapshot keeps it: JSON as it is, other text under `text`.

    Raises:
        Problem: it is no text.
    """
    try:
        text = raw.decode()
        document = json.loads(text) if path.endswith(".json") else None
    except (ValueError, RecursionError):
        document = None
        text = raw.decode(errors="replace")
        if "\N{REPLACEMENT CHARACTER}" in text or "\0" in text:
            raise Problem(f"{path} is no text: a snapshot keeps configuration only.") from None
    is_plain = isinstance(document, dict | list) and not (isinstance(document, dict) and set(document) == {"text"})
    return document if is_plain else {"text": text}


def _without_secrets(files: Mapping[str, Any], hidden: set[str]) -> tuple[dict[str, Any], set[str]]:
    """The files with their secrets replaced by names, and these names."""
    names, left = _Names(files), set(hidden)
    found = {}
    for path, document in sorted(files.items()):
        check_path(path)
        own = {one.partition("#")[2] for one in hidden if one.partition("#")[0] == path}
        places = own | (set(secrets.find(document)) if path != WANTED else set())
        found[path] = _replaced(document, "", places, names)
        left -= {f"{path}#{place}" for place in names.done}
    if left:
        raise Problem(f"{min(left)} is nothing that the snapshot keeps.", "Write FILE#/pointer/of/the/value.")
    return found, names.used


class _Names:
    """Names that stand for secrets: one for each value; none that the files have already."""

    def __init__(self, files: Mapping[str, Any]) -> None:
        self.used = set(_NAME.findall(json.dumps(files)))
        self.done: set[str] = set()
        self._by_value: dict[str, str] = {}

    def of(self, place: str, value: Any) -> str:
        """The name of the value at a pointer."""
        self.done.add(place)
        text = json.dumps(value, sort_keys=True)
        if text not in self._by_value:
            name = base = name_of(place)
            number = 2
            while name in self.used:
                name, number = f"{base}_{number}", number + 1
            self.used.add(name)
            self._by_value[text] = name
        return self._by_value[text]


def _replaced(value: Any, place: str, places: set[str], names: _Names) -> Any:
    if place in places and place not in {"", "/text"}:
        return f"${{{names.of(place, value)}}}"
    match value:
        case dict():
            return {key: _replaced(one, place + pointer(key), places, names) for key, one in value.items()}
        case list():
            return [_replaced(one, place + pointer(index), places, names) for index, one in enumerate(value)]
    return value


def name_of(place: str) -> str:
    """The name that stands for the secret at a pointer: `/database/apiKey` is DATABASE_API_KEY."""
    words = _WORD.sub("_", _CAMEL.sub("_", place.replace("~1", "_").replace("~0", "_"))).strip("_").upper()
    words = words[-100:].lstrip("_")
    return words if "_" in words and not words[0].isdigit() else f"SECRET_{words}".rstrip("_")


def _refuse_secrets(config: Mapping[str, Any]) -> None:
    found = secrets.find(config)
    if found:
        raise Refused(
            f"The snapshot would hold what looks like a secret, at {found[0]}.",
            "Take it out, write ${NAME} in its place, or have gati do so with --secret FILE#/pointer.",
            code="SECRET_FOUND",
        )
