"""Statements on audit rows and seals. Each takes a connection."""

from typing import Any

from registry.audit.model import By, Event


async def insert(connection: Any, by: By, event: Event, detail: str) -> None:
    """One thing that was done, with `detail` as JSON."""
    await connection.execute(
        "INSERT INTO audit_events "
        "(actor, actor_name, credential, address, request_id, action, target, namespace, detail) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb)",
        by.account,
        by.name,
        by.credential,
        by.address,
        by.request_id,
        event.action,
        event.target,
        event.namespace,
        detail,
    )
