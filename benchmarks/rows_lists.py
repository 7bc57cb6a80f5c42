"""Lists: tags, the catalog, referrers."""

import json
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import httpx

from benchmarks import script
from benchmarks.content import EMPTY, MANIFEST, digest, image_config, numbered_manifest
from benchmarks.load import Load, RequestFailed
from benchmarks.rows import Row, Sample, rate
from benchmarks.script import Job, get, job, numbered
from benchmarks.stand import NotOffered, Stand

_PAGE: Final = 1000
_FEW: Final = 4
_SUBJECT: Final = numbered_manifest(EMPTY, "subject")


def _read(stand: Stand, targets: list[str], repository: str, connections: int | None = None) -> Sample:
    """All these pages, one after the other, again and again."""
    connections, seconds = connections or stand.plan.connections, stand.plan.seconds
    jobs = [job(*(get(target) for target in targets))]
    return rate(stand.run(Load(jobs=jobs, connections=connections, order="cycle", seconds=seconds), repository))


@dataclass(frozen=True, slots=True)
class Tags:
    """A repository with so many tags on one manifest."""

    count: int

    @property
    def repository(self) -> str:
        """Its name."""
        return f"bench/tags{self.count}"

    @property
    def target(self) -> str:
        """Where its tags are listed."""
        return f"/v2/{self.repository}/tags/list"

    def push(self, stand: Stand) -> None:
        """Push them once, and look that all are listed."""
        stand.once(self.repository, lambda: self._push(stand))

    def _push(self, stand: Stand) -> None:
        names = [f"v{number:05}" for number in range(self.count)]
        if stand.is_ceiling:
            stand.serve({self.target: json.dumps({"name": self.repository, "tags": names}).encode()})
            return
        content = numbered_manifest(stand.config(self.repository), "tags")
        pushes = [script.put_manifest(self.repository, name, content) for name in names]
        stand.push(self.repository, numbered(pushes), 4)
        listed = [tag for _, page in self._pages(stand) for tag in page["tags"]]
        if sorted(listed) != names:
            raise RequestFailed(f"{self.target}: {len(listed)} tags, not the {self.count} that were pushed")

    def _pages(self, stand: Stand) -> list[tuple[str, Any]]:
        return stand.pages(self.target, self.repository)

    def read(self, stand: Stand) -> Sample:
        """List them all."""
        if stand.is_ceiling:
            return _read(stand, [self.target], self.repository)
        targets = stand.once(f"pages {self.count}", lambda: [target for target, _ in self._pages(stand)])
        return _read(stand, targets, self.repository)


def _repository(name: str) -> Job:
    """A repository with a blob of its own: one that all share is dear to those who count who shares it."""
    config = image_config(name, EMPTY)
    return job(*script.put_small_blob(name, config), script.put_manifest(name, "v1", numbered_manifest(config, name)))


@dataclass(frozen=True, slots=True)
class Catalog:
    """At least so many repositories."""

    count: int

    def push(self, stand: Stand) -> None:
        """Push repositories until there are so many."""
        stand.once(f"catalog {self.count}", lambda: self._push(stand))

    def _push(self, stand: Stand) -> None:
        names = [f"catalog/r{number:05}" for number in range(self.count)]
        if stand.is_ceiling:
            stand.serve({"/v2/_catalog": json.dumps({"repositories": names[:_PAGE]}).encode()})
            return
        begun = stand.once("catalog begun", lambda: [0])
        stand.push("catalog", [_repository(name) for name in names[begun[0] :]], 16)
        begun[0] = self.count

    def _pages(self, stand: Stand) -> list[str]:
        """The targets of all pages of a thousand."""
        found = stand.pages(f"/v2/_catalog?n={_PAGE}")
        listed = sum(len(page["repositories"]) for _, page in found)
        if listed < self.count:
            raise RequestFailed(f"/v2/_catalog: {listed} repositories, not at least {self.count}")
        return [target for target, _ in found]

    def first(self, stand: Stand) -> Sample:
        """The first page."""
        return _read(stand, [f"/v2/_catalog?n={_PAGE}"], "")

    def every(self, stand: Stand) -> Sample:
        """All pages, for a few who want them."""
        targets = stand.once(f"catalog pages {self.count}", lambda: self._pages(stand))
        return _read(stand, targets, "", _FEW)


