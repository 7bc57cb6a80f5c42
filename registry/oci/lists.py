"""Lists on the wire: tags (end-8), referrers (end-12), the catalog, and the version check (end-1)."""

import re
from typing import Final

from registry.content import manifests
from registry.content.sql_manifests import Place
from registry.core.digest import parse_digest
from registry.core.errors import PageInvalid
from registry.core.media_types import OCI_INDEX
from registry.infra.http.answers import Answer
from registry.namespaces import catalog
from registry.oci.door import Call, next_link, page, reply

_REFERRERS: Final = 1000
_PAGE_BYTES: Final = int(3.9 * 1024 * 1024)
_POSITION: Final = re.compile(r"(\d{1,18})-(sha(?:256|512):[0-9a-f]{64,128})")
_JSON: Final = "application/json"


async def version(_: Call) -> Answer:
    """GET /v2/ (end-1): this is an OCI registry, and the caller may use it."""
    return reply(200, body=b"{}", media_type=_JSON, is_lasting=True)


async def tags(call: Call) -> Answer:
    """GET tags/list (end-8a, end-8b)."""
    asked = page(call.request)
    found = await manifests.list_tags(call.shelf, call.name, asked.last, asked.limit, call.reader)
    headers = {}
    if found.more and found.last is not None:
        headers = next_link(f"/v2/{call.asked}/tags/list", {"n": str(asked.limit), "last": found.last})
    body = f'{{"name":"{call.asked}","tags":[{found.items or ""}]}}'
    return reply(200, headers, body.encode(), _JSON, is_lasting=found.is_for_all)


async def repositories(call: Call) -> Answer:
    """GET _catalog: names of the repositories that the caller may see."""
    asked = page(call.request)
    visible = None if call.is_open else await catalog.visible(call.shelf.db, call.admission.caller)
    found = await catalog.list_names(call.shelf.db, asked.last, asked.limit, visible)
    headers = {}
    if found.more and found.last is not None:
        headers = next_link("/v2/_catalog", {"n": str(asked.limit), "last": found.last})
    return reply(200, headers, f'{{"repositories":[{found.items or ""}]}}'.encode(), _JSON, is_lasting=call.is_open)


async def referrers(call: Call) -> Answer:
    """GET referrers (end-12a, end-12b): an image index of what names this subject, newest first."""
    subject = parse_digest(call.reference)
    kind = call.request.query_params.get("artifactType", "").replace("\0", "\ufffd") or None
    place = Place(_after(call), min(page(call.request).limit, _REFERRERS), _PAGE_BYTES, call.is_writer)
    found = await manifests.list_referrers(call.shelf, call.name, subject, kind, place)
    headers = {"OCI-Filters-Applied": "artifactType"} if kind else {}
    if found.more and found.last is not None:
        query = {"last": found.last} | ({"artifactType": kind} if kind else {})
        query |= {"n": call.request.query_params["n"]} if "n" in call.request.query_params else {}
        headers |= next_link(f"/v2/{call.asked}/referrers/{subject}", query)
    index = f'{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":[{found.items or ""}]}}'
    return reply(200, headers, index.encode(), OCI_INDEX, is_lasting=found.is_for_all)


def _after(call: Call) -> tuple[int, str] | None:
    text = call.request.query_params.get("last")
    if not text:
        return None
    match = _POSITION.fullmatch(text)
    if match is None:
        raise PageInvalid("last is the value that the Link of the page before gave.")
    return int(match.group(1)), match.group(2)
