"""What a publisher may change of an artifact, apart from its bytes."""

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from registry.artifacts import events
from registry.artifacts import sql_releases as sql
from registry.artifacts.common_schema import HOMEPAGE
from registry.audit.model import Event
from registry.content import sql_manifests, trail
from registry.content.shelf import Shelf
from registry.content.terms import Terms
from registry.core.errors import ArtifactUnknown, PreconditionFailed, Unprocessable
from registry.core.legible import is_legible
from registry.namespaces import catalog

LONGEST: Final = 2000
WORDS: Final = 50
WORD: Final = 40
_LINK: Final = 500
_HOMEPAGE: Final = re.compile(HOMEPAGE)


@dataclass(frozen=True, slots=True)
class Change:
    """The members that change; None leaves one as it is, an empty text or list empties it."""

    description: str | None = None
    homepage: str | None = None
    category: str | None = None
    topics: tuple[str, ...] | None = None
    keywords: tuple[str, ...] | None = None


def check(change: Change) -> None:
    """Nothing, when it can be shown.

    Raises:
        Unprocessable: a member cannot; `detail.pointer` says which.
    """
    _check_text(change.description, "/description", LONGEST)
    _check_text(change.category, "/category", WORD)
    for words, pointer in ((change.topics, "/tags"), (change.keywords, "/keywords")):
        if words is not None and len(words) > WORDS:
            raise Unprocessable(f"There are at most {WORDS} of them.", detail={"pointer": pointer})
        for place, word in enumerate(words or ()):
            if not word.strip():
                raise Unprocessable("A word is empty.", detail={"pointer": f"{pointer}/{place}"})
            _check_text(word, f"{pointer}/{place}", WORD)
    _check_text(change.homepage, "/homepage", _LINK)
    if change.homepage and not _HOMEPAGE.fullmatch(change.homepage):
        raise Unprocessable("A homepage is an http or https URL.", detail={"pointer": "/homepage"})


def _check_text(text: str | None, pointer: str, longest: int) -> None:
    if text is not None and (len(text) > longest or not is_legible(text)):
        raise Unprocessable(
            f"It has at most {longest} characters, none of them a control character or a mark that turns the direction "
            "of text.",
            detail={"pointer": pointer},
        )


async def change(shelf: Shelf, name: str, wanted: Change, revision: int | None, terms: Terms) -> int:
    """Change what is said of an artifact, if it is still of this revision (None: of any); its new revision.

    Raises:
        ArtifactUnknown, NameUnknown: there is none.
        PreconditionFailed: it was changed meanwhile.
        Unprocessable: it cannot be shown.
    """
    check(wanted)

    async def write(connection: Any) -> int | None:
        repo = await sql_manifests.lock_repository(connection, name)
        artifact = None if repo is None else await sql.lock_artifact(connection, repo)
        if artifact is None:
            return None
        if revision is not None and artifact.revision != revision:
            raise PreconditionFailed(f"{name} was changed meanwhile: look at it again, then change it.")
        await sql.set_metadata(connection, artifact.repo, _columns(wanted))
        await sql.touch(connection, artifact.repo)
        await sql_manifests.emit(connection, events.UPDATED, artifact.repo, json.dumps({"repository": artifact.name}))
        done = Event("artifact.updated", artifact.name, detail={"members": sorted(_columns(wanted))})
        await trail.note(connection, terms, artifact.repo, done)
        return artifact.revision + 1

    done = await shelf.db.retry(write)
    if done is None:
        await catalog.require(shelf.db, name)
        raise ArtifactUnknown(f"{name} holds no artifact.", detail={"name": name})
    return done


def _columns(wanted: Change) -> dict[str, Any]:
    """The columns that are given: words as lists, each once; an empty link or category is none."""
    found: dict[str, Any] = {"description": wanted.description}
    found |= {"topics": wanted.topics, "keywords": wanted.keywords}
    found = {key: list(dict.fromkeys(value)) if isinstance(value, tuple) else value for key, value in found.items()}
    given = {key: value for key, value in found.items() if value is not None}
    for key, text in (("homepage", wanted.homepage), ("category", wanted.category)):
        if text is not None:
            given[key] = text or None
    return given
