"""How the values of settings are written: durations, sizes, addresses, choices.

A parser answers the value or raises ValueError; the text of its `Form` says what it would have taken.
"""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from registry.core.mail_addresses import is_address
from registry.core.rates import Rate

Item = TypeVar("Item")
_SIZES: Final = {None: 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_SECONDS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_CENTURY: Final = 36500 * 86400
_LABEL: Final = r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?"
_HOST_NAME: Final = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*")


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write a value: `text` completes "must be …", `parse` raises ValueError for anything else.

    `empty` is the value of a setting of this form that is not given and has no default.
    """

    text: str
    parse: Callable[[str], Any]
    empty: Any = None


@dataclass(frozen=True, slots=True)
class Setting:
    """One declaration. `default` is written as a user would write it; empty: not set.

    `default_external` takes the place of `default` when DATABASE_URL is set.
    """

    name: str
    default: str
    form: Form
    description: str
    default_external: str = ""
    secret: bool = False

    def read(self, text: str, *, external: bool) -> Any:
        """The value that `text` means; `external`: DATABASE_URL is set.

        Raises:
            ValueError: it cannot hold; the sentence shows no secret.
        """
        default = self.default_external if external and self.default_external else self.default
        written = text.strip() or default
        if not written:
            return self.form.empty
        try:
            return self.form.parse(written)
        except (ValueError, RuntimeError):  # RuntimeError: a path below an unknown user's home
            shown = "the value" if self.secret else repr(written[:100])
            form = self.form.text.replace("`", "")
            raise ValueError(f"{self.name}: {shown} must be {form}.") from None


def choice(*words: str) -> Form:
    """One of the words, spelt exactly so."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(text)
        return text

    return Form(", ".join(f"`{word}`" for word in words[:-1]) + f" or `{words[-1]}`", parse)


def whole(low: int, high: int) -> Form:
    """A whole number from `low` to `high`."""

    def parse(text: str) -> int:
        number = int(text) if re.fullmatch(r"[0-9]{1,18}", text) else -1
        if not low <= number <= high:
            raise ValueError(text)
        return number

    return Form(f"a whole number from {low} to {high}", parse)


def _list_of(parse: Callable[[str], Item]) -> Callable[[str], tuple[Item, ...]]:
    return lambda text: tuple(parse(part.strip()) for part in text.split(",") if part.strip())


def _host(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        if _HOST_NAME.fullmatch(text) is None or re.fullmatch(r"[0-9.]+", text):
            raise
        return text


def _switch(text: str) -> bool:
    if text not in {"true", "false"}:
        raise ValueError(text)
    return text == "true"


def _size(text: str) -> int:
    match = re.fullmatch(r"([0-9]{1,18}) ?([KMGT]iB)?", text)
    if match is None:
        raise ValueError(text)
    return int(match[1]) * _SIZES[match[2]]


def _small_size(text: str) -> int:
    size = _size(text)
    if size > _SIZES["MiB"]:
        raise ValueError(text)
    return size


def _duration(text: str) -> timedelta:
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?) ?(ms|s|m|h|d)", text)
    seconds = float(match[1]) * _SECONDS[match[2]] if match else 0
    if not 0 < seconds <= _CENTURY:
        raise ValueError(text)
    return timedelta(seconds=seconds)


def _rate(text: str) -> Rate | None:
    if text == "0":
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,4})", text)
    if match is None:
        raise ValueError(text)
    return Rate(int(match[1]), int(match[2]))


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(text)


def _redis(text: str) -> str:
    parts = urlsplit(text)
    is_whole = bool(parts.hostname) and parts.port != 0 if parts.scheme in {"redis", "rediss"} else len(parts.path) > 1
    if not is_whole or not text.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError(text)
    return text


def _origin(text: str) -> str:
    parts = urlsplit(text)
    bare = parts._replace(path="").geturl()
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None or parts.port == 0:
        raise ValueError(text)
    if bare != text.rstrip("/"):
        raise ValueError(text)
    _host(parts.hostname)
    return bare


def _secret(text: str) -> str:
    if len(text) < 32:
        raise ValueError(text)
    return text


def _postgres(text: str) -> str:
    if not text.startswith(("postgresql://", "postgres://")) or "\0" in text:
        raise ValueError(text)
    return text


def _smtp(text: str) -> str:
    parts = urlsplit(text)
    bare = parts._replace(netloc="", scheme="").geturl()
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or parts.port == 0 or bare.strip("/"):
        raise ValueError(text)
    if not text.isprintable() or (parts.password is not None and not parts.username):
        raise ValueError(text)
    _host(parts.hostname)
    return text.rstrip("/")


def _address(text: str) -> str:
    if not is_address(text):
        raise ValueError(text)
    return text


def _path(text: str) -> Path:
    if text.startswith("file://"):
        parts = urlsplit(text)
        if parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
            raise ValueError(text)
        return Path(parts.path)
    if "://" in text or "\0" in text:
        raise ValueError(text)
    return Path(text).expanduser().absolute()


HOST: Final = Form("an IP address or a host name", _host)
HOSTS: Final = Form("host names, separated by commas", _list_of(_host), ())
ORIGIN: Final = Form("`http://host` or `https://host`, with a port or without, and no path", _origin)
ORIGINS: Final = Form("origins such as `https://ui.example.org`, separated by commas", _list_of(_origin), ())
PATH: Final = Form("a path", _path)
STORE: Final = Form("a path or a `file:///path` URL", _path)
PORT: Final = whole(0, 65535)
COUNT: Final = whole(1, 1_000_000)
SWITCH: Final = Form("`true` or `false`", _switch)
SIZE: Final = Form("a number of bytes, or a size such as `512MiB` or `5GiB`", _size)
SMALL_SIZE: Final = Form("a number of bytes, or a size such as `16KiB`, up to `1MiB`", _small_size)
DURATION: Final = Form("a duration such as `500ms`, `30s`, `15m`, `24h` or `7d`", _duration)
DURATION_OR_KEEP: Final = Form(
    "a duration such as `24h` or `30d`, or `keep`", lambda text: None if text == "keep" else _duration(text)
)
DURATION_OR_NEVER: Final = Form(
    "a duration such as `24h` or `30d`, or 0", lambda text: timedelta() if text == "0" else _duration(text)
)
SECRET: Final = Form("a text of at least 32 characters", _secret)
SMTP: Final = Form("`smtp://host` or `smtps://host`, with `user:password@` and a port or without", _smtp)
MAIL_ADDRESS: Final = Form("an e-mail address", _address)
POSTGRES: Final = Form("a `postgresql://user:password@host/database` URL", _postgres)
REDIS: Final = Form("a `redis://`, `rediss://` or `unix://` URL", _redis)
RATE: Final = Form("a count and a number of seconds, such as `100/60`, or 0", _rate)
NETWORKS: Final = Form("addresses or networks such as `10.0.0.0/8`, separated by commas", _list_of(_network), ())
