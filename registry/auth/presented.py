"""What an Authorization field presents (RFC 9110, section 11.6.2; RFC 6750; RFC 7617). Pure."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from registry.auth import secrets, tokens
from registry.core.errors import BadRequest, InvalidCredentials

LONGEST: Final = 12 << 10
WRONG: Final = "The user name or the password is wrong."


@dataclass(frozen=True, slots=True)
class Presented:
    """A credential that nobody has checked: `form` is `token`, `secret` or `password`.

    Attributes:
        name: the user name beside it; None with Bearer.
        kind: that of a secret; it has the right form and CRC.
    """

    form: str
    text: str
    name: str | None = None
    kind: str = ""


def present(values: Sequence[bytes]) -> Presented | None:
    """What the values of Authorization present; None when nothing does, as with an empty user name and password.

    Raises:
        BadRequest: there are several: it would be guesswork which one counts.
        InvalidCredentials: it is in no form that this registry takes.
    """
    if len(values) > 1:
        raise BadRequest("The request has more than one Authorization field: send one.")
    value = values[0].strip(b" \t") if values else b""
    if len(value) > LONGEST:
        raise InvalidCredentials(f"The Authorization field is longer than {LONGEST} bytes: log in again.")
    scheme, _, rest = value.partition(b" ")
    match scheme.lower():
        case b"":
            return None
        case b"basic":
            return _basic(rest.strip(b" "))
        case b"bearer":
            return _bearer(rest.strip(b" "))
        case _:
            raise InvalidCredentials("The registry takes Authorization: Bearer or Basic, and no other scheme.")


def claimed_name(values: Sequence[bytes]) -> str:
    """The user name that a request claims, in lower case, for counting failures; empty without one."""
    try:
        presented = present(values)
    except (BadRequest, InvalidCredentials):
        return ""
    return presented.name.lower() if presented is not None and presented.name is not None else ""


def _bearer(raw: bytes) -> Presented:
    text = raw.decode("latin-1")
    if tokens.is_token(text):
        return Presented("token", text)
    kind = secrets.parse(text)
    if kind is None:
        raise InvalidCredentials("The bearer token is none that this registry made: log in again.")
    return Presented("secret", text, None, kind)


def _basic(raw: bytes) -> Presented | None:
    try:
        name, colon, password = base64.b64decode(raw, validate=True).decode("utf-8").partition(":")
    except binascii.Error as error:
        raise InvalidCredentials("The credentials of Basic are not Base64: log in again.") from error
    except UnicodeDecodeError as error:
        raise InvalidCredentials("The user name and the password must be UTF-8 (RFC 7617): log in again.") from error
    if not colon:
        raise InvalidCredentials("The credentials of Basic have no colon after the user name: log in again.")
    if not name and not password:
        return None
    if not name or not password:
        raise InvalidCredentials(WRONG)
    kind = secrets.parse(password)
    return Presented("password" if kind is None else "secret", password, name, kind or "")
