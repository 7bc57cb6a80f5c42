"""Pushes of complete small artifacts, many tags, deletes, and a mixed load."""

from dataclasses import replace
from functools import partial
from itertools import count
from typing import Final

from benchmarks import script
from benchmarks.content import digest, image_config, manifest, numbered_manifest, small_blob
from benchmarks.load import Load
from benchmarks.rows import Row, Sample, rate
from benchmarks.rows_reads import BY_DIGEST, BY_TAG, LAYER_TARGET, push_image
from benchmarks.script import Job, get, head, job, numbered
from benchmarks.stand import Stand

_SERIAL: Final = count()
"""Numbers artifacts and repositories that must be new."""
_REPOSITORIES: Final = 32
_TAGS: Final = 1000
_PATIENCE: Final = 3
"""Samples' lengths after which a sample of pushes ends, though some are left."""
_PULLS: Final = (get(BY_TAG), head(BY_TAG), get(BY_DIGEST), get(LAYER_TARGET), head(LAYER_TARGET), get("/v2/"))
_PULL, _PUSH = 0, 1


def artifact(repository: str, name: str, group: int = 0) -> Job:
    """A push of a new config, a new layer of 1 KiB and the manifest, under a tag."""
    layer = small_blob(f"layer {name}")
    config = image_config(name, layer)
    blobs = script.put_small_blob(repository, config) + script.put_small_blob(repository, layer)
    return job(*blobs, script.put_manifest(repository, f"v{name}", manifest(config, layer)), group=group)


def _artifacts(pieces: int, group: int = 0) -> list[Job]:
    serial = next(_SERIAL)
    return [artifact(f"push{serial}/r{n % _REPOSITORIES}", f"{serial}.{n}", group) for n in range(pieces)]


def _push(stand: Stand, pieces: int, connections: int) -> Sample:
    jobs = _artifacts(stand.plan.pieces(pieces))
    return rate(stand.run(Load(jobs=jobs, connections=connections, seconds=_PATIENCE * stand.plan.seconds), "push"))


def _tag(stand: Stand) -> Sample:
    repository = f"tagged/r{next(_SERIAL)}"
    content = numbered_manifest(stand.config(repository), "tagged")
    pushes = [script.put_manifest(repository, f"v{n}", content) for n in range(stand.plan.pieces(_TAGS))]
    return rate(stand.run(Load(jobs=numbered(pushes), connections=8), repository))


def _delete(stand: Stand) -> Sample:
    repository = f"deleted/r{next(_SERIAL)}"
    config = stand.config(repository)
    manifests = [numbered_manifest(config, str(n)) for n in range(stand.plan.pieces(400))]
    stand.push(repository, numbered([script.put_manifest(repository, f"v{n}", m) for n, m in enumerate(manifests)]))
    deletes = [script.delete(f"/v2/{repository}/manifests/{digest(content)}") for content in manifests]
    return rate(stand.run(Load(jobs=numbered(deletes), connections=8), repository))


def _mixed(stand: Stand) -> Sample:
    """Three pulls to one push; the figure counts both, the latencies are those of the pulls."""
    jobs = []
    for n, push in enumerate(_artifacts(stand.plan.pieces(1000), _PUSH)):
        jobs += [job(_PULLS[(3 * n + k) % len(_PULLS)], group=_PULL) for k in range(3)]
        jobs.append(push)
    figures = stand.run(Load(jobs=jobs, connections=stand.plan.connections, seconds=_PATIENCE * stand.plan.seconds))
    pushes = figures.groups[_PUSH]
    sample = rate(figures, _PULL)
    return replace(sample, note=f"pushes: p50 {pushes.p50:.1f} ms, p95 {pushes.p95:.1f} ms, p99 {pushes.p99:.1f} ms")


ROWS: Final = (
    Row(
        name="push-1",
        title="complete small pushes, 1 client",
        unit="artifacts/s",
        most_rounds=3,
        measure=partial(_push, pieces=400, connections=1),
        quick=True,
    ),
    Row(
        name="push-32",
        title="complete small pushes, 32 clients",
        unit="artifacts/s",
        most_rounds=3,
        measure=partial(_push, pieces=2000, connections=32),
        quick=True,
    ),
    Row(name="tag-1000", title="1,000 tags on one manifest", unit="tags/s", measure=_tag, most_rounds=3),
    Row(name="delete", title="DELETE manifest", unit="requests/s", measure=_delete, most_rounds=3),
    Row(
        name="mixed",
        title="three pulls to one push, 32 clients",
        unit="jobs/s",
        most_rounds=3,
        measure=_mixed,
        prepare=push_image,
        quick=True,
    ),
)
"""The rows of this file."""
