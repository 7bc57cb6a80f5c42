"""What goes wrong between two steps, and time that passes at once."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from registry.content import jobs

Action = Callable[..., Awaitable[Any]]


async def everything_falls_due(shelf: Any) -> None:
    """All reviews, sessions and doomed objects are due, everything was pushed and pulled long ago; then a sweep."""
    async with shelf.db.connection() as connection:
        await connection.execute("UPDATE review SET due = clock_timestamp()")
        await connection.execute("UPDATE uploads SET expires_at = clock_timestamp()")
        await connection.execute("UPDATE doomed SET due = clock_timestamp()")
        await connection.execute(
            "UPDATE manifests SET pushed_at = pushed_at - interval '2 days' WHERE pushed_at > 'epoch'"
        )
    await jobs.sweep(shelf, timedelta())


async def all_time_passes(shelf: Any) -> None:
    """Long enough for what hangs on what hangs on garbage."""
    for _ in range(4):
        await everything_falls_due(shelf)


def before(action: Action, first: Callable[[], Awaitable[Any]]) -> Action:
    """`action`, with something else happening right before it, once."""
    left = [first]

    async def call(*arguments: Any, **named: Any) -> Any:
        if left:
            await left.pop()()
        return await action(*arguments, **named)

    return call


def lost_before(action: Action) -> Action:
    """`action`, whose connection breaks before it does anything, once."""

    async def lose() -> None:
        raise ConnectionResetError

    return before(action, lose)


def lost_after(action: Action) -> Action:
    """`action`, whose connection breaks before the answer comes back, once."""
    left = [True]

    async def call(*arguments: Any, **named: Any) -> Any:
        answer = await action(*arguments, **named)
        if left:
            left.clear()
            raise ConnectionResetError
        return answer

    return call
