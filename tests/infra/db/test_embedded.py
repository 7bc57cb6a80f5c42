import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from registry.infra.db import embedded
from registry.infra.db.postgres_directory import socket_directory

_ENDLESS = "DO $$ BEGIN LOOP PERFORM 1; END LOOP; END $$"
_SERVE = """
import asyncio, pathlib, sys
from registry.infra.db import embedded
data_dir = pathlib.Path(sys.argv[1])
with embedded.DirectoryLock(data_dir):
    print(asyncio.run(embedded.start(data_dir)).pid, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
async def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory after a first start, one committed row in `kept` and a stop."""
    data_dir = tmp_path_factory.mktemp("template") / "data"
    async with running(data_dir) as server, connected(server) as connection:
        await connection.execute("CREATE TABLE kept (value integer)")
        await connection.execute("INSERT INTO kept VALUES (1)")
    return data_dir


@pytest.fixture
def data_dir(template: Path, tmp_path: Path) -> Path:
    """A copy of the template for one test."""
    return Path(shutil.copytree(template, tmp_path / "data"))


@pytest.fixture
async def server(data_dir: Path) -> AsyncIterator[embedded.EmbeddedServer]:
    """A running server on the copy, stopped at the end whichever its process is then."""
    async with running(data_dir) as started:
        yield started


@asynccontextmanager
async def running(data_dir: Path) -> AsyncIterator[embedded.EmbeddedServer]:
    server = await embedded.start(data_dir)
    try:
        yield server
    finally:
        await embedded.stop(server)


@asynccontextmanager
async def connected(server: embedded.EmbeddedServer, **changes: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(**server.connect_arguments() | changes)
    try:
        yield connection
    finally:
        connection.terminate()


async def kept(server: embedded.EmbeddedServer) -> list[int]:
    async with connected(server) as connection:
        return [row["value"] for row in await connection.fetch("SELECT value FROM kept ORDER BY value")]


async def insert(server: embedded.EmbeddedServer, value: int) -> None:
    async with connected(server) as connection:
        await connection.execute("INSERT INTO kept VALUES ($1)", value)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_a_restart_keeps_the_data(data_dir: Path) -> None:
    async with running(data_dir) as first:
        await insert(first, 2)
    async with running(data_dir) as second:
        assert await kept(second) == [1, 2]


async def test_the_password_is_asked_for_and_never_shown(server: embedded.EmbeddedServer) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        async with connected(server, password="guess"):
            pass
    assert server.password not in repr(server)


async def test_the_connection_uri_reaches_the_same_server(server: embedded.EmbeddedServer) -> None:
    connection = await asyncpg.connect(server.dsn)
    value = await connection.fetchval("SELECT value FROM kept")
    await connection.close()
    assert value == 1


@pytest.fixture
def unfinished(tmp_path: Path) -> Path:
    """What a first start that was cut off has left, in a folder that others may read."""
    tmp_path.chmod(0o751)
    (tmp_path / "data").mkdir(mode=0o700)
    left = tmp_path / "data" / "pg.new"
    left.mkdir()
    (left / "half").touch()
    return left


async def test_a_first_start_makes_everything_private_and_leaves_the_folders_above_alone(
    unfinished: Path, tmp_path: Path
) -> None:
    async with running(tmp_path / "data") as server:
        files = [path for path in server.data_dir.iterdir() if path.is_file()]
        assert mode(tmp_path) == 0o751
        assert {mode(path) for path in (server.data_dir, server.data_dir / "pg", server.socket_dir)} == {0o700}
        assert {mode(path) for path in files} == {0o600}
        assert unfinished not in server.data_dir.iterdir()


async def test_commits_are_durable_and_nothing_listens_on_tcp(server: embedded.EmbeddedServer) -> None:
    names = ("fsync", "synchronous_commit", "full_page_writes", "listen_addresses", "server_encoding")
    async with connected(server) as connection:
        values = [await connection.fetchval("SELECT current_setting($1)", name) for name in names]
    assert values == ["on", "on", "on", "", "UTF8"]


async def test_a_long_path_puts_the_socket_into_a_private_folder_that_attach_finds(
    template: Path, tmp_path: Path
) -> None:
    data_dir = Path(shutil.copytree(template, tmp_path / ("long" * 30)))
    async with running(data_dir) as server:
        assert not server.socket_dir.is_relative_to(data_dir)
        assert mode(server.socket_dir) == 0o700
        assert await embedded.attach(data_dir) == server
        assert await kept(server) == [1]
    assert not server.socket_dir.exists()


def test_a_socket_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    cluster = tmp_path / ("long" * 30) / "pg"
    folder = socket_directory(cluster)
    try:
        folder.chmod(0o755)
        with pytest.raises(embedded.CannotStart, match="belongs to this user alone"):
            socket_directory(cluster)
    finally:
        folder.rmdir()


def test_a_second_lock_is_refused_with_the_directory_and_the_process(tmp_path: Path) -> None:
    with (
        embedded.DirectoryLock(tmp_path),
        pytest.raises(embedded.DirectoryBusy) as refusal,
        embedded.DirectoryLock(tmp_path),
    ):
        pass
    assert str(tmp_path.resolve()) in str(refusal.value)
    assert f"process {os.getpid()}" in str(refusal.value)


def test_a_lock_that_was_given_back_can_be_taken(tmp_path: Path) -> None:
    with embedded.DirectoryLock(tmp_path):
        pass
    with embedded.DirectoryLock(tmp_path):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


async def test_a_killed_postmaster_loses_no_commit(server: embedded.EmbeddedServer) -> None:
    await insert(server, 2)
    os.kill(server.pid, signal.SIGKILL)
    restarted = await embedded.start(server.data_dir)
    assert restarted.pid != server.pid
    assert await kept(restarted) == [1, 2]


async def test_a_start_ends_the_busy_session_of_a_killed_postmaster(server: embedded.EmbeddedServer) -> None:
    busy = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1 AND state = 'active')"
    async with connected(server) as endless, connected(server) as watching:
        statement = asyncio.create_task(endless.execute(_ENDLESS))
        while not await watching.fetchval(busy, endless.get_server_pid()):
            pass
        os.kill(server.pid, signal.SIGKILL)
        restarted = await embedded.start(server.data_dir)
        with pytest.raises((asyncpg.PostgresError, OSError)):
            await statement
    assert await kept(restarted) == [1]


