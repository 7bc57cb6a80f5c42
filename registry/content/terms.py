"""The terms of a change: who makes it, and what the policies of the namespace allow. Pure."""

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Final

from registry.audit.model import By

_FALLBACK: Final = re.compile(r"(?:sha256-[0-9a-f]{64}|sha512-[0-9a-f]{128})(?:\.(?:sig|att|sbom))?")


@dataclass(frozen=True, slots=True)
class Terms:
    """What a change of content is judged by, beyond the right to make it.

    Attributes:
        by: whose change it is, for the audit; None writes no audit row.
        immutable: patterns (`*`, `?`, `[…]`) of tags that are made once and then stay.
        quota: bytes that the namespace may hold, each digest counted once; None without limit.
    """

    by: By | None = None
    immutable: tuple[str, ...] = ()
    quota: int | None = None

    def fixed(self, tags: Iterable[str]) -> list[str]:
        """Those of `tags` that stay: what names an image's signatures and the like is never among them."""
        return [tag for tag in tags if self.pattern_of(tag) is not None]

    def pattern_of(self, tag: str) -> str | None:
        """The pattern that keeps a tag where it is; None when it may move."""
        if not self.immutable or _FALLBACK.fullmatch(tag):
            return None
        return next((pattern for pattern in self.immutable if fnmatchcase(tag, pattern)), None)

    @property
    def who(self) -> str | None:
        """`by` as `note_audit` of migrations/ takes it."""
        return None if self.by is None else json.dumps(asdict(self.by))


OPEN_TERMS: Final = Terms()
