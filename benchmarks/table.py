"""All rows, in the order in which they are measured: what fills a registry for good comes last."""

from typing import Final

from benchmarks import (
    rows_accounts,
    rows_growth,
    rows_installs,
    rows_life,
    rows_lists,
    rows_publishes,
    rows_pushes,
    rows_reads,
    rows_uploads,
)
from benchmarks.load import Absent
from benchmarks.rows import Row

ROWS: Final = (
    *rows_reads.ROWS,
    *rows_accounts.ROWS,
    *rows_uploads.ROWS,
    *rows_pushes.ROWS,
    *rows_lists.ROWS,
    *rows_installs.ROWS,
    *rows_publishes.ROWS,
    *rows_growth.ROWS,
    *rows_life.ROWS,
)


def chosen(names: str, *, quick: bool, closed: bool = False) -> tuple[Row, ...]:
    """The rows of these names, separated by commas; `name-*` takes all that begin so, nothing takes those of the run.

    A run with accounts has the rows that need them, any other run has all the others.

    Raises:
        Absent: there is no such row.
    """
    if not names:
        return tuple(row for row in ROWS if row.needs_accounts is closed and (row.quick or not quick))
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    for name in wanted:
        if not any(_fits(row, name) for row in ROWS):
            raise Absent(f"there is no row {name}: {', '.join(row.name for row in ROWS)}")
    return tuple(row for row in ROWS if any(_fits(row, name) for name in wanted))


def _fits(row: Row, name: str) -> bool:
    return row.name == name or (name.endswith("*") and row.name.startswith(name[:-1]))
