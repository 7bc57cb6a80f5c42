# Feature: gati-registry, Property 17: Agent capability enforcement

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from registry.artifacts.evaluator import Access, evaluate, policy_of

CAPABILITIES = {
    "network": "network:egress",
    "network:outbound": "network:egress",
    "network:egress": "network:egress",
    "network:ingress": "network:ingress",
    "filesystem": "filesystem",
    "filesystem:read": "filesystem:read",
    "storage": "filesystem:write",
    "database.read": "db:read",
    "db:write": "db:write",
    "db": "db",
    "ai:inference": "ai:inference",
    "log": "log:write",
}
WANTED = [*CAPABILITIES, "db:read:users", "dbx:read", "db:re", "ai:inference:small", "secrets:read", "ai"]
DOMAINS = ["github.com", "*.github.com", "API.Example.com.", "*.b\u00fccher.example", "10.0.0.1", "[::1]:8080"]
DOMAINS += ["api.example.com:443", "2001:db8::1"]
# Each host as it may be asked for, its labels in their one form, and its port.
HOSTS: dict[str, tuple[tuple[str, ...], int | None]] = {
    "github.com": (("github", "com"), None),
    "GitHub.COM.": (("github", "com"), None),
    "evilgithub.com": (("evilgithub", "com"), None),
    "api.github.com": (("api", "github", "com"), None),
    "a.b.github.com:22": (("a", "b", "github", "com"), 22),
    "github.com.evil.example": (("github", "com", "evil", "example"), None),
    "api.example.com:443": (("api", "example", "com"), 443),
    "api.example.com:80": (("api", "example", "com"), 80),
    "www.b\u00dccher.example": (("www", "xn--bcher-kva", "example"), None),
    "www.xn--bcher-kva.example": (("www", "xn--bcher-kva", "example"), None),
    "10.0.0.1": (("10.0.0.1",), None),
    "10.0.0.2": (("10.0.0.2",), None),
    "[::1]:8080": (("::1",), 8080),
    "[0:0:0:0:0:0:0:1]:8080": (("::1",), 8080),
    "[::1]:80": (("::1",), 80),
    "2001:DB8::1": (("2001:db8::1",), None),
}
NO_HOSTS = ["", ".", "github..com", "user@github.com", "github.com/x", "0x0a.1", "167772161", "10.1", "010.0.0.1"]
NO_HOSTS += [
    "github.com:0",
    "github.com:65536",
    "[::1",
    "a b.github.com",
    "github\u3002com",
    "fa\u00df.github.com",
    "*.github.com",
]
NO_HOSTS += [
    "-a.github.com",
    "\uff47ithub.com",
    "::ffff:10.0.0.1",
    "[fe80::1%25eth0]",
    "https://github.com",
    "github.com:+22",
]
RULES: dict[str, tuple[tuple[str, ...], bool, int | None]] = {
    "github.com": (("github", "com"), False, None),
    "*.github.com": (("github", "com"), True, None),
    "API.Example.com.": (("api", "example", "com"), False, None),
    "*.b\u00fccher.example": (("xn--bcher-kva", "example"), True, None),
    "10.0.0.1": (("10.0.0.1",), False, None),
    "[::1]:8080": (("::1",), False, 8080),
    "api.example.com:443": (("api", "example", "com"), False, 443),
    "2001:db8::1": (("2001:db8::1",), False, None),
}
PARTS = st.lists(st.sampled_from(["data", "etc", "data2", "in", "..", ".", ""]), min_size=1, max_size=6)
PATHS = st.builds(lambda root, parts: root + "/".join(parts), st.sampled_from(["/", "", "//"]), PARTS)
AMOUNTS = {"maxMemory": ("64MB", 64_000_000), "maxCpu": ("500m", 500), "maxDuration": ("30s", 30)}
MANIFESTS = st.fixed_dictionaries(
    {
        "capabilities": st.lists(st.sampled_from(list(CAPABILITIES)), unique=True, max_size=5),
        "permissions": st.fixed_dictionaries(
            {
                "allowedDomains": st.lists(st.sampled_from(DOMAINS), unique=True, max_size=4),
                "allowedPaths": st.lists(st.sampled_from(["/data", "data/in", "/data/in/", "/", "."]), max_size=2),
            },
            optional={member: st.just(text) for member, (text, _) in AMOUNTS.items()},
        ),
    }
)


