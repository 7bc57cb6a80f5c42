"""A registry behind a proxy that ends TLS: it sees http and perhaps another port, its clients see PUBLIC_URL."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from registry.app import Application
from registry.config import load
from registry.infra.http.boundary import Boundary
from tests.pushing import EMPTY, OCI_MANIFEST, descriptor, digest, image, push_blob, push_image, push_manifest

PUBLIC = "https://registry.example"
FORWARDED = {"Host": "registry.example", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}


@pytest.fixture(params=["open", "closed"])
async def proxied(
    environ: dict[str, str], server: Any, request: pytest.FixtureRequest
) -> AsyncIterator[httpx.AsyncClient]:
    app = Application(load(environ | {"PUBLIC_URL": PUBLIC, "ACCESS": request.param}))
    async with app.lifespan():
        transport = httpx.ASGITransport(Boundary(app), raise_app_exceptions=False, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://inside:5000", headers=FORWARDED) as client:
            yield client


@pytest.mark.parametrize("proxied", ["open"], indirect=True)
async def test_places_and_links_name_no_host_and_nothing_redirects(proxied: httpx.AsyncClient) -> None:
    opened = await proxied.post("/v2/a/blobs/uploads")
    place = opened.headers["location"]
    wrong = await proxied.patch(place, content=b"x", headers={"Content-Range": "5-5"})
    whole = await proxied.post("/v2/a/blobs/uploads/", params={"digest": digest(b"y")}, content=b"y")
    mounted = await proxied.post("/v2/b/blobs/uploads/", params={"mount": digest(b"y"), "from": "a"})
    await push_blob(proxied, "a", EMPTY)
    pushed = await push_manifest(proxied, "a", image(), "one")
    assert (await push_manifest(proxied, "a", image(), "two")).status_code == 201
    for number in range(2):
        raw = image(subject=descriptor(image(), OCI_MANIFEST), annotations={"n": str(number)})
        assert (await push_manifest(proxied, "a", raw, digest(raw))).status_code == 201
    for answer in (opened, await proxied.get(place), wrong, whole, mounted, pushed):
        assert answer.headers["location"].startswith("/v2/")
    for path in ("/v2/_catalog", "/v2/a/tags/list", f"/v2/a/referrers/{digest(image())}"):
        assert (await proxied.get(path, params={"n": "1"})).headers["link"].startswith("</v2/")
    for path in ("/v2", "/v2/"):
        assert (await proxied.get(path)).status_code == 200


@pytest.mark.parametrize("proxied", ["closed"], indirect=True)
async def test_the_challenge_names_the_public_address_whatever_the_proxy_forwards(proxied: httpx.AsyncClient) -> None:
    for path, scope in (("/v2/", ""), ("/v2/a/manifests/latest", ',scope="repository:a:pull"')):
        answer = await proxied.get(path)
        wanted = f'Bearer realm="{PUBLIC}/token",service="gati-registry"{scope}'
        assert (answer.status_code, answer.headers.get_list("www-authenticate")) == (401, [wanted])


@pytest.mark.parametrize(
    "credential", ["Basic Og==", "Basic Z2hvc3Q6d3Jvbmc=", "Basic !", "Bearer stale.token.here", "Negotiate x", ""]
)
async def test_an_open_registry_ignores_whatever_credential_a_client_has_stored(
    client: httpx.AsyncClient, credential: str
) -> None:
    client.headers["Authorization"] = credential
    named = await push_image(client, "a", b"x")
    assert (await client.get(f"/v2/a/blobs/{digest(b'x')}")).content == b"x"
    assert (await client.get("/v2/a/manifests/latest", params={"ns": "docker.io"})).status_code == 200
    assert (await client.delete(f"/v2/a/manifests/{named}")).status_code == 202
