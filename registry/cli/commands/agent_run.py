"""`gati agent run`."""

import importlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from registry.artifacts import evaluator
from registry.artifacts.evaluator import Access
from registry.cli import completing
from registry.cli.agents import grants as granting
from registry.cli.agents import loading
from registry.cli.agents.grants import Grants
from registry.cli.agents.ledger import Ledger
from registry.cli.agents.model import Agent, Limits, Setting, Streams
from registry.cli.commands_of import Command
from registry.cli.forms import lifetime, size
from registry.cli.output import printable
from registry.cli.problems import Problem, Refused
from registry.cli.run import Run, pass_run

_HELP = """Run an agent: of a registry, of this project, or of a folder. What stands behind -- is handed to it.

\b
gati agent run @alice/helper --input question.txt
gati agent run ./my-agent --allow-path /data=./data --env LANG=en -- --verbose
gati agent run @alice/helper --work . --timeout 2m --memory 512MiB

It can do nothing but what it declares in its Gati manifest and you allow. Hosts in permissions.allowedDomains are
reached with the capability network:egress, folders in permissions.allowedPaths with filesystem:read or
filesystem:write where --allow-path or --work gives them. Each denial is told with its rule. The exit status is the
agent's; 134 when it trapped, 6 when a limit ended it.
"""
_FOLDER: Final = click.Path(path_type=Path, file_okay=False, exists=True)


@click.command(cls=Command, help=_HELP)
@click.argument("reference", metavar="AGENT", shell_complete=completing.locked("agent"))
@click.argument("arguments", nargs=-1)
@click.option("--input", "given", metavar="FILE", default="-", help="What it reads; - is standard input, the default.")
@click.option("--allow-path", "paths", metavar="[PATH=]FOLDER", multiple=True, help="A folder that it may see.")
@click.option("--work", type=_FOLDER, help="Its work folder, which it sees as /work.")
@click.option("--env", "variables", metavar="NAME=VALUE", multiple=True, help="A variable of its environment.")
@click.option("--allow-private", is_flag=True, help="Its domains may be on this machine or in a private network.")
@click.option("--timeout", metavar="30s", help="Less time than it declares, or than 60s.")
@click.option("--memory", metavar="256MiB", help="Less memory than it declares.")
@click.option("--fuel", type=click.IntRange(1), help="Instructions of WASM; else ten thousand million.")
@click.option("--dir", "folder", type=_FOLDER, default=".", help="The folder of the project.")
@pass_run
def command(run: Run, /, reference: str, **options: Any) -> int:
    """Run an agent: of a registry, of this project, or of a folder."""
    ledger = Ledger(lambda sentence: click.echo(printable(sentence), err=True))
    with loading.loaded(run, reference, options["folder"]) as agent:
        return _run(agent, options, ledger)


def _run(agent: Agent, options: dict[str, Any], ledger: Ledger) -> int:
    if agent.runtime == "container":
        raise _container(agent)
    policy = granting.policy_of(agent.manifest)
    grants = Grants(
        granting.paths_of(options["paths"]),
        None if options["work"] is None else options["work"].resolve(),
        None if options["memory"] is None else size(options["memory"]),
        _seconds(options["timeout"]),
        options["fuel"],
    )
    limits = granting.limits_of(policy, grants)
    mounts = granting.mounts_of(policy, grants, ledger)
    streams = Streams(stdin=_input(options["given"]))
    setting = Setting(tuple(options["arguments"]), _variables(options["variables"]), mounts, streams)
    if agent.runtime == "js":
        if policy.hosts:
            ledger.deny("the network", "JavaScript agents have none, whatever they declare; WASM agents do.")
        return int(importlib.import_module("registry.cli.agents.node").run(agent, limits, setting))

    def decide(target: str) -> evaluator.Decision:
        return evaluator.evaluate(policy, Access("network", "connect", target))

    return _wasm(agent, (limits, setting), ledger, (decide, bool(options["allow_private"])))


def _wasm(agent: Agent, frame: tuple[Limits, Setting], ledger: Ledger, network: tuple[Any, bool]) -> int:
    """Run a WASM agent; the engine is loaded only here, since it comes with an extra."""
    try:
        wasm = importlib.import_module("registry.cli.agents.wasm")
    except ModuleNotFoundError as error:
        raise Problem(
            "WASM agents need wasmtime, which is not installed.",
            "Install it with the extra: pip install 'gati-registry[agents]'.",
            code="NO_ENGINE",
        ) from error
    network_of = importlib.import_module("registry.cli.agents.network")
    calls_of = importlib.import_module("registry.cli.agents.host_calls")
    limits, setting = frame
    decide, allow_private = network
    terms = network_of.Terms(decide, time.monotonic() + limits.seconds, allow_private)
    calls = calls_of.HostCalls(network_of.Network(terms, ledger).send)
    return int(wasm.run(agent, wasm.Room(limits, setting, calls, ledger)))


def _container(agent: Agent) -> Refused:
    image = str(agent.config.get("image"))
    policy = granting.policy_of(agent.manifest)
    limits = granting.limits_of(policy, Grants())
    line = (
        f"podman run --rm -i --network none --read-only --cap-drop all --memory {limits.memory} "
        f"--cpus {limits.cores} --timeout {limits.seconds:.0f} {json.dumps(image)}"
    )
    return Refused(
        f"{agent.name} is a container: gati runs none, since what keeps it in is the work of a container engine.",
        f"Run it yourself, without a network: {line}",
        code="NO_SANDBOX",
    )


def _seconds(text: str | None) -> float | None:
    life = None if text is None else lifetime(text)
    return None if life is None else life.total_seconds()


def _input(given: str) -> Path | None:
    if given == "-":
        return None
    path = Path(given)
    if not path.is_file():
        raise Problem(f"There is no file {path}.", "Name one with --input, or pipe it in.")
    return path


def _variables(given: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name.isidentifier():
            raise Problem(f"{text!r} is no variable.", "Write --env NAME=VALUE: nothing of your own is handed on.")
        found[name] = value
    return found
