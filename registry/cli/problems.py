"""Why a command could not do what it was asked, as a person and a script are told.

Problem (1: usage)
└── Unreachable (2) · NotSignedIn (3) · Tampered (4) · Missing (5) · Refused (6) · Clash (7)
"""

from typing import Any, ClassVar


class Problem(Exception):
    """A command ends with `status`.

    Attributes:
        message: whole sentences: what happened and why.
        suggestions: what to do next, a sentence each.
        code: the registry's word for it, or one of ours.
    """

    status: ClassVar[int] = 1
    default_code: ClassVar[str] = "USAGE"

    def __init__(self, message: str, *suggestions: str, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.suggestions = suggestions
        self.code = code or self.default_code

    def document(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "error": {
                "code": self.code,
                "message": self.message,
                "suggestions": list(self.suggestions),
                "status": self.status,
            }
        }


class Unreachable(Problem):
    """The registry did not answer, or cannot now."""

    status = 2
    default_code = "UNREACHABLE"


class NotSignedIn(Problem):
    """There is no credential for the registry, or it is not good any more."""

    status = 3
    default_code = "UNAUTHORIZED"


class Tampered(Problem):
    """What came is not what its digest or signature says."""

    status = 4
    default_code = "VERIFICATION_FAILED"


class Missing(Problem):
    """There is no such thing, or the caller may not know of it."""

    status = 5
    default_code = "NOT_FOUND"


class Refused(Problem):
    """A right, a policy or a limit forbids it."""

    status = 6
    default_code = "DENIED"


class Clash(Problem):
    """What is there already forbids it."""

    status = 7
    default_code = "CONFLICT"
