"""The OpenAPI 3.1 document of /v1, made from the table: what is not in a row is not in it, and the reverse."""

import inspect
import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec

from registry import __version__
from registry.namespaces.entry import Level
from registry.web.bodies import Page, Problem
from registry.web.rest import Call, Reply, Row

PATH: Final = "/v1/openapi.json"
_REFERENCE: Final = "#/components/schemas/{name}"
_PARAMETERS: Final = {
    "ns": "A namespace: a slug, `users~slug` or `orgs~slug`.",
    "repo": "A repository by its whole name, each slash in it encoded as %2F.",
    "account": "An account by its name.",
    "name": "The name of an artifact in its namespace.",
    "version": "A version, a floating tag such as `latest`, or the digest of the manifest.",
    "upload": "The id that the upload was answered with.",
    "token": "The secret of the share.",
    "id": "The id that the list gives.",
    "robot": "A robot by its name, with or without the namespace and the plus sign before it.",
}
_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
_NO_WORD: Final = re.compile(r"[^A-Za-z0-9]+")
_SECURITY: Final = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, or the token of a session."},
    "basic": {"type": "http", "scheme": "basic", "description": "The account's name with its password or a key of it."},
}
_SIGNED_IN: Final[list[dict[str, list[str]]]] = [{"bearer": []}, {"basic": []}]
_HEADERS: Final = {
    "X-Request-Id": {"description": "The name of this request in the log.", "schema": {"type": "string"}}
}


def with_document(rows: Sequence[Row]) -> tuple[Row, ...]:
    """The rows, and one more that answers the document of them all."""
    content: list[msgspec.Raw] = []

    async def openapi(_: Call) -> Reply:
        """This document."""
        return Reply(content[0], version=__version__)

    described = (*rows, Row("GET", PATH, openapi, Level.ANYONE, "Describe the API", answer=dict[str, Any]))
    content.append(msgspec.Raw(msgspec.json.encode(document(described))))
    return described


def document(rows: Iterable[Row]) -> dict[str, Any]:
    """The document of these rows (OpenAPI 3.1.0)."""
    found = list(rows)
    types = {form: None for row in found for form in (row.body, row.answer, row.query) if form is not None}
    listed = [Problem, *types]
    schemas, components = msgspec.json.schema_components(listed, ref_template=_REFERENCE)
    described = dict(zip(listed, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for row in found:
        paths.setdefault(row.path, {})[row.method.lower()] = _operation(row, described)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Gati Registry", "version": __version__, "license": {"name": "Apache-2.0"}},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _SECURITY},
    }


def _operation(row: Row, schemas: dict[Any, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": "_".join([row.method.lower(), *_NO_WORD.sub(" ", row.path).split()[1:]]),
        "summary": row.summary,
        "description": f"{inspect.getdoc(row.handler) or row.summary}\n\nNeeds: {_needs(row)}.",
        "tags": [row.segments[1] if row.segments[0] == "v1" else "shares"],
        "security": [] if row.needs is Level.ANYONE else _SIGNED_IN,
        "parameters": [*_path_parameters(row), *_query_parameters(row), *_header_parameters(row)],
        "responses": _responses(row, schemas),
    }
    if row.takes:
        operation["requestBody"] = {"required": True, "content": dict.fromkeys(row.takes, _BINARY)}
    if row.body is not None:
        content = {"application/json": {"schema": schemas[row.body]}}
        operation["requestBody"] = {"required": _is_required(row.body), "content": content}
    return operation


def _needs(row: Row) -> str:
    if isinstance(row.needs, Level):
        return "nothing" if row.needs is Level.ANYONE else "an account"
    names = row.parameters
    is_repository = "repo" in names or "name" in names
    place = "the repository" if is_repository else "the namespace" if "ns" in names else "the registry"
    return f"the right `{row.needs}` on {place}"


def _is_required(form: type[Any]) -> bool:
    return any(item.required for item in msgspec.structs.fields(form))


def _path_parameters(row: Row) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PARAMETERS.get(name, f"The {name}."),
            "schema": {"type": "string"},
        }
        for name in row.parameters
    ]


def _query_parameters(row: Row) -> list[dict[str, Any]]:
    if row.query is None:
        return []
    _, components = msgspec.json.schema_components([row.query], ref_template=_REFERENCE)
    form = components[row.query.__name__]
    return [
        {
            "name": name,
            "in": "query",
            "required": name in form.get("required", ()),
            "description": schema.get("description", f"The {name}."),
            "schema": schema,
        }
        for name, schema in form["properties"].items()
    ]


def _header_parameters(row: Row) -> list[dict[str, Any]]:
    if not row.takes_match:
        return []
    description = "The ETag of what was read: the change is refused when it is not that any more."
    return [
        {
            "name": "If-Match",
            "in": "header",
            "required": False,
            "description": description,
            "schema": {"type": "string"},
        }
    ]


def _responses(row: Row, schemas: dict[Any, Any]) -> dict[str, Any]:
    success: dict[str, Any] = {"headers": dict(_HEADERS)}
    if row.query is not None and issubclass(row.query, Page):
        success["headers"]["Link"] = {"description": "The page that follows.", "schema": {"type": "string"}}
    if row.answer is not None:
        success["content"] = {"application/json": {"schema": schemas[row.answer]}}
    if row.gives:
        success["content"] = dict.fromkeys(row.gives, _BINARY)
    problem = {"application/json": {"schema": schemas[Problem]}}
    refusals = {
        str(status): {"description": HTTPStatus(status).phrase, "headers": _HEADERS, "content": problem}
        for status in _refusals(row)
    }
    done = {str(status): {"description": HTTPStatus(status).phrase} | success for status in (row.status, *row.also)}
    return {**done, **refusals, "default": {"description": "A refusal.", "content": problem}}


def _refusals(row: Row) -> list[int]:
    """Statuses of what can be refused: the row's own, and those that follow from what it is."""
    found = {429, *row.codes}
    if row.needs is not Level.ANYONE:
        found |= {401, 403}
    if row.parameters:
        found.add(404)
    if row.query is not None:
        found.add(400)
    if row.body is not None or row.takes:
        found |= {400, 408, 413, 415, 422}
    if row.takes_match:
        found.add(412)
    return sorted(found)
