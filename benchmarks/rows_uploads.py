"""Uploads of blobs, and blobs that are there already."""

from dataclasses import dataclass
from itertools import count
from typing import Final

from benchmarks import script
from benchmarks.content import Blob, digest, numbered_manifest
from benchmarks.load import Load
from benchmarks.plan import GIB, MIB
from benchmarks.rows import Row, Sample, rate, throughput
from benchmarks.rows_reads import CONFIG, LAYER, REPOSITORY, push_image
from benchmarks.script import Job, head, job
from benchmarks.stand import Stand

_TARGET: Final = "bench/upload"
_CHUNK: Final = 10 * MIB
_SERIAL: Final = count()
"""Numbers blobs and repositories that must be new."""


@dataclass(frozen=True, slots=True)
class Upload:
    """New blobs of one size, `count` of them in each round, on so many connections."""

    size: int
    count: int
    connections: int = 1
    chunk: int = 0

    def _job(self, blob: Blob) -> Job:
        if self.chunk:
            return job(*script.put_blob_in_chunks(_TARGET, blob, self.chunk))
        return job(*script.put_blob(_TARGET, blob))

    def measure(self, stand: Stand) -> Sample:
        """Upload them; MB a second."""
        pieces = max(self.connections, stand.plan.pieces(self.count))
        jobs = [self._job(stand.body.blob(f"upload {next(_SERIAL)}", self.size)) for _ in range(pieces)]
        return throughput(stand.run(Load(jobs=jobs, connections=self.connections), _TARGET), self.size)

    def row(self, name: str, title: str, *, quick: bool = False) -> Row:
        """The row of these uploads."""
        return Row(
            name=name,
            title=title,
            unit="MB/s",
            measure=self.measure,
            ceiling="disk",
            writes=True,
            quick=quick,
            size=self.size,
            most_rounds=3,
        )


def _mount(stand: Stand) -> Sample:
    """Mount a blob to repositories that have nothing yet."""
    serial, pieces = next(_SERIAL), stand.plan.pieces(400)
    mounts = [script.mount(f"mount{serial}/r{n}", REPOSITORY, digest(LAYER)) for n in range(pieces)]
    return rate(stand.run(Load(jobs=[job(request) for request in mounts], connections=8)))


def _skip(stand: Stand) -> Sample:
    """Push artifacts whose blobs are there: two HEADs, then the manifest."""
    serial, pieces = next(_SERIAL), stand.plan.pieces(400)
    heads = tuple(head(f"/v2/{REPOSITORY}/blobs/{digest(raw)}") for raw in (CONFIG, LAYER))
    jobs = [
        job(*heads, script.put_manifest(REPOSITORY, f"skip{n}", numbered_manifest(CONFIG, f"{serial}.{n}")))
        for n in range(pieces)
    ]
    return rate(stand.run(Load(jobs=jobs, connections=8)))


def _ready(stand: Stand) -> None:
    push_image(stand)
    stand.config(REPOSITORY)


ROWS: Final = (
    Upload(MIB, 64).row("upload-1m", "upload of 1 MiB, monolithic"),
    Upload(10 * MIB, 16).row("upload-10m", "upload of 10 MiB, monolithic"),
    Upload(100 * MIB, 4).row("upload-100m", "upload of 100 MiB, monolithic", quick=True),
    Upload(GIB, 1).row("upload-1g", "upload of 1 GiB, monolithic"),
    Upload(100 * MIB, 4, chunk=_CHUNK).row("upload-100m-chunked", "upload of 100 MiB in chunks of 10 MiB", quick=True),
    Upload(10 * MIB, 64, 64).row("uploads-64", "64 uploads of 10 MiB at once"),
    Row(
        name="blob-mount",
        title="a blob that exists: mount",
        unit="requests/s",
        measure=_mount,
        prepare=push_image,
        most_rounds=3,
    ),
    Row(
        name="blob-skip",
        title="an artifact whose blobs exist: HEAD, HEAD, PUT",
        unit="artifacts/s",
        measure=_skip,
        prepare=_ready,
        most_rounds=3,
    ),
)
"""The rows of this file."""
