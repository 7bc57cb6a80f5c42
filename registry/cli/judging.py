"""An artifact against the rules of its type, before anything is sent: those by which the registry judges."""

from registry.artifacts import checking
from registry.artifacts.model import GATI_MANIFEST, Submission
from registry.cli.bundles import Bundle, Hanging
from registry.cli.problems import Problem
from registry.cli.projects import invalid
from registry.core.errors import ArtifactInvalid


def judge(bundle: Bundle, where: str, tags: tuple[str, ...] = ()) -> None:
    """Judge an artifact whole, with what hangs on it.

    Args:
        bundle: it.
        where: the file that its Gati manifest is written in.
        tags: more tags that it is to have.

    Raises:
        Problem: it breaks a rule: where, by which value, and what to write instead.
    """
    try:
        submission = bundle.submission(tags)
        checked = checking.check(submission)
        for layer in checked.pending:
            with bundle.part_of(layer).content.open() as file:
                checking.check_whole(submission, layer, file)
        _judge_hanging(bundle, submission, where)
    except ArtifactInvalid as error:
        raise invalid(error, where) from error


def _judge_hanging(bundle: Bundle, submission: Submission, where: str) -> None:
    hung = {one.artifact_type for one in bundle.hanging}
    for artifact_type in checking.needs_referrers(submission):
        if artifact_type not in hung:
            member = bundle.kind.referrers[artifact_type].member
            raise Problem(
                f"{where} has no {member}, which a {bundle.kind.name} must have.",
                f'Write it there as "{member}": {{…}}, or in a file beside it (docs/cli.md).',
                code="MALFORMED_MANIFEST",
            )
    for one in bundle.hanging:
        if one.artifact_type == GATI_MANIFEST or one.artifact_type in bundle.kind.referrers:
            _judge_referrer(submission, one, where)


def _judge_referrer(submission: Submission, one: Hanging, where: str) -> None:
    part = one.parts[0]
    try:
        with part.content.open() as file:
            checking.check_referrer(submission, one.artifact_type, file.read())
    except ArtifactInvalid as error:
        raise invalid(error, where if one.artifact_type == GATI_MANIFEST else part.title) from error
