"""Migrations: numbered SQL files, each applied once, in order, in its own transaction."""

from pathlib import Path
from typing import Any, Final

_LOCK: Final = 7_205_759_403
_PACKAGED: Final = Path(__file__).parents[2] / "migrations"
_CHECKOUT: Final = Path(__file__).parents[3] / "migrations"


def available() -> list[Path]:
    """The migration files of this version, in order."""
    folder = _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT
    return sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql"))


async def pending(connection: Any) -> list[str]:
    """Names of the migrations that this database does not have."""
    if await connection.fetchval("SELECT to_regclass('migrations')") is None:
        return [path.stem for path in available()]
    applied = {row["name"] for row in await connection.fetch("SELECT name FROM migrations")}
    return [path.stem for path in available() if path.stem not in applied]


async def migrate(connection: Any) -> list[str]:
    """Apply what is pending and answer its names; one process at a time, the others wait."""
    await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
    try:
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY, applied_at timestamptz DEFAULT now())"
        )
        names = await pending(connection)
        for path in available():
            if path.stem in names:
                async with connection.transaction():
                    await connection.execute("SET LOCAL lock_timeout = '10s'")
                    await connection.execute(path.read_text())
                    await connection.execute("INSERT INTO migrations (name) VALUES ($1)", path.stem)
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)
    return names
