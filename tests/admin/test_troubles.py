"""What an operator meets when a machine is not well: sentences and findings, never a traceback."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import httpx
import pytest

from registry.content import sql_fsck
from registry.infra.storage.directory import DirectoryStore
from tests.admin.conftest import ROOT, SECONDS, Ended, Serve, command, environment

HELLO = (b"hello", "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")
WORLD = (b"world", "sha256:486ea46224d1bb4fb680f34f7c9ad96a8f24ec88be73ea8e5a6c65260e9cb8a7")
ROLE = "gati_test_without_rights"


async def make_role(url: str) -> str:
    """The URL of the same database for a role that may only connect."""
    admin = await asyncpg.connect(url)
    if not await admin.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", ROLE):
        await admin.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD 'word'")
    await admin.execute("DROP DATABASE IF EXISTS without_rights WITH (FORCE)")
    await admin.execute("CREATE DATABASE without_rights")
    await admin.close()
    _, _, tail = url.partition("@/")
    return f"postgresql://{ROLE}:word@/without_rights?{tail.partition('?')[2]}"


@pytest.mark.xdist_group("without_rights")
def test_a_role_that_may_not_make_tables_is_a_sentence(database_url: str) -> None:
    ended = command(["migrate"], {"DATABASE_URL": asyncio.run(make_role(database_url))})
    assert ended.status == 1
    assert ended.err == "gati-registry: The database refuses: permission denied for schema public.\n"


def test_fsck_goes_on_past_bytes_that_cannot_be_read(serve: Serve, tmp_path: Path) -> None:
    served = serve()
    for content, digest in (HELLO, WORLD):
        pushed = httpx.post(f"{served.url}/v2/demo/blobs/uploads/", params={"digest": digest}, content=content)
        assert pushed.status_code == 201
    for path in sorted((tmp_path / "data" / "storage" / "blobs").rglob("*-*")):
        path.unlink()
        if HELLO[1].partition(":")[2] in path.name:
            path.symlink_to(path)
    ended = command(["fsck", "--rehash"], {"GATI_DATA_DIR": str(tmp_path / "data")})
    assert ended.status == 1
    assert f"unreadable: blob whose bytes cannot be read: {HELLO[1]}: Too many levels of symbolic links" in ended.out
    assert f"missing: blob without bytes: {WORLD[1]}" in ended.out


def test_a_listing_of_objects_passes_over_those_that_go_meanwhile(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path, 0)
    store.prepare()
    for number in range(3):
        (tmp_path / "uploads" / f"0000000{number}-0000-4000-8000-000000000000").write_bytes(b"x")
    objects = store.keys()
    first = next(objects)
    for path in (tmp_path / "uploads").iterdir():
        path.unlink()
    assert first[1] == 1
    assert list(objects) == []


async def test_comparing_is_not_bound_by_the_time_of_a_request(database_url: str) -> None:
    bound = await asyncpg.connect(database_url, command_timeout=1e-9)
    with pytest.raises(TimeoutError):
        await bound.fetch("SELECT pg_sleep(1)")
    bound.terminate()
    connection = await asyncpg.connect(database_url, command_timeout=1e-9)
    try:
        assert isinstance(await sql_fsck.absent(connection), list)
        assert isinstance(await sql_fsck.blobs(connection), dict)
        assert isinstance(await sql_fsck.doomed(connection), set)
        assert isinstance(await sql_fsck.uploads(connection), list)
    finally:
        connection.terminate()


def as_ordinary_root(arguments: list[str], settings: dict[str, str]) -> Ended:
    """Run `gati-registry` without the right of root to read everything."""
    rights = "-dac_override,-dac_read_search"
    done = subprocess.run(
        ["setpriv", "--bounding-set", rights, "--inh-caps", rights, sys.executable, "-m", "registry", *arguments],
        cwd=ROOT,
        env=environment(settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_doctor_says_that_a_directory_of_somebody_else_cannot_be_used(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o700)
    os.chown(theirs, 12345, 12345)
    ended = as_ordinary_root(["doctor"], {"GATI_DATA_DIR": str(theirs / "data"), "PORT": "0"})
    assert ended.status == 1
    assert f"FAIL data directory: {theirs} cannot be written" in ended.out
    assert "Traceback" not in ended.err
