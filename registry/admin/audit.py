"""`gati-registry audit verify|export`: whether the log of what was done is whole, and what it says."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import click

from registry.admin import running
from registry.admin.running import Refusal
from registry.audit.export import Filter, export
from registry.audit.verify import Verdict, verify
from registry.config import Settings
from registry.infra.db.pool import Database, open_database


@click.group()
def command() -> None:
    """Verify or export the audit log, also while `serve` runs."""


@command.command("verify")
@click.option("--head", metavar="HASH", help="A head that was noted elsewhere: the log must still contain it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@running.config_option
def verify_command(*, config: Path | None, head: str | None, as_json: bool) -> None:
    """Recompute the chain of seals and say what the first row or seal is that does not fit.

    The exit status is 1 when there is one. Note the head that is printed somewhere else: only with it can a log be seen
    whose end was cut off.
    """
    if head is not None and (len(head) != 64 or not set(head.lower()) <= set("0123456789abcdef")):
        raise click.BadParameter("a head is 64 hexadecimal digits, as this command prints it.", param_hint="--head")
    verdict = running.run(_verify(running.settings(config), head.lower() if head else None))
    click.echo(json.dumps(asdict(verdict), indent=2) if as_json else report(verdict))
    if verdict.problem is not None:
        raise SystemExit(1)


def report(verdict: Verdict) -> str:
    """The verdict for people."""
    lines = [
        f"{verdict.rows} rows under {verdict.seals} seals are as they were sealed; {verdict.unsealed} wait for a seal.",
        f"Head: {verdict.head}",
    ]
    if verdict.problem is None:
        return "\n".join([*lines, "The audit log is whole."])
    return "\n".join(
        [*lines, verdict.problem.reason, f"The audit log does not fit from row {verdict.problem.number} on."]
    )


async def _verify(settings: Settings, head: str | None) -> Verdict:
    async with _database(settings) as db:
        return await verify(db, head)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the command line asks for: a filter, and a namespace by its name."""

    rows: Filter
    namespace: str | None


@command.command("export")
@click.option("--namespace", metavar="NAME", help="Only of this namespace: a slug, users/SLUG or orgs/SLUG.")
@click.option("--namespace-id", type=int, metavar="ID", help="Only of this namespace, also when it is deleted.")
@click.option("--actor", metavar="NAME", help="Only what this account did.")
@click.option("--action", metavar="ACTION", help="Only this action, as namespace.renamed.")
@click.option("--since", metavar="TIME", help="Only from this time on (RFC 3339; without a zone, UTC).")
@click.option("--until", metavar="TIME", help="Only before this time.")
@click.option("--after", type=click.IntRange(min=0), default=0, metavar="NUMBER", help="Only rows above this number.")
@running.config_option
def export_command(*, config: Path | None, namespace: str | None, **options: object) -> None:
    """Print sealed rows as JSON lines, by number."""
    times = {name: _time(name, options.pop(name)) for name in ("since", "until")}
    rows = Filter(namespace=options.pop("namespace_id"), **options, **times)  # type: ignore[arg-type]  # click's own
    running.run(_export(running.settings(config), _Wanted(rows, namespace)))


def _time(name: str, value: object) -> datetime | None:
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        raise click.BadParameter("a time is as 2026-01-31T12:00:00Z.", param_hint=f"--{name}") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


async def _export(settings: Settings, wanted: _Wanted) -> None:
    async with _database(settings) as db:
        rows = wanted.rows
        if wanted.namespace is not None:
            rows = replace(rows, namespace=await _namespace(db, wanted.namespace))
        async for line in export(db, rows):
            click.echo(line.text)


async def _namespace(db: Database, name: str) -> int:
    async with db.connection() as connection:
        found = await connection.fetchval("SELECT namespace_of($1)", name)
    if found is None:
        raise Refusal(f"There is no namespace {name}; one that was deleted is named by --namespace-id.")
    return int(found)


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Database]:
    async with running.database(settings) as arguments:
        await running.require_current(arguments)
        db = await open_database(arguments, 1, 1)
        try:
            yield db
        finally:
            await db.close()
