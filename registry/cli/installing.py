"""Installing: resolve, ask, fetch, lay out, and exchange all at once."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import click

from registry.cli import application, consent, lockfile, places, project, strict_json
from registry.cli.application import Application
from registry.cli.cache import Cache
from registry.cli.choosing import Aim, Chosen, choose
from registry.cli.graph import Release
from registry.cli.laying import lay
from registry.cli.linking import links_of, target_of
from registry.cli.lockfile import Lock, Locked
from registry.cli.problems import Problem, Tampered
from registry.cli.project import Installed, Project
from registry.cli.reach import Reach, reach
from registry.cli.run import Run
from registry.cli.session import address_of, logins_of
from registry.cli.supply import Goods, Supply
from registry.cli.transaction import STATE, Transaction

_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Terms:
    """How it is done.

    Attributes:
        folder: of the project.
        offline: nothing but the cache is asked.
        force: all is laid out anew, and what does not fit the version of Gati is installed all the same.
        gati: the version of Gati that the project runs on; None: as the project says.
        images: whether the layers of runnable images come too.
        save: whether `gati.modules.json` and `gati.lock` are written.
    """

    folder: Path = field(default_factory=Path.cwd)
    offline: bool = False
    force: bool = False
    gati: str | None = None
    images: bool = False
    save: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done; `kept` is how many artifacts stayed as they were."""

    installed: tuple[Release, ...] = ()
    removed: tuple[str, ...] = ()
    kept: int = 0
    warnings: tuple[str, ...] = ()

    def tell(self, run: Run) -> None:
        """Say it."""
        for warning in self.warnings:
            run.out.warn(warning)
        for release in self.installed[:_SHOWN]:
            run.out.say(f"  + {release}")
        if len(self.installed) > _SHOWN:
            run.out.say(f"  … and {len(self.installed) - _SHOWN} more")
        for name in self.removed[:_SHOWN]:
            run.out.say(f"  - {name}")
        run.out.done(self._sentence(), self._document())

    def _sentence(self) -> str:
        if not self.installed and not self.removed:
            return f"All is installed already: {_counted(self.kept)}." if self.kept else "There is nothing to install."
        done = [f"{_counted(len(self.installed))} installed"] if self.installed else []
        done += [f"{_counted(len(self.removed))} removed"] if self.removed else []
        return ", ".join(done) + (f", {self.kept} as before." if self.kept else ".")

    def _document(self) -> dict[str, Any]:
        items = [
            {"repository": one.repository, "version": one.version, "digest": one.digest, "type": one.type}
            for one in self.installed
        ]
        warnings = list(self.warnings)
        return {"installed": items, "removed": list(self.removed), "unchanged": self.kept, "warnings": warnings}


def _counted(count: int) -> str:
    return f"{count} artifact" + ("" if count == 1 else "s")


