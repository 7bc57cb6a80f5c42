"""The fast lane: hot reads are answered from memory before a request is even parsed.

A request is two byte strings, its line and its header section. The section leads to what its sender may read,
repository by repository; the line leads to the answer, which is the same for everybody who may have it. A request of
which either is unknown goes the whole way, and what comes of it is kept when it is asked for a second time. Rights and
answers hold only while the counters of what they depend on stand still (`counters`).
"""

import re
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

from registry.infra.http.address import bucket
from registry.infra.http.answers import Answer, Stretch
from registry.infra.http.counters import Counters, Stamp
from registry.infra.limits.limiter import Limiter
from registry.infra.limits.model import Kind
from registry.infra.telemetry import logs, metrics
from registry.infra.telemetry.access import Access

FREE: Final = ""
LARGEST: Final = 512 * 1024
_SEEN: Final = 65536
_ENTRY_BYTES: Final = 700
_CALLER_BYTES: Final = 400
_RIGHT_BYTES: Final = 200
_LINE: Final = re.compile(rb"(GET|HEAD) (/[!-$&->@-~]*)(?:\?([!-~]{0,500}))? HTTP/1\.1")
_FIELD: Final = re.compile(rb"\r\n([A-Za-z-]+):[\t ]*([\x20-\x7e]*)")
_END: Final = b"\r\n\r\n"
_PLAIN: Final = frozenset({b"host", b"user-agent", b"accept", b"accept-encoding", b"authorization", b"connection"})
_QUERY: Final = frozenset({"n", "last", "artifactType"})


class Ticket(NamedTuple):
    """A request that the lane can know again: its line and its header section, as they came."""

    line: bytes
    section: bytes


class Label(NamedTuple):
    """What logs and metrics call a request."""

    route: str
    method: str
    path: str


class Ask(NamedTuple):
    """A request whose answer may be kept, and how what it depends on was before."""

    ticket: Ticket
    label: Label
    repository: str
    stamp: Stamp


@dataclass(slots=True)
class Kept:
    """A whole answer; `head` lacks Date, the request id and the empty line.

    `file` opens a body that is not in memory; `size` is what the entry takes of memory; `hits` waits for `tick`.
    """

    label: Label
    repository: str
    head: bytes
    body: bytes
    file: Stretch | None
    stamp: Stamp
    size: int
    hits: int = 0


@dataclass(frozen=True, slots=True)
class Right:
    """A caller may read a repository, until the wall-clock time `until` and while `stamp` holds.

    Its requests are counted under the key `meter`; None: under the address that each comes from; FREE: not at all.
    """

    until: float
    stamp: Stamp
    meter: str | None = None


class Hits(NamedTuple):
    """How often an answer of `size` body bytes was given since the last tick."""

    label: Label
    times: int
    size: int


def parse_ticket(data: bytes) -> Ticket | None:
    """The ticket of `data` when it is exactly one request of the kind that the lane can know again."""
    end = data.find(b"\r\n")
    line, section = data[:end], data[end:]
    found = _LINE.fullmatch(line)
    if found is None or not _is_plain(section) or not _is_known_query(found.group(3)):
        return None
    return Ticket(line, section)


def _is_plain(section: bytes) -> bool:
    if section.find(_END) != len(section) - len(_END) or _FIELD.sub(b"", section) != _END:
        return False
    values = {name.lower(): value.strip().lower() for name, value in _FIELD.findall(section)}
    return (
        len(values) == section.count(b"\r\n") - 2
        and _PLAIN.issuperset(values)
        and b"host" in values
        and values.get(b"connection", b"keep-alive") == b"keep-alive"
    )


def _is_known_query(query: bytes | None) -> bool:
    if query is None:
        return True
    names = [name for name, _ in parse_qsl(query.decode(), keep_blank_values=True)]
    return b"%" not in query and len(set(names)) == len(names) and _QUERY.issuperset(names)


