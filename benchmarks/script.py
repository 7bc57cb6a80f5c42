"""Requests as hload.c sends them: jobs of requests, written to a file."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.content import MANIFEST, Blob, digest

PLACE_AND = "\x01"
"""In a target: the last Location, with `?` or `&` behind it."""
PLACE = "\x02"
"""In a target: the last Location."""
TOKEN = "\x03"  # noqa: S105 - a mark
"""In a header: the token of the last answer that had one."""
BYTES = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Request:
    """One request and the status that it must get; an `expect` below 10 stands for a class.

    Its body is `body`, then `length` bytes of the body file from `offset` on.
    """

    method: str
    target: str
    expect: int = 2
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    offset: int = 0
    length: int = 0
    keeps_token: bool = False

    def encode(self, host: str, authorization: str) -> bytes:
        """The bytes to send, without those of the body file."""
        fields = [("Host", host), *self.headers]
        if authorization and not any(name == "Authorization" for name, _ in self.headers):
            fields.append(("Authorization", authorization))
        if self.method in {"POST", "PUT", "PATCH"}:
            fields.append(("Content-Length", str(len(self.body) + self.length)))
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
        return f"{self.method} {self.target} HTTP/1.1\r\n{lines}\r\n".encode() + self.body


@dataclass(frozen=True, slots=True)
class Job:
    """Requests that one connection sends in order; latencies are told apart by `group` (0 to 3)."""

    requests: tuple[Request, ...]
    group: int = 0


def job(*requests: Request, group: int = 0) -> Job:
    """A job of these requests."""
    return Job(requests, group)


def authorized(one: Job, authorization: str) -> Job:
    """The job with this Authorization in each of its requests."""
    shown = (("Authorization", authorization),) if authorization else ()
    return replace(one, requests=tuple(replace(it, headers=(*it.headers, *shown)) for it in one.requests))


def write(path: Path, jobs: Iterable[Job], host: str, authorization: str = "") -> None:
    """Write the script that hload.c reads."""
    with path.open("wb") as out:
        for one in jobs:
            out.write(b"J %d\n" % one.group)
            for request in one.requests:
                raw = request.encode(host, authorization)
                head = (request.expect, request.keeps_token, request.offset, request.length, len(raw))
                out.write(b"R %d %d %d %d %d\n%b\n" % (*head, raw))


def get(target: str, expect: int = 200, *headers: tuple[str, str]) -> Request:
    """A GET that takes anything."""
    return Request("GET", target, expect, (("Accept", f"{MANIFEST}, */*"), *headers))


def head(target: str, expect: int = 200) -> Request:
    """A HEAD that takes anything."""
    return Request("HEAD", target, expect, (("Accept", f"{MANIFEST}, */*"),))


def delete(target: str) -> Request:
    """A DELETE that is carried out."""
    return Request("DELETE", target, 202)


def put_manifest(repository: str, reference: str, content: bytes) -> Request:
    """A push of a manifest."""
    return Request("PUT", f"/v2/{repository}/manifests/{reference}", 201, (("Content-Type", MANIFEST),), content)


def _begin(repository: str) -> Request:
    return Request("POST", f"/v2/{repository}/blobs/uploads/", 202)


def put_small_blob(repository: str, content: bytes) -> tuple[Request, ...]:
    """An upload whose bytes stand in the script."""
    target = f"{PLACE_AND}digest={digest(content)}"
    return _begin(repository), Request("PUT", target, 201, (("Content-Type", BYTES),), content)


def put_blob(repository: str, blob: Blob) -> tuple[Request, ...]:
    """A monolithic upload: POST, then PUT."""
    target = f"{PLACE_AND}digest={blob.digest}"
    put = Request("PUT", target, 201, (("Content-Type", BYTES),), blob.own, 0, blob.size - len(blob.own))
    return _begin(repository), put


def put_blob_in_chunks(repository: str, blob: Blob, chunk: int) -> tuple[Request, ...]:
    """A chunked upload: POST, PATCH after PATCH, then an empty PUT."""
    parts = [_patch(blob, at, min(at + chunk, blob.size)) for at in range(0, blob.size, chunk)]
    return _begin(repository), *parts, Request("PUT", f"{PLACE_AND}digest={blob.digest}", 201)


def _patch(blob: Blob, start: int, stop: int) -> Request:
    own = blob.own[start:stop]
    offset = max(0, start - len(blob.own))
    headers = (("Content-Type", BYTES), ("Content-Range", f"{start}-{stop - 1}"))
    return Request("PATCH", PLACE, 202, headers, own, offset, stop - start - len(own))


def mount(repository: str, source: str, named: str) -> Request:
    """A mount that succeeds."""
    return Request("POST", f"/v2/{repository}/blobs/uploads/?mount={named}&from={source}", 201)


def numbered(jobs: Sequence[Request]) -> list[Job]:
    """A job for each request."""
    return [job(request) for request in jobs]
