"""`gati.lock`: which releases a project has, by digest. Pure.

It is written by `gati` and belongs into version control: whoever installs from it gets the same bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from registry.artifacts import references, versions
from registry.cli import strict_json
from registry.cli.graph import Graph, Release, Want
from registry.cli.problems import Problem
from registry.core.digest import is_digest
from registry.core.errors import MalformedManifest

FILE: Final = "gati.lock"
VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Piece:
    """A layer of a release, as its manifest describes it."""

    digest: str
    size: int
    media_type: str
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Locked:
    """A release that the project has.

    Attributes:
        dependencies: the ranges that it wants others in which are here, by repository.
        dev: whether only development wants it.
        signer: whose signature was counted; None where none was asked for.
        layers: of its manifest; none where an index has a manifest for each platform.
    """

    repository: str
    version: str
    digest: str
    type: str
    dependencies: Mapping[str, str] = field(default_factory=dict)
    dev: bool = False
    signer: str | None = None
    layers: tuple[Piece, ...] = ()
    capabilities: tuple[str, ...] = ()
    engines: str | None = None

    @property
    def release(self) -> Release:
        """The release as the resolver knows it."""
        wants = tuple(Want(name, wanted) for name, wanted in sorted(self.dependencies.items()))
        return Release(
            self.repository, self.version, self.digest, self.type, wants, self.engines, tuple(self.capabilities)
        )


@dataclass(frozen=True, slots=True)
class Lock:
    """What `gati.lock` says: the registry, and releases by repository."""

    registry: str | None = None
    artifacts: Mapping[str, Locked] = field(default_factory=dict)

    @property
    def digests(self) -> dict[str, str]:
        """The digest of each."""
        return {name: one.digest for name, one in self.artifacts.items()}


def parse(raw: bytes | None) -> Lock:
    """What a file says; nothing where there is none.

    Raises:
        Problem: it is none that this version of `gati` writes.
    """
    if raw is None:
        return Lock()
    document = strict_json.read(raw, FILE)
    if document.get("lockfileVersion") != VERSION:
        raise Problem(
            f"{FILE} is of the version {str(document.get('lockfileVersion'))[:20]}, and this gati knows {VERSION}.",
            "Use the gati that wrote it, or a newer one.",
        )
    found = document.get("artifacts")
    registry = document.get("registry")
    if not isinstance(found, dict) or not isinstance(registry, str | None):
        raise _broken("artifacts is no object")
    return Lock(registry, {name: _locked(name, entry) for name, entry in found.items()})


def _locked(name: str, entry: Any) -> Locked:
    if not isinstance(entry, dict) or not _is_repository(name):
        raise _broken(f"{name[:100]!r} is no artifact")
    dependencies, layers = entry.get("dependencies", {}), entry.get("layers", [])
    texts = (entry.get("version"), entry.get("digest"), entry.get("type"))
    lists = isinstance(dependencies, dict) and isinstance(layers, list)
    if not lists or not all(isinstance(text, str) for text in texts):
        raise _broken(f"{name} lacks something")
    version, digest, kind = map(str, texts)
    wrong = not versions.is_version(version) or not is_digest(digest)
    if wrong or not all(_is_repository(key) and isinstance(wanted, str) for key, wanted in dependencies.items()):
        raise _broken(f"{name} has no version, digest or dependencies that could be")
    capabilities, engines, signer = entry.get("capabilities", []), entry.get("engines"), entry.get("signer")
    return Locked(
        name,
        version,
        digest,
        kind,
        dependencies,
        entry.get("dev") is True,
        signer if isinstance(signer, str) else None,
        tuple(_piece(name, layer) for layer in layers),
        tuple(map(str, capabilities)) if isinstance(capabilities, list) else (),
        engines if isinstance(engines, str) else None,
    )


def _piece(name: str, layer: Any) -> Piece:
    match layer:
        case {"digest": str(digest), "size": int(size), "mediaType": str(media_type)} if is_digest(digest):
            title = layer.get("title")
            return Piece(digest, size, media_type, title if isinstance(title, str) else None)
    raise _broken(f"a layer of {name} has no digest, size or mediaType that could be")


def _is_repository(name: str) -> bool:
    try:
        reference = references.parse(name)
    except MalformedManifest:
        return False
    return reference.repository == name


def _broken(what: str) -> Problem:
    return Problem(
        f"{FILE} is not as gati wrote it: {what}.",
        f"Bring it back from version control, or remove {FILE} and install again.",
    )


def render(lock: Lock) -> bytes:
    """The file: sorted, so that the same releases are the same bytes."""
    artifacts = {name: _entry(one) for name, one in sorted(lock.artifacts.items())}
    return strict_json.write({"lockfileVersion": VERSION, "registry": lock.registry, "artifacts": artifacts})


def _entry(one: Locked) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "version": one.version,
        "digest": one.digest,
        "type": one.type,
        "dependencies": dict(sorted(one.dependencies.items())),
    }
    entry |= {"dev": True} if one.dev else {}
    entry |= {"capabilities": sorted(one.capabilities)} if one.capabilities else {}
    entry |= {"engines": one.engines} if one.engines else {}
    layers = [
        {"digest": piece.digest, "size": piece.size, "mediaType": piece.media_type}
        | ({} if piece.title is None else {"title": piece.title})
        for piece in one.layers
    ]
    return entry | {"signer": one.signer, "layers": layers}


def graph_of(lock: Lock) -> Graph:
    """The locked releases and whom they want."""
    edges = {name: dict(one.dependencies) for name, one in lock.artifacts.items()}
    after = {name: frozenset(others) for name, others in edges.items()}
    return Graph({name: one.release for name, one in lock.artifacts.items()}, edges, after)
