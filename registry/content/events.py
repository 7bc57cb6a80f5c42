"""Facts of content, in the past tense, as the outbox carries them.

`push_manifest` of migrations/ writes the first two in the push itself.
"""

from typing import Final

MANIFEST_PUSHED: Final = "manifest.pushed"
TAG_MOVED: Final = "tag.moved"
MANIFEST_DELETED: Final = "manifest.deleted"
TAG_DELETED: Final = "tag.deleted"
REPOSITORY_DELETED: Final = "repository.deleted"