class Lane:
    """Answers and rights of one process: at most `memory` bytes of answers, and a quarter of that of rights.

    Attributes:
        limiter: what each answer is charged to; None in an open registry.
    """

    def __init__(self, counters: Counters, memory: int, limiter: Limiter | None = None) -> None:
        self.counters = counters
        self.limiter = limiter
        self._memory = memory
        self._used = self._used_by_rights = 0
        self._rights: dict[bytes, dict[str, Right]] = {}
        self._kept: dict[bytes, Kept] = {}
        self._seen: set[int] = set()
        self._hit: list[Kept] = []
        self._changing = b""
        self._start = secrets.token_hex(6)
        self._number = 0
        self._is_on = True

    def find(self, data: bytes, peer: str | None = None, *, files: bool = True) -> Kept | None:
        """The answer to the request in `data`, if it may be given now; it is charged to the caller, else to `peer`.

        A caller who is over the limit gets nothing here: the whole way tells it so. So does one for whom a file would
        have to be sent where `files` cannot be.
        """
        end = data.find(b"\r\n")
        rights, kept = self._rights.get(data[end:]), self._kept.get(data[:end])
        if rights is None or kept is None:
            return None
        right = rights.get(kept.repository)
        if right is None or right.until < time.time() or not self.counters.holds(right.stamp):
            return None
        if not self.counters.holds(kept.stamp):
            self.forget(data[:end])
            return None
        if kept.file is not None and not files:
            return None
        if self.limiter is not None and right.meter != FREE:
            key = bucket(peer) if right.meter is None else right.meter
            if not self.limiter.charge_here(Kind.TRANSFER, key).allowed:
                return None
        return kept

    def head(self, kept: Kept) -> bytes:
        """The header section of an answer that is given now, which is counted."""
        if not kept.hits:
            self._hit.append(kept)
        kept.hits += 1
        self._number += 1
        return b"%b%b%x\r\n\r\n" % (kept.head, self._changing, self._number)

    def ask(self, data: bytes, label: Label, repository: str, slots: tuple[int, ...]) -> Ask | None:
        """What can keep the answer to the request in `data`, which depends on `slots`; to be taken before it is read.

        None where it is not to be kept: it is asked for the first time, of another kind, or being changed.
        """
        line = hash(data[: data.find(b"\r\n")])
        if line not in self._seen or not self._is_on:
            if len(self._seen) >= _SEEN:
                self._seen.clear()
            self._seen.add(line)
            return None
        ticket, stamp = parse_ticket(data), self.counters.stamp(slots)
        return None if ticket is None or stamp is None else Ask(ticket, label, repository, stamp)

    def keep(self, ask: Ask, answer: Answer, right: Right) -> None:
        """Keep a lasting answer and the right to it; nothing when it does not hold any more."""
        if len(answer.body) > LARGEST or not (self._is_on and self.counters.holds(ask.stamp)):
            return
        (line, section), is_head = ask.ticket, ask.label.method == "HEAD"
        self._admit(section, ask.repository, right)
        self.forget(line)
        head, body = answer.head(), b"" if is_head else answer.body
        size = len(line) + len(head) + len(body) + _ENTRY_BYTES
        file = None if is_head else answer.file
        self._kept[line] = Kept(ask.label, ask.repository, head, body, file, ask.stamp, size)
        self._used += size
        while self._used > self._memory:
            self.forget(next(iter(self._kept)))

    def _admit(self, section: bytes, repository: str, right: Right) -> None:
        """Remember a right; all others are forgotten where there is no room for it."""
        rights = self._rights.get(section, {})
        size = 0 if rights else len(section) + _CALLER_BYTES
        if repository not in rights:
            size += len(repository) + _RIGHT_BYTES
        self._used_by_rights += size
        if self._used_by_rights > self._memory // 4:
            self._rights.clear()
            self._used_by_rights, rights = size, {}
        self._rights.setdefault(section, rights)[repository] = right

    def forget(self, line: bytes) -> None:
        """Keep the answer to this request line no longer."""
        kept = self._kept.pop(line, None)
        if kept is not None:
            self._used -= kept.size

    def tick(self, headers: Iterable[tuple[bytes, bytes]]) -> list[Hits]:
        """Take the headers that change with time (Date), once a second, and hand out what was counted since."""
        if self._is_on and not self.counters.is_shared():
            self._is_on = False
            self._kept.clear()
        lines = [b"%b: %b\r\n" % pair for pair in headers]
        self._changing = b"".join(lines) + b"x-request-id: req_" + self._start.encode()
        hit, self._hit = self._hit, []
        found = [Hits(one.label, one.hits, one.file.size if one.file else len(one.body)) for one in hit]
        for one in hit:
            one.hits = 0
        return found


def account(answered: list[Hits]) -> None:
    """Add what the lane answered to the metrics and the access log."""
    log, now = logs.access_log(), time.time()
    for label, times, size in answered:
        metrics.count_answered(label.route, label.method, times)
        if label.route == "blobs":
            metrics.BLOB_BYTES.labels("out").inc(times * size)
        if log is not None:
            log.write(Access(now, "", label.method, label.path, 200, 0.0, times))
