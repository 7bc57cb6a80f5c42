"""JSON bodies and query parameters: what they are made of, and how they are read."""

import re
import typing
from collections.abc import Mapping
from typing import Annotated, Any, Final, Generic, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import Meta

from registry.core.errors import BadRequest, Unprocessable
from registry.core.strict_json import Ambiguous, parse

T = TypeVar("T")
MOST: Final = 100
_MOST: Final = 2**63
_PARAMETERS: Final = 100
_ERROR: Final = re.compile(r"(?P<what>.*?)(?: - at (?:`key` in )?`\$(?P<path>[^`]*)`)?", re.DOTALL)
_STEP: Final = re.compile(r"\.([^.\[]+)|\[(\d+)\]|\[\.\.\.\]")
_MEMBER: Final = re.compile(r"Object (?:missing required|contains unknown) field `([^`]*)`")
_UNKEEPABLE: Final = re.compile(r"[\0\ud800-\udfff]")
_LISTS: Final = (list, tuple, set, frozenset)

Id = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Count = Annotated[int, Meta(ge=0, le=2**53)]


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What a request may say: nothing else is taken, names are in camelCase."""


class Answer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is answered: clients must take fields that they do not know."""


class Query(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Query parameters; others are ignored, the same twice is refused where it is no list."""


class Page(Query, frozen=True, kw_only=True):
    """A page of a list, in the order of its keys."""

    limit: Annotated[int, Meta(ge=1, le=MOST, description="How many items at most.")] = 20
    after: Annotated[str, Meta(max_length=500, description="The `next` of the page before.")] = ""


class Listing(Answer, Generic[T], frozen=True, kw_only=True):
    """A page: `next` is the `after` of the page that follows, absent on the last; the Link header says the same."""

    items: list[T]
    next: str | msgspec.UnsetType = msgspec.UNSET


class Problem(Answer, frozen=True, kw_only=True):
    """A refusal: `message` is a sentence for people, `code` and `details` are for programs."""

    code: str
    message: str
    details: Any = None
    suggestions: list[str]
    timestamp: str
    request_id: str


def read_body(raw: bytes, form: type[Any]) -> Any:
    """The body as a `form`; none at all is an empty object.

    Raises:
        BadRequest: it is not JSON with one reading.
        Unprocessable: it is not as the form has it; `detail` has a JSON pointer (RFC 6901) and what is expected there.
    """
    try:
        value = parse(raw) if raw else {}
    except Ambiguous as error:
        raise BadRequest(f"The body {error}", detail={"pointer": ""}) from error
    _check(value, "")
    try:
        return msgspec.convert(value, form, strict=True)
    except msgspec.ValidationError as error:
        raise _unprocessable(*_explained(error)) from error


def read_query(raw: bytes, form: type[Any]) -> Any:
    """The query as a `form`.

    Raises:
        BadRequest: a parameter is not as the form has it; `detail` has its name and what is expected.
    """
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_PARAMETERS)
    except ValueError as error:
        message = f"The query is not percent-encoded UTF-8 of at most {_PARAMETERS} parameters."
        raise BadRequest(message) from error
    values: dict[str, Any] = {}
    for name, is_list in _parameters(form).items():
        given = [value for key, value in pairs if key == name]
        if any("\0" in value for value in given) or (len(given) > 1 and not is_list):
            expected = "one value without NUL"
            raise BadRequest(f"The query parameter {name} takes {expected}.", detail=_wrong(name, expected))
        if given:
            values[name] = given if is_list else given[0]
    try:
        return msgspec.convert(values, form, strict=False)
    except msgspec.ValidationError as error:
        pointer, what = _explained(error)
        name = pointer.split("/")[1]
        raise BadRequest(f"The query parameter {name} cannot be taken: {what}.", detail=_wrong(name, what)) from error


def _wrong(name: str, expected: str) -> dict[str, str]:
    return {"parameter": name, "expected": expected}


def _parameters(form: type[Any]) -> Mapping[str, bool]:
    """Names of the parameters, and whether they may come several times."""
    fields = msgspec.structs.fields(form)
    return {item.encode_name: typing.get_origin(_plain(item.type)) in _LISTS for item in fields}


def _plain(form: Any) -> Any:
    """The type without what is said of it."""
    return typing.get_args(form)[0] if typing.get_origin(form) is Annotated else form


def _explained(error: msgspec.ValidationError) -> tuple[str, str]:
    """Where and what, of a message of msgspec."""
    found = _ERROR.fullmatch(str(error))
    what, path = (found["what"], found["path"] or "") if found else (str(error), "")
    pointer = ""
    for step in _STEP.finditer(path):
        if step[0] == "[...]":
            break
        pointer += "/" + (step[1] or step[2])
    member = _MEMBER.fullmatch(what)
    if member is not None:
        pointer += "/" + _escaped(member[1])
    return pointer, what[:1].lower() + what[1:]


def _check(value: Any, pointer: str) -> None:
    """Refuse text and numbers that the database cannot keep."""
    match value:
        case str() if _UNKEEPABLE.search(value):
            raise _unprocessable(pointer, "expected text without NUL and lone surrogates")
        case int() | float() if not -_MOST <= value < _MOST:
            raise _unprocessable(pointer, "expected a number of at most 64 bits")
        case dict():
            for key, item in value.items():
                _check(key, pointer)
                _check(item, f"{pointer}/{_escaped(key)}")
        case list():
            for at, item in enumerate(value):
                _check(item, f"{pointer}/{at}")


def _unprocessable(pointer: str, what: str) -> Unprocessable:
    message = f"The body cannot be taken: {what}{' at ' + pointer if pointer else ''}."
    return Unprocessable(message, detail={"pointer": pointer, "expected": what})


def _escaped(name: str) -> str:
    """A step of a JSON pointer (RFC 6901, section 3)."""
    return name.replace("~", "~0").replace("/", "~1")
