"""`gati snapshot`: an environment as one digest."""

from pathlib import Path
from typing import Any, Final

import click

from registry.cli import judging, publishing, releasing, snapshot_work
from registry.cli.catalog import parse
from registry.cli.commands_of import Group
from registry.cli.forms import lifetime
from registry.cli.problems import NotSignedIn, Problem
from registry.cli.publishing import Counter, Wishes
from registry.cli.reach import Reach, reach
from registry.cli.run import Run, pass_run
from registry.cli.snapshot_work import Wanted
from registry.cli.snapshots import ALL_LISTS
from registry.cli.unpacking import release_of

_FOLDER: Final = click.Path(path_type=Path, file_okay=False)
_VISIBILITIES: Final = click.Choice(["public", "internal", "private"])


_HELP = """Keep what a project has as one digest, restore it elsewhere, and share it by a link.

\b
gati snapshot create before-launch
gati snapshot restore @alice/before-launch --dir fresh
gati snapshot share @alice/before-launch --expires 7d
"""


@click.group(cls=Group, invoke_without_command=True, help=_HELP)
@click.pass_context
def command(context: click.Context) -> None:
    """Keep what a project has, restore and share it."""
    if context.invoked_subcommand is None:
        context.invoke(list_snapshots)


@command.command()
@click.argument("name")
@click.option("--visibility", type=_VISIBILITIES, default="private", show_default=True, help="Who may pull it.")
@click.option("--version", metavar="VERSION", help="Its version; else the next one.")
@click.option("--dir", "folder", type=_FOLDER, default=Path(), help="The folder of the project.")
@click.option("--config", "files", metavar="FILE", multiple=True, help="Another file of configuration; several times.")
@click.option("--secret", "hidden", metavar="FILE#/POINTER", multiple=True, help="A value that is a secret.")
@click.option("--dry-run", "is_trial", is_flag=True, help="Make and judge it; send nothing.")
@click.option("--wait/--no-wait", "is_waiting", default=True, help="Wait until the registry has judged it.")
@pass_run
def create(run: Run, /, name: str, **options: Any) -> None:
    """Keep the environment of a project as the snapshot NAME.

    It has what gati.lock has, each by its digest, and gati.modules.json, gati.config.json and the files named with
    --config. Secrets in them are replaced by names such as ${DATABASE_PASSWORD}; nothing is sent where something
    that looks like a secret remains.
    """
    place = reach(run)
    repository = snapshot_work.repository_of(place, name)
    wanted = Wanted(options["folder"], options["files"], options["hidden"], options["visibility"])
    made = snapshot_work.captured(wanted)
    version = options["version"] or snapshot_work.next_version(place, repository)
    bundle = snapshot_work.bundle_of(made, repository, version, run.environ)
    judging.judge(bundle, "the snapshot", ())
    hidden = [str(one["name"]) for one in made.config["config"]["secrets"]]
    if hidden:
        run.out.say(f"Left out, with their names in place: {', '.join(hidden)}.")
    if options["is_trial"]:
        document = releasing.described(bundle, place) | {"dryRun": True, "config": bundle.config}
        run.out.done(f"{repository} {version} is in order. Nothing was sent.", document)
        return
    wishes = Wishes((), options["visibility"], options["is_waiting"])
    done = publishing.publish(Counter(place.oci, place.api, run.out), bundle, wishes)
    releasing.tell(run, bundle, place, done)


@command.command("list")
@click.argument("namespace", required=False)
@click.option("--limit", type=click.IntRange(1), help="At most so many.")
@pass_run
def list_snapshots(run: Run, namespace: str | None, limit: int | None) -> None:
    """List the snapshots of NAMESPACE, else yours."""
    place = reach(run)
    home = namespace or place.home
    if home is None:
        raise NotSignedIn("You are not logged in: whose snapshots are meant?", "Name a namespace, such as users/alice.")
    items = place.catalog.artifacts(home, limit, type="snapshot")
    run.out.table(items, ("repository", "latest", "visibility", "updatedAt", "description"))


