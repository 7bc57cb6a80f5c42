"""The table of `access` as a page: `make access-table` writes `docs/access-table.md`, a test holds it. Pure."""

from typing import Final

from registry.namespaces.access import SCOPES, TABLE, Cell, Column, Right

_RIGHTS: Final = {
    Right.PULL: "see that a repository is there, read its manifests, blobs, tags and referrers, mount its blobs",
    Right.PUSH: "upload blobs, push manifests and tags, mount blobs into it, make repositories",
    Right.DELETE: "delete manifests, tags and blobs",
    Right.VIEW: "see the namespace, its description and its repositories",
    Right.MANAGE: "members below owner, teams, grants, robots and their keys, policies, visibility, audit, "
    "renaming and deleting repositories",
    Right.OWN: "owners, rename, transfer, delete the namespace",
    Right.ADMINISTER: "accounts of others, plain namespaces, signing keys, the audit log of the registry",
}
_COLUMNS: Final = {
    Column.ANONYMOUS: "sends no credential, or an anonymous token",
    Column.STRANGER: "a person who is logged in and has no role here",
    Column.ROBOT: "a robot without a role here",
    Column.READ: "role `read`",
    Column.WRITE: "role `write`",
    Column.ADMIN: "role `admin`",
    Column.OWNER: "role `owner`",
    Column.ADMINISTRATOR: "an administrator of the registry",
}
_CELLS: Final = {
    Cell.NO: "no",
    Cell.YES: "yes",
    Cell.PUBLIC: "public",
    Cell.INTERNAL: "public, internal",
    Cell.POLICY: "policy",
}


def page() -> str:
    """The page, in Markdown."""
    head = ["right", *(column.value for column in Column)]
    lines = [
        "# Who may do what",
        "",
        "Generated from `registry/namespaces/access.py` by `make access-table`; docs/access.md explains it.",
        "",
        _row(head),
        _row(["---"] * len(head)),
        *(_row([f"`{right}`", *(_CELLS[TABLE[right][column]] for column in Column)]) for right in Right),
        "",
        "“public” and “internal” are visibilities: the right is there where the repository, or else its namespace,",
        "has one of them. “policy”: from the role on that the namespace's policy `delete` names; `admin` unless set,",
        "`nobody` for none.",
        "",
        "| right | what it is |",
        "| --- | --- |",
        *(_row([f"`{right}`", _RIGHTS[right]]) for right in Right),
        "",
        "| column | who it is |",
        "| --- | --- |",
        *(_row([column.value, _COLUMNS[column]]) for column in Column),
        "",
        "A key of a scope holds at most these rights, whatever its account may:",
        "",
        "| scope | rights |",
        "| --- | --- |",
        *(_row([f"`{scope}`", ", ".join(f"`{r}`" for r in Right if r in rights)]) for scope, rights in SCOPES.items()),
        "",
    ]
    return "\n".join(lines)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - the page is its output
