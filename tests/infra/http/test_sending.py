"""Files on the socket itself, offered to applications as the zero copy extension of ASGI."""

import asyncio
import contextlib
import os
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from registry.infra.http.answers import ZERO_COPY
from registry.infra.http.body import ClientDisconnected
from registry.infra.http.limits import Limits
from tests.infra.http.conftest import Serve, options, reply, trusting
from tests.infra.http.test_protocol import GET


async def test_a_client_that_takes_nothing_of_what_comes_before_a_file_is_dropped(serve: Serve, tmp_path: Path) -> None:
    ended: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
    path = tmp_path / "file"
    path.write_bytes(b"x" * 1000)

    async def app(scope: Scope, _: Receive, send: Send) -> None:
        raw = scope["extensions"]["gati.body.direct"].__self__._outlet.raw
        while not raw.get_write_buffer_size():
            raw.write(b"x" * 1000)
        with path.open("rb") as file:
            before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - only their number
            try:
                await send({"type": ZERO_COPY, "file": file.fileno(), "offset": 0, "count": 1000})
            except ClientDisconnected as error:
                after = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - as above
                ended.set_result(error if after <= before else AssertionError("a descriptor is left"))
                raise

    peer = await (await serve(app, limits=Limits(write_timeout=0.05))).connect()
    peer.writer.transport.pause_reading()  # type: ignore[attr-defined]  # the transport of a stream can read
    await peer.send(GET)
    assert isinstance(await ended, ClientDisconnected)


@pytest.mark.parametrize("left", [0, 500])
async def test_a_file_that_ends_early_is_an_error_of_ours_and_no_short_answer(
    serve: Serve, tmp_path: Path, left: int, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * left)

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
        with path.open("rb") as file:
            await send({"type": ZERO_COPY, "file": file.fileno(), "offset": 0, "count": 1000})

    peer = await (await serve(app)).connect()
    await peer.send(GET)
    received = b""
    with contextlib.suppress(ConnectionError):
        received = await peer.rest()
    assert received.count(b"x") - received.split(b"\r\n\r\n", maxsplit=1)[0].count(b"x") <= left
    assert b"HTTP/1.1" not in received[20:]
    assert "shorter than its row says" in caplog.text


async def test_neither_way_is_offered_over_tls(serve: Serve, certificate: Path) -> None:
    seen: list[Any] = []

    async def app(scope: Scope, _: Receive, send: Send) -> None:
        seen.append(set(scope["extensions"]))
        await reply(send)

    for running in (await serve(app, trusting(certificate), options(certificate)), await serve(app)):
        peer = await running.connect()
        await peer.send(GET)
        assert (await peer.answer()).status == 200
    assert seen == [set(), {ZERO_COPY, "gati.body.direct"}]
