"""Manifests on the wire: end-3, end-7 and end-9."""

from typing import Final

from registry.admission import pull, retire
from registry.admission.push import Pushed, Receipt, push
from registry.admission.releasing import EVERYBODY, Publisher
from registry.content.model import MANIFEST_LIMIT
from registry.content.visibility import LIVE
from registry.core.digest import Digest
from registry.core.errors import BadRequest, TooLarge, TooManyTags
from registry.core.names import check_tag
from registry.infra.http.answers import Answer
from registry.infra.http.body import read_all
from registry.infra.http.warning import warning
from registry.oci.door import Call, manifest_reference, reply

_TAGS: Final = 100


async def read(call: Call) -> Answer:
    """GET and HEAD (end-3): the stored bytes, whatever Accept says."""
    stored = await pull.manifest(call.shelf, call.name, manifest_reference(call.reference), call.reader)
    headers = {"Docker-Content-Digest": stored.digest, "ETag": f'"{stored.digest}"'}
    if stored.notice is not None:
        headers["Warning"] = warning(stored.notice)
    if matches(call.request.headers.get("if-none-match"), stored.digest):
        return reply(304, headers)
    lasting = stored.state == LIVE and not stored.watched
    return reply(200, headers, stored.bytes, stored.type, is_lasting=lasting)


def matches(condition: str | None, digest: str) -> bool:
    """Whether If-None-Match names this digest (RFC 9110, section 13.1.2)."""
    if condition is None:
        return False
    return condition.strip() == "*" or digest in {
        tag.strip().removeprefix("W/").strip('"') for tag in condition.split(",")
    }


async def write(call: Call) -> Answer:
    """PUT (end-7a, end-7b): 201 once everything is committed."""
    reference = manifest_reference(call.reference)
    tags = tuple(dict.fromkeys(check_tag(tag) for tag in call.request.query_params.getlist("tag")))
    if tags and not isinstance(reference, Digest):
        raise BadRequest("?tag= goes with a PUT by digest.")
    if len(tags) > _TAGS:
        raise TooManyTags(f"One request sets at most {_TAGS} tags.")
    length = call.request.headers.get("content-length", "")
    if length.isdigit() and int(length) > MANIFEST_LIMIT:
        raise TooLarge(f"A manifest has at most {MANIFEST_LIMIT} bytes.")
    raw = await read_all(call.receive, MANIFEST_LIMIT, call.body_timeout)
    content_type = call.request.headers.get("content-type")
    pushed = Pushed(raw, content_type, reference, tags)
    return _created(call.asked, await push(call.shelf, call.name, pushed, call.terms, _publisher(call)))


def _publisher(call: Call) -> Publisher:
    """The caller as one who publishes; in an open registry everything is for everybody, and nothing is counted."""
    if call.is_open:
        return EVERYBODY
    caller, scope = call.admission.caller, call.request.scope

    async def may_pull(name: str) -> bool:
        return await call.gate.may_pull(caller, name)

    async def charge() -> None:
        await call.gate.charge_upload(scope, caller)

    return Publisher(may_pull, charge)


def _created(name: str, receipt: Receipt) -> Answer:
    headers = {"Location": f"/v2/{name}/manifests/{receipt.digest}", "Docker-Content-Digest": str(receipt.digest)}
    if receipt.subject is not None:
        headers["OCI-Subject"] = receipt.subject
    if receipt.missing:
        headers["Warning"] = f'299 - "{receipt.missing} referenced blobs are not here"'
    answer = reply(201, headers)
    answer.headers.extend((b"oci-tag", tag.encode()) for tag in receipt.tags)
    return answer


async def delete(call: Call) -> Answer:
    """DELETE (end-9): of a tag, or of a manifest with its tags."""
    await retire.manifest(call.shelf, call.name, manifest_reference(call.reference), call.terms)
    return reply(202)
