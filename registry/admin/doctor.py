"""`gati-registry doctor`: what is configured, reachable and wrong."""

import contextlib
import errno
import os
import resource
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

import click

from registry.admin import running
from registry.admin.running import Refusal
from registry.admin.serve import check_tls, options
from registry.config import CONFIG_VARIABLE, Settings, settings_table
from registry.core.errors import Unavailable
from registry.infra.db import embedded
from registry.infra.db.migrate import pending
from registry.infra.db.postgres_directory import Layout
from registry.infra.http.server import bind
from registry.infra.mail import Mail

_FEW_FILES: Final = 4096
_LEAST_FILES: Final = 256
_BUILT: Final = datetime(2026, 1, 1, tzinfo=UTC)
_EXPIRES_SOON: Final = timedelta(days=14)
_DRIFT_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: `subject` was looked at, `text` says what was found and, unless `ok`, what to do."""

    state: Literal["ok", "warn", "FAIL"]
    subject: str
    text: str


@click.command()
@running.config_option
def command(config: Path | None) -> None:
    """Print a line for each check: ok, warn or FAIL with what to do. The exit status is 1 when one fails."""
    settings = running.settings(config)
    findings = [*_configuration(settings, config), *_machine(settings)]
    findings += running.run(_database(settings))
    findings += running.run(_mail(settings))
    for found in findings:
        click.echo(f"{found.state:5}{found.subject}: {found.text}")
    if any(found.state == "FAIL" for found in findings):
        raise SystemExit(1)


def _configuration(settings: Settings, config: Path | None) -> Iterator[Finding]:
    source = config or os.environ.get(CONFIG_VARIABLE)
    given = [row.name for row in settings_table().values() if os.environ.get(row.name)]
    names = ", ".join(f"{name}={_shown(name)}" for name in given) or "nothing"
    yield Finding(
        "ok", "configuration", f"the environment sets {names}" + (f"; the file is {source}" if source else "")
    )
    if settings.access == "open":
        yield Finding("warn", "access", "ACCESS=open: whoever reaches the port may pull, push and delete")
    else:
        yield Finding("ok", "access", "open to this machine until there are accounts" if settings.is_open else "closed")
    yield from _data_directory(settings)


def _shown(name: str) -> str:
    secrets = {row.name for row in settings_table().values() if row.secret}
    return "***" if name in secrets else os.environ[name]


def _data_directory(settings: Settings) -> Iterator[Finding]:
    if settings.database_url is None:
        yield _directory("data directory", settings.data_dir, settings.disk_reserve)
    yield _directory("storage", settings.storage_url, settings.disk_reserve)


def _directory(subject: str, path: Path, reserve: int) -> Finding:
    """Whether the directory, or the one in which it will be made, can be written and has room."""
    place = next((parent for parent in (path, *path.parents) if _can_be_seen(parent)), path)
    if not place.is_dir():
        return Finding("FAIL", subject, f"{place} is not a directory; name another")
    if not os.access(place, os.R_OK | os.W_OK | os.X_OK):
        return Finding(
            "FAIL", subject, f"{place} cannot be written by user {os.geteuid()}; change its owner or name another"
        )
    found = os.statvfs(place)
    free = found.f_bavail * found.f_frsize
    room = f"{free >> 20} MiB free, DISK_RESERVE is {reserve >> 20} MiB"
    if free <= reserve:
        return Finding("FAIL", subject, f"{path}: {room}; uploads are refused until there is more")
    return Finding("warn" if free < 2 * reserve else "ok", subject, f"{path}: {room}")


def _can_be_seen(path: Path) -> bool:
    try:
        path.stat()
    except OSError:
        return False
    return True


def _machine(settings: Settings) -> Iterator[Finding]:
    yield _tls(settings)
    yield _port(settings)
    yield _files()
    now = datetime.now(UTC)
    state: Literal["ok", "FAIL"] = "ok" if now > _BUILT else "FAIL"
    yield Finding(
        state, "clock", f"{now:%Y-%m-%d %H:%M:%S} UTC" + ("" if state == "ok" else "; set it: it is in the past")
    )
    if settings.database_url is None and os.geteuid() == 0:
        yield _user_namespaces()


def _tls(settings: Settings) -> Finding:
    if settings.tls_certificate is None:
        return Finding("ok", "TLS", "off; clients on other machines need it, here or in a proxy")
    try:
        check_tls(settings)
        decoded: dict[str, Any] = ssl._ssl._test_decode_cert(str(settings.tls_certificate))  # type: ignore[attr-defined]  # noqa: SLF001 - the standard library has no other reader
    except Refusal as error:
        return Finding("FAIL", "TLS", error.message)
    left = timedelta(seconds=ssl.cert_time_to_seconds(decoded["notAfter"]) - time.time())
    if left < timedelta():
        return Finding("FAIL", "TLS", f"the certificate ended on {decoded['notAfter']}; renew it")
    return Finding(
        "warn" if left < _EXPIRES_SOON else "ok", "TLS", f"the certificate is good until {decoded['notAfter']}"
    )


def _port(settings: Settings) -> Finding:
    place = f"port {settings.port} of {settings.host}"
    try:
        bind(options(settings)).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE and _serves(settings):
            return Finding("ok", "port", f"{place} is taken by the running registry")
        return Finding("FAIL", "port", f"{place}: {error.strerror}; choose others with PORT and HOST")
    return Finding("ok", "port", f"{place} is free")


def _serves(settings: Settings) -> bool:
    """Whether a registry runs on this data directory."""
    if not _can_be_seen(settings.data_dir):
        return False
    try:
        with embedded.DirectoryLock(settings.data_dir):
            return False
    except embedded.DirectoryBusy:
        return True
    except embedded.EmbeddedError:
        return False


def _files() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    text = f"{soft} now, raised to {hard} by serve"
    if hard < _LEAST_FILES:
        return Finding("FAIL", "open files", f"{text}; raise the hard limit (ulimit -Hn, LimitNOFILE=) to {_FEW_FILES}")
    return Finding("warn" if hard < _FEW_FILES else "ok", "open files", text)


def _user_namespaces() -> Finding:
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            made = subprocess.run(["unshare", "--user", "true"], capture_output=True, check=False)  # noqa: S607 - of util-linux, wherever it lies
            if made.returncode == 0:
                return Finding(
                    "ok", "user namespaces", "allowed; PostgreSQL runs in one, since it does not run as root"
                )
    return Finding(
        "FAIL",
        "user namespaces",
        "not allowed, and PostgreSQL does not run as root; serve as another user or set DATABASE_URL",
    )


async def _database(settings: Settings) -> list[Finding]:
    kind = "external" if settings.database_url else "embedded"
    try:
        if settings.database_url is None and not Layout.of(settings.data_dir).has_cluster:
            return [Finding("ok", "database", "embedded; the first serve makes it")]
        async with running.database(settings) as arguments, running.connected(arguments) as connection:
            version = await connection.fetchval("SHOW server_version")
            missing = await pending(connection)
            began = time.time()
            clock = await connection.fetchval("SELECT extract(epoch FROM clock_timestamp())::float8")
            drift = abs(clock - (began + time.time()) / 2)
    except (Refusal, embedded.EmbeddedError, OSError) as error:
        return [Finding("FAIL", "database", f"{kind}: {error}")]
    found = [Finding("ok", "database", f"{kind}, PostgreSQL {version}"), _schema(kind, missing)]
    if drift > _DRIFT_SECONDS:
        found.append(Finding("warn", "clock", f"differs by {drift:.1f} s from the database's; use NTP on both"))
    return found


async def _mail(settings: Settings) -> list[Finding]:
    takers = "people may make accounts" if settings.takes_sign_ups else "only an administrator makes accounts"
    found = [Finding("ok", "sign-up", f"SIGN_UP={settings.sign_up}: {takers}")]
    if settings.smtp_url is None:
        return [*found, Finding("ok", "mail", "none is sent: addresses are not confirmed, passwords not reset by mail")]
    try:
        await Mail(settings.smtp_url, settings.mail_from or "").check()
    except Unavailable:
        return [*found, Finding("FAIL", "mail", "the server of SMTP_URL does not answer as it should; see the log")]
    return [*found, Finding("ok", "mail", f"goes out as {settings.mail_from}")]


def _schema(kind: str, missing: list[str]) -> Finding:
    if not missing:
        return Finding("ok", "schema", "current")
    names = ", ".join(missing)
    if kind == "embedded":
        return Finding("warn", "schema", f"lacks {names}; the next serve applies it")
    return Finding("FAIL", "schema", f"lacks {names}; run gati-registry migrate")
