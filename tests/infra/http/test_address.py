import ipaddress

import pytest

from registry.infra.http.address import Addresses, Network, bucket, client_address

PROXIES: tuple[Network, ...] = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("2001:db8:1::/48"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", [b"198.51.100.1"], "192.0.2.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [b"198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", [b"203.0.113.9, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", [b"203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", [b"203.0.113.9", b"198.51.100.1,10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", [b"10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", [b"198.51.100.1, garbage, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", [b"198.51.100.1, , 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", [b"unknown"], "10.0.0.1"),
        ("10.0.0.1", [b"\xff\x00"], "10.0.0.1"),
        ("10.0.0.1", [b"1.2.3"], "10.0.0.1"),
        ("10.0.0.1", [b"198.51.100.1," + b":" * 30_000], "10.0.0.1"),
        ("10.0.0.1", [b"999.1.1.1"], "10.0.0.1"),
        ("10.0.0.1", [b"198.51.100.1%eth0"], "10.0.0.1"),
        ("10.0.0.1", [b"198.51.100.1:4711"], "198.51.100.1"),
        ("10.0.0.1", [b"[2001:db8::7]:443"], "2001:db8::7"),
        ("10.0.0.1", [b"2001:DB8::7"], "2001:db8::7"),
        ("10.0.0.1", [b"::ffff:198.51.100.1"], "198.51.100.1"),
        ("::ffff:10.0.0.1", [b"198.51.100.1"], "198.51.100.1"),
        ("2001:db8:1::5", [b"198.51.100.1"], "198.51.100.1"),
        ("2001:db8:2::5", [b"198.51.100.1"], "2001:db8:2::5"),
        ("fe80::1%eth0", [], "fe80::1"),
        ("", [b"198.51.100.1"], ""),
        (None, [b"198.51.100.1"], ""),
    ],
)
def test_only_proxies_of_the_settings_are_believed(peer: str | None, forwarded: list[bytes], address: str) -> None:
    assert client_address(peer, forwarded, PROXIES) == address
    assert Addresses(PROXIES).client(peer, forwarded) == address


def test_without_proxies_nobody_is_believed() -> None:
    assert Addresses().client("10.0.0.1", [b"198.51.100.1"]) == "10.0.0.1"


@pytest.mark.parametrize(
    ("address", "caller"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:0:7:1:2:3:4", "2001:db8:0:7::/64"),
        ("2001:db8:0:7:ffff::", "2001:db8:0:7::/64"),
        ("2001:db8:0:8::", "2001:db8:0:8::/64"),
        ("::1", "::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        (None, ""),
        ("/run/gati.sock", ""),
    ],
)
def test_all_addresses_that_one_client_has_are_one_caller(address: str | None, caller: str) -> None:
    assert bucket(address) == caller
