"""How artifacts are named: `name`, `@slug/name`, `users/slug/name`, with a host before and a version behind. Pure."""

import re
from dataclasses import dataclass
from typing import Final

from registry.core.errors import MalformedManifest

OFFICIAL: Final = "orgs/gati-official"
SLUG: Final = r"[a-z0-9]+(?:-+[a-z0-9]+)*"
_DIGEST: Final = r"sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128}"
_HOST: Final = (
    r"(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?|[A-Za-z0-9-]+:[0-9]{1,5}"
)
_REFERENCE: Final = re.compile(
    rf"(?:(?P<host>{_HOST})/)?(?:(?P<kind>users|orgs)/(?P<slug>{SLUG})/|@(?P<short>{SLUG})/)?(?P<name>{SLUG})"
    rf"(?:@(?P<digest>{_DIGEST})|[@:](?P<version>[^@\s]{{1,128}}))?"
)
_LONGEST: Final = 512
_LONGEST_NAME: Final = 50


@dataclass(frozen=True, slots=True)
class Reference:
    """The name of an artifact, as somebody wrote it.

    Attributes:
        host: of a registry, None for the one that is meant anyway.
        kind: `users` or `orgs`; None where only the slug or the name is written.
        slug: of the namespace; None for a bare name.
        version: a version, a range or a floating tag.
        digest: of its manifest.
    """

    name: str
    slug: str | None = None
    kind: str | None = None
    host: str | None = None
    version: str | None = None
    digest: str | None = None

    @property
    def repository(self) -> str | None:
        """The repository, where the whole name is written."""
        return f"{self.kind}/{self.slug}/{self.name}" if self.kind else None

    @property
    def namespace(self) -> str | None:
        """The namespace as `/v1` takes it: `users~slug`, `orgs~slug`, or a slug of either; None for a bare name."""
        return f"{self.kind}~{self.slug}" if self.kind else self.slug

    def __str__(self) -> str:
        """The shortest form that means the same, without a host."""
        name = self.repository or (f"@{self.slug}/{self.name}" if self.slug else self.name)
        return name + (f"@{self.digest or self.version}" if self.digest or self.version else "")


def parse(text: str, pointer: str = "") -> Reference:
    """The reference that `text` is.

    Raises:
        MalformedManifest: it is none; `pointer` says where it stands.
    """
    match = _REFERENCE.fullmatch(text) if len(text) <= _LONGEST else None
    parts = match.groupdict() if match else {}
    slug = parts.get("slug") or parts.get("short")
    if match is None or max(len(parts["name"]), len(slug or "")) > _LONGEST_NAME:
        raise MalformedManifest(
            f"{text[:200]!r} names no artifact.",
            pointer=pointer,
            value=text,
            suggestion="Write @slug/name, users/slug/name or orgs/slug/name, and @version or @sha256:… behind.",
        )
    return Reference(parts["name"], slug, parts["kind"], parts["host"], parts["version"], parts["digest"])


def repositories(reference: Reference, home: str) -> tuple[str, ...]:
    """The repositories that a reference in an artifact of the namespace `home` (`users/alice`) may mean, best first."""
    if reference.repository is not None:
        return (reference.repository,)
    if reference.slug is not None:
        return tuple(f"{kind}/{reference.slug}/{reference.name}" for kind in ("users", "orgs"))
    return tuple(dict.fromkeys((f"{home}/{reference.name}", f"{OFFICIAL}/{reference.name}")))