@dataclass(frozen=True, slots=True)
class Referrers:
    """A manifest with so many referrers."""

    count: int

    @property
    def repository(self) -> str:
        """Where they are."""
        return f"bench/referrers{self.count}"

    @property
    def target(self) -> str:
        """Where they are listed."""
        return f"/v2/{self.repository}/referrers/{digest(_SUBJECT)}"

    def push(self, stand: Stand) -> None:
        """Push them once, and look that all are listed."""
        stand.once(self.repository, lambda: self._push(stand))

    def _manifests(self) -> list[bytes]:
        subject = {"mediaType": MANIFEST, "digest": digest(_SUBJECT), "size": len(_SUBJECT)}
        kind = "application/vnd.example.sbom.v1+json"
        return [
            numbered_manifest(EMPTY, str(number), subject=subject, artifactType=kind) for number in range(self.count)
        ]

    def _push(self, stand: Stand) -> None:
        manifests = self._manifests()
        if stand.is_ceiling:
            shown = [{"mediaType": MANIFEST, "digest": digest(raw), "size": len(raw)} for raw in manifests]
            stand.serve({self.target: json.dumps({"schemaVersion": 2, "manifests": shown}).encode()})
            return
        stand.config(self.repository)
        stand.push(self.repository, [job(script.put_manifest(self.repository, "subject", _SUBJECT))])
        with stand.client() as http:
            self._require(stand, http)
        stand.push(
            self.repository,
            numbered([script.put_manifest(self.repository, digest(raw), raw) for raw in manifests]),
            4,
        )
        listed = sum(len(page["manifests"]) for _, page in stand.pages(self.target, self.repository))
        if listed != self.count:
            raise RequestFailed(f"{self.target}: {listed} referrers, not {self.count}")

    def _require(self, stand: Stand, http: httpx.Client) -> None:
        headers = {"Authorization": stand.authorization(self.repository)}
        if http.get(self.target, headers=headers).status_code == 404:
            raise NotOffered("has no referrers API")

    def read(self, stand: Stand) -> Sample:
        """List them."""
        if stand.is_ceiling:
            return _read(stand, [self.target], self.repository)
        pages = partial(stand.pages, self.target, self.repository)
        targets = stand.once(f"referrers {self.count}", lambda: [target for target, _ in pages()])
        return _read(stand, targets, self.repository)


def _tags(count: int, *, quick: bool = False) -> Row:
    tags, title = Tags(count), f"tags/list of {count:,}"
    name = f"tags-{count}"
    return Row(
        name=name, title=title, unit="lists/s", measure=tags.read, prepare=tags.push, ceiling="nginx", quick=quick
    )


def _referrers(count: int, *, quick: bool = False) -> Row:
    found, title = Referrers(count), f"referrers, {count:,} of one manifest"
    name = f"referrers-{count}"
    return Row(
        name=name, title=title, unit="lists/s", measure=found.read, prepare=found.push, ceiling="nginx", quick=quick
    )


def _catalog(count: int) -> tuple[Row, Row]:
    catalog, title = Catalog(count), f"catalog of {count:,} repositories"
    first = Row(
        name=f"catalog-{count}",
        title=f"{title}, first page of 1,000",
        unit="lists/s",
        measure=catalog.first,
        prepare=catalog.push,
        ceiling="nginx",
    )
    every = Row(
        name=f"catalog-{count}-all",
        title=f"{title}, all pages, {_FEW} connections",
        unit="lists/s",
        measure=catalog.every,
        prepare=catalog.push,
    )
    return first, every


ROWS: Final = (
    _tags(1_000, quick=True),
    _tags(10_000),
    _referrers(10),
    _referrers(100, quick=True),
    _referrers(1_000),
    *_catalog(1_000),
    *_catalog(10_000),
)
"""The rows of this file."""
