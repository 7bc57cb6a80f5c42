"""The schema that all migrations make, as text: `make schema` writes it, a test holds it."""

import asyncio
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import asyncpg

from registry.infra.db import embedded, postgres_binaries
from registry.infra.db.migrate import migrate

SCHEMA: Final = Path(__file__).parents[1] / "migrations" / "schema.sql"
_HEADING: Final = "-- What all migrations make together, to be read: `make schema` writes it, nothing applies it.\n\n"
_OPTIONS: Final = ("--schema-only", "--no-owner", "--no-privileges", "--restrict-key=none")
# A heading before each thing, which names it once more, and two settings among the tables.
_NOISE: Final = re.compile(
    r"^(?:--\n-- (?:Name: |PostgreSQL database dump complete).*\n--\n|SET default_\w+ = .*;\n|\\unrestrict none\n)",
    re.MULTILINE,
)


def dump(dsn: str) -> str:
    """The schema of a database, the same for every minor version of PostgreSQL."""
    program = postgres_binaries.find_binaries().directory / "pg_dump"
    command = [str(program), *_OPTIONS, f"--dbname={dsn}"]
    done = subprocess.run(command, env=postgres_binaries.environment(), capture_output=True, text=True, check=True)
    preamble, first, rest = done.stdout.partition("--\n-- Name: ")
    assert "PostgreSQL database dump" in preamble
    return _HEADING + re.sub(r"\n{3,}", "\n\n", _NOISE.sub("", first + rest)).strip() + "\n"


async def fresh(folder: Path) -> str:
    """The dump of a new database after all migrations."""
    server = await embedded.start(folder)
    try:
        connection = await asyncpg.connect(server.dsn)
        await migrate(connection)
        await connection.close()
        return await asyncio.to_thread(dump, server.dsn)
    finally:
        await embedded.stop(server)


def main() -> None:
    """Write the file."""
    with tempfile.TemporaryDirectory(prefix="gati-") as folder:
        SCHEMA.write_text(asyncio.run(fresh(Path(folder))))
    sys.stdout.write(f"{SCHEMA.name} is written.\n")


if __name__ == "__main__":
    main()
