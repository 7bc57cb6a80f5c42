"""Which requests a page of a stranger could have made."""

import pytest

from registry.core.errors import Denied
from registry.infra.http.origin import BrowserGuard

GUARD = BrowserGuard("https://Hub.example", ("registry.lan",), ("https://app.example",))


def admits(headers: dict[str, str]) -> bool:
    try:
        GUARD.check(headers)
    except Denied:
        return False
    return True


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8080",
        "LOCALHOST:1",
        "a.localhost:80",
        "127.0.0.1:8080",
        "192.168.1.5",
        "[::1]:8080",
        "[::1]",
        "hub.example",
        "hub.example:443",
        "registry.lan:5000",
    ],
)
def test_hosts_of_the_registry_are_let_in(host: str) -> None:
    assert admits({"host": host})


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "notlocalhost",
        "evil@localhost",
        "localhost@evil.example",
        "localhost/evil",
        "localhost\\evil",
        "[::1",
        "[evil]",
        "127.0.0.1.evil.example",
        "2130706433",
        "localhost:8080:1",
        "localhost:port",
        "hub.example.",
    ],
)
def test_any_other_host_is_refused_again_and_again(host: str) -> None:
    for _ in range(2):
        with pytest.raises(Denied, match="Host"):
            GUARD.check({"host": host})


@pytest.mark.parametrize(
    "fields",
    [
        {"origin": "http://localhost:8080"},
        {"origin": "https://localhost:8080", "sec-fetch-site": "same-origin"},
        {"origin": "https://app.example", "sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "same-origin"},
    ],
)
def test_pages_of_the_registry_and_listed_ones_may(fields: dict[str, str]) -> None:
    assert admits({"host": "localhost:8080"} | fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://localhost:3000"},
        {"origin": "https://evil.example"},
        {"origin": "http://["},
        {"origin": "http://localhost:8080@evil.example"},
        {"origin": "file://localhost:8080"},
        {"sec-fetch-site": "cross-site"},
    ],
)
def test_pages_of_strangers_may_not(fields: dict[str, str]) -> None:
    with pytest.raises(Denied, match="Pages"):
        GUARD.check({"host": "localhost:8080"} | fields)
