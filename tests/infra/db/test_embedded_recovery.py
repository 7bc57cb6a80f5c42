"""The embedded server when it is cut off, starved, squatted or run by somebody unusual: real data directories."""

import asyncio
import logging
import os
import pwd
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import registry
from registry.infra.db import embedded, postgres_processes
from registry.infra.db.embedded import CannotStart, DirectoryBusy, DirectoryLock, EmbeddedServer
from registry.infra.db.postgres_processes import postmaster_of, processes_of, until

TREE = Path(registry.__file__).parents[1]
START_AND_STOP = """
import asyncio, sys
from pathlib import Path
from registry.infra.db import embedded
async def main():
    server = await embedded.start(Path(sys.argv[1]))
    print(server.pid, flush=True)
    await embedded.stop(server)
asyncio.run(main())
"""
HOLD = """
import sys
from pathlib import Path
from registry.infra.db.embedded import DirectoryLock
with DirectoryLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name."""
    with tempfile.TemporaryDirectory(prefix="gati-") as folder:
        yield Path(folder)


@pytest.fixture
async def data_dir(short: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Path]:
    """A data directory that does not exist yet; nothing runs in it afterwards."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short))
    path = short / "data"
    yield path
    for cluster in (path / "pg", short / "one,two" / "pg"):
        for pid in processes_of(cluster):
            postgres_processes.send(pid, signal.SIGKILL)
    await until(lambda: None if processes_of(path / "pg") else True, 10)


async def asked(server: EmbeddedServer, statement: str) -> Any:
    connection = await asyncpg.connect(**server.connect_arguments())
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def python(script: str, *arguments: str, prefix: tuple[str, ...] = ()) -> Process:
    command = [*prefix, sys.executable, "-c", script, *arguments]
    return await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, cwd=TREE)


async def first_line(process: Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()


def said(pid: int, what: str) -> str:
    """A file of the process: its `environ` or `cmdline`."""
    return Path(f"/proc/{pid}/{what}").read_text()


def mode(path: Path) -> int:
    return path.lstat().st_mode & 0o777


def open_to_others(path: Path) -> list[Path]:
    return [found for found in (path, *path.rglob("*")) if mode(found) & 0o077]


@pytest.fixture
def open_data_dir(data_dir: Path) -> Iterator[Path]:
    """A data directory that was there, 0755, and a process that masks no mode."""
    data_dir.mkdir()
    data_dir.chmod(0o755)
    umask = os.umask(0)
    yield data_dir
    os.umask(umask)


async def test_nobody_else_can_read_what_is_made_and_what_was_there_keeps_its_mode(open_data_dir: Path) -> None:
    await embedded.start(open_data_dir)
    assert open_to_others(open_data_dir) == [open_data_dir]
    assert mode(open_data_dir) == 0o755


async def test_the_server_sees_neither_the_terminal_nor_our_secrets(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S3_SECRET", "do-not-tell")
    server = await embedded.start(data_dir)
    assert os.getsid(server.pid) != os.getsid(0)
    assert "do-not-tell" not in said(server.pid, "environ")
    assert server.password not in said(server.pid, "cmdline")


async def test_settings_come_from_the_release_and_not_from_the_cluster(data_dir: Path) -> None:
    server = await embedded.start(data_dir)
    await asked(server, "ALTER SYSTEM SET fsync = off")
    await asked(server, "ALTER SYSTEM SET listen_addresses = '*'")
    server = await embedded.start(data_dir)
    assert await asked(server, "SHOW fsync") == "on"
    assert await asked(server, "SHOW listen_addresses") == ""


async def test_text_sorts_by_bytes_and_letters_of_all_scripts_are_letters(data_dir: Path) -> None:
    server = await embedded.start(data_dir)
    await asked(server, "CREATE EXTENSION pg_trgm")
    assert await asked(server, "SELECT string_agg(x, '' ORDER BY x) FROM unnest('{b,A,a,é,B}'::text[]) x") == "ABabé"
    assert await asked(server, "SELECT cardinality(show_trgm('реестр'))") > 0


async def test_a_path_that_no_list_of_directories_can_hold_gets_a_private_run_directory(data_dir: Path) -> None:
    server = await embedded.start(data_dir.with_name("one,two"))
    assert server.socket_dir.parent == data_dir.parent
    assert mode(server.socket_dir) == 0o700
    assert await asked(server, "SELECT 1") == 1
    await embedded.stop(server)
    assert not server.socket_dir.exists()


async def test_a_directory_that_is_served_is_refused_by_name_and_pid_until_its_holder_is_killed(short: Path) -> None:
    holder = await python(HOLD, str(short))
    assert await first_line(holder) == "held"
    with pytest.raises(DirectoryBusy, match=rf"{short} is in use by process {holder.pid}\b"), DirectoryLock(short):
        pass
    holder.kill()
    await holder.wait()
    with DirectoryLock(short):
        assert (short / "lock").read_text() == f"{os.getpid()}\n"


def test_a_data_directory_that_is_a_file_is_refused_with_its_name(short: Path) -> None:
    (short / "file").touch()
    with pytest.raises(CannotStart, match="file cannot be used"), DirectoryLock(short / "file"):
        pass


@pytest.mark.parametrize("user", [pwd.getpwnam("nobody").pw_uid, 54321])
async def test_ordinary_users_with_and_without_an_account_start_and_stop_it(data_dir: Path, user: int) -> None:
    become = ("unshare", "--user", f"--map-user={user}", f"--map-group={user}")
    process = await python(START_AND_STOP, str(data_dir), prefix=become)
    pid = await first_line(process)
    assert await process.wait() == 0
    assert pid.isdecimal()
    assert processes_of(data_dir / "pg") == []


async def test_a_first_start_that_is_cut_off_does_not_hinder_the_next(data_dir: Path) -> None:
    cut = asyncio.create_task(embedded.start(data_dir))
    assert await until(lambda: (data_dir / "pg.new").exists() or None, 10)
    cut.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cut
    assert await asked(await embedded.start(data_dir), "SELECT 1") == 1
    assert not (data_dir / "pg.new").exists()


async def test_supervise_waits_for_a_database_that_has_disappeared_and_makes_no_empty_one(
    data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = await embedded.start(data_dir)
    await asked(server, "CREATE TABLE pushed ()")
    await embedded.stop(server)
    (data_dir / "pg").rename(data_dir / "away")
    restarted: asyncio.Queue[EmbeddedServer] = asyncio.Queue()
    with caplog.at_level(logging.WARNING):
        watch = asyncio.create_task(embedded.supervise(server, restarted.put))
        assert await until(lambda: "has disappeared" in caplog.text or None, 10)
    assert not (data_dir / "pg").exists()
    (data_dir / "away").rename(data_dir / "pg")
    assert await asked(await restarted.get(), "SELECT count(*) FROM pushed") == 0
    watch.cancel()


async def test_a_server_that_does_not_listen_is_ended_the_hard_way_with_a_warning_and_recovers(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(postgres_processes, "_KILL_SECONDS", 0.5)
    server = await embedded.start(data_dir)
    await asked(server, "CREATE TABLE pushed ()")
    os.kill(server.pid, signal.SIGSTOP)
    await embedded.stop(server, patience=0.05)
    assert "did not end 0.05 s after SIGINT" in caplog.text
    assert postmaster_of(data_dir / "pg") is None
    assert await asked(await embedded.start(data_dir), "SELECT count(*) FROM pushed") == 0


async def test_a_cluster_of_another_user_is_refused(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await embedded.stop(await embedded.start(data_dir))
    monkeypatch.setattr(os, "geteuid", lambda: pwd.getpwnam("nobody").pw_uid)
    with pytest.raises(CannotStart, match="start the registry as its owner"):
        await embedded.start(data_dir)


async def test_without_its_password_no_server_is_left_running(data_dir: Path) -> None:
    await embedded.stop(await embedded.start(data_dir))
    (data_dir / "pg.password").unlink()
    with pytest.raises(CannotStart, match=r"restore .*pg\.password"):
        await embedded.start(data_dir)
    assert processes_of(data_dir / "pg") == []
