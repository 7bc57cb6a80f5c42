"""Recomputes the chain of seals from the rows, and finds the first row or seal that does not fit."""

from dataclasses import dataclass

from registry.audit import sql
from registry.audit.sealing import BATCH, ORIGIN, SIZE, leaf, root, seal_hash
from registry.audit.sql import Seal
from registry.infra.db.pool import Database


@dataclass(frozen=True, slots=True)
class Problem:
    """The first number that does not fit, and why, as a sentence."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What holds: `rows` in `seals` up to the seal `head` (hexadecimal), `unsealed` rows wait; then comes `problem`."""

    rows: int
    seals: int
    unsealed: int
    head: str
    problem: Problem | None


async def verify(db: Database, noted: str | None = None) -> Verdict:
    """Recompute everything, a seal at a time, also while the registry runs.

    `noted` is a head that was kept elsewhere: without one, an end that was cut off, or a chain that was made anew from
    some row on, cannot be seen.
    """
    last, seals, head, seen = 0, 0, ORIGIN, noted in {None, ORIGIN.hex()}
    problem = None
    while problem is None:
        async with db.connection() as connection:
            seal = await sql.seal_after(connection, last, BATCH)
        if seal is None:
            break
        problem = await _check(db, seal, last, head)
        if problem is None:
            last, seals, head = seal.last, seals + 1, seal.hash
            seen = seen or head.hex() == noted
    async with db.connection() as connection:
        stray = await sql.uncovered(connection)
        unsealed = await sql.count_unsealed(connection)
    if problem is None and stray is not None:
        problem = Problem(min(stray, last + 1), f"Row {stray} has a number, but no seal covers it.")
    if problem is None and not seen:
        problem = Problem(
            last + 1, f"No seal has the hash {noted}: the log was cut off, or made anew, before that seal."
        )
    return Verdict(last, seals, unsealed, head.hex(), problem)


async def _check(db: Database, seal: Seal, last: int, head: bytes) -> Problem | None:
    """What is wrong with a seal that follows the one of the row `last`."""
    first, expected = last + 1, f"The seal of the rows {last + 1} to {seal.last}"
    if seal.first != first:
        return Problem(first, f"{expected} is missing or changed: the next one begins with {seal.first}.")
    count = seal.last - last
    if count > BATCH or seal.leaves is None or len(seal.leaves) != count * SIZE:
        return Problem(first, f"{expected} was changed: it has not one hash for each row.")
    leaves = [seal.leaves[at : at + SIZE] for at in range(0, count * SIZE, SIZE)]
    if seal.root != root(leaves) or seal.hash != seal_hash(head, seal):
        return Problem(first, f"{expected} was changed: its hash is not that of what it holds and of the seal before.")
    return await _compare(db, seal, leaves)


async def _compare(db: Database, seal: Seal, leaves: list[bytes]) -> Problem | None:
    """The first row that is not the one that was sealed."""
    async with db.connection() as connection:
        rows = await sql.sealed(connection, seal.first, seal.last)
    found = {row[0]: row for row in rows}
    for number, expected in enumerate(leaves, seal.first):
        row = found.get(str(number))
        if row is None:
            return Problem(number, f"Row {number} is missing.")
        if leaf(row) != expected:
            return Problem(number, f"Row {number} is not the one that was sealed: it was changed or replaced.")
    return None
