"""What `gati` asks of a registry by the OCI Distribution specification. Safe for threads."""

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Final, Self
from urllib.parse import quote

import httpx

from registry.cli import places
from registry.cli.addresses import Address
from registry.cli.api import Credential
from registry.cli.downloading import DAMAGED, Download, Target
from registry.cli.open_uploads import OpenUploads
from registry.cli.output import Output
from registry.cli.problems import Missing, Problem, Tampered
from registry.cli.uploading import Blob, Upload
from registry.cli.wire import LIST_LIMIT, Ask, Reply, Wire, warnings_of
from registry.core.digest import digest_of, parse_digest
from registry.core.errors import DigestInvalid
from registry.core.media_types import MANIFESTS

MANIFEST_LIMIT: Final = 4 << 20
_PAGES: Final = 10_000
_NEXT: Final = re.compile(r'<([^>]{1,4096})>\s*;\s*rel="?next"?')
_PUSH: Final = "pull,push"


@dataclass(frozen=True, slots=True)
class Fetched:
    """A manifest, byte for byte, and the warnings that the registry gave with it."""

    raw: bytes
    media_type: str
    digest: str
    warnings: tuple[str, ...] = ()

    @property
    def document(self) -> dict[str, Any]:
        """What it says.

        Raises:
            Problem: it is no JSON object.
        """
        return _json(self.raw, f"The manifest {self.digest}")


