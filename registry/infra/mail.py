"""Mail over SMTP (RFC 5321)."""

from dataclasses import dataclass
from email.message import EmailMessage


@dataclass(frozen=True, slots=True)
class Mail:
    """A way to send mail: `url` is `smtp://[user:password@]host[:port]` or `smtps://…`, `sender` an address."""

    url: str
    sender: str

    async def send(self, message: EmailMessage) -> None:
        """Hand a message to the server.

        Raises:
            Unavailable: the server does not take it.
        """
