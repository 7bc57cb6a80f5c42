"""Where what is installed comes from: the registry, or with `--offline` the cache alone."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from registry.artifacts import versions
from registry.artifacts.model import GATI_MANIFEST
from registry.cli.addresses import Address
from registry.cli.cache import Cache
from registry.cli.graph import Release, Want
from registry.cli.layout import Plan, child_of, document_of, plan
from registry.cli.lockfile import Piece
from registry.cli.output import Output
from registry.cli.problems import Missing, Tampered
from registry.cli.progress import Bars
from registry.cli.reach import Reach
from registry.cli.transfer import Wanted, pull_all, run_all

_SMALL: Final = 1 << 20
_PUBLISHED: Final = "published"


@dataclass(frozen=True, slots=True)
class Goods:
    """A release whose content lies in the cache.

    Attributes:
        manifest: its OCI manifest, as it came; of an index that for this machine.
        layers: those that belong into the lock: none of an index, whose layers differ by machine.
    """

    release: Release
    manifest: bytes
    plan: Plan
    layers: tuple[Piece, ...]
    gati_manifest: bytes | None = None


class Supply:
    """Releases and their content. The registry is reached for when something is needed that is not in the cache."""

    def __init__(self, cache: Cache, address: Address, out: Output, reach: Callable[[], Reach] | None) -> None:
        self.cache = cache
        self.address = address
        self._out = out
        self._make = reach
        self._reach: Reach | None = None
        self._lock = threading.Lock()
        self._known: dict[str, tuple[Release, ...]] = {}

    @property
    def reach(self) -> Reach:
        """The registry.

        Raises:
            Missing: this is `--offline`.
        """
        if self._make is None:
            raise Missing(
                "This needs the registry, and --offline keeps from it.", "Leave out --offline.", code="OFFLINE"
            )
        with self._lock:
            if self._reach is None:
                self._reach = self._make()
            return self._reach

    @property
    def is_offline(self) -> bool:
        """Whether nothing may be asked."""
        return self._make is None

    def releases(self, repositories: Sequence[str]) -> Mapping[str, Sequence[Release]]:
        """The published releases of artifacts; those that nobody may see are left out."""
        new = [name for name in repositories if name not in self._known]
        if new and self.is_offline:
            found = {name: self.cache.releases(self.address.host, name) or [] for name in new}
        elif new:
            found, _ = self.reach.catalog.batch(new)
            for name, items in found.items():
                self.cache.put_releases(self.address.host, name, items)
        else:
            found = {}
        self._known |= {name: releases_of(name, found.get(name, [])) for name in new}
        return {name: self._known[name] for name in repositories if self._known[name]}

    def fetch(self, releases: Sequence[Release]) -> dict[str, Goods]:
        """Have manifests and layers of these in the cache; by repository.

        Raises:
            Tampered: what came is not what its digest says.
            Missing: the registry has it not any more, or the cache not, with `--offline`.
        """
        found: dict[str, Goods] = {}
        new = [one.repository for one in releases if not self.cache.path(one.digest).exists()]
        if len(new) > 1 and not self.is_offline:
            self.reach.oci.prepare(new)

        def job(release: Release) -> Callable[[], None]:
            return lambda: found.update({release.repository: self._goods(release)})

        run_all([job(release) for release in releases], self._halt)
        large = [(one.release.repository, piece) for one in found.values() for piece in _wanted(one.plan, _SMALL)]
        self._pull(large)
        return found

    def pull_images(self, goods: Sequence[Goods]) -> None:
        """Have the layers of runnable images in the cache."""
        self._pull([(one.release.repository, piece) for one in goods for piece in one.plan.image])

    def _halt(self) -> None:
        if self._reach is not None:
            self._reach.oci.halt()

    def _goods(self, release: Release) -> Goods:
        name = str(release)
        raw = self._manifest(release.repository, release.digest)
        document = document_of(raw, name)
        child = child_of(document, name)
        if child is not None:
            raw = self._manifest(release.repository, child)
            document = document_of(raw, name)
        found = plan(document, name)
        if found.config is not None and found.config.size > _SMALL:
            raise _large(release.repository)
        small = {piece.digest: self._small(release.repository, piece) for piece in _wanted(found, -1, _SMALL)}
        config = self._image_config(release) if found.config is None else small[found.config.digest]
        return Goods(release, raw, found, () if child is not None else found.pieces, config)

    def _manifest(self, repository: str, digest: str) -> bytes:
        path = self.cache.verified(digest)
        if path is None:
            raw = self._online(digest, repository).oci.manifest(repository, digest).raw
            self.cache.put(digest, raw)
            return raw
        return path.read_bytes()

    def _small(self, repository: str, piece: Piece) -> bytes:
        path = self.cache.verified(piece.digest)
        if path is not None:
            return path.read_bytes()
        if piece.size > _SMALL:
            raise _large(repository)
        content = self._online(piece.digest, repository).oci.read_blob(repository, piece.digest, piece.size)
        self.cache.put(piece.digest, content)
        return content

    def _image_config(self, release: Release) -> bytes | None:
        """The Gati manifest of a runnable image: the layer of the newest referrer that holds one."""
        if self.is_offline:
            return None
        oci = self.reach.oci
        for one in oci.referrers(release.repository, release.digest, GATI_MANIFEST)[-1:]:
            raw = self._manifest(release.repository, str(one.get("digest")))
            pieces = plan(document_of(raw, str(release)), str(release)).pieces
            for piece in pieces[:1]:
                return self._small(release.repository, piece)
        return None

    def _pull(self, wanted: Sequence[tuple[str, Piece]]) -> None:
        new = {
            piece.digest: Wanted(repository, piece.digest, piece.size, self.cache.path(piece.digest), piece.title or "")
            for repository, piece in wanted
            if self.cache.verified(piece.digest) is None
        }
        if not new:
            return
        first = next(iter(new.values()))
        oci = self._online(first.digest, first.repository).oci
        with Bars(self._out) as bars:
            pull_all(oci, list(new.values()), bars)
        for digest in new:
            self.cache.trust(digest)

    def _online(self, digest: str, repository: str) -> Reach:
        if self.is_offline:
            raise Missing(
                f"{digest[:19]}… of {repository} is not in the cache, and --offline keeps from the registry.",
                "Run it once without --offline.",
                code="OFFLINE",
            )
        return self.reach


def _large(repository: str) -> Tampered:
    return Tampered(f"The Gati manifest of {repository} is larger than {_SMALL >> 20} MiB.", code="UNSAFE_ARTIFACT")


def _wanted(found: Plan, above: int, most: int | None = None) -> list[Piece]:
    pieces = [put.piece for put in found.puts] + ([] if found.config is None else [found.config])
    return [piece for piece in pieces if piece.size > above and (most is None or piece.size <= most)]


def releases_of(repository: str, items: Sequence[Mapping[str, Any]]) -> tuple[Release, ...]:
    """The published releases that the registry tells of; what is not as it should be is left out."""
    found = []
    for item in items:
        match item:
            case {"version": str(version), "digest": str(digest), "state": "published"} if versions.is_version(version):
                found.append(_release(repository, version, digest, item))
    return tuple(found)


def _release(repository: str, version: str, digest: str, item: Mapping[str, Any]) -> Release:
    engines, deprecation = item.get("engines"), item.get("deprecation")
    wanted = engines.get("gati") if isinstance(engines, dict) else None
    return Release(
        repository,
        version,
        digest,
        str(item.get("type") or ""),
        tuple(_want(one) for one in item.get("dependencies") or [] if isinstance(one, dict) and one.get("name")),
        wanted if isinstance(wanted, str) else None,
        tuple(map(str, item.get("capabilities") or [])),
        _notice(deprecation) if isinstance(deprecation, dict) else None,
    )


def _notice(deprecation: Mapping[str, Any]) -> str:
    replacement = deprecation.get("replacement")
    return str(deprecation.get("reason") or "no reason is given") + (f" (use {replacement})" if replacement else "")


def _want(one: Mapping[str, Any]) -> Want:
    return Want(
        str(one["name"]),
        str(one.get("range") or "*"),
        str(one.get("relation") or "dependency"),
        one.get("optional") is True,
        str(one.get("digest") or ""),
    )
