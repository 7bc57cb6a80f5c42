"""What a retention policy keeps and lets go. Pure.

The policy is JSON: `{"rules": [{"pattern": "v*", "keep": 5}], "untaggedDays": 30, "pulledDays": 14}`. A tag is judged
by the first rule whose pattern it matches: of those of a rule, the `keep` that moved last stay. Manifests without a tag
go so many days after their push. What was pulled within `pulledDays` stays, and so does every tag that no rule names.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, Final

from registry.content.terms import Terms

_MOST: Final = 100_000


@dataclass(frozen=True, slots=True)
class Rule:
    """Of the tags that match `pattern` the last `keep` stay."""

    pattern: str
    keep: int


@dataclass(frozen=True, slots=True)
class Retention:
    """The policy: rules for tags, how long a manifest without a tag stays, and how long a pull keeps what it took."""

    rules: tuple[Rule, ...] = ()
    untagged: timedelta | None = None
    pulled: timedelta | None = None

    def rule_of(self, tag: str) -> Rule | None:
        """The rule that judges a tag."""
        return next((rule for rule in self.rules if fnmatchcase(tag, rule.pattern)), None)


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


class PolicyUnreadable(ValueError):
    """A retention policy has another form than this file says."""


def parse_retention(policy: Any) -> Retention:
    """The policy in its JSON.

    Raises:
        PolicyUnreadable: it has another form.
    """
    if not isinstance(policy, dict) or not isinstance(policy.get("rules") or [], list):
        raise PolicyUnreadable("A retention policy is an object; its rules are a list.")
    rules = tuple(_rule(rule) for rule in policy.get("rules") or [])
    return Retention(rules, _days(policy.get("untaggedDays")), _days(policy.get("pulledDays")))


def _rule(value: Any) -> Rule:
    if not isinstance(value, dict) or not isinstance(value.get("pattern"), str):
        raise PolicyUnreadable("A rule of a retention policy has a pattern.")
    return Rule(value["pattern"], _count(value.get("keep")))


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST:
        raise PolicyUnreadable(f"A count in a retention policy is a whole number from 0 to {_MOST}.")
    return value


def _days(value: Any) -> timedelta | None:
    return None if value is None else timedelta(days=_count(value))


def expired_tags(retention: Retention, terms: Terms, tags: Iterable[Tagged], now: datetime) -> list[Expiry]:
    """The tags that go; none that is immutable."""
    found, passed = [], dict.fromkeys(retention.rules, 0)
    for tag in sorted(tags, key=lambda tag: (tag.moved_at, tag.name), reverse=True):
        rule = retention.rule_of(tag.name)
        if rule is None:
            continue
        passed[rule] += 1
        if passed[rule] > rule.keep and not _is_in_use(retention, tag.pulled_at, now) and not terms.fixed([tag.name]):
            why = f"{rule.pattern!r} keeps the last {rule.keep} tags"
            found.append(Expiry(tag.digest, tag.name, tag.moved_at, why))
    return found


def expired_manifests(retention: Retention, untagged: Iterable[Untagged], now: datetime) -> list[Expiry]:
    """The manifests without a tag that go."""
    age = retention.untagged
    if age is None:
        return []
    return [
        Expiry(one.digest, None, one.pushed_at, f"it has no tag, and was pushed more than {age.days} days ago")
        for one in untagged
        if one.pushed_at < now - age and not _is_in_use(retention, one.pulled_at, now)
    ]


def _is_in_use(retention: Retention, pulled_at: datetime | None, now: datetime) -> bool:
    return retention.pulled is not None and pulled_at is not None and pulled_at > now - retention.pulled