class Oci:
    """Manifests and blobs of one registry, for one caller; no credential: for anybody."""

    def __init__(
        self, address: Address, out: Output, credential: Credential | None = None, cache: Path | None = None
    ) -> None:
        self.address = address
        self._wire = Wire(address, out, credential)
        self._kept = OpenUploads(cache or places.cache(os.environ), address.url)
        self._kept.sweep()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._wire.close()

    def halt(self) -> None:
        """Have all that is under way in other threads end with Halted; nothing can be asked any more."""
        self._wire.halted.set()

    def prepare(self, repositories: Sequence[str]) -> None:
        """Say which repositories will be pulled from: their tokens are fetched together.

        Raises:
            Problem: the credential is not good any more, or the registry does not answer.
        """
        self._wire.prepare(repositories)

    def answers_anybody(self) -> bool:
        """Whether the registry asks this caller, who has no credential, for none: it is open to all who reach it."""
        return self._wire.call(Ask("GET", "/v2/", allow=frozenset({401}))).status == httpx.codes.OK

    def manifest(self, repository: str, reference: str) -> Fetched:
        """The manifest of a tag or digest.

        Raises:
            Missing: there is none, or the caller may not know of it.
            Tampered: it has another digest than it should.
            Problem: as `Wire.call`.
        """
        ask = Ask("GET", _manifest(repository, reference), repository, headers={"Accept": ", ".join(sorted(MANIFESTS))})
        reply = self._wire.call(ask, MANIFEST_LIMIT)
        stated = reference if ":" in reference else reply.headers.get("Docker-Content-Digest")
        digest = _checked(reply.content, stated, f"the manifest {reference} of {repository}")
        media_type = reply.headers.get("Content-Type", "").partition(";")[0].strip()
        return Fetched(reply.content, media_type, digest, warnings_of(reply.headers))

    def digest(self, repository: str, reference: str) -> str | None:
        """The digest of the manifest of a tag, None when there is no such tag or the caller may not know of it."""
        headers = {"Accept": ", ".join(sorted(MANIFESTS))}
        ask = Ask("HEAD", _manifest(repository, reference), repository, headers=headers, allow=frozenset({404}))
        reply = self._wire.call(ask)
        found = reply.headers.get("Docker-Content-Digest")
        return str(found) if reply.status == httpx.codes.OK and found else None

    def exists(self, repository: str, digest: str) -> bool:
        """Whether a repository has a blob."""
        ask = Ask("HEAD", f"/v2/{repository}/blobs/{digest}", repository, allow=frozenset({404}))
        return self._wire.call(ask).status == httpx.codes.OK

    def push_blob(
        self,
        repository: str,
        digest: str,
        size: int,
        open: Callable[[], BinaryIO],  # noqa: A002 - what it does
        moved: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Have a repository hold a blob: nothing is sent of what is there already, nor of what came before.

        Raises:
            Problem: the registry refuses it, or cannot be reached for long.
            Halted: `halt` was called.
        """
        Upload(self._wire, self._kept, Blob(repository, digest, size, open, moved)).run()

    def mount(self, repository: str, digest: str, source: str) -> None:
        """Have a repository hold a blob that another one has (end-11).

        Raises:
            Problem: the other has none, or the caller may not pull from there.
        """
        if repository == source or self.exists(repository, digest):
            return
        params = (("mount", digest), ("from", source))
        path = f"/v2/{repository}/blobs/uploads/"
        reply = self._wire.call(Ask("POST", path, repository, _PUSH, {"Content-Length": "0"}, params, source=source))
        if reply.status != httpx.codes.CREATED:
            raise Missing(f"{source} has no blob {digest} that could be taken over to {repository}.")

    def push_bytes(self, repository: str, content: bytes) -> str:
        """Have a repository hold a small blob; its digest."""
        digest = str(digest_of(content))
        self.push_blob(repository, digest, len(content), lambda: BytesIO(content))
        return digest

    def push_manifest(
        self, repository: str, reference: str, raw: bytes, media_type: str, tags: tuple[str, ...] = ()
    ) -> str:
        """Put a manifest under a tag or its digest, and under more `tags`; its digest.

        Raises:
            Problem: the registry refuses it.
        """
        params = tuple(("tag", tag) for tag in tags)
        headers = {"Content-Type": media_type}
        reply = self._wire.call(Ask("PUT", _manifest(repository, reference), repository, _PUSH, headers, params, raw))
        return _checked(raw, reply.headers.get("Docker-Content-Digest"), f"the manifest {reference} of {repository}")

    def pull_blob(
        self, repository: str, digest: str, size: int, into: Path, moved: Callable[[int], None] = lambda _: None
    ) -> None:
        """Fetch a blob into a file, which is replaced when all of it has come and has its digest.

        Raises:
            Tampered: what came is not what the digest says.
            Problem: the registry has none, refuses, or cannot be reached for long.
            Halted: `halt` was called.
        """
        _parsed(digest)
        Download(self._wire, Target(repository, digest, size, into, moved)).run()

    def read_blob(self, repository: str, digest: str, limit: int) -> bytes:
        """A blob of at most `limit` bytes.

        Raises:
            Tampered: what came is not what the digest says.
            Problem: it is larger, there is none, or the registry cannot be reached for long.
        """
        reply = self._wire.call(Ask("GET", f"/v2/{repository}/blobs/{digest}", repository), limit)
        _checked(reply.content, digest, f"the blob {digest} of {repository}")
        return reply.content

    def tags(self, repository: str) -> list[str]:
        """The tags of a repository, in ASCII order."""
        pages = self._pages(f"/v2/{repository}/tags/list", repository)
        return [tag for page in pages for tag in page.get("tags") or [] if isinstance(tag, str)]

    def referrers(self, repository: str, digest: str, artifact_type: str | None = None) -> list[dict[str, Any]]:
        """The descriptors of the manifests whose subject is this digest."""
        query = "" if artifact_type is None else f"?artifactType={quote(artifact_type, safe='')}"
        pages = self._pages(f"/v2/{repository}/referrers/{digest}{query}", repository)
        found = [one for page in pages for one in page.get("manifests") or [] if isinstance(one, dict)]
        return [one for one in found if artifact_type in {None, one.get("artifactType")}]

    def _pages(self, path: str, repository: str) -> Iterator[dict[str, Any]]:
        for _ in range(_PAGES):
            reply = self._wire.call(Ask("GET", path, repository), LIST_LIMIT)
            yield _json(reply.content, f"The answer of {self.address.url}")
            following = _next(reply)
            if following in {None, path}:
                return
            path = str(following)


def _manifest(repository: str, reference: str) -> str:
    return f"/v2/{repository}/manifests/{quote(reference, safe=':')}"


def _next(reply: Reply) -> str | None:
    match = _NEXT.search(reply.headers.get("Link", ""))
    return None if match is None else match[1]


def _parsed(digest: str) -> str:
    """The algorithm of a digest."""
    try:
        return parse_digest(digest).algorithm
    except DigestInvalid as error:
        raise Problem(error.message) from error


def _checked(content: bytes, stated: str | None, what: str) -> str:
    """The digest of `content`, which is the one that was stated, if one was."""
    found = str(digest_of(content, "sha256" if stated is None else _parsed(stated)))
    if stated not in {None, found}:
        raise Tampered(
            f"What came as {what} has the digest {found}.",
            DAMAGED,
            code="DIGEST_MISMATCH",
        )
    return found


def _json(raw: bytes, what: str) -> dict[str, Any]:
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise Problem(f"{what} is no JSON object.")
    return document
