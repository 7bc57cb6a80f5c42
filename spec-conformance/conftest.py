"""The registry under test, repositories of the run and content, as fixtures."""

import itertools
import os
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from auth import ChallengeAuth
from clauses import DEV
from client import Repository
from data import Maker
from report import Collector, Verdicts, load_known
from wire import Wire

TIMEOUT = 30.0
"""Seconds until an answer counts as never coming."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of `run`, which its usage text explains."""
    group = parser.getgroup("registry")
    group.addoption("--registry", default="http://127.0.0.1:8080")
    group.addoption("--profile", choices=("1.1", DEV), default="1.1")
    group.addoption("--sparse", choices=("all", "index", "none"), default=os.environ.get("SPARSE"))
    group.addoption("--all-levels", action="store_true")
    group.addoption("--json", type=Path)
    group.addoption("--expect", type=Path)
    group.addoption("--base", default="conformance")
    group.addoption("--seed", default=None)
    group.addoption("--insecure", action="store_true")


def pytest_configure(config: pytest.Config) -> None:
    """Name the run, once for all workers, and hang in the verdicts and the report."""
    worker = getattr(config, "workerinput", None)
    if worker is None:
        config.option.seed = config.option.seed or secrets.token_hex(4)
        heading = {
            "registry": config.option.registry,
            "profile": config.option.profile,
            "sparse": config.option.sparse or "either",
            "run": config.option.seed,
        }
        config.pluginmanager.register(Collector(heading, config.option.json))
    config.pluginmanager.register(Verdicts(load_known(config.option.expect), strict=config.option.all_levels))


def pytest_sessionstart(session: pytest.Session) -> None:
    """Give up at once where nothing listens.

    Raises:
        pytest.UsageError: the registry cannot be reached.
    """
    url = session.config.option.registry
    try:
        httpx.get(url, timeout=TIMEOUT, verify=not session.config.option.insecure, trust_env=False)
    except httpx.TransportError as error:
        raise pytest.UsageError(f"There is no answer from {url}: {error}") from None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is not in the profile."""
    if config.option.profile == DEV:
        return
    later = [item for item in items if _is_later(item)]
    config.hook.pytest_deselected(items=later)
    items[:] = [item for item in items if item not in later]


def _is_later(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("clause")
    return item.get_closest_marker(DEV) is not None or (marker is not None and marker.args[3] == DEV)


@pytest.fixture(scope="session")
def root(request: pytest.FixtureRequest) -> httpx.URL:
    """The registry's address, ending in a slash."""
    url = httpx.URL(request.config.option.registry)
    return url if url.path.endswith("/") else url.copy_with(path=f"{url.path}/")


@pytest.fixture(scope="session")
def http(request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """The HTTP client: one pool of connections, redirects followed as the specification advises."""
    name = os.environ.get("REGISTRY_USERNAME")
    auth = ChallengeAuth(name, os.environ.get("REGISTRY_PASSWORD", "")) if name else None
    verify = not request.config.option.insecure
    limits = httpx.Limits(max_connections=32, max_keepalive_connections=16)
    with httpx.Client(
        timeout=TIMEOUT, follow_redirects=True, auth=auth, verify=verify, limits=limits, trust_env=False
    ) as client:
        yield client


@pytest.fixture(scope="session")
def new_repository(request: pytest.FixtureRequest, http: httpx.Client, root: httpx.URL) -> Callable[[str], Repository]:
    """Makes the handle of a repository that nobody used before, under the base name and the run."""
    options = request.config.option
    worker = getattr(request.config, "workerinput", {}).get("workerid", "gw")
    numbers = itertools.count()

    def new(hint: str) -> Repository:
        word = re.sub(r"[^a-z0-9]+", "-", hint.lower())[:40].strip("-")
        return Repository(http, root, f"{options.base}/{options.seed}/{worker}-{next(numbers)}-{word}")

    return new


@pytest.fixture
def repository(request: pytest.FixtureRequest, new_repository: Callable[[str], Repository]) -> Repository:
    """A repository of the test's own."""
    return new_repository(request.node.name.removeprefix("test_"))


@pytest.fixture
def other(new_repository: Callable[[str], Repository]) -> Repository:
    """A second repository of the test's own."""
    return new_repository("other")


@pytest.fixture
def make(request: pytest.FixtureRequest) -> Maker:
    """Makes content that no other test and no other run makes."""
    return Maker(f"{request.config.option.seed} {request.node.nodeid}")


@pytest.fixture
def connect(request: pytest.FixtureRequest, root: httpx.URL) -> Iterator[Callable[[], Wire]]:
    """Opens connections on which a test says byte for byte what is sent."""
    opened: list[Wire] = []

    def new() -> Wire:
        wire = Wire(root, timeout=TIMEOUT, verify=not request.config.option.insecure)
        opened.append(wire)
        return wire

    yield new
    for wire in opened:
        wire.close()
