"""kill -9 in the middle of everything: what was acknowledged is there, nothing is lost."""

import contextlib
import json
import os
import random
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.journeys.conftest import Served
from tests.journeys.test_first_day import push
from tests.pushing import digest

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "20"))


def load(url: str, seed: int, acknowledged: dict[str, bytes], enough: threading.Event) -> None:
    """Push images and chunked blobs until the registry is gone."""
    chance = random.Random(seed)  # noqa: S311 - repeatable load
    ends = (httpx.HTTPError, KeyError, AssertionError)
    with (
        contextlib.suppress(*ends),
        httpx.Client(base_url=url, timeout=10) as client,
    ):
        for number in range(1000):
            layer = chance.randbytes(chance.choice([10, 1000, 300_000]))
            name, tag = f"crash/{chance.randrange(3)}", f"s{seed}-{number}"
            raw = push(client, name, layer, b"shared", tag=tag)
            acknowledged[f"/v2/{name}/manifests/{tag}"] = raw
            acknowledged[f"/v2/{name}/blobs/{digest(layer)}"] = layer
            if number == 2:
                enough.set()
    enough.set()


def crash(served: Served, seed: int) -> dict[str, bytes]:
    """One round: load from several clients, a kill somewhere in it, a start; what was acknowledged."""
    acknowledged: dict[str, bytes] = {}
    enough = threading.Event()
    clients = [threading.Thread(target=load, args=(served.url, seed * 10 + n, acknowledged, enough)) for n in range(3)]
    for client in clients:
        client.start()
    assert enough.wait(60)
    if seed % 3 == 0:
        postmaster = int((next(served.data.glob("pg/postmaster.pid"))).read_text().split("\n")[0])
        os.kill(postmaster, signal.SIGKILL)
    served.kill()
    for client in clients:
        client.join()
    served.start()
    return acknowledged


@pytest.mark.crash
@pytest.mark.timeout(ROUNDS * 60)
@pytest.mark.parametrize("half", [0, 1])
def test_every_acknowledged_push_survives(serve: Callable[..., Served], tmp_path: Path, half: int) -> None:
    """Byte for byte, and fsck finds nothing lost."""
    served = serve(DISK_RESERVE="1MiB")
    for number in range(ROUNDS // 2):
        acknowledged = crash(served, 1 + half * ROUNDS + number)
        with httpx.Client(base_url=served.url, timeout=30) as client:
            for path, content in acknowledged.items():
                assert client.get(path).content == content
        done = served.command("fsck", "--rehash", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        checked = json.loads(done.stdout)
        assert (checked["missing"], checked["resized"], checked["corrupt"]) == ([], [], [])
