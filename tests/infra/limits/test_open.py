"""Where a registry counts, by its settings."""

from pathlib import Path
from typing import Any

import pytest

from registry.config import load
from registry.infra.limits.memory import MemoryWindows
from registry.infra.limits.model import UNLIMITED, Kind
from registry.infra.limits.redis import RedisWindows
from registry.infra.limits.shared import SharedWindows
from registry.infra.telemetry import metrics
from registry.parts import open_limits

ELSEWHERE = {"DATABASE_URL": "postgresql://db/gati"}
REDIS = {"REDIS_URL": "redis://redis"}


@pytest.mark.parametrize(
    ("settings", "here", "everywhere", "file"),
    [
        ({}, MemoryWindows, None, None),
        ({"WEB_PROCESSES": "2"}, SharedWindows, None, "storage/limits"),
        (ELSEWHERE | {"SINGLE_HOST": "true"}, SharedWindows, None, "storage/limits"),
        (ELSEWHERE | REDIS | {"SINGLE_HOST": "true"}, SharedWindows, None, "storage/limits"),
        (REDIS, MemoryWindows, None, None),
        (ELSEWHERE, MemoryWindows, None, None),
        (ELSEWHERE | REDIS, MemoryWindows, RedisWindows, None),
        (ELSEWHERE | {"WEB_PROCESSES": "2"}, SharedWindows, None, "run/limits"),
        (ELSEWHERE | REDIS | {"WEB_PROCESSES": "2"}, SharedWindows, RedisWindows, "run/limits"),
    ],
)
async def test_processes_of_a_host_count_together_and_hosts_do_in_redis(
    settings: dict[str, str],
    here: type,
    everywhere: type | None,
    file: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("storage", "run"):
        (tmp_path / name).mkdir()
    if settings.get("WEB_PROCESSES"):
        monkeypatch.setenv(metrics.DIRECTORY_VARIABLE, str(tmp_path / "run"))
    limiter: Any = open_limits(load(settings | {"GATI_DATA_DIR": str(tmp_path)}), b"secret")
    assert type(limiter._here) is here
    assert type(limiter._everywhere) is (everywhere or type(None))
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("limits")] == ([file] if file else [])
    await limiter.close()


async def test_each_class_has_the_rate_of_its_setting(tmp_path: Path) -> None:
    given = {f"RATE_LIMIT_{kind.name}": f"{number}/60" for number, kind in enumerate(Kind, 1)}
    limiter = open_limits(load(given | {"GATI_DATA_DIR": str(tmp_path)}), b"")
    assert [(await limiter.charge(kind, "")).limit for kind in Kind] == [1, 2, 3, 4, 5]
    off = open_limits(load(dict.fromkeys(given, "0") | {"GATI_DATA_DIR": str(tmp_path)}), b"")
    assert [await off.charge(kind, "") for kind in Kind] == [UNLIMITED] * 5
