"""A real SMTP server that keeps what it is handed."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult


@dataclass
class Letterbox:
    """What came: messages, with their envelopes, and who logged in; `refuses` answers 451 to every message."""

    port: int = 0
    refuses: bool = False
    letters: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)
    was_encrypted: bool = False

    async def handle_DATA(self, _: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd calls it so
        """Keep a message."""
        if self.refuses:
            return "451 gati_reset_echo try later"
        self.was_encrypted = session.ssl is not None
        self.envelopes.append((envelope.mail_from, envelope.rcpt_tos))
        letter = BytesParser(policy=default).parsebytes(envelope.content)
        assert isinstance(letter, EmailMessage)
        self.letters.append(letter)
        return "250 kept"

    def authenticate(self, _: Any, __: Any, ___: Any, ____: Any, data: Any) -> AuthResult:
        """Let everybody in."""
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=True)

    def text(self, number: int = -1) -> str:
        """The body of a message."""
        body = self.letters[number].get_body()
        assert body is not None
        return str(body.get_content())

    def code(self, number: int = -1) -> str:
        """The code in a message."""
        [found] = re.findall(r"gati_(?:verify|reset)_\w+", self.text(number))
        return str(found)


@asynccontextmanager
async def letterbox(**options: Any) -> AsyncIterator[Letterbox]:
    """One that listens on a port of 127.0.0.1; `options` are those of aiosmtpd."""
    box = Letterbox()
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(box, authenticator=box.authenticate, auth_require_tls=False, **options), "127.0.0.1", 0
    )
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()
        await server.wait_closed()
