"""uvicorn's HTTP/1.1 protocol with limits on time and size, a fast lane, and a close that loses no answer."""

import asyncio
import math
import os
import secrets
from dataclasses import dataclass, field
from typing import Any, Final, cast

import structlog
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from registry.core.errors import BadRequest, HeadersTooLarge, RegistryError, RequestTimeout
from registry.infra.http.answers import Stretch
from registry.infra.http.connections import Connections
from registry.infra.http.exchange import Exchange
from registry.infra.http.lane import Kept, Lane
from registry.infra.http.limits import Limits
from registry.infra.http.parsing import RequestParser
from registry.infra.http.plain import PlainProtocol
from registry.infra.http.problems import wire_answer
from registry.infra.http.transport import Outlet
from registry.infra.telemetry import metrics


class _Trailers(list[tuple[bytes, bytes]]):
    """Where trailer fields go: nowhere, so that none of them passes for a header (RFC 9110, section 6.5.1)."""

    def append(self, _: tuple[bytes, bytes]) -> None:
        """Forget it."""


_TRAILERS: Final = _Trailers()
_log = structlog.get_logger("registry.http")


@dataclass(frozen=True, slots=True)
class Shared:
    """What all connections of a process share."""

    limits: Limits = field(default_factory=Limits)
    connections: Connections | None = None
    lane: Lane | None = None


