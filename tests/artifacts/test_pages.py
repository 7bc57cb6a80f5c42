"""The pages of the types are those of the code, and their examples are valid."""

import re
from pathlib import Path

import pytest

from registry.artifacts import checking
from registry.artifacts.catalogue import KINDS, RESERVED
from registry.artifacts.model import GATI_MANIFEST, Kind
from registry.artifacts.pages import pages
from registry.artifacts.schemas import document_schema
from registry.artifacts.states import FOLLOWS, State, content_state
from tests.artifacts.making import submit

FOLDER = Path(__file__).parents[2] / "docs" / "artifacts"
README = (FOLDER / "README.md").read_text()


@pytest.mark.parametrize("name", sorted(pages()))
def test_a_page_is_what_the_code_says(name: str) -> None:
    assert (FOLDER / name).read_text() == pages()[name], "run `make artifact-pages`"


def test_no_page_is_of_a_type_that_is_not_there() -> None:
    written = {"README.md", "agents.md", "installing.md", "publishing.md"}
    assert {path.name for path in FOLDER.glob("*.md")} == {*pages(), *written}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_example_of_a_page_is_valid(kind: Kind) -> None:
    checked = checking.check(submit(kind))
    assert checked.pending == ()
    assert f"| `{kind.name}` | [{kind.name}]({kind.name}.md) |" in README


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_each_member_of_a_config_is_described(kind: Kind) -> None:
    properties = document_schema(kind)["properties"]["config"]["properties"]
    assert [name for name, inner in properties.items() if not inner.get("description")] == []


def test_the_table_of_states_is_that_of_the_code() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| [^|]* \| (yes|no) \| (yes|no) \| ([^|]*) \|$", README, re.MULTILINE)
    assert [row[0] for row in rows] == list(State)
    for name, writers, others, follow in rows:
        state = content_state(State(name))
        assert (writers == "yes", others == "yes") == (state != "blocked", state == "live")
        assert {State(word) for word in re.findall(r"`([a-z-]+)`", follow)} == FOLLOWS[State(name)]


def test_the_referrers_that_only_the_registry_writes_are_listed() -> None:
    listed = re.findall(r"^\| `([^`]+)` \|.*\| the registry \|$", README, re.MULTILINE)
    assert set(listed) == RESERVED
    assert GATI_MANIFEST in README
