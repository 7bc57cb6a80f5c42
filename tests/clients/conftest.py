"""The registry under test, and the clients that are installed.

Without `--registry URL` or `REGISTRY_URL` the registry of this project is started. A client that is not installed
leaves its tests out; with `REQUIRE_CLIENTS=1` they fail.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NoReturn

import httpx
import pytest

from tests.clients import daemons
from tests.clients.closed import Client, Closed
from tests.clients.programs import Program, Registry, absent, find_program

HERE = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """The registry to test, where it is not the one of this project."""
    parser.addoption("--registry", default=None, help="address of the registry to test, such as http://127.0.0.1:5000")


@contextmanager
def served(folder: Path, **settings: str) -> Iterator[str]:
    """The registry of this project, started as a user starts it; its address."""
    environ = os.environ | {"PORT": "0", "GATI_DATA_DIR": str(folder / "data"), "LOG_LEVEL": "warning"} | settings
    environ.pop("DATABASE_URL", None)
    command = [sys.executable, "-m", "registry", "serve"]
    root = HERE.parents[1]
    with (
        (folder / "serve.log").open("w") as log,
        subprocess.Popen(command, cwd=root, env=environ, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        assert process.stdout is not None
        try:
            urls = (re.search(r"http://[^\s,]+:\d+", line) for line in process.stdout)
            url = next((found.group() for found in urls if found), "")
            assert url, (folder / "serve.log").read_text()
            yield url
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def registry(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """The registry under test, ready."""
    given = request.config.getoption("--registry", None) or os.environ.get("REGISTRY_URL")
    transport = httpx.HTTPTransport(retries=5)
    with (
        nullcontext(given) if given else served(tmp_path_factory.mktemp("served")) as url,
        httpx.Client(base_url=url, transport=transport, timeout=30, follow_redirects=True) as http,
    ):
        assert http.get("/v2/").status_code == 200
        yield Registry(http)


@pytest.fixture(scope="session")
def find() -> Callable[[str], str]:
    """Find a client's program; the test is left out where it is not installed."""
    return find_program


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home directory in which no client finds settings of this machine, with those that libraries insist on."""
    folder = tmp_path / "home"
    containers = folder / ".config" / "containers"
    containers.mkdir(parents=True)
    (containers / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    (folder / "storage.conf").write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{folder}/graph"\nrunroot = "{folder}/run"\n'
    )
    (folder / "auth.json").write_text("{}")
    return folder


@pytest.fixture
def environ(home: Path) -> dict[str, str]:
    """The environment of a client: nothing of this machine's settings and accounts, no proxy, no terminal."""
    return {
        "HOME": str(home),
        "PATH": os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"]),
        "LC_ALL": "C.UTF-8",
        "DOCKER_CONFIG": str(home / "docker"),
        "CONTAINERS_STORAGE_CONF": str(home / "storage.conf"),
        "REGISTRY_AUTH_FILE": str(home / "auth.json"),
        "XDG_RUNTIME_DIR": str(home),
        "BUILDAH_ISOLATION": "chroot",
    }


@pytest.fixture
def program(find: Callable[[str], str], environ: dict[str, str]) -> Callable[[str], Program]:
    """A client by its name, with a home directory of this test's own."""
    return lambda name: Program(find(name), environ)


@pytest.fixture(scope="session")
def leave_out() -> Callable[[str], NoReturn]:
    """What a test calls that finds a client unable to do what it is about."""
    return absent


@pytest.fixture(scope="session")
def daemon_folder() -> Iterator[Path]:
    """Where the daemons keep everything; a short path, because those of sockets are limited (unix(7): 108 bytes)."""
    if os.geteuid() != 0:
        absent("dockerd and containerd need root")
    folder = Path(tempfile.mkdtemp(prefix="gati-clients-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def containerd_address(find: Callable[[str], str], daemon_folder: Path) -> Iterator[str]:
    """The socket of a running containerd."""
    daemon = daemons.containerd(find("containerd"), dict(os.environ), daemon_folder)
    yield str(daemon_folder / "containerd.sock")
    daemon.stop()


@pytest.fixture(scope="session")
def docker_host(
    find: Callable[[str], str], daemon_folder: Path, containerd_address: str, registry: Registry
) -> Iterator[str]:
    """The address of a running Docker daemon."""
    daemon = daemons.dockerd(find("dockerd"), dict(os.environ), daemon_folder, registry.host)
    yield f"unix://{daemon_folder}/docker.sock"
    daemon.stop()


@pytest.fixture(scope="session")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Closed]:
    """A registry that lets in those with accounts, and its people."""
    folder = tmp_path_factory.mktemp("closed")
    with served(folder, ACCESS="closed", RATE_LIMIT_AUTH="0") as url:
        found = Closed(folder / "data", url)
        found.act(found.settle)
        with found.seen_by(found.owner) as http:
            found.registry = Registry(http)
            yield found


@pytest.fixture
def client(
    program: Callable[[str], Program], closed: Closed, tmp_path: Path, request: pytest.FixtureRequest
) -> Callable[[str], Client]:
    """A client of the closed registry, by its name."""

    def make(name: str) -> Client:
        found = program(name)
        match name:
            case "docker":
                environ = found.environ | {"DOCKER_HOST": request.getfixturevalue("docker_host")}
                found = Program(found.path, environ)
            case "podman":
                found = found.wordy("--cgroup-manager=cgroupfs", "--events-backend=none")
            case "cosign":
                found = Program(found.path, found.environ | {"COSIGN_PASSWORD": ""})
        return Client(name, found, closed.host, tmp_path).at(closed.host)

    return make