class Work:
    """A project that is being changed by nobody else, with all that this takes.

    Attributes:
        after: the repositories that it has when `settle` is through.
    """

    def __init__(self, run: Run, terms: Terms, cache: Cache, change: Transaction) -> None:
        self.run = run
        self.terms = terms
        self.project: Project = project.load(terms.folder)
        run.registry = run.registry or self.project.application.registry or self.project.lock.registry
        address = address_of(run, logins_of(run))
        self.supply = Supply(cache, address, run.out, None if terms.offline else self._reach)
        self.after: frozenset[str] = frozenset()
        self._change = change
        self._context = click.get_current_context()

    def _reach(self) -> Reach:
        """The registry, whichever thread needs it first; closed with the command."""
        with self._context.scope(cleanup=False):
            return reach(self.run)

    def settle(self, aim: Aim) -> Outcome:
        """Have the project be what is wanted of it.

        Raises:
            Problem: it cannot be; then it is as it was.
        """
        links = links_of(self.terms.folder, aim.application)
        chosen = choose(aim, self.project.lock, self.supply, links)
        todo = [name for name in chosen.order if self._is_missing(chosen.graph.releases[name], links)]
        gone = sorted(set(self.project.installed) - set(chosen.order))
        self._agree([chosen.graph.releases[name] for name in todo if name not in links])
        goods = self._fetched(chosen, todo, links)
        lock = self._lock(chosen, goods, links)
        installed = dict(self.project.installed)
        for name in todo:
            installed[name] = self._laid(chosen.graph.releases[name], goods.get(name), aim.application)
        for name in gone:
            self._change.drop(name)
            del installed[name]
        self._write(aim.application, lock, installed)
        self.after = frozenset(chosen.order)
        done = tuple(chosen.graph.releases[name] for name in todo)
        return Outcome(done, tuple(gone), len(chosen.order) - len(todo), chosen.warnings)

    def _is_missing(self, release: Release, links: Mapping[str, Release]) -> bool:
        if self.terms.force and release.repository not in links:
            return True
        return not self.project.is_intact(release.repository, release.digest)

    def _agree(self, releases: Sequence[Release]) -> None:
        locked = self.project.lock.artifacts
        if not self.terms.force:
            consent.fit(releases, self.terms.gati or self.project.application.gati or self._of_package())
        news = [one for one in releases if getattr(locked.get(one.repository), "digest", None) != one.digest]
        consent.ask(self.run, news, locked)

    def _of_package(self) -> str | None:
        try:
            with (self.terms.folder / "package.json").open("rb") as file:
                return consent.gati_version(file.read(strict_json.LIMIT))
        except OSError:
            return None

    def _fetched(self, chosen: Chosen, todo: Sequence[str], links: Mapping[str, Release]) -> dict[str, Goods]:
        """What is to be laid out, and what the lock does not know the layers of yet."""
        locked = self.project.lock.digests
        needed = [
            release
            for name, release in chosen.graph.releases.items()
            if name not in links and (name in todo or locked.get(name) != release.digest)
        ]
        goods = self.supply.fetch(needed)
        if self.terms.images:
            self.supply.pull_images([one for one in goods.values() if one.plan.is_image])
        return goods

    def _lock(self, chosen: Chosen, goods: Mapping[str, Goods], links: Mapping[str, Release]) -> Lock:
        found: dict[str, Locked] = {}
        for name, release in chosen.graph.releases.items():
            if name in links:
                continue
            before = self.project.lock.artifacts.get(name)
            same = before is not None and before.digest == release.digest
            layers = goods[name].layers if name in goods else before.layers if before is not None else ()
            if same and before is not None and name in goods and before.layers not in {(), layers}:
                raise Tampered(
                    f"{lockfile.FILE} names other layers of {release} than its manifest does.",
                    f"Bring {lockfile.FILE} back from version control, or remove it and install again.",
                    code="LOCK_MISMATCH",
                )
            found[name] = _locked(release, chosen, layers, before if same else None)
        return Lock(self.supply.address.url, found)

    def _laid(self, release: Release, goods: Goods | None, app: Application) -> Installed:
        place = self._change.folder(release.repository)
        if goods is None:
            root = app.named(release.repository)
            path = "" if root is None or root.link is None else root.link
            place.symlink_to(target_of(self.project.path(release.repository), self.terms.folder / path))
        else:
            lay(goods, place, self.supply.cache, self.supply.address.url, with_image=self.terms.images)
        return Installed(release.version, release.digest, project.seal(place))

    def _write(self, app: Application, lock: Lock, installed: Mapping[str, Installed]) -> None:
        files = {STATE: project.render_state(installed)}
        if self.terms.save:
            files |= {application.FILE: application.render(app), lockfile.FILE: lockfile.render(lock)}
        for name, content in files.items():
            before = project.read(self.terms.folder / name)
            if before != content and (before is not None or app.roots or installed):
                self._change.write(name, content)
        self._change.commit()


def _locked(release: Release, chosen: Chosen, layers: tuple[lockfile.Piece, ...], before: Locked | None) -> Locked:
    fresh = Locked(
        release.repository,
        release.version,
        release.digest,
        release.type,
        chosen.graph.edges.get(release.repository, {}),
        release.repository in chosen.dev,
        None if before is None else before.signer,
        layers,
        release.capabilities,
        release.engines,
    )
    return fresh if before is None else replace(fresh, type=release.type or before.type)


@contextmanager
def working(run: Run, terms: Terms) -> Iterator[Work]:
    """A project for the time of one change, after what was cut off before is taken back.

    Raises:
        Problem: there is no such folder, or the project is not as it should be.
    """
    if not terms.folder.is_dir():
        raise Problem(f"{terms.folder} is no folder.", "Name the folder of your project with --dir.")
    cache = Cache(places.cache(run.environ))
    with cache.locked(terms.folder), Transaction(terms.folder) as change:
        yield Work(run, terms, cache, change)
