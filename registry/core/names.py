"""Grammar of repository names and tags (OCI Distribution Specification, "Pulling manifests")."""

import re
from typing import Final

from registry.core.errors import NameInvalid, TagInvalid

NAME_LENGTH: Final = 255
TAG_LENGTH: Final = 128
_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME: Final = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG: Final = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_ROOTS: Final = frozenset({"users", "orgs"})
_SHOWN: Final = 100


def check_name(name: str) -> str:
    """`name`, a legal repository name of at most 255 characters.

    Raises:
        NameInvalid: it is longer or outside the grammar.
    """
    if len(name) > NAME_LENGTH:
        raise NameInvalid(f"A repository name has at most {NAME_LENGTH} characters; this one has {len(name)}.")
    if _NAME.fullmatch(name) is None:
        raise NameInvalid(
            f"{name[:_SHOWN]!r} is not a repository name: components of a-z and 0-9, inside them "
            "'.', '_', '__' or '-', joined by '/'.",
            detail={"name": name[:NAME_LENGTH]},
        )
    if name in _ROOTS:
        raise NameInvalid(
            f"{name} alone is no repository name: write {name}/<name>/<repository>.", detail={"name": name}
        )
    return name


def check_tag(tag: str) -> str:
    """`tag`, a legal tag of at most 128 characters.

    Raises:
        TagInvalid: it is empty, longer, or outside the grammar.
    """
    if _TAG.fullmatch(tag) is None:
        raise TagInvalid(
            f"{tag[:_SHOWN]!r} is not a tag: 1 to {TAG_LENGTH} of a-z, A-Z, 0-9, '_', '.' and '-', "
            "the first none of '.' and '-'.",
            detail={"reason": "TAG_INVALID", "tag": tag[: TAG_LENGTH * 2]},
        )
    return tag
