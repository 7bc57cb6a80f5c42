"""Judges a submission by what the registry holds: alike in the push and, when that could not see all, in the worker."""

import asyncio
from dataclasses import dataclass, replace

from registry.artifacts import checking, submitting
from registry.artifacts.model import GATI_MANIFEST, Extract, Layer, Submission
from registry.artifacts.resolving import MayPull, resolve
from registry.artifacts.sql_releases import Dependency
from registry.artifacts.submitting import Submitted
from registry.content.shelf import Shelf


@dataclass(frozen=True, slots=True)
class Judged:
    """A submission that is in order as far as it can be seen.

    Attributes:
        config: the text of its Gati manifest; None where that has not come.
        pending: layers that must still be read whole.
        missing: types of referrers that must still come.
    """

    submission: Submission
    extract: Extract
    dependencies: tuple[Dependency, ...]
    config: str | None
    pending: tuple[Layer, ...]
    missing: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to be looked at."""
        return not self.pending and not self.missing


async def judge(shelf: Shelf, found: Submitted, may_pull: MayPull | None, inside: bytes | None = None) -> Judged:
    """What can be told of a submission now; `inside` is the Gati manifest that an image holds itself.

    Without `may_pull` nothing that it names is looked for.

    Raises:
        ArtifactInvalid: it, a referrer that it needs, or what it names, is not in order.
        ManifestBlobUnknown: a referrer's layer is not here.
    """
    submission, text = found.submission, found.config
    needed = checking.needs_referrers(submission)
    there = await submitting.referrers(shelf, found, needed) if needed else {}
    if inside and GATI_MANIFEST in needed:
        there.setdefault(GATI_MANIFEST, inside)
    if GATI_MANIFEST in there:
        raw = there.pop(GATI_MANIFEST)
        config = await asyncio.to_thread(checking.check_referrer, submission, GATI_MANIFEST, raw)
        submission, text = replace(submission, config=config), raw.decode()
    checked = await asyncio.to_thread(checking.check, submission)
    for artifact_type, raw in there.items():
        await asyncio.to_thread(checking.check_referrer, submission, artifact_type, raw)
    needed = checking.needs_referrers(submission)
    home = submission.repository.rpartition("/")[0]
    dependencies = [] if may_pull is None else await resolve(shelf, home, checked.extract.wants, may_pull)
    missing = tuple(one for one in needed if one not in there)
    return Judged(submission, checked.extract, tuple(dependencies), text, checked.pending, missing)
