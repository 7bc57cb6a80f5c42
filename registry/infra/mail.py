"""Mail over SMTP (RFC 5321), as a client that submits it (RFC 6409)."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, localtime, make_msgid
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import aiosmtplib
import structlog

from registry.core.errors import RegistryError, TooManyRequests, Unavailable
from registry.core.hosts import is_loopback

TIMEOUT: Final = 10.0
WAITING: Final = 100
_log = structlog.get_logger("registry.mail")


class Mail:
    """A way to send mail: `url` is `smtp://[user:password@]host[:port]` or `smtps://…`, `sender` an address.

    `smtp` goes over to TLS where the server offers it (RFC 3207), and must before a password goes to another machine;
    the port is 587 with a password and 25 without, that of `smtps` 465. The certificate must be good for the host,
    except on a loopback address.
    """

    def __init__(self, url: str, sender: str) -> None:
        parts = urlsplit(url)
        self.sender = sender
        self._host = parts.hostname or ""
        self._is_tls = parts.scheme == "smtps"
        self._user = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None
        self._port = parts.port or (465 if self._is_tls else 587 if self._user else 25)
        self._tasks: set[asyncio.Task[None]] = set()

    async def send(self, message: EmailMessage) -> None:
        """Hand a message to the server, within 10 seconds; sender, date and id are added here.

        Raises:
            Unavailable: the server does not answer, or does not take it.
        """
        message["From"] = self.sender
        message["Date"] = format_datetime(localtime())
        message["Message-ID"] = make_msgid(domain=self.sender.rpartition("@")[2])
        to = str(message["To"])
        await self._within(lambda client: client.sendmail(self.sender, [to], message.as_bytes(policy=SMTP)))

    async def check(self) -> None:
        """Greet the server, and log in where a password is set.

        Raises:
            Unavailable: it does not answer as it should.
        """
        await self._within(lambda client: client.noop())

    def post(self, message: EmailMessage) -> None:
        """Send a message later; a failure is logged."""
        self.later(lambda: self.send(message))

    def later(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do something that sends mail without anybody waiting for it; a failure is logged.

        Raises:
            TooManyRequests: as much as can be is waiting.
        """
        if len(self._tasks) >= WAITING:
            raise TooManyRequests(
                "Too much mail waits to be sent: try again in a minute.", headers={"Retry-After": "60"}
            )
        task = asyncio.get_running_loop().create_task(_logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settled(self) -> None:
        """Wait until nothing is waiting to be sent."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def close(self) -> None:
        """Give up what is not sent."""
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _within(self, talk: Callable[[aiosmtplib.SMTP], Awaitable[object]]) -> None:
        is_near = is_loopback(self._host)
        client = aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            username=self._user,
            password=self._password,
            timeout=TIMEOUT,
            use_tls=self._is_tls,
            start_tls=True if self._user and not is_near and not self._is_tls else False if self._is_tls else None,
            validate_certs=not is_near,
        )
        try:
            async with asyncio.timeout(TIMEOUT), client:
                await talk(client)
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            code = error.code if isinstance(error, aiosmtplib.SMTPResponseException) else None
            _log.warning("mail not taken", reason=type(error).__name__, code=code)
            raise Unavailable("The mail server does not take mail at the moment: try again later.") from None


async def _logged(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    try:
        await work()
    except RegistryError as error:
        _log.warning("mail not sent", reason=error.code)
    except Exception as error:  # noqa: BLE001 - nobody waits for it; its text may hold what was to be sent
        _log.error("mail not sent", reason=type(error).__name__)
