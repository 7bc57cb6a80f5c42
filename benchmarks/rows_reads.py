"""Reads of manifests and blobs, `/v2/`, ranges, downloads, a thousand connections."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from benchmarks import script
from benchmarks.content import Blob, digest, image_config, manifest, numbered_manifest, small_blob
from benchmarks.load import Load
from benchmarks.plan import GIB, MIB
from benchmarks.rows import Row, Sample, rate, throughput
from benchmarks.script import Request, get, head, job, numbered
from benchmarks.stand import Stand

REPOSITORY: Final = "bench/read"
LAYER: Final = small_blob("layer", 1024)
CONFIG: Final = image_config("bench", LAYER)
IMAGE: Final = manifest(CONFIG, LAYER)
MANIFESTS: Final = f"/v2/{REPOSITORY}/manifests"
BY_TAG: Final = f"{MANIFESTS}/latest"
BY_DIGEST: Final = f"{MANIFESTS}/{digest(IMAGE)}"
LAYER_TARGET: Final = f"/v2/{REPOSITORY}/blobs/{digest(LAYER)}"
_SHARE: Final = 100
"""Manifests that lie in one repository of the row with many."""
_RANGE: Final = 64 * 1024


def push_image(stand: Stand) -> None:
    """Push the image that the hot rows read."""
    stand.once("image", partial(_push_image, stand))


def _push_image(stand: Stand) -> None:
    if stand.is_ceiling:
        stand.serve({BY_TAG: IMAGE, BY_DIGEST: IMAGE, LAYER_TARGET: LAYER})
        return
    blobs = script.put_small_blob(REPOSITORY, CONFIG) + script.put_small_blob(REPOSITORY, LAYER)
    stand.push(REPOSITORY, [script.job(*blobs, script.put_manifest(REPOSITORY, "latest", IMAGE))])
    assert stand.fetch(BY_TAG).content == IMAGE  # noqa: S101 - what is measured is right
    assert stand.fetch(LAYER_TARGET).content == LAYER  # noqa: S101 - the same


def hot(stand: Stand, request: Request, connections: int | None = None) -> Sample:
    """The same request again and again."""
    count = connections or stand.plan.connections
    load = Load(jobs=[job(request)], connections=count, order="cycle", seconds=stand.plan.seconds)
    return rate(stand.run(load))


def many(stand: Stand) -> list[tuple[str, str]]:
    """Repository and tag of each of many manifests."""
    return [(f"many/r{number // _SHARE:04}", f"t{number % _SHARE}") for number in range(stand.plan.manifests)]


def push_many(stand: Stand) -> None:
    """Push the different manifests, a hundred to a repository."""
    stand.once("many", partial(_push_many, stand))


def _push_many(stand: Stand) -> None:
    pushes, config = [], CONFIG
    for number, (repository, tag) in enumerate(many(stand)):
        content = numbered_manifest(config, str(number))
        if stand.is_ceiling:
            stand.serve({f"/v2/{repository}/manifests/{tag}": content})
            continue
        begin = script.put_small_blob(repository, config) if number % _SHARE == 0 else ()
        pushes.append((*begin, script.put_manifest(repository, tag, content)))
    # A job is a repository: its blob is there before its manifests, and no two connections push to the same one.
    jobs = [job(*sum(pushes[at : at + _SHARE], ())) for at in range(0, len(pushes), _SHARE)]
    if jobs:
        stand.push("many", jobs)


def _random(stand: Stand) -> Sample:
    targets = [get(f"/v2/{repository}/manifests/{tag}") for repository, tag in many(stand)]
    load = Load(jobs=numbered(targets), connections=stand.plan.connections, order="random", seconds=stand.plan.seconds)
    return rate(stand.run(load))


@dataclass(frozen=True, slots=True)
class Stored:
    """A blob of this size, to be read: the layer of an image, as all that clients pull are."""

    size: int

    def blob(self, stand: Stand) -> Blob:
        """The blob."""
        return stand.once(f"blob {self.size}", lambda: stand.body.blob("read", self.size))

    def target(self, stand: Stand) -> str:
        """Where it is read."""
        return f"/v2/{REPOSITORY}/blobs/{self.blob(stand).digest}"

    def push(self, stand: Stand) -> None:
        """Push it once."""
        stand.once(f"pushed {self.size}", lambda: self._push(stand))

    def _push(self, stand: Stand) -> None:
        blob = self.blob(stand)
        if not stand.is_ceiling:
            image = script.put_manifest(REPOSITORY, f"of-{self.size}", manifest(CONFIG, blob))
            blobs = (*script.put_small_blob(REPOSITORY, CONFIG), *script.put_blob(REPOSITORY, blob))
            stand.push(REPOSITORY, [job(*blobs, image)])
            return
        file = stand.folder / "file"
        with file.open("wb") as out:
            out.writelines(stand.body.pieces(blob))
        stand.serve({self.target(stand): file})

    def read(self, stand: Stand) -> Sample:
        """Read it on all connections; requests a second."""
        sample = hot(stand, get(self.target(stand)))
        return replace(sample, bytes=sample.requests * self.size)

    def download(self, stand: Stand, count: int) -> Sample:
        """Read it on one connection, again and again; MB a second."""
        jobs = [job(get(self.target(stand)))] * stand.plan.pieces(count)
        return throughput(stand.run(Load(jobs=jobs, connections=1)), self.size)


_MIB, _LARGE, _HUGE = Stored(MIB), Stored(100 * MIB), Stored(GIB)


def _ranges(stand: Stand) -> Sample:
    places = range(0, MIB, _RANGE)
    asked = [get(_MIB.target(stand), 206, ("Range", f"bytes={at}-{at + _RANGE - 1}")) for at in places]
    load = Load(jobs=numbered(asked), connections=stand.plan.connections, order="cycle", seconds=stand.plan.seconds)
    return rate(stand.run(load))


def _requests(name: str, title: str, request: Request, *, quick: bool = False) -> Row:
    return Row(
        name=name,
        title=title,
        unit="requests/s",
        measure=partial(hot, request=request),
        prepare=push_image,
        ceiling="nginx",
        quick=quick,
    )


ROWS: Final = (
    Row(
        name="version",
        title="GET /v2/",
        unit="requests/s",
        measure=partial(hot, request=get("/v2/")),
        ceiling="nginx",
        quick=True,
    ),
    _requests("manifest-get", "GET manifest by tag, hot", get(BY_TAG), quick=True),
    _requests("manifest-get-digest", "GET manifest by digest, hot", get(BY_DIGEST)),
    _requests("manifest-head", "HEAD manifest by tag, hot", head(BY_TAG), quick=True),
    _requests("manifest-head-digest", "HEAD manifest by digest, hot", head(BY_DIGEST)),
    Row(
        name="manifest-random",
        title="GET manifest, many different ones at random",
        unit="requests/s",
        measure=_random,
        prepare=push_many,
        ceiling="nginx",
        quick=True,
    ),
    _requests("blob-head", "HEAD blob", head(LAYER_TARGET), quick=True),
    _requests("blob-1k", "GET blob of 1 KiB", get(LAYER_TARGET), quick=True),
    Row(
        name="blob-1m",
        title="GET blob of 1 MiB",
        unit="requests/s",
        measure=_MIB.read,
        prepare=_MIB.push,
        size=_MIB.size,
        ceiling="nginx",
        quick=True,
    ),
    Row(
        name="range",
        title="GET 64 KiB out of a blob of 1 MiB",
        unit="requests/s",
        measure=_ranges,
        prepare=_MIB.push,
        size=_MIB.size,
        ceiling="nginx",
    ),
    Row(
        name="download-100m",
        title="download of 100 MiB, one stream",
        unit="MB/s",
        measure=partial(_LARGE.download, count=8),
        prepare=_LARGE.push,
        size=_LARGE.size,
        ceiling="nginx",
        quick=True,
    ),
    Row(
        name="download-1g",
        title="download of 1 GiB, one stream",
        unit="MB/s",
        measure=partial(_HUGE.download, count=1),
        prepare=_HUGE.push,
        size=_HUGE.size,
        ceiling="nginx",
    ),
    Row(
        name="connections-1000",
        title="GET manifest by tag on 1,000 connections",
        unit="requests/s",
        measure=partial(hot, request=get(BY_TAG), connections=1000),
        prepare=push_image,
        ceiling="nginx",
    ),
)
"""The rows of this file."""
