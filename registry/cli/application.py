"""`gati.modules.json`: what a project wants. Pure.

    {"registry": "https://registry.example.org", "gati": "1.4.0",
     "dependencies": {"@alice/hello": "^1.2.0", "orgs/acme/auth": "sha256:…", "@acme/draft": "link:../draft"},
     "devDependencies": {}}

`registry` and `gati` (the version of Gati that the project runs on) may be missing; other members are kept.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from registry.artifacts import references, versions
from registry.cli import strict_json
from registry.cli.problems import Problem
from registry.core.digest import is_digest
from registry.core.errors import MalformedManifest

FILE: Final = "gati.modules.json"
LINK: Final = "link:"
_MOST: Final = 10_000


@dataclass(frozen=True, slots=True)
class Root:
    """An artifact that the project itself wants.

    Attributes:
        key: as the project names it: `@slug/name`, `users/slug/name` or `orgs/slug/name`.
        wanted: an npm range, a digest, or `link:` with the path of a folder.
    """

    key: str
    wanted: str
    is_dev: bool = False

    @property
    def repositories(self) -> tuple[str, ...]:
        """What the key may mean: users and organisations share their slugs, so there is one of them at most."""
        return references.repositories(references.parse(self.key), "")

    @property
    def link(self) -> str | None:
        """The path of the folder that stands for it, relative to the project."""
        return self.wanted.removeprefix(LINK) if self.wanted.startswith(LINK) else None

    @property
    def digest(self) -> str:
        """The release that is meant, empty where a range says it."""
        return self.wanted if is_digest(self.wanted) else ""


@dataclass(frozen=True, slots=True)
class Application:
    """What `gati.modules.json` says.

    Attributes:
        others: members that mean nothing to `gati`.
    """

    roots: tuple[Root, ...] = ()
    registry: str | None = None
    gati: str | None = None
    others: Mapping[str, Any] = field(default_factory=dict)

    def named(self, repository: str) -> Root | None:
        """The root that means a repository."""
        return next((root for root in self.roots if repository in root.repositories), None)

    def with_roots(self, roots: Iterable[Root]) -> "Application":
        """The same with these roots, in place of those that mean the same."""
        new = tuple(roots)
        meant = {repository for root in new for repository in root.repositories}
        kept = (root for root in self.roots if not meant.intersection(root.repositories))
        return replace(self, roots=tuple(sorted((*kept, *new), key=lambda root: root.key)))

    def without(self, roots: Iterable[Root]) -> "Application":
        """The same without these roots."""
        gone = set(roots)
        return replace(self, roots=tuple(root for root in self.roots if root not in gone))


def parse(raw: bytes | None) -> Application:
    """What a file says; nothing is wanted where there is none.

    Raises:
        Problem: a member is not what it should be.
    """
    document = {} if raw is None else strict_json.read(raw, FILE)
    lasting, dev = (
        _roots(document.pop("dependencies", {}), "dependencies"),
        _roots(document.pop("devDependencies", {}), "devDependencies"),
    )
    roots = [*lasting, *(replace(root, is_dev=True) for root in dev)]
    _refuse_twice(roots)
    registry, gati = document.pop("registry", None), document.pop("gati", None)
    if registry is not None and not isinstance(registry, str):
        raise Problem(f"registry in {FILE} is no address.", "Write one such as https://registry.example.org.")
    if gati is not None and not (isinstance(gati, str) and versions.is_version(gati)):
        raise Problem(
            f"gati in {FILE} is no version: {str(gati)[:100]!r}.", "Write the version of Gati, such as 1.4.0."
        )
    return Application(tuple(sorted(roots, key=lambda root: root.key)), registry, gati, document)


def _roots(found: Any, member: str) -> list[Root]:
    if not isinstance(found, dict) or len(found) > _MOST:
        raise Problem(f"{member} in {FILE} is no object of at most {_MOST:,} names and ranges.")
    return [check(Root(str(key), wanted), member) for key, wanted in found.items()]


def check(root: Root, member: str = "dependencies") -> Root:
    """`root`, when its key names an artifact and its range is one.

    Raises:
        Problem: it is not.
    """
    try:
        reference = references.parse(root.key)
    except MalformedManifest as error:
        raise Problem(
            f"{member} in {FILE}: {error.message}", "Write @slug/name, users/slug/name or orgs/slug/name."
        ) from error
    if reference.host or reference.slug is None or reference.version or reference.digest:
        raise Problem(
            f"{member} in {FILE}: {root.key!r} is not the name of an artifact with its namespace.",
            "Write @slug/name, users/slug/name or orgs/slug/name; the version belongs behind the colon.",
        )
    text = root.wanted
    if not isinstance(text, str) or not (root.link or root.digest or versions.is_range(text)):
        raise Problem(
            f"{member} in {FILE}: {root.key} wants {str(text)[:100]!r}, which is no range of versions.",
            "Write an npm range such as ^1.2.0, a digest (sha256:…), or link: and the path of a folder.",
        )
    return root


def _refuse_twice(roots: Iterable[Root]) -> None:
    seen: dict[str, str] = {}
    for root in roots:
        for repository in root.repositories:
            if repository in seen:
                raise Problem(f"{FILE} names one artifact twice: {seen[repository]} and {root.key}.", "Leave one out.")
            seen[repository] = root.key


def render(application: Application) -> bytes:
    """The file, with its names sorted."""
    lists = {
        "dependencies": {root.key: root.wanted for root in application.roots if not root.is_dev},
        "devDependencies": {root.key: root.wanted for root in application.roots if root.is_dev},
    }
    known = {"registry": application.registry, "gati": application.gati}
    document = {name: value for name, value in known.items() if value is not None} | dict(application.others) | lists
    if not lists["devDependencies"]:
        del document["devDependencies"]
    return strict_json.write(document)
