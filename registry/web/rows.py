"""The table of /v1."""

from registry.web import (
    accounts,
    artifact_changes,
    artifact_download,
    artifact_parts,
    artifact_upload,
    artifacts,
    audit,
    deployments,
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
    snapshots,
    teams,
)
from registry.web.openapi import with_document
from registry.web.rest import Row
from registry.web.site import Site


def rows(site: Site) -> tuple[Row, ...]:
    """Every endpoint of /v1, and the document of them all."""
    with_site = (
        accounts,
        sessions,
        me,
        operator,
        namespaces,
        policies,
        repositories,
        artifact_changes,
        artifact_parts,
        artifact_download,
        artifact_upload,
        snapshots,
    )
    alone = (keys, members, invitations, teams, robots, audit, artifacts, search, deployments)
    found = [row for part in with_site for row in part.rows(site)]
    return with_document((*found, *(row for part in alone for row in part.ROWS)))
