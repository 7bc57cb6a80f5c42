"""What `install`, `update`, `remove`, `list` and `link` do, for all groups of commands alike."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from registry.artifacts import versions
from registry.cli import linking
from registry.cli.application import Application, Root
from registry.cli.choosing import Aim, Manner, around, asked, unknown
from registry.cli.installing import Outcome, Work
from registry.cli.lockfile import Locked
from registry.cli.problems import Missing, Problem
from registry.cli.resolving import Shelf

TYPES: Final = {"plugin": "plugin", "agent": "agent", "model": "model"}
F = TypeVar("F", bound=Callable[..., Any])


def type_of(context: click.Context) -> str:
    """The type of artifacts that the group of a command is about; `module` and all others take any."""
    parent = context.parent
    return TYPES.get(str(parent.info_name), "") if parent is not None else ""


def project_option(command: F) -> F:
    """`--dir`."""
    return click.option(
        "--dir",
        "folder",
        type=click.Path(path_type=Path, file_okay=False),
        default=".",
        help="The folder of the project; else the one that you are in.",
    )(command)


def offline_option(command: F) -> F:
    """`--offline`."""
    return click.option("--offline", is_flag=True, help="Ask no registry: what is not in the cache is missing.")(
        command
    )


def run_options(command: F) -> F:
    """The options of all commands that install."""
    for option in (
        click.option("--force", is_flag=True, help="Lay all out anew; install what does not fit the version of Gati."),
        click.option("--gati-version", metavar="VERSION", help="The version of Gati that the project runs on."),
        click.option("--pull", "images", is_flag=True, help="Fetch the layers of runnable images, too."),
        offline_option,
        project_option,
    ):
        command = option(command)
    return command


def checked_version(text: str | None) -> str | None:
    """The version that `--gati-version` names.

    Raises:
        Problem: it is none.
    """
    if text is not None and not versions.is_version(text):
        raise Problem(f"{text!r} is no version of Gati.", "Write one such as 1.4.0.")
    return text


@contextmanager
def begun(folder: Path, *, is_wanted: bool) -> Iterator[None]:
    """The folder of a project, made where one `is_wanted` and none is; gone again when nothing came of it."""
    is_new = is_wanted and not folder.exists()
    if is_new:
        folder.mkdir(parents=True)
    try:
        yield
    except BaseException:
        if is_new:
            with suppress(OSError):
                folder.rmdir()
        raise


def install(work: Work, texts: Sequence[str], manner: Manner) -> Outcome:
    """Install what a user names, or all that the project wants."""
    app, keep = work.project.application, work.project.lock.digests
    if not texts:
        return work.settle(Aim(app, keep))
    home = manner.home or (None if work.terms.offline else work.supply.reach.home)
    found = asked(texts, replace(manner, home=home), app, work.supply)
    return work.settle(Aim(app.with_roots(found.roots), {**keep, **found.keep}, anew=True))


def update(work: Work, names: Sequence[str], *, latest: bool) -> Outcome:
    """Take the highest versions that the ranges allow; with `latest` the highest that there are, and such ranges."""
    app, lock = work.project.application, work.project.lock
    meant = _meant(names, app, lock.artifacts) if names else {*lock.artifacts, *_repositories(app)}
    if latest:
        app = app.with_roots([_raised(root, work) for root in app.roots if meant.intersection(root.repositories)])
    keep = {name: digest for name, digest in lock.digests.items() if name not in meant}
    return work.settle(Aim(app, keep, anew=True))


def remove(work: Work, names: Sequence[str]) -> Outcome:
    """Remove what the project wants no more, and what came along with it alone."""
    app, lock = work.project.application, work.project.lock
    meant = [_root(name, app, lock.artifacts) for name in names]
    outcome = work.settle(Aim(app.without(meant), lock.digests))
    left = [name for root in meant for name in root.repositories if name in work.after]
    told = tuple(f"{name} stays, because others of the project need it." for name in left)
    return replace(outcome, warnings=(*outcome.warnings, *told))


def link(work: Work, folder: Path, named: str | None) -> tuple[str, Outcome]:
    """Have a local folder stand for an artifact; its repository."""
    repository = linking.repository_of(linking.manifest_of(folder), named)
    root = linking.root_of(work.terms.folder, folder, repository)
    app = work.project.application.with_roots([root])
    return repository, work.settle(Aim(app, work.project.lock.digests))


def listed(work: Work, wanted_type: str, *, outdated: bool) -> list[dict[str, Any]]:
    """What the project has; with `outdated` only what there are higher versions of, and these."""
    app, lock = work.project.application, work.project.lock
    rows = [_row(one, app) for one in lock.artifacts.values() if wanted_type in {"", one.type}]
    if not outdated:
        links = linking.links_of(work.terms.folder, app).values()
        rows += [{"name": one.repository, "version": one.version, "wanted": one.digest} for one in links]
        return sorted(rows, key=lambda row: str(row["name"]))
    work.supply.releases([row["name"] for row in rows])
    return [row for row in (_compared(row, work, app) for row in rows) if row is not None]


def _row(one: Locked, app: Application) -> dict[str, Any]:
    root = app.named(one.repository)
    return {
        "name": one.repository,
        "version": one.version,
        "type": one.type,
        "wanted": None if root is None else root.wanted,
        "dev": one.dev,
        "digest": one.digest,
    }


def _compared(row: Mapping[str, Any], work: Work, app: Application) -> dict[str, Any] | None:
    """The same with the highest version of its range and of all, None when it has that; ranges of others count, too."""
    name, current = str(row["name"]), str(row["version"])
    found = Shelf(work.supply.releases, {}).of(name)
    if not found:
        return None
    root = app.named(name)
    ranges = [one.dependencies[name] for one in work.project.lock.artifacts.values() if name in one.dependencies]
    ranges += [root.wanted] if root is not None and not root.digest else []
    fitting = [one for one in found if all(versions.satisfies(one.version, wanted) for wanted in ranges)]
    best = current if root is not None and root.digest else fitting[0].version if fitting else current
    latest = found[0].version
    if current in {latest, best} and versions.precedence(latest) <= versions.precedence(current):
        return None
    return {"name": name, "version": current, "wanted": best, "latest": latest, "type": row["type"]}


def _raised(root: Root, work: Work) -> Root:
    if root.link is not None or root.digest:
        return root
    published = work.supply.releases(root.repositories)
    name = next((one for one in root.repositories if published.get(one)), None)
    if name is None:
        raise unknown(root.key)
    highest = Shelf(work.supply.releases, {}).of(name)[0].version
    return replace(root, wanted=around(highest, exact=versions.is_version(root.wanted)))


def _repositories(app: Application) -> set[str]:
    return {name for root in app.roots for name in root.repositories}


def _meant(names: Sequence[str], app: Application, locked: Mapping[str, Locked]) -> set[str]:
    """The repositories that a user names of those that the project has."""
    found: set[str] = set()
    for name in names:
        some = {one for one in {*locked, *_repositories(app)} if _is_named(one, name)}
        if not some:
            raise _absent(name, app)
        found |= some
    return found


def _root(name: str, app: Application, locked: Mapping[str, Locked]) -> Root:
    found = [root for root in app.roots if any(_is_named(one, name) for one in root.repositories)]
    if len(found) == 1:
        return found[0]
    if found:
        raise Problem(f"{name} may be {' or '.join(root.key for root in found)}.", "Write the whole name.")
    users = sorted(one.repository for one in locked.values() if any(_is_named(it, name) for it in one.dependencies))
    if users:
        raise Missing(f"{name} is no artifact that the project itself wants: {', '.join(users)} needs it.")
    raise _absent(name, app)


def _absent(name: str, app: Application) -> Missing:
    told = ", ".join(root.key for root in app.roots) or "nothing"
    return Missing(f"The project has no artifact {name}.", f"It wants {told}.", code="NOT_INSTALLED")


def _is_named(repository: str, name: str) -> bool:
    """Whether `name` is a repository's whole name, `@slug/name`, or its last part."""
    rest = repository.partition("/")[2]
    return name in {repository, f"@{rest}", rest.rpartition("/")[2]}
