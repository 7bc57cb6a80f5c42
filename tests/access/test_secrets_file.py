from pathlib import Path

import pytest

from registry.config import load
from registry.core.errors import Unavailable
from tests.conftest import running


async def test_a_process_with_the_secrets_of_another_registry_does_not_start(
    environ: dict[str, str], emptied: None, tmp_path: Path
) -> None:
    async with running(load(environ)):
        pass
    with pytest.raises(Unavailable, match="SECRETS_FILE"):
        async with running(load(environ | {"SECRETS_FILE": str(tmp_path / "other.json")})):
            pass
