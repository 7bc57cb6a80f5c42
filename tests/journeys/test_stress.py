"""Writers that push, mount, delete and index the same few layers while the sweep takes what it may within a moment."""

import json
import os
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.journeys.conftest import Served
from tests.pushing import EMPTY, OCI_INDEX, OCI_MANIFEST, descriptor, digest, image

WRITERS = 6
STEPS = int(os.environ.get("STRESS_STEPS", "50"))
REPOS = ("stress/a", "stress/b")
LAYERS = tuple(bytes([number]) * 3 ** (number + 1) for number in range(10))


class Writer:
    """One client; only it touches its images, everybody touches the layers."""

    def __init__(self, url: str, seed: int) -> None:
        self.http = httpx.Client(base_url=url, timeout=60)
        self.chance = random.Random(seed)  # noqa: S311 - a repeatable load
        self.seed = seed
        self.count = 0
        self.images: dict[tuple[str, str], bytes] = {}
        self.indexes: dict[tuple[str, str], bytes] = {}

    def call(self, method: str, path: str, allowed: set[int], **request: Any) -> httpx.Response:
        """A request, again while the registry is busy; no other failure is its own fault."""
        while True:
            answer = self.http.request(method, f"/v2/{path}", **request)
            if answer.status_code != 503:
                assert answer.status_code in allowed, (method, path, answer.status_code, answer.text[:300])
                return answer
            assert "retry-after" in answer.headers

    def run(self) -> None:
        """Deletes come more often than pushes: most layers are garbage again and again."""
        actions = [self.push, self.push, self.delete, self.delete, self.delete, self.delete]
        actions += [self.index, self.delete_index, self.delete_index, self.blob, self.blob, self.look]
        for _ in range(STEPS):
            self.chance.choice(actions)(self.chance.choice(REPOS))
        self.http.close()

    def push(self, repo: str) -> None:
        """As clients do: look, mount or upload, then the manifest; once more when a layer went in between."""
        layers = self.chance.sample(LAYERS, 2)
        self.count += 1
        raw = image(*layers, annotations={"by": f"{self.seed}-{self.count}"})
        while True:
            for content in (EMPTY, *layers):
                if self.call("HEAD", f"{repo}/blobs/{digest(content)}", {200, 404}).status_code == 404:
                    self.bring(repo, content)
            if self.put(repo, f"t{self.seed}-{self.count}", raw, OCI_MANIFEST):
                self.images[repo, digest(raw)] = raw
                return

    def bring(self, repo: str, content: bytes) -> None:
        """A mount, or a session that takes the bytes in two pieces."""
        start = self.call("POST", f"{repo}/blobs/uploads/", {201, 202}, params={"mount": digest(content)})
        if start.status_code == 202:
            place = start.headers["location"].removeprefix("/v2/")
            self.call("PATCH", place, {202}, content=content[:2], headers={"Content-Range": "0-1"})
            self.call("PUT", place, {201}, params={"digest": digest(content)}, content=content[2:])

    def put(self, repo: str, reference: str, raw: bytes, media_type: str) -> bool:
        headers = {"Content-Type": media_type}
        path = f"{repo}/manifests/{reference}"
        return self.call("PUT", path, {201, 400}, content=raw, headers=headers).status_code == 201

    def index(self, repo: str) -> None:
        mine = [raw for (where, _), raw in self.images.items() if where == repo]
        entries = [descriptor(raw, OCI_MANIFEST) for raw in mine[-3:]]
        body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries, "annotations": {"by": str(self.seed)}}
        raw = json.dumps(body).encode()
        assert self.put(repo, digest(raw), raw, OCI_INDEX)
        self.indexes[repo, digest(raw)] = raw

    def delete(self, _: str) -> None:
        for repo, named in self.chance.sample(sorted(self.images), min(1, len(self.images))):
            held = any(where == repo and named.encode() in raw for (where, _), raw in self.indexes.items())
            self.call("DELETE", f"{repo}/manifests/{named}", {405} if held else {202})
            if not held:
                del self.images[repo, named]

    def delete_index(self, _: str) -> None:
        for repo, named in self.chance.sample(sorted(self.indexes), min(1, len(self.indexes))):
            self.call("DELETE", f"{repo}/manifests/{named}", {202})
            del self.indexes[repo, named]

    def blob(self, repo: str) -> None:
        self.call("DELETE", f"{repo}/blobs/{digest(self.chance.choice(LAYERS))}", {202, 404, 405})

    def look(self, _: str) -> None:
        """What was acknowledged and not deleted is there, byte for byte."""
        for repo, named in self.chance.sample(sorted(self.images), min(2, len(self.images))):
            self.check(repo, named, self.images[repo, named])

    def check(self, repo: str, named: str, raw: bytes) -> None:
        assert self.call("GET", f"{repo}/manifests/{named}", {200}).content == raw
        for part in [json.loads(raw)["config"], *json.loads(raw)["layers"]]:
            assert digest(self.call("GET", f"{repo}/blobs/{part['digest']}", {200}).content) == part["digest"]


@pytest.mark.timeout(60 + STEPS)
def test_what_was_acknowledged_outlives_a_sweep_that_never_rests(serve: Callable[..., Served]) -> None:
    served = serve(WEB_PROCESSES="2", GRACE="300ms", SWEEP_INTERVAL="20ms", DISK_RESERVE="1MiB")
    writers = [Writer(served.url, seed) for seed in range(WRITERS)]
    with ThreadPoolExecutor(WRITERS) as threads:
        list(threads.map(Writer.run, writers))
    found = json.loads(served.command("fsck", "--rehash", "--json").stdout)
    assert (found["clean"], found["stray"], found["absent"]) == (True, [], [])
    with httpx.Client(base_url=served.url, timeout=60) as client:
        for writer in writers:
            writer.http = client
            for (repo, named), raw in writer.images.items():
                writer.check(repo, named, raw)
            for (repo, named), raw in writer.indexes.items():
                assert client.get(f"/v2/{repo}/manifests/{named}").content == raw
