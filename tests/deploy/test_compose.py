"""The compose file: a fleet on one machine, with settings that exist."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from registry.__main__ import COMMANDS
from registry.config import load, settings_table

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def services() -> dict[str, Any]:
    found = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="session")
def ours(services: dict[str, Any]) -> dict[str, Any]:
    return {name: service for name, service in services.items() if service.get("image") == "gati-registry"}


def test_there_are_two_web_processes_a_worker_and_a_migration(ours: dict[str, Any]) -> None:
    commands = [service.get("command", ["serve"]) for service in ours.values()]
    assert sorted(commands) == [["migrate"], ["serve"], ["serve"], ["worker"]]
    assert all(command[0] in COMMANDS for command in commands)


def test_its_settings_exist_and_hold_together(ours: dict[str, Any]) -> None:
    known = {row.name for row in settings_table().values()}
    for service in ours.values():
        environ = service["environment"]
        assert set(environ) <= known
        assert load({"HOST": "0.0.0.0"} | environ).jobs == "off"


def test_all_share_one_volume_and_one_database(services: dict[str, Any], ours: dict[str, Any]) -> None:
    assert {tuple(service["volumes"]) for service in ours.values()} == {("blobs:/var/lib/gati",)}
    assert {service["environment"]["STORAGE_URL"] for service in ours.values()} == {"/var/lib/gati/storage"}
    assert {service["environment"]["DATABASE_URL"].partition("@")[2] for service in ours.values()} == {"postgres/gati"}
    assert services["postgres"]["image"].endswith("postgres:18")


def test_nothing_is_published_beyond_this_machine(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert len(ports) == 2
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_no_password_is_written_down(services: dict[str, Any]) -> None:
    assert services["postgres"]["environment"]["POSTGRES_PASSWORD"].startswith("${POSTGRES_PASSWORD:?")
