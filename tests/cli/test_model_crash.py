"""A pull of a model whose process is killed in the middle of a file."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.cli.conftest import Gati
from tests.cli.depot import digest
from tests.cli.stand_in import _handler, _Server
from tests.cli.test_model_pull import WEIGHTS, Shelf, weights


class Stalling(Shelf):
    """A shelf that sends half of the weights, and then nothing, until it is let go; it serves ranges."""

    def __init__(self) -> None:
        super().__init__()
        self.stalls = True
        self.reached = threading.Event()
        self.released = threading.Event()
        self.ranges: list[str] = []


def serving(shelf: Stalling) -> type[BaseHTTPRequestHandler]:
    class Handler(_handler(shelf)):  # type: ignore[misc]
        def do_GET(self) -> None:  # noqa: N802 - name of http.server
            if not self.path.endswith(f"/blobs/{digest(WEIGHTS)}"):
                self._serve()
                return
            asked = self.headers.get("Range", "")
            start = int(asked.removeprefix("bytes=").partition("-")[0] or 0)
            shelf.ranges.append(asked)
            self.send_response(206 if asked else 200)
            if asked:
                self.send_header("Content-Range", f"bytes {start}-{len(WEIGHTS) - 1}/{len(WEIGHTS)}")
            self.send_header("Content-Length", str(len(WEIGHTS) - start))
            self.end_headers()
            self.wfile.write(WEIGHTS[start : len(WEIGHTS) // 2] if shelf.stalls else WEIGHTS[start:])
            if shelf.stalls:
                self.wfile.flush()
                shelf.reached.set()
                shelf.released.wait(60)
                self.close_connection = True

    return Handler


@pytest.fixture
def stalling() -> Iterator[Stalling]:
    shelf = Stalling()
    server = _Server(("127.0.0.1", 0), serving(shelf))
    shelf.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield shelf
    shelf.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_pull_that_is_killed_leaves_no_file_under_the_name_and_goes_on(
    gati: Gati, stalling: Stalling, tmp_path: Path
) -> None:
    stalling.put(weights())
    words = ("model", "pull", "users/alice/llama", "--dir", str(tmp_path / "m"), "--registry", stalling.url)
    with gati.process(*words) as process:
        assert stalling.reached.wait(60)
        process.kill()
        process.communicate()
    stalling.released.set()
    left = [path.name for path in (tmp_path / "m").iterdir()]
    assert set(left) <= {"llama.gguf.part"}
    came = (tmp_path / "m" / "llama.gguf.part").stat().st_size if left else 0
    stalling.stalls = False
    assert gati(*words).status == 0
    assert (tmp_path / "m" / "llama.gguf").read_bytes() == WEIGHTS
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == ["gati-model.json", "llama.gguf"]
    assert stalling.ranges[-1].startswith(f"bytes={came}-" if came else "")
