"""The whole table of /v1 and its document."""

import inspect
from typing import Any

from registry.web.openapi import document
from registry.web.rows import rows
from registry.web.site import Site


async def nothing(_: str) -> None: ...


def absent() -> Any:
    raise AssertionError


SITE = Site(
    takes_sign_ups=False,
    initial_password=None,
    attempts=absent,
    identifier=absent,
    remove_repository=nothing,
    shelf=absent,
)
ROWS = rows(SITE)


def test_every_operation_has_an_id_of_its_own_and_says_what_it_does() -> None:
    paths = document(ROWS)["paths"]
    operations = [operation for found in paths.values() for operation in found.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations) == len(ROWS)
    assert all(inspect.getdoc(row.handler) for row in ROWS)


def test_secrets_are_told_by_the_answers_that_make_them_and_by_no_other() -> None:
    found = document(ROWS)
    telling = {
        name
        for name, schema in found["components"]["schemas"].items()
        if not name.endswith("Body")
        for field in schema.get("properties", {})
        if field in {"key", "password", "token", "value", "refreshToken", "secret", "hash"}
    }
    assert {name for name in telling if name not in {"SignUp", "NewUser", "FacetAnswer"}} == {
        "NewKeyAnswer",
        "AuthToken",
    }
