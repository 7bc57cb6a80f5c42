"""What the functions of migrations/ refuse, as errors of the registry."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from registry.content.terms import Terms
from registry.core.errors import (
    BadRequest,
    Conflict,
    ManifestBlobUnknown,
    NameUnknown,
    QuotaExceeded,
    RegistryError,
    SizeInvalid,
)


@contextmanager
def telling(name: str, terms: Terms) -> Iterator[None]:
    """Turn the refusal of a function into what it means for the repository `name`.

    Raises:
        NameUnknown: it does not exist, or there is no such namespace to make it in.
        QuotaExceeded: the namespace holds as much, or as many repositories, as it may.
        Conflict: a tag stays where it is.
        ManifestBlobUnknown, SizeInvalid: what a manifest says of others does not hold here.
    """
    try:
        yield
    except asyncpg.PostgresError as error:
        told = _told(error, name, terms)
        if told is None:
            raise
        raise told from error


def _told(error: asyncpg.PostgresError, name: str, terms: Terms) -> RegistryError | None:
    fields = error.as_dict()
    message, detail = str(fields.get("message")), str(fields.get("detail") or "")
    match error.sqlstate:
        case "GT404" if message in {"repository", "namespace"}:
            return unknown_name(name)
        case "GT507":
            return _too_much(name, message, detail)
        case "GT409" if message == "release":
            return taken(name, detail.split(","))
        case "GT409":
            return stays(name, detail.split(","), terms)
        case "GT400":
            return _wrong(name, message, detail.split(","))
    return None


def unknown_name(name: str) -> NameUnknown:
    """There is no such repository, nor a namespace to make it in."""
    return NameUnknown(f"The repository {name} does not exist.", detail={"name": name})


def over_quota(name: str, used: int, quota: int) -> QuotaExceeded:
    """The namespace has no room for so many bytes."""
    return QuotaExceeded(
        f"The namespace of {name} holds {used} of the {quota} bytes that it may, and this is more than the rest: "
        "delete what is not needed any more, or ask its administrator for a larger quota.",
        detail={"used": used, "quota": quota},
    )


def _too_much(name: str, message: str, detail: str) -> QuotaExceeded:
    if message == "bytes":
        used, quota = detail.split(" ")
        return over_quota(name, int(used), int(quota))
    return QuotaExceeded(
        f"The namespace of {name} has {detail} repositories, the most that it may: "
        "delete one that is not needed any more, or ask its administrator for a larger quota.",
        detail={"quota": int(detail)},
    )


def stays(name: str, tags: list[str], terms: Terms) -> Conflict:
    """The policy of immutable tags keeps these."""
    said = ", ".join(f"{tag} (immutable by {terms.pattern_of(tag)!r})" for tag in tags)
    return Conflict(
        f"Tags of {name} stay where they are by the policy of its namespace: {said}. Use another tag.",
        detail={"reason": "TAG_IMMUTABLE", "tags": tags},
    )


def taken(name: str, tags: list[str]) -> Conflict:
    """These tags name releases, which never change, or follow them."""
    return Conflict(
        f"{', '.join(tags)} of {name} belongs to its releases: a version names for ever what was published as it, and "
        "latest follows the highest one. Use another tag.",
        detail={"reason": "TAG_OF_RELEASE", "tags": tags},
    )


def _wrong(name: str, message: str, digests: list[str]) -> BadRequest:
    if message == "missing":
        return ManifestBlobUnknown(
            f"The manifest refers to {len(digests)} blobs or manifests that {name} does not have: push them first.",
            detail={"digests": digests},
        )
    return SizeInvalid("The manifest states another size than the content has.", detail={"digests": digests})
