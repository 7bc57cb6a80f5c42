"""Names of namespaces: what they may be, which look alike, which nobody may take by himself. Pure."""

import re
from typing import Final

from registry.core.errors import Unprocessable

KINDS: Final = ("user", "org", "plain")
LENGTHS: Final = {"user": 50, "org": 50, "plain": 100}
_SLUG: Final = re.compile(r"[a-z0-9]+(?:-+[a-z0-9]+)*")
_COMPONENT: Final = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_FORMS: Final = {
    "user": (_SLUG, "a-z and 0-9, and inside it '-'"),
    "org": (_SLUG, "a-z and 0-9, and inside it '-'"),
    "plain": (_COMPONENT, "a-z and 0-9, and inside it '.', '_', '__' or '-'"),
}
_ROBOT: Final = re.compile(r"[a-z0-9]+(?:[-_.][a-z0-9]+)*")
_ROBOT_LENGTH: Final = 50
_SHOWN: Final = 100
_SEPARATORS: Final = re.compile(r"[-_.]+")
# Each to the longer spelling, so that the order of replacements is of no matter: vw and wv are both vvv.
_LOOKS: Final = str.maketrans({"0": "o", "1": "l", "i": "l", "m": "rn", "w": "vv"})
PATHS: Final = {"user": "users", "org": "orgs"}
_RESERVED: Final = (
    "about", "abuse", "access", "account", "accounts", "admin", "administrator", "administrators", "admins", "all",
    "anonymous", "anybody", "anyone", "api", "app", "artifact", "artifacts", "assets", "audit", "auth", "badge",
    "badges", "billing", "blob", "blobs", "catalog", "ci", "cli", "config", "contact", "dashboard", "docs",
    "download", "downloads", "everybody", "everyone", "favicon", "gati", "gati-dev", "gati-official", "gati-registry",
    "graphql", "health", "help", "home", "host", "internal", "invite", "keys", "legal", "library", "localhost",
    "login", "logout", "mail", "manifest", "manifests", "marketplace", "me", "metrics", "mirror", "namespace",
    "namespaces", "new", "nobody", "official", "operator", "org", "organisation", "organization", "organisations",
    "organizations", "orgs", "owner", "postmaster", "privacy", "private", "public", "ready", "recommendations",
    "register", "registry", "robot", "robots", "root", "search", "security", "service", "settings", "signin",
    "signout", "signup", "site", "snapshots", "staff", "static", "status", "stranger", "superuser", "support", "sys",
    "sysadmin", "system", "team", "teams", "terms", "token", "tokens", "undefined", "unknown", "upload", "uploads",
    "user", "users", "v1", "v2", "v3", "webhooks", "webmaster", "well-known", "worker", "www",
)  # fmt: skip


def skeleton(slug: str) -> str:
    """What all slugs that look like this one have in common.

    0 and o are one, and so are 1, l and i; rn and m; vv and w. Every run of '-', '_' and '.' is one '-', but with one
    and without are two names.
    """
    return _SEPARATORS.sub("-", slug).translate(_LOOKS)


RESERVED: Final = frozenset(skeleton(word) for word in _RESERVED)


def check_slug(kind: str, slug: str, *, may_take_reserved: bool = False) -> str:
    """`slug`, when a namespace of this kind (`user`, `org`, `plain`) may have it.

    `may_take_reserved`: an operator makes it. A plain namespace `library`, where others keep their common images, may
    be made without; `users` and `orgs` begin names of the other kinds and are never plain.

    Raises:
        Unprocessable: it may not; the sentence says why, and how to spell it where only its case is wrong.
    """
    form, letters = _FORMS[kind]
    if slug != slug.lower() and form.fullmatch(slug.lower()):
        raise _refusal(f"Names are written in lower case: use {slug.lower()[:_SHOWN]}.", slug)
    if not 1 <= len(slug) <= LENGTHS[kind]:
        raise _refusal(f"A name has 1 to {LENGTHS[kind]} characters; this one has {len(slug)}.", slug)
    if form.fullmatch(slug) is None:
        raise _refusal(f"{slug!r} is not a name: it takes {letters}.", slug)
    if kind == "plain" and slug in PATHS.values():
        raise _refusal(f"{slug} begins the names of other namespaces: choose another name.", slug)
    is_common = kind == "plain" and slug == "library"
    if skeleton(slug) in RESERVED and not may_take_reserved and not is_common:
        raise _refusal(f"{slug} is reserved, or looks like a reserved name: choose another one.", slug)
    return slug


def check_robot(name: str) -> str:
    """`name`, when a robot may have it: what stands after the `+`.

    Raises:
        Unprocessable: it may not.
    """
    if len(name) > _ROBOT_LENGTH or _ROBOT.fullmatch(name) is None:
        raise _refusal(
            f"{name[:_SHOWN]!r} is no name of a robot: it takes 1 to {_ROBOT_LENGTH} of a-z and 0-9, "
            "and inside it '-', '_' or '.'.",
            name,
        )
    return name


def prefix(kind: str, slug: str) -> str:
    """What the names of all repositories of a namespace begin with, without the slash after it."""
    return f"{PATHS[kind]}/{slug}" if kind in PATHS else slug


def split(name: str) -> tuple[str, str]:
    """Kind and slug of the namespace that the name of a repository begins with; the slug is empty where none is."""
    first, _, rest = name.partition("/")
    for kind, path in PATHS.items():
        if first == path:
            return kind, rest.partition("/")[0]
    return "plain", first


def _refusal(message: str, slug: str) -> Unprocessable:
    return Unprocessable(message, detail={"name": slug[:_SHOWN]})
