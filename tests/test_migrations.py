import asyncio
import os
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from registry.infra.db import migrate as migrations
from tests.schema import SCHEMA, dump


@pytest.fixture
async def empty(worker_id: str) -> Any:
    """A database without a schema."""
    name = f"{worker_id}_empty"
    admin = await asyncpg.connect(os.environ["GATI_TEST_DSN"])
    await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    await admin.execute(f"CREATE DATABASE {name}")
    yield os.environ["GATI_TEST_DSN"].replace("@/postgres?", f"@/{name}?")
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


async def test_migrations_are_applied_once_also_by_several_at_a_time(empty: str) -> None:
    connections = [await asyncpg.connect(empty) for _ in range(3)]
    names = [path.stem for path in migrations.available()]
    assert await migrations.pending(connections[0]) == names
    applied = await asyncio.gather(*(migrations.migrate(connection) for connection in connections))
    assert sorted(applied, key=len) == [[], [], names]
    assert await migrations.pending(connections[0]) == []
    for connection in connections:
        await connection.close()


async def test_a_migration_that_fails_leaves_nothing(
    empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "0001_first.sql").write_text("CREATE TABLE first (id int)")
    (tmp_path / "0002_second.sql").write_text("CREATE TABLE second (id int); SELECT 1/0")
    monkeypatch.setattr(migrations, "available", lambda: sorted(tmp_path.glob("*.sql")))
    connection = await asyncpg.connect(empty)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrations.migrate(connection)
    assert await migrations.pending(connection) == ["0002_second"]
    assert await connection.fetchval("SELECT to_regclass('second')") is None
    await connection.close()


async def test_the_schema_file_is_what_all_migrations_make(empty: str) -> None:
    connection = await asyncpg.connect(empty)
    await migrations.migrate(connection)
    await connection.close()
    assert await asyncio.to_thread(dump, empty) == SCHEMA.read_text(), "run `make schema`"


def test_the_schema_file_is_no_migration() -> None:
    assert SCHEMA.parent == migrations.available()[0].parent
    assert SCHEMA not in migrations.available()
