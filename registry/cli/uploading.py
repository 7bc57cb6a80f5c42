"""Sending a blob: from where the registry says that it is, whatever happened before."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

import httpx

from registry.cli.open_uploads import OpenUploads
from registry.cli.problems import Missing, Problem, Unreachable
from registry.cli.wire import Ask, Busy, Reply, Wire

CHUNK: Final = 10 << 20
_SMALL: Final = 1 << 20
_PIECE: Final = 256 << 10
_PUSH: Final = "pull,push"
_RANGE: Final = re.compile(r"(?:bytes=)?0-([0-9]{1,19})")
_PAUSES: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
_BINARY: Final = "application/octet-stream"
_BEGINNINGS: Final = 3


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes that a repository is to hold.

    Attributes:
        repository: its name.
        digest: theirs.
        size: theirs.
        open: a new file of them, at its start.
        moved: told how many more bytes are there; less than none when some must be sent again.
    """

    repository: str
    digest: str
    size: int
    open: Callable[[], BinaryIO]
    moved: Callable[[int], None]


@dataclass(frozen=True, slots=True)
class _Place:
    """An open upload: its URL, how many bytes it has, and how many a chunk has at least."""

    url: str
    offset: int
    least: int = 0


class Upload:
    """The sending of one blob.

    It goes as one request, which the registry keeps as far as it came; in chunks of 10 MiB where something between
    refuses long ones.
    """

    def __init__(self, wire: Wire, kept: OpenUploads, blob: Blob) -> None:
        self._wire = wire
        self._kept = kept
        self._blob = blob
        self._told = 0
        self._chunked = False

    def run(self) -> None:
        """Send what is missing of it.

        Raises:
            Problem: the registry refuses it, or cannot be reached for long; what came counts when it is sent again.
        """
        if self._is_there():
            self._tell(self._blob.size)
            return
        if self._blob.size <= _SMALL:
            self._whole()
        else:
            self._sessions()
        self._tell(self._blob.size)

    def _is_there(self) -> bool:
        path = f"/v2/{self._blob.repository}/blobs/{self._blob.digest}"
        ask = Ask("HEAD", path, self._blob.repository, _PUSH, allow=frozenset({404}))
        return self._wire.call(ask).status == httpx.codes.OK

    def _whole(self) -> None:
        """A small one, in one request (end-4b); a registry that takes none so answers with a session (202)."""
        ask = self._begin(self._read, (("digest", self._blob.digest),))
        reply = self._wire.call(ask)
        if reply.status != httpx.codes.CREATED:
            place = self._placed(reply, 0)
            self._finish(place, self._read)

    def _read(self) -> Iterator[bytes]:
        return self._pieces(0, self._blob.size)

    def _begin(
        self, body: Callable[[], Iterator[bytes]] | None = None, params: tuple[tuple[str, str], ...] = ()
    ) -> Ask:
        size = 0 if body is None else self._blob.size
        headers = {"Content-Type": _BINARY, "Content-Length": str(size)}
        path = f"/v2/{self._blob.repository}/blobs/uploads/"
        return Ask("POST", path, self._blob.repository, _PUSH, headers, params, body)

    def _sessions(self) -> None:
        """A session that was kept, else a new one; another when it is gone, or its bytes turn out to be wrong."""
        place = self._resumed()
        for _ in range(_BEGINNINGS):
            is_resumed = place is not None
            try:
                self._through(place or self._started())
            except Unreachable:
                raise
            except Problem as problem:
                self._forget()
                is_wrong = is_resumed and problem.code in {"DIGEST_INVALID", "SIZE_INVALID"}
                if not isinstance(problem, Missing) and not is_wrong:
                    raise
                place = None
            else:
                self._forget()
                return
        raise Unreachable(f"{self._wire.address.url} forgets the uploads that it has begun.")

    def _forget(self) -> None:
        self._kept.drop(self._blob.repository, self._blob.digest)

    def _resumed(self) -> _Place | None:
        url = self._kept.get(self._blob.repository, self._blob.digest)
        if url is None:
            return None
        try:
            return self._asked(_Place(url, 0))
        except Missing:
            return None

    def _started(self) -> _Place:
        place = self._placed(self._wire.call(self._begin()), 0)
        self._kept.put(self._blob.repository, self._blob.digest, place.url)
        return place

    def _through(self, place: _Place) -> None:
        """Send the rest and close the session; the count of vain attempts begins anew whenever bytes came through."""
        vain = 0
        while True:
            self._tell(place.offset)
            try:
                while place.offset < self._blob.size:
                    place = self._sent(place)
                    self._tell(place.offset)
                self._finish(place)
            except Busy as busy:
                if vain == len(_PAUSES):
                    raise
                self._wire.pause(busy, _PAUSES[vain])
                before = place.offset
                place = self._asked(place)
                vain = 0 if place.offset > before else vain + 1
            else:
                return

    def _asked(self, place: _Place) -> _Place:
        """The session as the registry says that it stands (end-13)."""
        reply = self._wire.call(Ask("GET", place.url, self._blob.repository, _PUSH))
        return self._placed(reply, place.least)

    def _sent(self, place: _Place) -> _Place:
        """Send the rest of it, or a chunk (end-5)."""
        rest = self._blob.size - place.offset
        size = min(rest, max(CHUNK, place.least)) if self._chunked else rest
        headers = {
            "Content-Type": _BINARY,
            "Content-Length": str(size),
            "Content-Range": f"{place.offset}-{place.offset + size - 1}",
        }
        ask = Ask(
            "PATCH",
            place.url,
            self._blob.repository,
            _PUSH,
            headers,
            body=lambda: self._pieces(place.offset, size),
            allow=frozenset({413, 416}),
        )
        reply = self._wire.call_once(ask)
        if reply.status == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
            return self._smaller(place, size)
        found = self._placed(reply, place.least)
        if found.offset <= place.offset and reply.status == httpx.codes.ACCEPTED:
            raise Unreachable(f"{self._wire.address.url} says that it took a chunk, but not that it has it.")
        if reply.status != httpx.codes.ACCEPTED and found.offset == place.offset:
            raise Missing("The registry has another count of the bytes of this upload.")
        return found

    def _smaller(self, place: _Place, size: int) -> _Place:
        if self._chunked or size <= CHUNK:
            raise Problem(
                f"{self._wire.address.url} takes no blob of {self._blob.size} bytes.",
                "Its operator sets the limit: MAX_BLOB_SIZE, or that of a proxy before it.",
                code="SIZE_INVALID",
            )
        self._chunked = True
        return self._asked(place)

    def _finish(self, place: _Place, body: Callable[[], Iterator[bytes]] | None = None) -> None:
        """Close the session with the digest of the whole (end-6)."""
        size = 0 if body is None else self._blob.size
        headers = {"Content-Type": _BINARY, "Content-Length": str(size)}
        ask = Ask("PUT", place.url, self._blob.repository, _PUSH, headers, (("digest", self._blob.digest),), body)
        try:
            self._wire.call_once(ask) if body is None else self._wire.call(ask)
        except Problem as problem:
            raise _told(problem) from problem

    def _placed(self, reply: Reply, least: int) -> _Place:
        url = reply.headers.get("Location")
        if not url:
            raise Unreachable(f"{self._wire.address.url} does not say where an upload goes on: it is no registry.")
        match = _RANGE.fullmatch(reply.headers.get("Range", ""))
        last = 0 if match is None else int(match[1])
        stated = reply.headers.get("OCI-Chunk-Min-Length", "")
        least = int(stated) if re.fullmatch(r"[0-9]{1,12}", stated) else least
        return _Place(url, min(last + 1, self._blob.size) if last else 0, least)

    def _pieces(self, start: int, size: int) -> Iterator[bytes]:
        with self._blob.open() as file:
            file.seek(start)
            at, end = start, start + size
            while at < end:
                piece = file.read(min(_PIECE, end - at))
                if not piece:
                    raise Problem("A file became shorter while it was sent.", "Run the command again.")
                yield piece
                at += len(piece)
                self._tell(at)

    def _tell(self, offset: int) -> None:
        if offset != self._told:
            self._blob.moved(offset - self._told)
            self._told = offset


def _told(problem: Problem) -> Problem:
    if problem.code != "DIGEST_INVALID":
        return problem
    return Problem(
        "What came to the registry is not what was read: a file changed meanwhile, or it was damaged on the way.",
        "Run the command again.",
        code="DIGEST_INVALID",
    )
