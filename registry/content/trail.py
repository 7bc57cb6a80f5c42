"""The audit rows of content, written in the transaction of the change."""

from typing import Any

from registry.audit.model import Event
from registry.audit.record import record
from registry.content import sql_repositories
from registry.content.terms import Terms


async def note(connection: Any, terms: Terms, repo: int, event: Event) -> None:
    """Write what was done in a repository; nothing where the terms name nobody."""
    if terms.by is None:
        return
    namespace = await sql_repositories.namespace(connection, repo)
    await record(connection, terms.by, Event(event.action, event.target, namespace, event.detail))
