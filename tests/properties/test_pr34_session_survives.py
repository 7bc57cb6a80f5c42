import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.app import Application
from registry.config import load
from registry.infra.http.boundary import Boundary
from tests.pushing import digest


@asynccontextmanager
async def fresh(environ: dict[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a registry that has just started."""
    app = Application(load(environ))
    async with app.lifespan():
        transport = httpx.ASGITransport(Boundary(app), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield client


# Feature: gati-registry, Property 34: Upload session survives restart
@pytest.mark.usefixtures("server")
@pytest.mark.timeout(300)
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    pieces=st.lists(st.binary(max_size=300), min_size=1, max_size=4),
    algorithm=st.sampled_from(["sha256", "sha512"]),
    hinted=st.booleans(),
)
async def test_an_upload_goes_on_after_a_restart_between_any_two_chunks(
    environ: dict[str, str], pieces: list[bytes], algorithm: str, hinted: bool
) -> None:
    """At the offset that the session reports; also when the digest is of another algorithm than was hashed."""
    name, content, place, at = f"pr34/{uuid.uuid4().hex}", b"".join(pieces), "", 0
    query = {"digest-algorithm": algorithm} if hinted else {}
    for piece in pieces:
        async with fresh(environ) as client:
            place = place or (await client.post(f"/v2/{name}/blobs/uploads/", params=query)).headers["location"]
            status = await client.get(place)
            assert (status.status_code, status.headers["range"]) == (204, f"0-{max(0, at - 1)}")
            assert (await client.patch(place, content=piece)).status_code == 202
            at += len(piece)
    async with fresh(environ) as client:
        named = digest(content, algorithm)
        assert (await client.put(place, params={"digest": named})).status_code == 201
        assert (await client.get(f"/v2/{name}/blobs/{named}")).content == content
