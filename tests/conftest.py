"""One PostgreSQL for the whole run, one database a worker, the application in the test's own event loop."""

import asyncio
import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import structlog
from _pytest.nodeid import coerce_node_id
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from registry import app as application
from registry.config import Settings, load
from registry.infra.db import embedded
from registry.infra.db.migrate import migrate
from registry.infra.http.boundary import Boundary
from tests.clients.programs import find_program

_TABLES = (
    "tombstones, dependencies, releases, artifacts, outbox, doomed, review, uploads, tags, refs, manifests, "
    "blob_links, blobs, repositories, namespaces, accounts, credentials, signing_keys, audit_events, audit_seals"
)
_DSN = "GATI_TEST_DSN"


hypothesis_settings.register_profile("gati", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("gati")  # how fast this machine is, is no property


def pytest_configure(config: pytest.Config) -> None:
    """Start the servers once, in the process that hands out the tests."""
    if hasattr(config, "workerinput") or _DSN in os.environ:
        return
    folder = Path(tempfile.mkdtemp(prefix="gati-"))
    server = asyncio.run(embedded.start(folder))
    os.environ[_DSN] = server.dsn

    def stop() -> None:
        asyncio.run(embedded.stop(server))
        shutil.rmtree(folder, ignore_errors=True)
        os.environ.pop(_DSN, None)

    config.add_cleanup(stop)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests of one group in one process: pytest 9.2 does not read where pytest-xdist 3.8 writes the group."""
    for item in items:
        grouped = getattr(item, "_nodeid", None)
        if grouped is not None:
            item._id = coerce_node_id(grouped)


@pytest.fixture(scope="session")
def database_url(worker_id: str) -> str:
    """A migrated database of this worker."""

    async def make() -> None:
        admin = await asyncpg.connect(os.environ[_DSN])
        await admin.execute(f"DROP DATABASE IF EXISTS {worker_id} WITH (FORCE)")
        await admin.execute(f"CREATE DATABASE {worker_id}")
        await admin.close()
        connection = await asyncpg.connect(os.environ[_DSN], database=worker_id)
        await migrate(connection)
        await connection.close()

    asyncio.run(make())
    return os.environ[_DSN].replace("@/postgres?", f"@/{worker_id}?")


@pytest.fixture(scope="session")
def worker_id() -> str:
    """A name of this worker that may name a database."""
    return "test_" + os.environ.get("PYTEST_XDIST_WORKER", "gw0")


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis server of this worker, which keeps nothing."""
    socket = tmp_path_factory.mktemp("redis") / "socket"
    options = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no"]
    with subprocess.Popen([find_program("redis-server"), *options], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any("eady to accept connections" in line for line in process.stdout)
        yield f"unix://{socket}"
        process.terminate()


def _configure_afresh(**given: Any) -> None:
    """No logger keeps what it was given first: each test has its own."""
    _configure(**given | {"cache_logger_on_first_use": False})


_configure = structlog.configure
structlog.configure = _configure_afresh  # type: ignore[assignment]


@pytest.fixture(autouse=True)
def _logs_of_its_own() -> None:
    """What a test before did to the logs is undone."""
    structlog.reset_defaults()
    logging.getLogger().setLevel(logging.WARNING)


@pytest.fixture(scope="session")
def secrets_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What goes with the database of this worker."""
    return tmp_path_factory.mktemp("secrets") / "secrets.json"


@pytest.fixture
def environ(database_url: str, secrets_file: Path, tmp_path: Path) -> dict[str, str]:
    """Settings of an open registry on an empty directory; a test may add to it."""
    return {
        "DATABASE_URL": database_url,
        "SECRETS_FILE": str(secrets_file),
        "GATI_DATA_DIR": str(tmp_path / "data"),
        "DATABASE_POOL_MIN": "1",
        "DATABASE_POOL_MAX": "6",
        "DISK_RESERVE": "1MiB",
        "JOBS": "off",
        "GRACE": "1h",
        "SMALL_BLOB": "0",
    }


async def empty_database(database_url: str) -> None:
    """Take everything out of a database."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(f"TRUNCATE {_TABLES} RESTART IDENTITY CASCADE")
    await connection.execute("UPDATE instance SET has_accounts = false")
    await connection.close()


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Any]:
    """The application, started; its `shelf()` is what it serves."""
    inner = application.Application(settings)
    async with inner.lifespan():
        yield inner


@pytest.fixture
async def emptied(environ: dict[str, str]) -> None:
    """Nothing is in the database."""
    await empty_database(environ["DATABASE_URL"])


@pytest.fixture
async def server(environ: dict[str, str], emptied: None) -> AsyncIterator[Any]:
    """The application on an empty database."""
    async with running(load(environ)) as found:
        yield found


@pytest.fixture
async def client(server: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application, without a network between."""
    transport = httpx.ASGITransport(Boundary(server), raise_app_exceptions=False, client=("127.0.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as found:
        yield found


@pytest.fixture
def shelf(server: Any) -> Any:
    """The content behind the client."""
    return server.shelf()
