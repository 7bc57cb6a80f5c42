"""After a write was answered, no process of the registry tells what was before, however hot its memory is."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from tests.journeys.conftest import Served
from tests.journeys.test_first_day import push
from tests.pushing import OCI_MANIFEST, descriptor, digest, image

PROCESSES = 2
HEADERS = {"Content-Type": OCI_MANIFEST}


class Readers:
    """A client for each process of the registry, on a connection of its own, and one that writes."""

    def __init__(self, served: Served, stack: ExitStack) -> None:
        self._stack = stack
        self._url = served.url
        self.writer = self._client()
        found: dict[str, httpx.Client] = {}
        while len(found) < PROCESSES:
            client = self._client()
            found.setdefault(_process(client), client)
        self.all = list(found.values())

    def _client(self) -> httpx.Client:
        return self._stack.enter_context(httpx.Client(base_url=self._url, timeout=30))

    def heat(self, *paths: str) -> None:
        for path in paths:
            for reader in self.all:
                for _ in range(4):
                    reader.get(path)
                    reader.head(path)

    def see(self, path: str, status: int, body: Any = None) -> None:
        """Every connection gets this, by GET and HEAD, the first time and hot."""
        for reader in self.all:
            for _ in range(3):
                answer, head = reader.get(path), reader.head(path)
                assert (answer.status_code, head.status_code) == (status, status)
                if isinstance(body, bytes):
                    assert answer.content == body
                    assert head.headers["docker-content-digest"] == digest(body)
                elif body is not None:
                    assert answer.json() == body


def _process(client: httpx.Client) -> str:
    """Which process answers this client: ids that the lane of one process gives begin alike."""
    for _ in range(3):
        client.get("/v2/")
    return str(client.get("/v2/").headers["x-request-id"][4:16])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    started = Served(tmp_path_factory.mktemp("lane") / "data", WEB_PROCESSES="2", LOG_LEVEL="info")
    started.start()
    yield started
    started.stop()


@pytest.fixture
def readers(served: Served) -> Iterator[Readers]:
    with ExitStack() as stack:
        yield Readers(served, stack)


def put(readers: Readers, name: str, tag: str, raw: bytes) -> None:
    answer = readers.writer.put(f"/v2/{name}/manifests/{tag}", content=raw, headers=HEADERS)
    assert answer.status_code == 201, answer.text


def test_tags_move_and_go(readers: Readers) -> None:
    name = "tags/moving"
    path, tags = f"/v2/{name}/manifests/latest", f"/v2/{name}/tags/list"
    push(readers.writer, name, b"layer")
    for number in range(4):
        raw = image(b"layer", annotations={"number": str(number)})
        readers.heat(path, tags, f"{tags}?n=1")
        put(readers, name, "latest", raw)
        readers.see(path, 200, raw)
        put(readers, name, f"v{number}", raw)
        expected = ["latest", *(f"v{one}" for one in range(number + 1))]
        readers.see(tags, 200, {"name": name, "tags": expected})
        readers.see(f"{tags}?n=1", 200, {"name": name, "tags": ["latest"]})
    assert readers.writer.delete(path).status_code == 202
    readers.see(path, 404)
    readers.see(tags, 200, {"name": name, "tags": ["v0", "v1", "v2", "v3"]})


def test_manifests_and_blobs_go_and_come_again(readers: Readers) -> None:
    name, layer = "content/going", b"layer" * 50_000
    blob = f"/v2/{name}/blobs/{digest(layer)}"
    for _ in range(2):
        raw = push(readers.writer, name, layer)
        by_tag, by_digest = f"/v2/{name}/manifests/latest", f"/v2/{name}/manifests/{digest(raw)}"
        readers.heat(by_tag, by_digest, blob)
        readers.see(blob, 200)
        assert readers.writer.delete(by_digest).status_code == 202
        for path in (by_tag, by_digest):
            readers.see(path, 404)
        readers.heat(blob)
        assert readers.writer.delete(blob).status_code == 202
        readers.see(blob, 404)


def test_the_catalog_grows(readers: Readers) -> None:
    path = "/v2/_catalog?n=100"
    for number in range(3):
        readers.heat(path)
        before = readers.writer.get(path).json()["repositories"]
        name = f"new/number-{number}"
        if number:
            push(readers.writer, name, b"layer")
        else:
            assert readers.writer.post(f"/v2/{name}/blobs/uploads/").status_code == 202
        readers.see(path, 200, {"repositories": sorted([*before, name])})


def test_referrers_come_and_go(readers: Readers) -> None:
    name = "referrers/coming"
    subject = image(b"layer")
    path = f"/v2/{name}/referrers/{digest(subject)}"
    kind = f"{path}?artifactType=a/b"
    readers.heat(path, kind)
    push(readers.writer, name, b"layer")
    readers.heat(path, kind)
    raw = image(b"layer", artifactType="a/b", subject=descriptor(subject, OCI_MANIFEST))
    for _ in range(2):
        put(readers, name, digest(raw), raw)
        for asked in (path, kind):
            for reader in readers.all:
                assert [one["digest"] for one in reader.get(asked).json()["manifests"]] == [digest(raw)]
        readers.heat(path, kind)
        assert readers.writer.delete(f"/v2/{name}/manifests/{digest(raw)}").status_code == 202
        for asked in (path, kind):
            for reader in readers.all:
                assert reader.get(asked).json()["manifests"] == []


def count(url: str) -> int:
    """HEAD requests of manifests, as the metrics have them."""
    found = re.findall(r"requests_total\{([^}]*)\} ([\d.]+)", httpx.get(f"{url}/metrics").text)
    return sum(int(float(value)) for labels, value in found if 'method="HEAD"' in labels and "manifests" in labels)


def test_every_request_is_in_the_metrics_and_in_the_log(served: Served, readers: Readers) -> None:
    raw = push(readers.writer, "counted", b"layer")
    path = f"/v2/counted/manifests/{digest(raw)}"
    before = count(served.url)
    readers.heat(path)
    times = 4 * PROCESSES
    while count(served.url) < before + times:  # what others asked for is counted with it, within a second
        continue
    lines: list[dict[str, Any]] = []
    while sum(line["times"] for line in lines) < times:
        text = (served.data.parent / "serve.log").read_text()
        lines = [json.loads(line) for line in text.splitlines() if path in line and '"HEAD"' in line]
    assert sum(line["times"] for line in lines) == times
    assert any(line["times"] > 1 for line in lines)
