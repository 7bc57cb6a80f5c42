"""The registry under test, seen as a client sees it: repositories, upload sessions, and what answers must be."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
from clauses import unsupported
from data import DOCKER_LIST, DOCKER_MANIFEST, INDEX, MANIFEST, OCTETS, Bundle, Content

ACCEPT = f"{INDEX}, {MANIFEST}, {DOCKER_LIST}, {DOCKER_MANIFEST}"
_NAME = re.compile(r"^/v2/.+?(?=/(?:blobs|manifests|tags|referrers)/)")
_DIGEST = re.compile(r"(sha\d+):[0-9a-f]{32,}")
Parameters = Mapping[str, str] | Iterable[tuple[str, str]]


def expect(response: httpx.Response, *statuses: int) -> httpx.Response:
    """The same response, which must have one of the status codes."""
    assert response.status_code in statuses, described(response, " or ".join(map(str, statuses)))
    return response


def described(response: httpx.Response, wanted: str) -> str:
    """One line: the request, the answer, and what was wanted instead; names and digests are left out."""
    request = response.request
    target = _NAME.sub("/v2/<name>", _DIGEST.sub(r"<\1>", request.url.raw_path.decode()))[:120]
    text = "json" in response.headers.get("Content-Type", "")
    body = f": {_DIGEST.sub('<digest>', response.text)[:160]}" if text and response.content else ""
    return f"{request.method} {target} answered {response.status_code}, wanted {wanted}{body}"


def refused(response: httpx.Response) -> bool:
    """Whether the answer says that this registry has the operation switched off or does not know it."""
    return response.status_code in {405, 501} or (response.status_code == 400 and "UNSUPPORTED" in codes(response))


def codes(response: httpx.Response) -> list[str]:
    """The error codes of the answer's envelope; none where the body is not one."""
    try:
        return [error["code"] for error in response.json()["errors"]]
    except (ValueError, KeyError, TypeError):
        return []


def with_query(url: httpx.URL, parameters: Parameters) -> httpx.URL:
    """The address with parameters added; what is in its query stays byte for byte as the registry wrote it."""
    pairs = list(parameters.items() if isinstance(parameters, Mapping) else parameters)
    if not pairs:
        return url
    added = urlencode(pairs, safe=":+/")
    old = url.query.decode()
    return url.copy_with(query=f"{old}&{added}".strip("&").encode())


class Session:
    """One upload session; follows the Location of each answer, as clients are told to."""

    def __init__(self, http: httpx.Client, started: httpx.Response) -> None:
        self._http = http
        self.started = started
        self.location = started.url.join(started.headers["Location"])

    def _follow(self, response: httpx.Response) -> httpx.Response:
        if response.status_code in {202, 204, 416} and "Location" in response.headers:
            self.location = response.url.join(response.headers["Location"])
        return response

    def patch(self, data: bytes, start: int | None = None, content_range: str | None = None) -> httpx.Response:
        """Send a chunk; with `start`, say which bytes it is; `content_range` says it word for word."""
        headers = {"Content-Type": OCTETS}
        if start is not None:
            headers["Content-Range"] = f"{start}-{start + len(data) - 1}"
        if content_range is not None:
            headers["Content-Range"] = content_range
        return self._follow(self._http.patch(self.location, content=data, headers=headers))

    def put(self, digest: str | None, data: bytes = b"", start: int | None = None) -> httpx.Response:
        """Close the session, with the last bytes where there are any."""
        headers = {"Content-Type": OCTETS, "Content-Length": str(len(data))}
        if start is not None:
            headers["Content-Range"] = f"{start}-{start + len(data) - 1}"
        url = self.location if digest is None else with_query(self.location, {"digest": digest})
        return self._http.put(url, content=data, headers=headers)

    def status(self) -> httpx.Response:
        """Ask how far the upload is."""
        return self._follow(self._http.get(self.location, follow_redirects=False))

    def offset(self) -> int:
        """The number of bytes that the registry says it has; `0-0` is none, or one byte."""
        response = expect(self.status(), 204)
        return int(response.headers["Range"].removeprefix("bytes=").split("-")[1]) + 1

    def cancel(self) -> httpx.Response:
        """Give the upload up."""
        return self._http.delete(self.location)


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository of the registry under test."""

    http: httpx.Client
    root: httpx.URL
    name: str

    def url(self, rest: str, parameters: Parameters = ()) -> httpx.URL:
        """The address of `/v2/<name>/<rest>`."""
        return with_query(self.root.join(f"/v2/{self.name}/{rest}"), parameters)

    def call(self, method: str, rest: str, parameters: Parameters = (), **options: Any) -> httpx.Response:
        """Any request under this repository."""
        return self.http.request(method, self.url(rest, parameters), **options)

    def start(self, parameters: Parameters = (), content: bytes = b"") -> httpx.Response:
        """POST to the uploads."""
        headers = {"Content-Length": str(len(content))} | ({"Content-Type": OCTETS} if content else {})
        return self.call("POST", "blobs/uploads/", parameters, content=content, headers=headers)

    def session(self, parameters: Parameters = ()) -> Session:
        """A new upload session."""
        return Session(self.http, expect(self.start(parameters), 202))

    def push_blob(self, blob: Content) -> httpx.Response:
        """POST then PUT; the answer is 201, or the algorithm is not supported."""
        response = self.session().put(blob.digest, blob.body)
        if response.status_code == 400 and blob.algorithm != "sha256":
            unsupported(described(response, "201"))
        return expect(response, 201)

    def blob(self, digest: str, method: str = "GET", **headers: str) -> httpx.Response:
        """GET or HEAD of a blob; header names are written with underscores."""
        return self.call(method, f"blobs/{digest}", headers=_fields(headers))

    def manifest(self, reference: str, method: str = "GET", **headers: str) -> httpx.Response:
        """GET or HEAD of a manifest."""
        return self.call(method, f"manifests/{reference}", headers={"Accept": ACCEPT} | _fields(headers))

    def put(self, reference: str, manifest: Content, parameters: Parameters = ()) -> httpx.Response:
        """PUT of a manifest under a tag or a digest."""
        headers = {"Content-Type": manifest.media_type}
        return self.call("PUT", f"manifests/{reference}", parameters, content=manifest.body, headers=headers)

    def push(self, bundle: Bundle, tag: str | None = None) -> Content:
        """Push everything of the bundle; its last manifest by `tag` if there is one; returns that manifest."""
        for blob in bundle.blobs:
            self.push_blob(blob)
        for manifest in bundle.manifests[:-1]:
            expect(self.put(manifest.digest, manifest), 201)
        expect(self.put(tag or bundle.root.digest, bundle.root), 201)
        return bundle.root

    def tags(self, **parameters: str) -> httpx.Response:
        """The list of tags."""
        return self.call("GET", "tags/list", parameters)

    def referrers(self, digest: str, **parameters: str) -> httpx.Response:
        """The referrers of a digest; a registry without this API answers 404."""
        response = self.call("GET", f"referrers/{digest}", parameters)
        if response.status_code == 404:
            unsupported(described(response, "200"))
        return response

    def delete(self, rest: str) -> httpx.Response:
        """DELETE of `manifests/…` or `blobs/…`; a registry may have deletion switched off."""
        response = self.call("DELETE", rest)
        if refused(response):
            unsupported(described(response, "202"))
        return response


def _fields(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def next_page(response: httpx.Response) -> httpx.URL | None:
    """The address of the next page, from the Link header with the relation `next`."""
    link = response.links.get("next")
    return response.url.join(link["url"]) if link else None