class RegistryProtocol(PlainProtocol):
    """One connection.

    It waits in one of these ways, each with a deadline: for the first request or the rest of a header section, for the
    next request, for the rest of a body that was answered already, for the client to take an answer, or for the client
    to close after the last answer. While a request runs, the application and `body.chunks` keep the time.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        shared: Shared | None = None,
    ) -> None:
        shared = shared or Shared()
        super().__init__(config, server_state, app_state, _loop, shared.limits)
        self.parser = RequestParser(self)
        self._house = shared.connections
        self._lane = shared.lane
        self._raw: bytes | None = None
        self.was_connected = False
        self._is_new = True
        self._refusal: RegistryError | None = None
        self._in_headers = False
        self._whole = True
        self._deaf = False
        self._last = False
        self._lingering = False
        self._chunk = self._fed = self._discarded = 0

    @property
    def idle_until(self) -> float:
        """When an idle connection is closed, in the loop's time; infinity for one that is not idle."""
        is_idle = self._whole and not self._is_new and self._is_free() and not self._lingering
        return self._deadline.at if is_idle else math.inf

    def retire(self) -> None:
        """Close if idle: another client needs the room."""
        if self.idle_until < math.inf:
            self._close()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a first request soon."""
        self.was_connected = True
        self._outlet = Outlet(transport, self._close)
        super().connection_made(cast("asyncio.Transport", self._outlet))
        self._wait(self._limits.header_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more to wait for."""
        self._deadline.cancel()
        self._lingering = True
        self._drop_socket()
        super().connection_lost(exc)
        if self._house is not None:
            self._house.leave()

    def data_received(self, data: bytes) -> None:
        """Parse, within the limits of what is expected now."""
        size = self._chunk = len(data)
        if self._lingering:
            self._discard(size)
            return
        if self._deaf:
            return
        if self._lane is not None and self._is_at_rest():
            if self._answer(self._lane, data):
                return
            self._raw = data
        self._fed += size
        super().data_received(data)
        self._raw = None
        if not (self._whole or self._deaf or self._lingering):
            self._expect_more(size)

    def _expect_more(self, size: int) -> None:
        """A request is not whole yet: hold its limits."""
        if self._in_headers:
            if self._fed > self._limits.header_bytes:
                self._fail(self._too_large())
            elif self._is_free() and self._fed == size:
                self._wait(self._limits.header_timeout)
        elif self.cycle.response_complete:
            self._discarded += size
            if self._discarded > self._limits.drain_bytes:
                self._linger()

    def eof_received(self) -> None:
        """The client sends no more; a lingering connection has done its duty."""
        if self._lingering:
            self._end()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, without breaking into an answer that is on its way."""
        self._fail(self._refusal or BadRequest(msg))

    def on_message_begin(self) -> None:
        """A header section begins."""
        self._in_headers = True
        self._whole = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The header section is whole; a body may follow."""
        self._in_headers = self._is_new = False
        self._check_headers()
        if self._raw is not None:
            self.scope["lane"] = self._raw  # type: ignore[typeddict-unknown-key]  # what `Lane.ask` takes
        super().on_headers_complete()
        cycle = self.cycle
        self.headers = _TRAILERS
        self._deadline.clear()
        if self._last or self.parser.should_upgrade():
            cycle.keep_alive = False
        if self.expect_100_continue and self.scope["http_version"] == "1.0":
            cycle.waiting_for_100_continue = False

    def on_message_complete(self) -> None:
        """The request is whole; the next header section counts anew."""
        super().on_message_complete()
        self._whole = True
        self._fed = 0
        if self.cycle.response_complete and not self._outlet.is_closing():
            self._discarded = 0
            self._wait(self._limits.keep_alive)

    def on_response_complete(self) -> None:
        """Go on with the next request, or wait for what the client still has to send."""
        self.server_state.total_requests += 1
        if self._outlet.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._whole:
            self._wait(self._limits.keep_alive)
        elif self._in_headers:
            self._wait(self._limits.header_timeout)
        else:
            self._discarded = 0
            self._wait(self._limits.drain_seconds)

    def pause_writing(self) -> None:
        """The client takes less than is sent: watch that it takes something."""
        super().pause_writing()
        self._unsent = self._outlet.raw.get_write_buffer_size()
        self._wait(self._limits.write_timeout)

    def resume_writing(self) -> None:
        """The client has taken most of it."""
        super().resume_writing()
        if not self._is_free():
            self._deadline.clear()

    def shutdown(self) -> None:
        """Finish what the client has begun, take nothing new."""
        self._last = True
        if self._lingering:
            self._wait(min(1.0, self._limits.linger_pause))
        elif not self._is_free():
            if self.cycle is not None:
                self.cycle.keep_alive = False
        elif not self._in_headers:
            self._close()

    def abort(self) -> None:
        """Drop the connection at once."""
        self._outlet.raw.abort()

    def _is_at_rest(self) -> bool:
        """Whether a request that comes now is the only one, and its answer can go out at once."""
        return (
            self._whole
            and self._is_free()
            and not (self._lingering or self._last or self.flow.write_paused or self._outlet.is_closing())
            and not (self._house is not None and self._house.full)
        )

    def _answer(self, lane: Lane, data: bytes) -> bool:
        """Answer from memory; False where that cannot be."""
        client = self.client
        kept = lane.find(data, client[0] if client else None, files=self.scheme != "https")
        if kept is None:
            return False
        self._is_new = False
        if kept.file is None:
            self._outlet.write(lane.head(kept) + kept.body)
            self._wait(self._limits.keep_alive)
            return True
        if self._outlet.raw.get_write_buffer_size():
            return False
        return self._answer_with_file(lane, kept, kept.file)

    def _answer_with_file(self, lane: Lane, kept: Kept, stretch: Stretch) -> bool:
        try:
            descriptor = stretch.open()
        except (OSError, RegistryError):
            return False
        self.flow.pause_reading()
        try:
            self._send(lane.head(kept), descriptor, stretch, self._rest)
        except OSError:
            os.close(descriptor)
            self.flow.resume_reading()
            return False
        return True

    def _rest(self, error: Exception | None) -> None:
        """An answer with a file is over."""
        if error is not None:
            if not isinstance(error, ConnectionError):
                _log.error("a stored object could not be sent", exc_info=error)
            self.abort()
        elif self._last:
            self._close()
        else:
            self.flow.resume_reading()
            self._wait(self._limits.keep_alive)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        if self._house is not None and self._house.full and not self.pipeline:
            cycle.keep_alive = False
        exchange: Any = Exchange(app, cycle, self._limits.drain_bytes, None if self.scheme == "https" else self)
        super()._start_asgi_task(cycle, exchange)

    def _unsupported_upgrade_warning(self) -> None:
        """An offer of another protocol is ignored (RFC 9110, section 7.8); the connection closes after the answer."""

    def _unset_keepalive_if_required(self) -> None:
        """The deadline of this class takes the place of uvicorn's timer."""

    def _is_free(self) -> bool:
        """Whether no request is in progress or waits."""
        return self._sender is None and (self.cycle is None or self.cycle.response_complete)

    def _check_headers(self) -> None:
        """Stop the parser at a request that is too large or one too many; `send_400_response` follows."""
        limits = self._limits
        if len(self.pipeline) >= limits.pipelined:
            raise ValueError
        if self._fed + self._chunk <= limits.header_bytes:
            return
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > limits.header_bytes:
            self._refusal = self._too_large()
            raise ValueError

    def _too_large(self) -> HeadersTooLarge:
        return HeadersTooLarge(f"The header section is over {self._limits.header_bytes} bytes.")

    def _fail(self, error: RegistryError) -> None:
        """Refuse the connection from here on; what came whole before is still answered."""
        self._deaf = True
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            self._refuse(error)
        elif not cycle.more_body:
            cycle.keep_alive = False
        elif cycle is not self._running:
            self._drop(cycle)
        else:
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started:
                self._close()
            else:
                self._refuse(error)

    def _drop(self, cycle: RequestResponseCycle) -> None:
        """Forget a waiting request whose body is broken; close after the one before it."""
        self.pipeline.popleft()
        before = self.pipeline[0][0] if self.pipeline else self._running
        if before is not None:
            before.keep_alive = False
        cycle.disconnected = True

    def _refuse(self, error: RegistryError) -> None:
        metrics.count("other", "other", error.status, 0.0)
        self._outlet.write(wire_answer(error, self.server_state.default_headers, f"req_{secrets.token_hex(8)}"))
        self._close()

    def _close(self) -> None:
        """Close; where the client may still be sending, so that it can read the last answer first."""
        if self._lingering or self._outlet.raw.is_closing():
            return
        if self._whole and not self._deaf:
            self._end()
        else:
            self._linger()

    def _linger(self) -> None:
        """End the sending side, then read and discard (RFC 9112, section 9.6)."""
        self._lingering = True
        self._outlet.mute()
        self.flow.resume_reading()
        raw = self._outlet.raw
        if raw.can_write_eof():
            raw.write_eof()
        self._discarded = 0
        self._deadline.limit(self._limits.linger_seconds)
        self._wait(self._limits.linger_pause)

    def _discard(self, size: int) -> None:
        self._discarded += size
        if self._discarded > self._limits.linger_bytes:
            self._end()
        else:
            self._wait(self._limits.linger_pause)

    def _end(self) -> None:
        """Close for good; a client that takes nothing is cut off."""
        raw = self._outlet.raw
        self._lingering = True
        self._deadline.limit(math.inf)
        raw.close()
        if raw.get_write_buffer_size():
            self._wait(self._limits.write_timeout)

    def _give_up(self) -> None:
        raw = self._outlet.raw
        if raw.is_closing():
            raw.abort()
        elif self._lingering:
            self._end()
        elif not self._is_free():
            self._check_taken()
        elif self._in_headers or self._is_new:
            self._fail(RequestTimeout(f"The header section was not whole within {self._limits.header_timeout:g} s."))
        else:
            self._close()

    def _check_taken(self) -> None:
        """An answer may be slow, not stuck."""
        if self._sender is None and not self.flow.write_paused and not self._is_flushing:
            return
        left = self._sender.left if self._sender is not None else self._outlet.raw.get_write_buffer_size()
        if left >= self._unsent:
            self.abort()
            return
        self._unsent = left
        self._wait(self._limits.write_timeout)
