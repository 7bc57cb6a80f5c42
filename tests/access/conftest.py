"""A closed registry on an empty database."""

from collections.abc import AsyncIterator

import pytest

from registry.config import load
from tests.access.world import World
from tests.conftest import running


@pytest.fixture
async def world(environ: dict[str, str], emptied: None) -> AsyncIterator[World]:
    """Closed, with shared counters, and with limits above what tests do."""
    settings = environ | {"ACCESS": "closed", "SINGLE_HOST": "true", "RATE_LIMIT_TRANSFER": "0", "RATE_LIMIT_AUTH": "0"}
    async with running(load(settings)) as application:
        found = World(application)
        found.administrator = await found.user("keeper")
        yield found
