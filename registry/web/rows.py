"""The table of /v1."""

from registry.web import accounts, keys, me, operator, sessions
from registry.web.openapi import with_document
from registry.web.rest import Row
from registry.web.site import Site


def rows(site: Site) -> tuple[Row, ...]:
    """Every endpoint of /v1, and the document of them all."""
    return with_document((*accounts.rows(site), *sessions.rows(site), *me.rows(site), *keys.ROWS, *operator.rows(site)))
