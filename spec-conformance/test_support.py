"""end-1: is this a registry?"""

import httpx
import pytest
from clauses import MAY, RULING, clause, unsupported
from client import expect

TITLE = "Determining Support"


@clause("end-1", TITLE)
def test_the_base_answers_200(http: httpx.Client, root: httpx.URL) -> None:
    expect(http.get(root.join("/v2/")), 200)


@clause("end-1", TITLE, RULING)
def test_the_base_without_its_slash_is_the_same_and_no_redirect(http: httpx.Client, root: httpx.URL) -> None:
    expect(http.get(root.join("/v2"), follow_redirects=False), 200)


@clause("end-1", TITLE, MAY)
def test_the_base_names_the_api_version_that_older_clients_look_for(http: httpx.Client, root: httpx.URL) -> None:
    response = http.get(root.join("/v2/"))
    assert response.headers.get("Docker-Distribution-API-Version") == "registry/2.0"


@clause("end-1", TITLE, RULING)
def test_head_of_the_base_is_its_get_without_the_body(http: httpx.Client, root: httpx.URL) -> None:
    got, headed = http.get(root.join("/v2/")), expect(http.head(root.join("/v2/")), 200)
    assert headed.content == b""
    assert headed.headers.get("Content-Type") == got.headers.get("Content-Type")


@clause("end-1", TITLE, RULING)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_the_base_takes_only_reading_methods_and_says_which(method: str, http: httpx.Client, root: httpx.URL) -> None:
    response = expect(http.request(method, root.join("/v2/")), 405)
    assert "GET" in response.headers.get("Allow", "")


@clause("end-1", TITLE)
def test_an_address_that_is_no_endpoint_is_404(http: httpx.Client, root: httpx.URL) -> None:
    expect(http.get(root.join("/v2/conformance/nothing/of-this-kind/here")), 404)


@clause("end-1", TITLE, RULING)
@pytest.mark.parametrize("credentials", ["Basic Z2hvc3Q6d3Jvbmc=", "Bearer stale.token.here", "Basic", "nonsense"])
def test_credentials_that_nobody_asked_for_are_no_obstacle(
    credentials: str, http: httpx.Client, root: httpx.URL
) -> None:
    """Clients send what they have stored for this host, though the registry is open."""
    if http.auth is not None:
        unsupported("this registry asks for credentials")
    expect(http.get(root.join("/v2/"), headers={"Authorization": credentials}), 200)
