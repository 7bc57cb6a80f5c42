"""Who may do what, written down a second time, from the rules alone, to hold the registry's answers against."""

from dataclasses import dataclass
from typing import Final

PAGE: Final = """
right       anonymous  stranger  robot   read  write   admin   owner   administrator
pull        public     internal  public  yes   yes     yes     yes     yes
push        no         no        no      no    yes     yes     yes     yes
delete      no         no        no      no    policy  policy  policy  yes
view        public     internal  public  yes   yes     yes     yes     yes
manage      no         no        no      no    no      yes     yes     yes
own         no         no        no      no    no      no      yes     yes
administer  no         no        no      no    no      no      no      yes
"""
_COLUMNS, *_ROWS = [line.split() for line in PAGE.strip().splitlines()]
CELLS: Final = {(row[0], column): cell for row in _ROWS for column, cell in zip(_COLUMNS[1:], row[1:], strict=True)}
RIGHTS: Final = [row[0] for row in _ROWS]
KEYS: Final = {"read-only": {"pull", "view"}, "publish": {"pull", "push", "delete", "view"}, "admin": set(RIGHTS)}
RANKS: Final = ["read", "write", "admin", "owner"]

NEEDS: Final = {
    ("version", "GET"): None,
    ("version", "HEAD"): None,
    ("catalog", "GET"): None,
    ("catalog", "HEAD"): None,
    ("tags", "GET"): "pull",
    ("tags", "HEAD"): "pull",
    ("referrers", "GET"): "pull",
    ("referrers", "HEAD"): "pull",
    ("manifests", "GET"): "pull",
    ("manifests", "HEAD"): "pull",
    ("manifests", "PUT"): "push",
    ("manifests", "DELETE"): "delete",
    ("blobs", "GET"): "pull",
    ("blobs", "HEAD"): "pull",
    ("blobs", "DELETE"): "delete",
    ("uploads", "POST"): "push",
    ("session", "GET"): "push",
    ("session", "PATCH"): "push",
    ("session", "PUT"): "push",
    ("session", "DELETE"): "push",
}
SUCCESS: Final = {
    ("version", "GET"): 200,
    ("version", "HEAD"): 200,
    ("catalog", "GET"): 200,
    ("catalog", "HEAD"): 200,
    ("tags", "GET"): 200,
    ("tags", "HEAD"): 200,
    ("referrers", "GET"): 200,
    ("referrers", "HEAD"): 200,
    ("manifests", "GET"): 200,
    ("manifests", "HEAD"): 200,
    ("manifests", "PUT"): 201,
    ("manifests", "DELETE"): 202,
    ("blobs", "GET"): 200,
    ("blobs", "HEAD"): 200,
    ("blobs", "DELETE"): 202,
    ("uploads", "POST"): 202,
    ("session", "GET"): 204,
    ("session", "PATCH"): 202,
    ("session", "PUT"): 201,
    ("session", "DELETE"): 204,
}


@dataclass(frozen=True)
class Home:
    """A namespace, and what the caller is in it.

    Attributes:
        own: the visibility of its repository `app`; None: that of the namespace.
        role: as a member; `ended`: but that is over.
        team: where a team of the caller has which role: `everywhere`, `app` or `other`.
        grant: in which repository it has which role by itself.
        is_fenced: its policy lets in one network alone.
    """

    visibility: str = "private"
    own: str | None = None
    role: str | None = None
    ended: bool = False
    team: tuple[str, str] | None = None
    grant: tuple[str, str] | None = None
    delete: str = "admin"
    is_fenced: bool = False


@dataclass(frozen=True)
class Sent:
    """What the caller is, and sends.

    Attributes:
        who: `nobody`, `user`, `robot` (of the home), `administrator`.
        form: `nothing`, `basic`, `key` (as Bearer), `token` (that of nobody is an anonymous one).
        scope, namespaces, repositories: limits of the key: `home` or `away`, and their repositories `app`.
        is_fenced: the key is for one network alone; `is_inside`: the request comes from there.
        asked: what the token was asked to list of `app` at home and away.
        was_owner: when the token was made the caller owned both.
        is_stale: the home changed hands since then.
    """

    who: str = "user"
    form: str = "basic"
    scope: str | None = None
    namespaces: frozenset[str] | None = None
    repositories: frozenset[str] | None = None
    is_fenced: bool = False
    is_inside: bool = True
    asked: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())
    was_owner: bool = False
    is_stale: bool = False


