"""What an artifact may reach while it runs: the reference policy evaluator, which denies by default. Pure.

Two things must hold: a declared capability covers the kind of access (`network:egress`, `filesystem:read` …), and the
permissions name the target or the amount. Whoever enforces it connects to the host as `host_of` writes it, and opens
paths in which no link is followed.
"""

import posixpath
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from registry.artifacts import capabilities, hostnames, units

_T = TypeVar("_T", int, float)
Resource = Literal["network", "filesystem", "memory", "cpu", "duration", "capability"]
_ACTIONS: Final = {
    ("network", "connect"): "network:egress",
    ("network", "egress"): "network:egress",
    ("network", "listen"): "network:ingress",
    ("network", "ingress"): "network:ingress",
    ("filesystem", "read"): "filesystem:read",
    ("filesystem", "write"): "filesystem:write",
}


@dataclass(frozen=True, slots=True)
class Access:
    """What is asked for.

    Attributes:
        action: network: `connect` or `listen`; filesystem: `read` or `write`; empty for the others.
        target: network: host or host:port (listening: the port); filesystem: a path; capability: its name.
        amount: memory: bytes; cpu: thousandths of a processor; duration: seconds.
    """

    kind: Resource
    action: str = ""
    target: str = ""
    amount: float = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether it is allowed, and why: one sentence."""

    allowed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Policy:
    """What an artifact declares.

    Attributes:
        capabilities: in their normal form.
        hosts: as `hostnames.rule` reads them.
        ports: to which it may connect; None for all.
        listens: ports on which it may listen.
        paths: normal forms of folders and files, all below them included.
        memory: bytes; `cpu`: thousandths of a processor; `duration`: seconds; None: nothing is declared.
    """

    capabilities: frozenset[str] = frozenset()
    hosts: tuple[hostnames.Rule, ...] = ()
    ports: frozenset[int] | None = None
    listens: frozenset[int] = frozenset()
    paths: frozenset[str] = frozenset()
    memory: int | None = None
    cpu: int | None = None
    duration: float | None = None


def policy_of(config: Mapping[str, Any]) -> Policy:
    """The policy that a Gati manifest declares, in `capabilities`, `permissions`, `networkAccess` and `resources`.

    What is not well formed there grants nothing.

    Raises:
        MalformedManifest: a capability is outside the grammar.
    """
    held, network, resources = (_object(config, name) for name in ("permissions", "networkAccess", "resources"))
    egress = network.get("egress") is True
    hosts = [*_texts(held, "allowedDomains"), *(_texts(network, "allowedHosts") if egress else ())]
    given = network.get("allowedPorts") if egress else None
    return Policy(
        capabilities=frozenset(capabilities.gather(config)),
        hosts=tuple(rule for host in hosts if (rule := hostnames.rule(host)) is not None),
        ports=_ports(given) if given is not None else None,
        listens=_ports(network.get("ingressPorts")) if network.get("ingress") is True else frozenset(),
        paths=frozenset(path for one in _texts(held, "allowedPaths") if (path := normal_path(one)) is not None),
        memory=_least(units.size, held.get("maxMemory"), resources.get("mem")),
        cpu=_least(units.cpu, held.get("maxCpu"), resources.get("cpu")),
        duration=_least(units.duration, held.get("maxDuration")),
    )


def evaluate(policy: Policy, request: Access) -> Decision:
    """Whether a declaration covers the access."""
    match request.kind:
        case "network" | "filesystem":
            return _reach(policy, request)
        case "capability":
            return _capability(policy, request.target)
        case "memory":
            return _amount(policy.memory, request.amount, "maxMemory", "bytes")
        case "cpu":
            return _amount(policy.cpu, request.amount, "maxCpu", "thousandths of a processor")
        case _:
            return _amount(policy.duration, request.amount, "maxDuration", "seconds")


def host_of(target: str) -> str | None:
    """The host of a target as it must be connected to: small letters, A-labels, no dot at its end; None: it is none."""
    parsed = hostnames.target(target)
    return None if parsed is None else parsed[0]


def normal_path(path: str) -> str | None:
    """A path without `.`, `..`, doubled or trailing slashes; None: it is empty, or leads above where it begins."""
    if not path or "\0" in path:
        return None
    normal = "/" + posixpath.normpath(path).lstrip("/") if path.startswith("/") else posixpath.normpath(path)
    return None if normal == ".." or normal.startswith("../") else normal


def _allowed(reason: str) -> Decision:
    return Decision(allowed=True, reason=reason)


def _denied(reason: str) -> Decision:
    return Decision(allowed=False, reason=reason)


def _reach(policy: Policy, request: Access) -> Decision:
    needed = _ACTIONS.get((request.kind, request.action))
    if needed is None:
        return _denied(f"{request.action[:40]!r} is nothing that can be done with a {request.kind}.")
    if not capabilities.covers(policy.capabilities, needed):
        return _denied(f"No capability covers {needed}; it must be declared in capabilities.")
    if request.kind == "filesystem":
        return _path(policy, request.target)
    return _listen(policy, request.target) if needed == "network:ingress" else _connect(policy, request.target)


def _connect(policy: Policy, target: str) -> Decision:
    parsed = hostnames.target(target)
    if parsed is None:
        return _denied(f"{target[:100]!r} is no host that can be judged.")
    host, port = parsed
    if policy.ports is not None and port not in policy.ports:
        return _denied(f"The port of {target[:100]!r} is not in networkAccess.allowedPorts.")
    if not any(hostnames.admits(rule, host, port) for rule in policy.hosts):
        return _denied(f"{host[:253]} is not in allowedDomains.")
    return _allowed(f"{host[:253]} is in allowedDomains.")


def _listen(policy: Policy, target: str) -> Decision:
    port = hostnames.port(target.rpartition(":")[2])
    if port is None or port not in policy.listens:
        return _denied(f"{target[:100]!r} is no port in networkAccess.ingressPorts.")
    return _allowed(f"The port {port} is in networkAccess.ingressPorts.")


def _path(policy: Policy, target: str) -> Decision:
    path = normal_path(target)
    if path is None:
        return _denied(f"{target[:200]!r} is no path, or it leads out of where it begins.")
    if any(_is_below(path, allowed) for allowed in policy.paths):
        return _allowed(f"{path[:200]!r} is in allowedPaths.")
    return _denied(f"{path[:200]!r} is not in allowedPaths.")


def _is_below(path: str, allowed: str) -> bool:
    if allowed in {"/", "."}:
        return path.startswith("/") is (allowed == "/")
    return path == allowed or path.startswith(f"{allowed}/")


def _capability(policy: Policy, target: str) -> Decision:
    try:
        wanted = capabilities.normalise(target)
    except ValueError:
        return _denied(f"{target[:100]!r} is no capability.")
    if capabilities.covers(policy.capabilities, wanted):
        return _allowed(f"A declared capability covers {wanted}.")
    return _denied(f"No declared capability covers {wanted}.")


def _amount(limit: float | None, amount: float, member: str, unit: str) -> Decision:
    if limit is None:
        return _denied(f"permissions.{member} is not declared.")
    if not 0 <= amount <= limit:
        return _denied(f"{amount} {unit} are more than permissions.{member}, which is {limit}.")
    return _allowed(f"permissions.{member} is {limit} {unit}.")


def _object(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = config.get(name)
    return value if isinstance(value, Mapping) else {}


def _texts(holder: Mapping[str, Any], name: str) -> list[str]:
    value = holder.get(name)
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _ports(value: Any) -> frozenset[int]:
    given: Iterable[Any] = value if isinstance(value, list) else ()
    return frozenset(one for one in given if type(one) is int and 0 < one < 1 << 16)


def _least(read: Callable[[str], _T], *given: Any) -> _T | None:
    found: list[_T] = []
    for text in given:
        try:
            found += [read(text)] if isinstance(text, str) else []
        except ValueError:
            continue
    return min(found, default=None)
