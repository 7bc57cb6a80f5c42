"""Who may do what: one table, the whole truth. Pure; `docs/access-table.md` is generated from it."""

from enum import StrEnum
from typing import Final


class Right(StrEnum):
    """What can be asked of a namespace or a repository in it, or of the registry itself."""

    PULL = "pull"
    PUSH = "push"
    DELETE = "delete"
    VIEW = "view"
    MANAGE = "manage"
    OWN = "own"
    ADMINISTER = "administer"


class Column(StrEnum):
    """What a caller is to a namespace or a repository: strangers have no role in it."""

    ANONYMOUS = "anonymous"
    STRANGER = "stranger"
    ROBOT = "robot"
    READ = "read"
    WRITE = "write"
    ADMIN = "admin"
    OWNER = "owner"
    ADMINISTRATOR = "administrator"


class Cell(StrEnum):
    """The answer: `public` where that is visible, `internal` where internal or public is, `policy` as `delete` says."""

    NO = "no"
    YES = "yes"
    PUBLIC = "public"
    INTERNAL = "internal"
    POLICY = "policy"


_NO, _YES, _PUBLIC, _INTERNAL, _POLICY = Cell

_COLUMNS: Final = tuple(Column)
TABLE: Final[dict[Right, dict[Column, Cell]]] = {
    right: dict(zip(_COLUMNS, cells, strict=True))
    for right, cells in {
        #                 anonymous, stranger,  robot,   read,    write,   admin,   owner,   administrator
        Right.PULL:       (_PUBLIC, _INTERNAL, _PUBLIC, _YES,    _YES,    _YES,    _YES,    _YES),
        Right.PUSH:       (_NO,     _NO,       _NO,     _NO,     _YES,    _YES,    _YES,    _YES),
        Right.DELETE:     (_NO,     _NO,       _NO,     _NO,     _POLICY, _POLICY, _POLICY, _YES),
        Right.VIEW:       (_PUBLIC, _INTERNAL, _PUBLIC, _YES,    _YES,    _YES,    _YES,    _YES),
        Right.MANAGE:     (_NO,     _NO,       _NO,     _NO,     _NO,     _YES,    _YES,    _YES),
        Right.OWN:        (_NO,     _NO,       _NO,     _NO,     _NO,     _NO,     _YES,    _YES),
        Right.ADMINISTER: (_NO,     _NO,       _NO,     _NO,     _NO,     _NO,     _NO,     _YES),
    }.items()
}  # fmt: skip

ROLES: Final = (Column.READ, Column.WRITE, Column.ADMIN, Column.OWNER)
SCOPES: Final[dict[str, frozenset[Right]]] = {
    "read-only": frozenset({Right.PULL, Right.VIEW}),
    "publish": frozenset({Right.PULL, Right.VIEW, Right.PUSH, Right.DELETE}),
    "admin": frozenset(Right),
}
VISIBILITIES: Final = ("private", "internal", "public")
DELETERS: Final = ("write", "admin", "owner", "nobody")


def may(right: Right, column: Column, visibility: str, deleters: str = "admin") -> bool:
    """Whether a caller of this column has the right where `visibility` holds; `deleters` is the policy `delete`."""
    match TABLE[right][column]:
        case Cell.YES:
            return True
        case Cell.PUBLIC:
            return visibility == "public"
        case Cell.INTERNAL:
            return visibility in {"public", "internal"}
        case Cell.POLICY:
            return deleters != "nobody" and ROLES.index(column) >= ROLES.index(Column(deleters))
        case _:
            return False


def higher(one: str | None, other: str | None) -> str | None:
    """The role of the two that may do more."""
    ranked = [role for role in (one, other) if role is not None]
    return max(ranked, key=lambda role: ROLES.index(Column(role)), default=None)
