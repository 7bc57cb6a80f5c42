# Feature: gati-registry, Property 18: Template variable substitution

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.artifacts import templating
from registry.core.errors import Unprocessable

NAMES = ("name", "Name", "a", "useDatabase", "x_1")
DECLARED = st.dictionaries(
    st.sampled_from(NAMES), st.text(max_size=12) | st.sampled_from(["{{ name }}", "{{a}}", "\\{{ a }}", "}}", "{{"])
)
LOOKALIKES = ["{{a}}", "{{\ta }}", "{{ a\n}}", "\\{{ a }}", "\\{{other}}", "{{{a}}}", "{{ unknown }}", "{{ a", "a }}"]
ODD = ["{ {a} }", "{{}}", "{{ a b }}", "{{ é }}", "\\", "{{ 1a }}", "\n", "${a}"]
PIECES = st.lists(
    st.sampled_from([*(f"{{{{ {name} }}}}" for name in NAMES), *LOOKALIKES, *ODD])
    | st.text(alphabet="{} \\aname\n", max_size=8)
    | st.text(max_size=5),
    max_size=12,
).map("".join)
LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
DIGITS = frozenset("0123456789")


def reference_at(text: str, at: int) -> tuple[str, int] | None:
    """The name of the reference that begins at `at`, and where it ends: read letter by letter."""
    if text[at : at + 2] != "{{":
        return None
    place = at + 2
    while text[place : place + 1] in {" ", "\t"}:
        place += 1
    begin = place
    while text[place : place + 1] and (text[place] in LETTERS or (place > begin and text[place] in DIGITS)):
        place += 1
    name = text[begin:place]
    while text[place : place + 1] in {" ", "\t"}:
        place += 1
    return (name, place + 2) if name and text[place : place + 2] == "}}" else None


def expanded(text: str, values: dict[str, str]) -> str:
    """The oracle: one pass from left to right."""
    out, at = [], 0
    while at < len(text):
        escaped = reference_at(text, at + 1) if text[at] == "\\" else None
        found = reference_at(text, at)
        if escaped is not None:
            whole = text[at : escaped[1]]
            out.append(whole[1:] if escaped[0] in values else whole)
            at = escaped[1]
        elif found is not None:
            out.append(values.get(found[0], text[at : found[1]]))
            at = found[1]
        else:
            out.append(text[at])
            at += 1
    return "".join(out)


@settings(max_examples=600, deadline=None)
@given(text=PIECES, values=DECLARED)
def test_every_reference_to_a_declared_variable_is_replaced_once_and_nothing_else_changes(
    text: str, values: dict[str, str]
) -> None:
    assert templating.expand(text, values) == expanded(text, values)
    try:
        raw, whole = text.encode(), {name: value.encode() for name, value in values.items()}
    except UnicodeEncodeError:
        return
    if b"\0" not in raw and all(whole):
        assert templating.expand_bytes(raw, values) == expanded(text, values).encode()


@settings(max_examples=200, deadline=None)
@given(before=st.binary(max_size=20), after=st.binary(max_size=20), odd=st.sampled_from([b"\0", b"\xff", b"\xc0\x80"]))
def test_files_that_are_no_text_stay_as_they_are(before: bytes, after: bytes, odd: bytes) -> None:
    data = before + b"{{ a }}" + odd + b"{{ a }}" + after
    assert templating.expand_bytes(data, {"a": "changed"}) == data


@settings(max_examples=300, deadline=None)
@given(
    parts=st.lists(
        st.sampled_from(["src", "{{ a }}", "{{ name }}.js", "x{{a}}y", "{{other}}"]), min_size=1, max_size=4
    ),
    values=st.fixed_dictionaries(
        {
            "a": st.sampled_from(["ok", "..", ".", "", "a/b", "/", "a\\b", "b.js", "c:d", "con", "nul\0", "a "]),
            "name": st.sampled_from(["main", "../up", "a..b", ".hidden"]),
        }
    ),
)
def test_a_value_in_a_file_name_never_leads_elsewhere(parts: list[str], values: dict[str, str]) -> None:
    path = "/".join(parts)
    wanted = [expanded(part, values) for part in parts]
    forbidden = set('/\\:\0<>"|?*')
    safe = all(
        part not in {"", ".", ".."} and not forbidden & set(part) and part[-1] not in ". " and part.lower() != "con"
        for part in wanted
    )
    if safe:
        assert templating.expand_path(path, values) == "/".join(wanted)
    else:
        with pytest.raises(Unprocessable):
            templating.expand_path(path, values)


VARIABLES = st.lists(
    st.builds(
        lambda name, required, rest: {"name": name, "required": required, **rest},
        st.sampled_from(NAMES),
        st.booleans(),
        st.builds(
            lambda kind, default: {**kind, **default},
            st.sampled_from([{}, {"options": ["x", "y", 3]}, {"pattern": "[a-z]{1,4}"}, {"type": "boolean"}]),
            st.sampled_from([{}, {"default": "x"}, {"default": ""}]),
        )
        | st.just({"default": True}),
    ),
    unique_by=lambda variable: variable["name"],
    max_size=4,
)
GIVEN = st.dictionaries(
    st.sampled_from(NAMES), st.sampled_from(["x", "y", "3", "z", "", "Yes", "no", "abcde", "{{a}}"])
)
TRUE, FALSE = {"true", "yes", "y", "1", "on"}, {"false", "no", "n", "0", "off"}


def value_of(variable: dict[str, Any], given: dict[str, str]) -> str | None:
    """The oracle: the value, None where there is none that may be."""
    is_boolean = variable.get("type") == "boolean" or variable.get("default") is True
    if variable["name"] not in given and "default" not in variable:
        return None if variable["required"] else ""
    value = given.get(variable["name"], variable.get("default"))
    text = str(value).lower() if value is True else str(value)
    if is_boolean:
        return "true" if text.lower() in TRUE else "false" if text.lower() in FALSE else None
    if (not text and variable["required"]) or ("options" in variable and text not in {"x", "y", "3"}):
        return None
    letters = 1 <= len(text) <= 4 and all("a" <= letter <= "z" for letter in text)
    return None if "pattern" in variable and not letters else text


@settings(max_examples=400, deadline=None)
@given(variables=VARIABLES, given_values=GIVEN)
def test_options_defaults_patterns_and_required_values_hold(
    variables: list[dict[str, Any]], given_values: dict[str, str]
) -> None:
    wanted = {variable["name"]: value_of(variable, given_values) for variable in variables}
    if given_values.keys() <= wanted.keys() and None not in wanted.values():
        assert templating.check_values(variables, given_values) == wanted
    else:
        with pytest.raises(Unprocessable):
            templating.check_values(variables, given_values)
