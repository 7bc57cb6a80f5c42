"""What reaches the log, and what never does."""

import io
import json
import logging
from collections.abc import Callable, Iterator

import pytest
import structlog

from registry.infra.telemetry import logs
from registry.infra.telemetry.access import Access

CANARY = "canary9f3a"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    written = io.StringIO()
    logs.configure("debug", "json", written)
    yield written
    logs.configure("error", "json")


SECRETS = [
    f"postgresql://gati:{CANARY}@db:5432/gati",
    f"postgresql://gati:p@ss/{CANARY}@db:5432/gati",
    f"Authorization: Bearer {CANARY}",
    f"authorization: basic {CANARY}==",
    f"{{'authorization': 'Basic {CANARY}'}}",
    f"[(b'authorization', b'Bearer {CANARY}'), (b'host', b'a')]",
    f"Cookie: a=1; session={CANARY}",
    f"[(b'cookie', b'a=1; session={CANARY}')]",
    f"Set-Cookie: session={CANARY}; HttpOnly",
    f"host=db password={CANARY} user=gati",
    f'{{"password": "{CANARY} with a space"}}',
    f"/token?refresh_token={CANARY}&service=x",
    f"client_secret: {CANARY}",
    f"[(b'x-api-key', b'{CANARY}')]",
]


def log_to_structlog(text: str) -> None:
    structlog.get_logger("test").debug(text, value=text, nested={"list": [text, (text,)]})


def log_to_the_standard_library(text: str) -> None:
    logging.getLogger("a.library").warning("it said %s", text)


def log_an_error(text: str) -> None:
    try:
        int(text)
    except ValueError:
        logging.getLogger("uvicorn.error").exception("it failed")
        structlog.get_logger("test").exception("it failed")


@pytest.mark.parametrize("log", [log_to_structlog, log_to_the_standard_library, log_an_error])
@pytest.mark.parametrize("text", SECRETS)
def test_a_secret_inside_a_text_is_masked(stream: io.StringIO, log: Callable[[str], None], text: str) -> None:
    log(text)
    written = stream.getvalue()
    assert "***" in written
    assert CANARY not in written


@pytest.mark.parametrize("name", ["Authorization", "password", "DATABASE_URL", "refresh_token", "cookies", "apiKey"])
def test_a_value_with_a_secret_name_is_masked_at_any_depth(stream: io.StringIO, name: str) -> None:
    log = structlog.get_logger("test")
    log.info("x", **{name: CANARY}, inner={"deep": [{name: CANARY}]}, raw=f"{name}={CANARY}".encode())
    assert CANARY not in stream.getvalue()


def test_ordinary_words_stay(stream: io.StringIO) -> None:
    text = "PATCH /v2/a/blobs/uploads/0198 took 3 ms, see http://localhost:8080/v2/ and user@example.com"
    structlog.get_logger("test").info(text, path="/v2/basic/manifests/latest", size=5)
    line = json.loads(stream.getvalue())
    assert (line["event"], line["path"], line["size"]) == (text, "/v2/basic/manifests/latest", 5)


def test_a_line_names_its_level_its_time_and_its_request(stream: io.StringIO) -> None:
    token = logs.REQUEST_ID.set("req_7")
    try:
        logging.getLogger("a.library").warning("hm")
    finally:
        logs.REQUEST_ID.reset(token)
    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"], line["request_id"]) == ("hm", "warning", "req_7")
    assert line["timestamp"].endswith("Z")


def test_lines_below_the_level_are_not_written() -> None:
    written = io.StringIO()
    logs.configure("warning", "json", written)
    structlog.get_logger("test").info("quiet")
    logging.getLogger("a.library").info("quiet")
    assert (written.getvalue(), logs.access_log()) == ("", None)
    logs.configure("error", "json")


@pytest.mark.parametrize("form", ["json", "console"])
async def test_a_request_cannot_forge_a_line(form: str) -> None:
    written = io.StringIO()
    logs.configure("info", form, written)
    log = logs.access_log()
    assert log is not None
    for _ in range(300):
        log.write(Access(0.0, "req_1", 'G"E\nT', '/a\n{"event": "forged"}\u2028', 200, 0.0015))
    log.flush()
    logs.configure("error", "json")
    assert len(written.getvalue().split("\n")) == 301
    assert "1970-01-01T00:00:00.000000Z" in written.getvalue()
    assert "1.50" in written.getvalue()


async def test_a_stream_that_is_gone_stops_nobody() -> None:
    written = io.StringIO()
    logs.configure("info", "json", written)
    log = logs.access_log()
    assert log is not None
    written.close()
    log.write(Access(0.0, "req_1", "GET", "/", 200, 0.0))
    log.flush()
    assert written.closed
    logs.configure("error", "json", io.StringIO())
