import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.admin.conftest import ROOT, Served
from tests.clients.programs import find_program

EXAMPLES = sorted((ROOT / "examples").glob("*/run.sh"))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A fresh registry, started as the examples say."""
    folder = tmp_path_factory.mktemp("served")
    served = Served({"GATI_DATA_DIR": str(folder / "data")}, folder / "serve.log")
    yield served.url
    served.end()
    assert served.log() == ""


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.parent.name)
def test_an_example_runs_to_its_end(example: Path, url: str, tmp_path: Path) -> None:
    """And leaves alone what is its user's."""
    places = os.pathsep.join([str(Path(find_program("oras")).parent), os.environ["PATH"]])
    environ = {"PATH": places, "HOME": str(tmp_path), "GATI_REGISTRY": url, "TMPDIR": str(tmp_path)}
    ended = subprocess.run([str(example)], env=environ, capture_output=True, text=True, check=False, timeout=100)
    assert ended.returncode == 0, ended.stderr + ended.stdout
    assert list(tmp_path.iterdir()) == []


def test_every_example_is_in_the_list() -> None:
    listed = (ROOT / "examples" / "README.md").read_text()
    assert EXAMPLES
    assert all(f"({path.parent.name}/run.sh)" in listed for path in EXAMPLES)
