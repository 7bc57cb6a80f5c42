"""`gati-registry audit`, as an operator runs it."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from click.testing import CliRunner, Result

from registry.__main__ import main
from registry.audit.model import By, Event
from registry.audit.record import record
from registry.audit.sealing import seal
from registry.infra.db.pool import connect_arguments, open_database


@pytest.fixture
def audit(database_url: str, tmp_path: Path) -> Any:
    """Runs a command on a log of three sealed rows."""

    async def fill() -> None:
        db = await open_database(connect_arguments(database_url), 1, 2)
        async with db.transaction() as connection:
            await connection.execute("TRUNCATE audit_events, audit_seals RESTART IDENTITY")
            for target in "abc":
                await record(connection, By(7, "alice"), Event("x", target, 3))
        await seal(db)
        await db.close()

    def run(*arguments: str) -> Result:
        environ = {"DATABASE_URL": database_url, "GATI_DATA_DIR": str(tmp_path / "data"), "PATH": os.environ["PATH"]}
        return CliRunner().invoke(main, ["audit", *arguments], env=environ)

    asyncio.run(fill())
    return run


def break_log(database_url: str) -> None:
    async def change() -> None:
        connection = await asyncpg.connect(database_url)
        await connection.execute("SET session_replication_role = replica")
        await connection.execute("UPDATE audit_events SET target = 'z' WHERE number = 2")
        await connection.close()

    asyncio.run(change())


def test_a_whole_log_is_said_to_be_whole(audit: Any) -> None:
    done = audit("verify")
    assert done.exit_code == 0, done.output
    assert done.output.endswith("The audit log is whole.\n")
    head = done.output.split("Head: ")[1].split()[0]
    assert audit("verify", "--head", head.upper()).exit_code == 0
    assert audit("verify", "--head", "0" * 63 + "1").exit_code == 1
    assert audit("verify", "--head", "latest").exit_code == 2


def test_a_broken_log_ends_the_command_with_1_and_says_where(audit: Any, database_url: str) -> None:
    break_log(database_url)
    done = audit("verify")
    assert done.exit_code == 1
    assert "Row 2 is not the one that was sealed" in done.output
    told = json.loads(audit("verify", "--json").stdout)
    assert told["problem"]["number"] == 2


def test_an_export_is_one_object_a_line(audit: Any) -> None:
    done = audit("export", "--after", "1", "--actor", "alice", "--since", "2020-01-01")
    assert done.exit_code == 0, done.output
    assert [json.loads(line)["target"] for line in done.stdout.splitlines()] == ["b", "c"]
    assert audit("export", "--namespace-id", "4").stdout == ""


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["export", "--since", "yesterday"], 2, "a time is as"),
        (["export", "--namespace", "nowhere"], 1, "There is no namespace nowhere"),
    ],
)
def test_what_cannot_be_exported_is_refused_with_a_reason(
    audit: Any, arguments: list[str], status: int, sentence: str
) -> None:
    done = audit(*arguments)
    assert (done.exit_code, sentence in done.output) == (status, True), done.output
