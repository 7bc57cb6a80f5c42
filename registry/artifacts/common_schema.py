"""The members that the Gati manifests of all types have, as a JSON Schema (2020-12). Pure."""

from typing import Any, Final

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
NAME: Final = r"^[a-z0-9]+(-+[a-z0-9]+)*$"
HOMEPAGE: Final = r"^https?://[^\s<>\"]+$"
PLAIN: Final = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]*$"
"""Text that is no command to a terminal and does not turn the direction of what stands around it."""

_PORTS: Final = {
    "type": "array",
    "items": {"type": "integer", "minimum": 1, "maximum": 65535},
    "maxItems": 100,
    "description": "Ports, each from 1 to 65535.",
    "examples": [[443]],
}


def text(description: str, longest: int = 200, **more: Any) -> dict[str, Any]:
    """A string of at least one and at most `longest` characters, which a terminal shows as it is."""
    form = {"type": "string", "minLength": 1, "maxLength": longest, "pattern": PLAIN, "description": description}
    return form | more


def texts(description: str, most: int = 200, **more: Any) -> dict[str, Any]:
    """A list of at most `most` strings."""
    item = {"type": "string", "minLength": 1, "maxLength": 512, "pattern": PLAIN}
    return {"type": "array", "items": item, "maxItems": most, "description": description} | more


def wanted(what: str, *examples: str) -> dict[str, Any]:
    """A range of versions; of few parts, so that judging it stays cheap."""
    form = r"^[^\s|]+([\s|]+[^\s|]+){0,5}$"
    return text(f"A range of {what}, of at most six parts.", 128, pattern=form, examples=list(examples))


