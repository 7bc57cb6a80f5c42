"""Blobs larger than memory should be allowed to matter."""

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.journeys.conftest import Served

MIB = 1 << 20
BLOCK = os.urandom(MIB)


def content(size: int) -> Iterator[bytes]:
    """`size` MiB, every one different."""
    for number in range(size):
        yield number.to_bytes(8, "big") + BLOCK[8:]


def memory(served: Served, name: str) -> int:
    """A line of /proc/<pid>/status in bytes."""
    assert served.process is not None
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{served.process.pid}/status").read_text())
    assert found is not None
    return int(found.group(1)) * 1024


@pytest.mark.timeout(400)
@pytest.mark.parametrize("size", [1024, 5120])
def test_a_large_blob_goes_in_and_out_within_64_mib_of_memory(serve: Callable[..., Served], size: int) -> None:
    served = serve(DISK_RESERVE="1MiB")
    idle = memory(served, "VmRSS")
    hasher = hashlib.sha256()
    for piece in content(size):
        hasher.update(piece)
    named = f"sha256:{hasher.hexdigest()}"
    with httpx.Client(base_url=served.url, timeout=300) as client:
        place = client.post("/v2/large/blob/blobs/uploads/").headers["location"]
        headers = {"Content-Length": str(size * MIB)}
        assert client.put(place, params={"digest": named}, content=content(size), headers=headers).status_code == 201
        back = hashlib.sha256()
        with client.stream("GET", f"/v2/large/blob/blobs/{named}") as answer:
            for piece in answer.iter_raw():
                back.update(piece)
        assert f"sha256:{back.hexdigest()}" == named
        assert memory(served, "VmHWM") - idle < 64 * MIB
    served.stop()
    shutil.rmtree(served.data)
