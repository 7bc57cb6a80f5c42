"""The table of /v1."""

from registry.web import (
    accounts,
    artifacts,
    audit,
    invitations,
    keys,
    me,
    members,
    namespaces,
    operator,
    policies,
    repositories,
    robots,
    search,
    sessions,
    teams,
)
from registry.web.openapi import with_document
from registry.web.rest import Row
from registry.web.site import Site


def rows(site: Site) -> tuple[Row, ...]:
    """Every endpoint of /v1, and the document of them all."""
    with_site = (accounts, sessions, me, operator, namespaces, policies, repositories)
    alone = (keys, members, invitations, teams, robots, audit, artifacts, search)
    found = [row for part in with_site for row in part.rows(site)]
    return with_document((*found, *(row for part in alone for row in part.ROWS)))
