"""The document of the API says what the table says."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from registry.namespaces.entry import Level
from registry.web.openapi import document
from registry.web.rest import Row
from tests.web.conftest import ROWS

DOCUMENT = document(ROWS)
OPERATIONS = {(row.method, row.path): DOCUMENT["paths"][row.path][row.method.lower()] for row in ROWS}


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def resolved(reference: str) -> Any:
    found: Any = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        found = found[step.replace("~1", "/").replace("~0", "~")]
    return found


async def test_everybody_may_read_the_document(site: httpx.AsyncClient) -> None:
    del site.headers["authorization"]
    answer = await site.get("/v1/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == DOCUMENT
    again = await site.get("/v1/openapi.json", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


def test_every_row_is_in_the_document_and_nothing_else() -> None:
    assert {(method.upper(), path) for path, found in DOCUMENT["paths"].items() for method in found} == {
        (row.method, row.path) for row in ROWS
    }


def test_every_reference_leads_somewhere() -> None:
    found = set(references(DOCUMENT))
    assert {"#/components/schemas/Thing", "#/components/schemas/Problem"} <= found
    for reference in found:
        assert resolved(reference)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.method} {row.path}")
def test_an_operation_is_whole(row: Row) -> None:
    operation = OPERATIONS[row.method, row.path]
    assert operation["summary"]
    assert operation["description"]
    assert re.fullmatch(r"[a-zA-Z0-9_]+", operation["operationId"])
    named = {part["name"] for part in operation["parameters"] if part["in"] == "path"}
    assert named == set(re.findall(r"\{(\w+)\}", row.path))
    for part in operation["parameters"]:
        assert set(part) == {"name", "in", "required", "description", "schema"}
        assert part["required"] or part["in"] != "path"
    assert ("requestBody" in operation) == (row.body is not None)
    assert set(operation["responses"]) >= {str(row.status), *map(str, row.codes), "default"}
    assert all(answer["description"] for answer in operation["responses"].values())
    assert (operation["security"] == []) == (row.needs is Level.ANYONE)
    for choice in operation["security"]:
        assert set(choice) <= set(DOCUMENT["components"]["securitySchemes"])


def test_ids_of_operations_differ() -> None:
    ids = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(ids)) == len(ids)


def test_parameters_of_queries_are_described_with_their_bounds() -> None:
    found = {part["name"]: part for part in OPERATIONS["GET", "/v1/namespaces/{ns}/things"]["parameters"]}
    assert set(found) == {"ns", "limit", "after", "kind", "isOld"}
    assert (found["limit"]["schema"]["minimum"], found["limit"]["schema"]["maximum"]) == (1, 100)
    assert found["limit"]["required"] is False
    assert found["limit"]["description"] == "How many items at most."


def test_a_body_is_described_as_the_door_takes_it() -> None:
    body = OPERATIONS["POST", "/v1/namespaces/{ns}/things"]["requestBody"]
    assert body["required"] is True
    schema = resolved(body["content"]["application/json"]["schema"]["$ref"])
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["name"]
    assert "fullTitle" in schema["properties"]


def test_refusals_have_the_form_of_problems() -> None:
    answer = OPERATIONS["POST", "/v1/namespaces/{ns}/things"]["responses"]["422"]
    schema = resolved(answer["content"]["application/json"]["schema"]["$ref"])
    assert set(schema["properties"]) == {"code", "message", "details", "suggestions", "timestamp", "requestId"}