@dataclass(frozen=True)
class Case:
    """One caller and two namespaces."""

    home: Home
    away: Home
    sent: Sent

    @property
    def is_bad(self) -> bool:
        """Whether the credential is none that lets anybody in from there."""
        return self.sent.form != "nothing" and self.sent.is_fenced and not self.sent.is_inside

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody is known by what is sent."""
        return self.sent.who == "nobody" or self.sent.form == "nothing"

    def _at(self, place: str) -> Home:
        return {"home": self.home, "away": self.away}[place]

    def _role(self, place: str, repository: str) -> str | None:
        home = self._at(place)
        if self.is_anonymous or (home.role is not None and home.ended):
            return None
        held = [home.role]
        if home.team is not None and home.team[0] in {"everywhere", repository}:
            held.append(home.team[1])
        if home.grant is not None and home.grant[0] == repository:
            held.append(home.grant[1])
        return max((role for role in held if role is not None), key=RANKS.index, default=None)

    def rights(self, place: str, repository: str, *, owner: bool = False) -> set[str]:
        """What the caller may do in a repository, one `never` there, or the `namespace`; `owner`: as if owning all."""
        home, sent = self._at(place), self.sent
        role = "owner" if owner else self._role(place, repository)
        column = self._column(role)
        if home.is_fenced and not sent.is_inside and column != "administrator":
            return set()
        is_there = repository in {"app", "other", "namespace"}
        visibility = (repository == "app" and home.own) or home.visibility
        if not is_there:
            visibility = "private"
        held = {right for right in RIGHTS if allows(CELLS[right, column], column, visibility, home.delete)}
        if sent.form == "nothing" or sent.who == "nobody":
            return held
        held &= KEYS[sent.scope] if sent.scope is not None else set(RIGHTS)
        is_outside = sent.namespaces is not None and place not in sent.namespaces
        is_outside |= sent.repositories is not None and (repository != "app" or place not in sent.repositories)
        if is_outside:
            return held & {"pull", "view"} if visibility == "public" else set()
        return held

    def _column(self, role: str | None) -> str:
        if self.is_anonymous:
            return "anonymous"
        if self.sent.who == "administrator":
            return "administrator"
        return role or {"user": "stranger", "robot": "robot"}[self.sent.who]

    def listed(self, place: str, repository: str) -> set[str]:
        """The actions of a repository that the caller's token lists, good or not."""
        if repository != "app":
            return set()
        asked = self.sent.asked[0 if place == "home" else 1]
        return set(asked) & self.rights(place, repository, owner=self.sent.was_owner)

    def answer(self, place: str, repository: str, needed: str) -> int | str:
        """`yes`, or the status of the refusal, or `empty` for what lists nothing where nothing may be seen."""
        if self.is_bad:
            return 401
        held = set() if place == "nowhere" else self.rights(place, repository)
        if needed in held:
            is_void = self.sent.is_stale and place == "home"
            if self.sent.form == "token" and (is_void or needed not in self.listed(place, repository)):
                return 401
            return "yes"
        if self.is_anonymous:
            return 401
        return 403 if "pull" in held else 404

    def answer_without_name(self) -> int | str:
        """Of the version and the catalog."""
        if self.is_bad or self.sent.form == "nothing":
            return 401
        return "yes"


def allows(cell: str, column: str, visibility: str, delete: str) -> bool:
    """What a cell of the table means."""
    if cell in {"yes", "no"}:
        return cell == "yes"
    if cell == "public":
        return visibility == "public"
    if cell == "internal":
        return visibility in {"internal", "public"}
    return delete != "nobody" and RANKS.index(column) >= RANKS.index(delete)
