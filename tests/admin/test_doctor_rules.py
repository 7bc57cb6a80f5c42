"""What `doctor` makes of a machine, by looking at the machine through its functions."""

import os
import resource
import subprocess
from pathlib import Path
from typing import Any

import pytest

from registry.admin import doctor


@pytest.mark.parametrize(("hard", "state"), [(128, "FAIL"), (1024, "warn"), (65536, "ok")])
def test_the_limit_of_open_files_is_judged(monkeypatch: pytest.MonkeyPatch, hard: int, state: str) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, hard))
    assert doctor._files().state == state


def test_a_place_that_is_no_directory_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert doctor._directory("storage", tmp_path / "file" / "blobs", 0).state == "FAIL"


def test_a_directory_of_somebody_else_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    found = doctor._directory("storage", tmp_path, 0)
    assert found.state == "FAIL"
    assert "cannot be written by user" in found.text


def test_room_for_less_than_twice_the_reserve_is_a_warning(tmp_path: Path) -> None:
    reserve = os.statvfs(tmp_path)
    found = doctor._directory("storage", tmp_path, int(reserve.f_bavail * reserve.f_frsize * 0.75))
    assert found.state == "warn"


def test_root_without_user_namespaces_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess([], 1)

    monkeypatch.setattr(subprocess, "run", refuse)
    found = doctor._user_namespaces()
    assert found.state == "FAIL"
    assert "serve as another user or set DATABASE_URL" in found.text


@pytest.mark.parametrize(
    ("kind", "missing", "state", "advice"),
    [
        ("embedded", [], "ok", "current"),
        ("embedded", ["0002_more"], "warn", "the next serve applies it"),
        ("external", ["0002_more"], "FAIL", "run gati-registry migrate"),
    ],
)
def test_an_older_schema_is_judged_by_whose_it_is(kind: str, missing: list[str], state: str, advice: str) -> None:
    found = doctor._schema(kind, missing)
    assert found.state == state
    assert advice in found.text
