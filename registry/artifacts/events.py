"""Facts of releases, in the past tense, as the outbox carries them."""

from typing import Final

UPLOADED: Final = "artifact.uploaded"
PUBLISHED: Final = "artifact.published"
VERSION_PUBLISHED: Final = "version.published"
REJECTED: Final = "artifact.rejected"
EXPIRED: Final = "artifact.expired"
UPDATED: Final = "artifact.updated"
UNPUBLISHED: Final = "artifact.unpublished"
DEPRECATED: Final = "artifact.deprecated"