@command.command()
@click.argument("reference")
@pass_run
def show(run: Run, reference: str) -> None:
    """Show what the snapshot REFERENCE (or a link to one) keeps."""
    _, source = _source(run, reference)
    config = snapshot_work.inner(source.manifest)
    if run.out.as_json:
        run.out.record({"name": source.name, "digest": source.digest, "snapshot": dict(source.manifest)}, ())
        return
    environment = source.environment
    fields = {
        "snapshot": source.name,
        "digest": source.digest,
        "gati": environment.cli_version,
        "platform": environment.platform,
        "files": sorted(environment.files),
        "secrets": list(environment.secrets),
    }
    run.out.record(fields, tuple(fields))
    rows = [
        {"kind": name.removesuffix("s"), **{key: entry.get(key) for key in ("reference", "version", "digest")}}
        for name in ALL_LISTS
        for entry in config.get(name) or []
    ]
    run.out.table(rows, ("kind", "reference", "version", "digest"))


@command.command()
@click.argument("reference")
@click.option("--dir", "folder", type=_FOLDER, required=True, help="An empty folder, or one that is to be made.")
@pass_run
def restore(run: Run, reference: str, folder: Path) -> None:
    """Make the environment of the snapshot REFERENCE, or of a link to one, in an empty folder.

    All that it has is installed by its digest and checked; the folder is there when all of it is.
    """
    place, source = _source(run, reference)
    outcome, missing = snapshot_work.restored(run, source, folder, place)
    for warning in outcome.warnings:
        run.out.warn(warning)
    for name in missing:
        run.out.warn(f"The secret {name} is missing: set it in the environment of the project.")
    document = {
        "snapshot": source.name,
        "digest": source.digest,
        "folder": str(folder),
        "artifacts": [str(one) for one in outcome.installed],
        "missingSecrets": missing,
    }
    told = f"{source.name} is restored in {folder}: {len(outcome.installed)} artifacts, each with its digest."
    run.out.done(told, document)


@command.command()
@click.argument("reference")
@click.option("--expires", default="7d", show_default=True, help="How long the link is good: 30m, 12h, 7d.")
@click.option("--revoke", metavar="ID", help="End this link instead of making one; `all` ends each.")
@click.option("--list", "is_list", is_flag=True, help="List the links instead of making one.")
@pass_run
def share(run: Run, reference: str, expires: str, revoke: str | None, *, is_list: bool) -> None:
    """Make a link to the snapshot REFERENCE, good for a while, for people without an account.

    Whoever has the link can read the snapshot, and what it names as far as they may pull that.
    """
    place = reach(run)
    release = release_of(place, str(parse(reference)))
    path = snapshot_work.share_path(str(release["repository"]), str(release["version"]))
    if is_list:
        run.out.table(place.api.items(path), ("id", "createdAt", "expiresAt", "revokedAt"))
    elif revoke is not None:
        _revoke(run, place, path, revoke)
    else:
        _share(run, place, path, expires)


def _share(run: Run, place: Reach, path: str, expires: str) -> None:
    life = lifetime(expires)
    if life is None:
        raise Problem("A link that never ends is not made.", "Say --expires 7d, for instance.")
    made = place.api.call("POST", path, {"expiresInSeconds": int(life.total_seconds())}).body
    url = str(made.get("url"))
    full = url if "://" in url else place.address.url + url
    run.out.say(f"Good until {made.get('expiresAt')}; end it with --revoke {made.get('id')}.")
    run.out.secret(full, made | {"url": full})


def _revoke(run: Run, place: Reach, path: str, revoke: str) -> None:
    known = place.api.items(path) if revoke == "all" else [{"id": revoke}]
    ended = [str(one["id"]) for one in known if "revokedAt" not in one]
    for one in ended:
        place.api.call("DELETE", f"{path}/{one}")
    run.out.done(f"{len(ended)} link{'' if len(ended) == 1 else 's'} ended.", {"revoked": ended})


def _source(run: Run, reference: str) -> tuple[Reach, snapshot_work.Source]:
    if not snapshot_work.is_link(reference):
        place = reach(run)
        return place, snapshot_work.fetched(place, reference)
    named = snapshot_work.registry_of(reference)
    if named:
        run.registry = named
    place = reach(run)
    return place, snapshot_work.shared(place, reference)