def covered(manifest: dict[str, Any], wanted: str) -> bool:
    """Whether a declared capability is the beginning of the wanted one, part by part."""
    parts = wanted.split(":")
    held = [CAPABILITIES[one].split(":") for one in manifest["capabilities"]]
    return any(parts[: len(one)] == one for one in held)


def is_named(manifest: dict[str, Any], host: str) -> bool:
    if host not in HOSTS:
        return False
    labels, port = HOSTS[host]
    for domain in manifest["permissions"]["allowedDomains"]:
        wanted, is_below, wanted_port = RULES[domain]
        if wanted_port not in {None, port}:
            continue
        if labels == wanted and not is_below:
            return True
        if is_below and len(labels) > len(wanted) and labels[-len(wanted) :] == wanted:
            return True
    return False


def walked(path: str) -> tuple[bool, list[str]] | None:
    """Whether a path is absolute, and the folders it goes through; None where it climbs out or says nothing."""
    way: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if not way and not path.startswith("/"):
                return None
            way = way[:-1]
        elif part not in {"", "."}:
            way.append(part)
    return (path.startswith("/"), way) if path else None


@settings(max_examples=500, deadline=None)
@given(manifest=MANIFESTS, host=st.sampled_from([*HOSTS, *NO_HOSTS]))
def test_a_host_is_reached_only_where_it_is_named_label_by_label(manifest: dict[str, Any], host: str) -> None:
    decision = evaluate(policy_of(manifest), Access("network", "connect", host))
    assert decision.allowed is (covered(manifest, "network:egress") and is_named(manifest, host)), decision.reason


@settings(max_examples=400, deadline=None)
@given(manifest=MANIFESTS, path=PATHS, action=st.sampled_from(["read", "write"]))
def test_a_path_is_opened_only_below_one_that_is_named(manifest: dict[str, Any], path: str, action: str) -> None:
    decision = evaluate(policy_of(manifest), Access("filesystem", action, path))
    way = walked(path)
    roots = [found for one in manifest["permissions"]["allowedPaths"] if (found := walked(one)) is not None]
    is_below = way is not None and any(way[0] is root[0] and way[1][: len(root[1])] == root[1] for root in roots)
    assert decision.allowed is (covered(manifest, f"filesystem:{action}") and is_below), decision.reason


@settings(max_examples=300, deadline=None)
@given(manifest=MANIFESTS, wanted=st.sampled_from(WANTED))
def test_a_capability_is_there_only_where_a_declared_one_covers_it(manifest: dict[str, Any], wanted: str) -> None:
    decision = evaluate(policy_of(manifest), Access("capability", target=wanted))
    assert decision.allowed is covered(manifest, CAPABILITIES.get(wanted, wanted)), decision.reason


@settings(max_examples=200, deadline=None)
@given(
    manifest=MANIFESTS,
    kind=st.sampled_from([("memory", "maxMemory"), ("cpu", "maxCpu"), ("duration", "maxDuration")]),
    over=st.sampled_from([-1e12, -1, 0, 1, float("inf"), float("nan"), -5]),
)
def test_an_amount_is_given_only_up_to_the_limit_that_is_declared(
    manifest: dict[str, Any], kind: tuple[Any, str], over: float
) -> None:
    limit = AMOUNTS[kind[1]][1]
    decision = evaluate(policy_of(manifest), Access(kind[0], amount=limit + over))
    is_declared = kind[1] in manifest["permissions"]
    assert decision.allowed is (is_declared and over in {-1, 0, -5} and limit + over >= 0), decision.reason


@settings(max_examples=200, deadline=None)
@given(manifest=MANIFESTS, kind=st.sampled_from(["network", "filesystem"]), action=st.text(max_size=8))
def test_what_nobody_has_heard_of_is_denied(manifest: dict[str, Any], kind: Any, action: str) -> None:
    known = {"connect", "egress", "listen", "ingress", "read", "write"}
    assert action in known or not evaluate(policy_of(manifest), Access(kind, action, "/data")).allowed
