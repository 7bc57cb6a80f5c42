import importlib.machinery
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parent / "install"


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The script as a module, with an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader = importlib.machinery.SourceFileLoader("install_clients", str(SCRIPT))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def printed_path(script: Path, cache: Path) -> Path:
    environ = os.environ | {"XDG_CACHE_HOME": str(cache)}
    said = subprocess.run([script, "--print-path"], env=environ, capture_output=True, text=True, check=True).stdout
    return Path(said.rstrip("\n"))


def test_other_versions_are_kept_in_another_folder(tmp_path: Path) -> None:
    for name in ("install", "go.mod", "go.sum"):
        shutil.copy(SCRIPT.with_name(name), tmp_path / name)
    before = printed_path(tmp_path / "install", tmp_path / "cache")
    assert before == printed_path(SCRIPT, tmp_path / "cache")
    assert before.is_relative_to(tmp_path / "cache/gati-registry/clients")
    with (tmp_path / "go.mod").open("a") as versions:
        versions.write("// newer\n")
    assert printed_path(tmp_path / "install", tmp_path / "cache").parent == before.parent
    assert printed_path(tmp_path / "install", tmp_path / "cache") != before


def test_without_go_its_programs_are_left_out(install: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "PLACES", "")
    wanted = ("cosign", "crane", "helm", "oras", "regctl", "registry")
    assert install.build_all() == dict.fromkeys(wanted, "there is no Go")


def test_a_program_in_the_cache_is_not_built_again(install: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    install.cache().mkdir(parents=True)
    (install.cache() / "crane").write_bytes(b"")
    monkeypatch.setattr(install, "PLACES", "")
    assert install.build_all()["crane"] == ""


def test_without_root_packages_are_left_out(install: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(install, "lacking", lambda: ["skopeo"])
    outcome = install.install_all(sudo=False)
    assert outcome["skopeo"] in {"only root may install packages", "this is not Debian"}
    assert not any(reason for program, reason in outcome.items() if program != "skopeo")


@pytest.mark.parametrize(("option", "status"), [([], 0), (["--all-required"], 1)])
def test_a_client_that_is_left_out_is_named(
    install: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    option: list[str],
    status: int,
) -> None:
    monkeypatch.setattr(install, "install_all", lambda **_: {"skopeo": ""})
    monkeypatch.setattr(install, "build_all", lambda: {"crane": "there is no Go"})
    monkeypatch.setattr(install, "lacking", list)
    monkeypatch.setattr(sys, "argv", ["install", *option])
    assert install.main() == status
    assert [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()] == [
        ["crane", "left out: there is no Go"],
        ["skopeo", "present"],
    ]
