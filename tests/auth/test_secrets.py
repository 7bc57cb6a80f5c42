"""Secrets and their file."""

import json
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.auth.secrets import KINDS, LONGEST, Secrets, hint, mint, parse
from registry.core.errors import Unavailable

OLD, NEW = "11" * 32, "22" * 32


def write(path: Path, content: object, mode: int = 0o600) -> Path:
    path.write_text(json.dumps(content))
    path.chmod(mode)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_a_secret_tells_its_kind_and_has_one_width(kind: str) -> None:
    texts = {mint(kind) for _ in range(50)}
    assert len(texts) == 50
    for text in texts:
        assert re.fullmatch(rf"gati_{kind}_[0-9A-Za-z]{{49}}", text)
        assert parse(text) == kind


def test_no_secret_of_an_unknown_kind_is_made() -> None:
    with pytest.raises(ValueError, match="cookie"):
        mint("cookie")


@given(kind=st.sampled_from(KINDS), at=st.integers(0, LONGEST), other=st.characters())
def test_a_secret_with_one_wrong_character_is_garbage(kind: str, at: int, other: str) -> None:
    text = mint(kind)
    at %= len(text)
    changed = text[:at] + other + text[at + 1 :]
    assert parse(changed) == (kind if changed == text else None)


@given(st.text())
def test_any_other_text_is_garbage(text: str) -> None:
    assert parse(text) is None
    assert parse(mint("key") + text) == (None if text else "key")
    assert hint(text) == ""


def test_what_is_shown_of_a_secret_leaves_far_more_unknown() -> None:
    text = mint("robot")
    assert hint(text) == text[: len("gati_robot_") + 4]


def test_the_file_is_made_once_for_all_processes_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "data" / "secrets.json"
    with ThreadPoolExecutor(8) as pool:
        hashes = set(pool.map(lambda _: Secrets.load(path).hash("one"), range(16)))
    assert len(hashes) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in path.parent.iterdir()] == ["secrets.json"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = write(tmp_path / "s", {"current": "a", "peppers": {"a": OLD}}, mode)
    with pytest.raises(Unavailable, match="chmod 600"):
        Secrets.load(path)


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        {"current": "a", "peppers": {}},
        {"current": "a", "peppers": {"b": OLD}},
        {"current": "a", "peppers": {"a": "11"}},
        {"current": "a", "peppers": {"a": "x" * 64}},
        {"current": "a", "peppers": {"a": 5}},
        {"current": "a", "peppers": [OLD]},
        {"current": ["a"], "peppers": {"a": OLD}},
        {"current": "a/b", "peppers": {"a/b": OLD}},
    ],
)
def test_a_file_that_is_damaged_is_refused_and_never_replaced(tmp_path: Path, content: object) -> None:
    path = write(tmp_path / "s", content)
    with pytest.raises(Unavailable, match="bring it back"):
        Secrets.load(path)
    assert json.loads(path.read_text()) == content


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="secrets"):
        Secrets.load(tmp_path / "file" / "secrets.json")


def test_the_hash_depends_on_the_pepper_and_older_peppers_are_tried_too(tmp_path: Path) -> None:
    before = Secrets.load(write(tmp_path / "s", {"current": "a", "peppers": {"a": OLD}}))
    after = Secrets.load(write(tmp_path / "s", {"current": "b", "peppers": {"a": OLD, "b": NEW}}))
    text = mint("key")
    assert before.hash(text)[0] == "a"
    assert after.hash(text)[0] == "b"
    assert after.candidates(text) == [after.hash(text)[1], before.hash(text)[1]]
    assert len({len(found) for found in after.candidates(text)} | {32}) == 1


def test_what_is_sealed_is_read_after_a_change_of_the_pepper_and_only_with_the_file_and_label(tmp_path: Path) -> None:
    before = Secrets.load(write(tmp_path / "s", {"current": "a", "peppers": {"a": OLD}}))
    after = Secrets.load(write(tmp_path / "s", {"current": "b", "peppers": {"a": OLD, "b": NEW}}))
    sealed = before.seal(b"private", b"kid")
    assert b"private" not in sealed
    assert after.unseal(sealed, b"kid") == b"private"
    stranger = Secrets.load(write(tmp_path / "t", {"current": "a", "peppers": {"a": NEW}}))
    for reader, label in ((after, b"other"), (stranger, b"kid")):
        with pytest.raises(Unavailable, match="another SECRETS_FILE"):
            reader.unseal(sealed, label)
    with pytest.raises(Unavailable, match="another SECRETS_FILE"):
        before.unseal(after.seal(b"private", b"kid"), b"kid")
