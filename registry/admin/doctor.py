"""`gati-registry doctor`: what is configured, reachable and wrong."""

import os
import resource
from collections.abc import Iterator
from dataclasses import dataclass

import click

from registry.admin import running
from registry.config import Settings
from registry.infra.db import embedded
from registry.infra.db.migrate import pending
from registry.infra.db.pool import MINIMUM_VERSION
from registry.infra.storage.directory import DirectoryStore

_FEW_FILES = 1024


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: `state` is ok, warn or FAIL."""

    state: str
    text: str


@click.command()
def command() -> None:
    """One line for each check; exit status 1 when one fails."""
    settings, findings = running.settings(), list[Finding]()

    async def check() -> None:
        findings.extend(_machine(settings))
        findings.extend(await _database(settings))

    running.run(check())
    for finding in findings:
        click.echo(f"{finding.state:4} {finding.text}")
    if any(finding.state == "FAIL" for finding in findings):
        raise SystemExit(1)


def _machine(settings: Settings) -> Iterator[Finding]:
    yield Finding("ok", f"access: {'open to everybody' if settings.is_open else 'closed'} on {settings.host}")
    store = DirectoryStore(settings.storage_url, settings.disk_reserve)
    try:
        store.prepare()
        free = store.free()
    except OSError as error:
        yield Finding("FAIL", f"storage: {settings.storage_url}: {error.strerror}; make it writable for this user")
        return
    writable = os.access(settings.storage_url, os.W_OK)
    yield Finding("ok" if writable else "FAIL", f"storage: {settings.storage_url} is {'' if writable else 'not '}writable")
    enough = free > settings.disk_reserve
    yield Finding("ok" if enough else "FAIL", f"disk: {free >> 20} MiB free, {settings.disk_reserve >> 20} MiB reserved")
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    yield Finding("ok" if files > _FEW_FILES else "warn", f"open files: at most {files}")
    for path in (settings.tls_certificate, settings.tls_key):
        if path is not None:
            yield Finding("ok" if os.access(path, os.R_OK) else "FAIL", f"TLS: {path}")


async def _database(settings: Settings) -> list[Finding]:
    try:
        async with running.database(settings) as arguments:
            connection = await running.connect(arguments)
            try:
                version = int(await connection.fetchval("SHOW server_version_num")) // 10000
                missing = await pending(connection)
            finally:
                await connection.close()
    except embedded.EmbeddedError as error:
        return [Finding("FAIL", f"database: {error}")]
    kind = "external" if settings.database_url else "embedded"
    state = "ok" if version >= MINIMUM_VERSION else "FAIL"
    lines = [Finding(state, f"database: {kind} PostgreSQL {version}; {MINIMUM_VERSION} or newer is needed")]
    if missing and settings.database_url:
        return [*lines, Finding("FAIL", f"schema: lacks {', '.join(missing)}; run gati-registry migrate")]
    return [*lines, Finding("ok", "schema: current" if not missing else "schema: made by the first serve")]
