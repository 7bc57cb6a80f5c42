"""Mail goes to a real server, over TLS wherever a password or a stranger's network asks for it."""

import asyncio
import ssl
import subprocess
from email.message import EmailMessage
from pathlib import Path

import pytest

from registry.auth import letters
from registry.core.errors import TooManyRequests, Unavailable
from registry.infra import mail as module
from registry.infra.mail import WAITING, Mail
from tests.auth.letterbox import letterbox

SENDER = "registry@example.org"
SECRET = "canary-pass%40word"


def letter(to: str = "ann@example.org") -> EmailMessage:
    return letters.verification(to, "ann", "gati_verify_x", "https://registry.example.org")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mail")
    key, chain = folder / "key.pem", folder / "chain.pem"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=mail"]
    files = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(chain)]
    subprocess.run(["openssl", "req", "-x509", "-nodes", "-days", "9", *kind, *files], check=True, capture_output=True)
    return chain


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    return context


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> None:
    """127.0.0.1 is another machine."""
    monkeypatch.setattr(module, "is_loopback", lambda _: False)


async def test_a_letter_arrives_with_what_every_letter_needs() -> None:
    async with letterbox() as box:
        await Mail(f"smtp://127.0.0.1:{box.port}", SENDER).send(letter())
    [found] = box.letters
    assert box.envelopes == [(SENDER, ["ann@example.org"])]
    assert (found["From"], found["To"], found["Auto-Submitted"]) == (SENDER, "ann@example.org", "auto-generated")
    assert found["Message-ID"].endswith("@example.org>")
    assert found["Date"].datetime.tzinfo is not None
    assert found.get_content_type() == "text/plain"


@pytest.mark.parametrize("to", ["ann@example.org\nBcc: eve@example.org", "ann@example.org\r\n\r\nhello"])
def test_an_address_cannot_add_a_header(to: str) -> None:
    with pytest.raises(ValueError, match=r"(?i)linefeed|newline|carriage"):
        letter(to)


async def test_a_server_that_offers_tls_gets_mail_over_tls_and_the_password_as_it_is(tls: ssl.SSLContext) -> None:
    async with letterbox(tls_context=tls) as box:
        await Mail(f"smtp://ann:{SECRET}@127.0.0.1:{box.port}", SENDER).send(letter())
    assert box.was_encrypted
    assert box.logins == [("ann", "canary-pass@word")]


async def test_a_password_goes_to_another_machine_over_tls_alone(far: None) -> None:
    async with letterbox() as box:
        with pytest.raises(Unavailable):
            await Mail(f"smtp://ann:{SECRET}@127.0.0.1:{box.port}", SENDER).send(letter())
    assert (box.logins, box.letters) == ([], [])


async def test_a_server_that_nobody_vouches_for_gets_neither_password_nor_mail(far: None, tls: ssl.SSLContext) -> None:
    async with letterbox(tls_context=tls) as box:
        for user in (f"ann:{SECRET}@", ""):
            with pytest.raises(Unavailable):
                await Mail(f"smtp://{user}127.0.0.1:{box.port}", SENDER).send(letter())
    assert (box.logins, box.letters) == ([], [])


async def test_a_server_with_a_good_certificate_gets_both(
    far: None, tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with letterbox(tls_context=tls) as box:
        await Mail(f"smtp://ann:{SECRET}@127.0.0.1:{box.port}", SENDER).send(letter())
    assert (box.was_encrypted, len(box.letters)) == (True, 1)


async def test_smtps_begins_with_tls(tls: ssl.SSLContext) -> None:
    async with letterbox() as box:
        relay = await asyncio.start_server(
            lambda reader, writer: _relay(reader, writer, box.port), "127.0.0.1", 0, ssl=tls
        )
        async with relay:
            await Mail(f"smtps://127.0.0.1:{relay.sockets[0].getsockname()[1]}", SENDER).send(letter())
    assert len(box.letters) == 1


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """Carry what comes over TLS to the plain server behind, and back."""
    inner, outer = await asyncio.open_connection("127.0.0.1", port)

    async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(4096):
            target.write(data)
        target.close()

    await asyncio.gather(carry(reader, outer), carry(inner, writer))


async def test_the_port_follows_from_the_url_where_none_is_written() -> None:
    urls = ("smtp://mail", "smtp://u:p@mail", "smtps://mail", "smtps://u:p@mail:26")
    assert [Mail(url, SENDER)._port for url in urls] == [25, 587, 465, 26]


async def test_a_server_that_refuses_or_is_not_there_is_unavailable_and_the_log_has_nothing_of_the_letter(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with letterbox() as box:
        box.refuses = True
        mail = Mail(f"smtp://ann:{SECRET}@127.0.0.1:{box.port}", SENDER)
        with pytest.raises(Unavailable, match="try again later"):
            await mail.send(letter())
        mail.post(letter())
        await mail.settled()
    with pytest.raises(Unavailable):
        await mail.check()
    out = capsys.readouterr()
    assert "451" in out.out + out.err
    for secret in ("canary", "gati_", "ann@example.org"):
        assert secret not in out.out + out.err


async def test_what_waits_to_be_sent_is_bounded_and_given_up_at_the_end() -> None:
    mail = Mail("smtp://127.0.0.1:1", SENDER)
    never = asyncio.Event()

    async def stuck() -> None:
        await never.wait()

    for _ in range(WAITING):
        mail.later(stuck)
    with pytest.raises(TooManyRequests):
        mail.later(stuck)
    await mail.close()
    assert mail._tasks == set()


async def test_a_failure_that_nobody_waits_for_is_logged_without_what_it_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def fail() -> None:
        raise KeyError(SECRET)

    mail = Mail("smtp://127.0.0.1:1", SENDER)
    mail.later(fail)
    await mail.settled()
    out = capsys.readouterr()
    assert "KeyError" in out.out + out.err
    assert SECRET not in out.out + out.err