async def test_supervise_brings_a_killed_server_back_for_the_same_arguments(server: embedded.EmbeddedServer) -> None:
    back: asyncio.Future[embedded.EmbeddedServer] = asyncio.get_running_loop().create_future()

    async def restarted(now: embedded.EmbeddedServer) -> None:
        back.set_result(now)

    keeper = asyncio.create_task(embedded.supervise(server, restarted))
    os.kill(server.pid, signal.SIGKILL)
    try:
        assert (await back).pid != server.pid
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
    assert await kept(server) == [1]


@pytest.fixture
def abandoned(data_dir: Path) -> int:
    """The pid of a server on the copy whose registry was killed."""
    command = [sys.executable, "-c", _SERVE, str(data_dir)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    return pid


async def test_the_server_of_a_killed_registry_is_replaced(data_dir: Path, abandoned: int) -> None:
    found = await embedded.attach(data_dir)
    with embedded.DirectoryLock(data_dir):
        async with running(data_dir) as server:
            assert found is not None
            assert found.pid == abandoned
            assert server.pid != abandoned
            assert await kept(server) == [1]


async def test_attach_finds_what_runs_and_nothing_else(data_dir: Path) -> None:
    before = await embedded.attach(data_dir)
    async with running(data_dir) as server:
        during = await embedded.attach(data_dir)
    assert (before, during, await embedded.attach(data_dir)) == (None, server, None)


async def test_attach_without_the_password_says_what_to_restore(server: embedded.EmbeddedServer) -> None:
    (server.data_dir / "pg.password").unlink()
    with pytest.raises(embedded.CannotStart, match=r"restore .*pg\.password"):
        await embedded.attach(server.data_dir)


async def test_a_server_is_stopped_once_and_stopping_again_is_harmless(data_dir: Path) -> None:
    async with running(data_dir) as server:
        await embedded.stop(server)
        assert await embedded.attach(data_dir) is None


async def test_a_reused_pid_is_neither_attached_to_nor_signalled(data_dir: Path) -> None:
    (data_dir / "pg" / "postmaster.pid").write_text(
        f"{os.getpid()}\n{data_dir}/pg\n0\n5432\n{data_dir}/pg\n\n\nready\n"
    )
    assert await embedded.attach(data_dir) is None
    async with running(data_dir) as server:
        assert await kept(server) == [1]


@pytest.mark.parametrize(("written", "advice"), [("17", "pg_upgrade"), ("99", "install PostgreSQL 99")])
async def test_another_major_version_is_refused_with_the_way_out(tmp_path: Path, written: str, advice: str) -> None:
    (tmp_path / "pg").mkdir()
    (tmp_path / "pg" / "PG_VERSION").write_text(f"{written}\n")
    with pytest.raises(embedded.WrongVersion, match=advice):
        await embedded.start(tmp_path)


async def test_a_folder_that_is_no_cluster_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "pg" / "mine"
    mine.parent.mkdir()
    mine.touch()
    with pytest.raises(embedded.CannotStart, match="move it away"):
        await embedded.start(tmp_path)
    assert mine.exists()


async def test_a_link_to_a_missing_disk_is_not_replaced_by_an_empty_database(tmp_path: Path) -> None:
    (tmp_path / "pg").symlink_to(tmp_path / "unmounted")
    with pytest.raises(embedded.CannotStart):
        await embedded.start(tmp_path)
    assert (tmp_path / "pg").is_symlink()


async def test_a_start_that_fails_shows_the_end_of_the_log(data_dir: Path) -> None:
    (data_dir / "pg" / "global" / "pg_control").unlink()
    with pytest.raises(embedded.CannotStart, match="pg_control"):
        await embedded.start(data_dir)
    assert await embedded.attach(data_dir) is None


async def test_a_log_that_has_grown_is_cut_at_the_start(data_dir: Path) -> None:
    log = data_dir / "pg.log"
    log.write_bytes(b"x" * (2 << 20))
    async with running(data_dir):
        assert log.stat().st_size < 1 << 20
