"""What a retention policy keeps and lets go. Pure.

A tag is judged by the first rule whose pattern it matches: of those of a rule, the `keep` that moved last stay.
Manifests without a tag go so many days after their push. What was pulled lately, as the policy says, stays, and so
does every tag that no rule names.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from registry.content.terms import Terms
from registry.namespaces.model import Kept, Retention


@dataclass(frozen=True, slots=True)
class Tagged:
    """A tag, since when it names its manifest, and when that was pulled last."""

    name: str
    digest: str
    moved_at: datetime
    pulled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Untagged:
    """A manifest that neither a tag nor an index keeps, nor a subject that is here."""

    digest: str
    pushed_at: datetime
    pulled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Expiry:
    """What goes, a tag or else a manifest, and why; `since` is when it was last tagged, or pushed."""

    digest: str
    tag: str | None
    since: datetime
    why: str


def expired_tags(retention: Retention, terms: Terms, tags: Iterable[Tagged], now: datetime) -> list[Expiry]:
    """The tags that go; none that is immutable."""
    found, passed = [], dict.fromkeys(retention.rules, 0)
    for tag in sorted(tags, key=lambda tag: (tag.moved_at, tag.name), reverse=True):
        rule = _rule_of(retention, tag.name)
        if rule is None:
            continue
        passed[rule] += 1
        if passed[rule] > rule.keep and not _is_in_use(retention, tag.pulled_at, now) and not terms.fixed([tag.name]):
            why = f"{rule.pattern!r} keeps the last {rule.keep} tags"
            found.append(Expiry(tag.digest, tag.name, tag.moved_at, why))
    return found


def _rule_of(retention: Retention, tag: str) -> Kept | None:
    return next((rule for rule in retention.rules if fnmatchcase(tag, rule.pattern)), None)


def expired_manifests(retention: Retention, untagged: Iterable[Untagged], now: datetime) -> list[Expiry]:
    """The manifests without a tag that go."""
    days = retention.untagged_days
    if days is None:
        return []
    return [
        Expiry(one.digest, None, one.pushed_at, f"it has no tag, and was pushed more than {days} days ago")
        for one in untagged
        if one.pushed_at < now - timedelta(days=days) and not _is_in_use(retention, one.pulled_at, now)
    ]


def _is_in_use(retention: Retention, pulled_at: datetime | None, now: datetime) -> bool:
    days = retention.pulled_days
    return days is not None and pulled_at is not None and pulled_at > now - timedelta(days=days)
