"""A closed registry on an empty database."""

from collections.abc import AsyncIterator

import pytest

from registry.config import load
from tests.access.world import World
from tests.conftest import running


@pytest.fixture
async def world(environ: dict[str, str], emptied: None) -> AsyncIterator[World]:
    """Closed, with shared counters, and with limits above what tests do."""
    limits = {f"RATE_LIMIT_{name}": "0" for name in ("TRANSFER", "AUTH", "GENERAL", "SIGNED_IN", "UPLOAD")}
    async with running(load(environ | {"ACCESS": "closed", "SINGLE_HOST": "true"} | limits)) as application:
        found = World(application)
        found.administrator = await found.user("keeper")
        yield found
