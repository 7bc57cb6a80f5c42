"""What one connection may take: bytes and seconds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds, sizes in bytes.

    Attributes:
        header_timeout: from the first byte of a header section, or from the connection, to the section's end.
        header_bytes: the size of a header section, request line included (RFC 6585, section 5).
        keep_alive: the pause between an answer and the next request.
        write_timeout: how long a client may take nothing of an answer.
        pipelined: requests that wait behind the one in progress.
        drain_bytes: the rest of a body that is read after its answer to keep the connection; above that it is closed.
        drain_seconds: how long such a rest may take.
        linger_bytes: what is read and discarded after the last answer, so that the client reads it before a reset.
        linger_seconds: how long that goes on in all.
        linger_pause: how long it goes on when nothing comes.
    """

    header_timeout: float = 10.0
    header_bytes: int = 32 * 1024
    keep_alive: float = 30.0
    write_timeout: float = 60.0
    pipelined: int = 32
    drain_bytes: int = 1 << 20
    drain_seconds: float = 10.0
    linger_bytes: int = 1 << 30
    linger_seconds: float = 30.0
    linger_pause: float = 5.0
