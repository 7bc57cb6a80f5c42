"""…/audit: what was done in a namespace, and by whom."""

from typing import Final

import msgspec

from registry.audit import export
from registry.audit.export import Filter
from registry.namespaces.access import Right
from registry.web.bodies import Listing
from registry.web.operator import AuditQuery, AuditRow
from registry.web.paging import paged, start
from registry.web.places import home
from registry.web.rest import Call, Reply, Row


async def audit(call: Call) -> Reply:
    """Read sealed rows of the audit log of a namespace, by number; what was done is there within a second."""
    query: AuditQuery = call.query
    wanted = Filter(home(call), query.actor, query.action, query.since, query.until, start(query))
    found = await export.page(call.realm.db, wanted, query.limit + 1)
    return paged(found, query, lambda line: line.number, lambda line: msgspec.Raw(line.text.encode()))


ROWS: Final = (
    Row(
        "GET",
        "/v1/namespaces/{ns}/audit",
        audit,
        Right.MANAGE,
        "Read the audit log of a namespace",
        query=AuditQuery,
        answer=Listing[AuditRow],
    ),
)