def settings(description: str, example: dict[str, Any]) -> dict[str, Any]:
    """A list of variables that an artifact is given where it runs."""
    properties = {
        "name": text("The name of the variable.", 128, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", examples=["LOG_LEVEL"]),
        "description": text("What it is for.", 2000),
        "required": {"type": "boolean", "description": "Whether it must be set.", "examples": [True]},
        "default": {"description": "What it is where it is not set."},
    }
    item = {"type": "object", "properties": properties, "required": ["name"]}
    return {"type": "array", "items": item, "maxItems": 200, "description": description, "examples": [[example]]}


DEPENDENCY: Final[dict[str, Any]] = {
    "type": "object",
    "description": "Another artifact and the range of versions of it that fits.",
    "examples": [{"name": "@gati-official/database", "version": "^1.2.0"}],
    "required": ["name", "version"],
    "properties": {
        "name": text(
            "A name: of the same namespace, @slug/name, or users/slug/name.", 512, examples=["@gati-official/db"]
        ),
        "version": wanted("versions", "^1.2.0", ">=1.4.0 <3"),
        "optional": {"type": "boolean", "description": "Whether it may be missing.", "examples": [True]},
        "kind": {"enum": ["runtime", "dev", "peer"], "description": "What it is needed for."},
    },
}
_ENGINES: Final[dict[str, Any]] = {
    "type": "object",
    "description": "Ranges of versions of what runs the artifact.",
    "examples": [{"gati": ">=1.0.0"}],
    "properties": {
        "gati": wanted("versions of Gati", ">=1.0.0"),
        "node": wanted("versions of Node.js", ">=18"),
    },
}
_NETWORK: Final[dict[str, Any]] = {
    "type": "object",
    "description": "What may be reached, and what may reach it; nothing unless it is written here.",
    "examples": [{"egress": True, "allowedHosts": ["api.example.com"], "allowedPorts": [443]}],
    "properties": {
        "egress": {"type": "boolean", "description": "Whether it connects to others.", "examples": [True]},
        "ingress": {"type": "boolean", "description": "Whether others connect to it.", "examples": [True]},
        "allowedHosts": texts("Hosts, or *.host for all below one.", examples=[["api.example.com"]]),
        "allowedPorts": _PORTS,
        "ingressPorts": _PORTS,
    },
}
_EXPORT: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "inputRef": text("The name of the GType that goes in.", examples=["QueryRequest"]),
        "outputRef": text("The name of the GType that comes out.", examples=["QueryResult"]),
    },
}
_CAPABILITY: Final[dict[str, Any]] = {
    "type": ["string", "object"],
    "maxLength": 128,
    "description": "domain:action, or an object with such a name.",
    "examples": ["db:read"],
    "properties": {"name": text("domain:action.", 128, examples=["db:read"])},
    "required": ["name"],
}
_DB_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "description": "The database schema that it works on.",
    "examples": [{"version": "1", "migrations": [], "rollback": []}],
    "properties": {
        "version": text("The version of the schema.", 128, examples=["1"]),
        "migrations": {"type": "array", "maxItems": 1000, "description": "Steps to it."},
        "rollback": {"type": "array", "maxItems": 1000, "description": "Steps back."},
        "compatibleWith": texts("Versions of the schema that do as well."),
    },
}
CAPABILITIES: Final[dict[str, Any]] = {
    "type": "array",
    "items": _CAPABILITY,
    "maxItems": 200,
    "description": "What it may do, each domain:action.",
    "examples": [["db:read"]],
}
PROPERTIES: Final[dict[str, Any]] = {
    "name": text("The name: small letters, digits and hyphens.", 50, pattern=NAME, examples=["hello"]),
    "version": text("The version (Semantic Versioning 2.0.0).", 128, examples=["1.0.0"]),
    "namespace": text("The namespace, as the repository has it.", 300, examples=["gati.dev/users/alice"]),
    "id": text("An identifier; <slug>/<name> where there is none.", 256),
    "type": text("The type of the artifact.", 40),
    "description": text("What it is, in at most 2000 characters.", 2000, minLength=0, examples=["Says hello."]),
    "author": text("Who made it.", 200, examples=["Alice <alice@example.com>"]),
    "license": text("An SPDX licence expression.", 200, examples=["Apache-2.0"]),
    "keywords": {
        "type": "array",
        "maxItems": 50,
        "items": text("A word of at most 40 characters.", 40, examples=["database"]),
        "description": "At most 50 words to find it by.",
        "examples": [["database"]],
    },
    "config": {"type": "object", "description": "What is particular to the type.", "examples": [{}]},
    "dependencies": {
        "type": "array",
        "items": DEPENDENCY,
        "maxItems": 1000,
        "description": "What it needs: at most 1000 artifacts.",
        "examples": [DEPENDENCY["examples"]],
    },
    "gtypes": {
        "type": "array",
        "maxItems": 1000,
        "items": {"type": "object", "required": ["name"], "properties": {"name": text("The name of the type.", 200)}},
        "description": "Its GTypes, each with a name and fields or a schema.",
        "examples": [[{"name": "Request", "fields": {"id": "string"}}]],
    },
    "capabilities": CAPABILITIES,
    "requiredModules": texts("References of modules that it needs.", 1000, examples=[["@gati-official/database"]]),
    "modelCard": {"type": "object"},
    "benchmarks": {"type": "object"},
    "permissions": {"type": "object"},
    "files": texts("Patterns of file names.", 1000, examples=[["src/**"]]),
    "engines": _ENGINES,
    "language": text("The language that it is written in.", 40, examples=["typescript"]),
    "tags": texts("Topics.", 50, examples=[["storage"]]),
    "category": text("Such as database, auth, queue, ai, cache or other.", 40, examples=["database"]),
    "homepage": text("An http or https address.", 2000, pattern=HOMEPAGE, examples=["https://example.com"]),
    "repository": {
        "type": ["string", "object"],
        "maxLength": 2000,
        "description": "Where its source is.",
        "examples": ["https://example.com/alice/hello.git"],
    },
    "exports": {
        "type": "object",
        "maxProperties": 1000,
        "additionalProperties": _EXPORT,
        "description": "Its methods, each with the GTypes that go in and come out.",
        "examples": [{"query": {"inputRef": "QueryRequest", "outputRef": "QueryResult"}}],
    },
    "contracts": texts("Contracts that it keeps.", examples=[["@gati-framework/database-contract"]]),
    "resources": {
        "type": "object",
        "description": "What it needs to run.",
        "examples": [{"cpu": "500m", "mem": "512Mi"}],
        "properties": {
            "cpu": text("Processors.", 40, pattern=r"^[0-9]+(\.[0-9]+)?( ?cores?|m)?$", examples=["500m"]),
            "mem": text("Memory.", 40, pattern=r"^[0-9]+(\.[0-9]+)?([KMGT]i?)?B?$", examples=["512Mi"]),
        },
    },
    "networkAccess": _NETWORK,
    "env": settings("Variables of its environment.", {"name": "LOG_LEVEL", "default": "info"}),
    "secrets": settings("Secrets that it is given.", {"name": "API_KEY", "required": True}),
    "dbSchema": _DB_SCHEMA,
}
REQUIRED: Final = ("name", "version", "config")
