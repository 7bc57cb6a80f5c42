"""The command line: `python -m benchmarks`, also `make bench` and `make bench-quick`."""

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FrameType

from benchmarks import ceilings, closed, contenders, npm, peers, report, table
from benchmarks.closed import Accounts
from benchmarks.contenders import Contender
from benchmarks.content import Body
from benchmarks.load import Absent, Generator
from benchmarks.measure import Results, measure_all, say
from benchmarks.plan import FULL, MIB, QUICK, Plan
from benchmarks.rows import Row
from benchmarks.stand import Stand

_BUILT_IN = ("distribution", "debian", "zot", "nginx", npm.VERDACCIO)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="This registry beside its peers.")
    add = parser.add_argument
    add("--quick", action="store_true", help="the most telling rows and few rounds: under three minutes")
    add("--rows", default="", metavar="NAMES", help="only these, separated by commas; name* takes all that begin so")
    add("--list", action="store_true", help="show the rows and end")
    add("--closed", action="store_true", help="with accounts, of peers in htpasswd: the rows that need them")
    add("--peer", action="append", default=[], metavar="NAME=URL[@PID]", help="a running registry on this machine")
    add("--without", metavar="NAMES", help=f"leave out some of {', '.join(_BUILT_IN)} (the quick run: debian)")
    add("--credential", action="append", default=[], metavar="NAME=USER:PASSWORD", help="what a contender asks for")
    add("--accounts", action="append", default=[], metavar="NAME=FILE", help="many accounts, USER:PASSWORD a line")
    add("--web-processes", type=int, metavar="N", help="WEB_PROCESSES of this registry (its own default)")
    add("--setting", action="append", default=[], metavar="NAME=VALUE", help="another setting of this registry")
    add("--rounds", type=int, metavar="N", help=f"rounds of each row ({FULL.rounds})")
    add("--seconds", type=float, metavar="S", help=f"length of a sample under load ({FULL.seconds:g})")
    add("--scale", type=float, metavar="X", help="shorten everything that is counted in pieces")
    add("--manifests", type=int, metavar="N", help=f"manifests of the row with many ({FULL.manifests:,})")
    add("--swept", type=int, metavar="N", help=f"blobs of the rows with a sweep ({FULL.swept:,})")
    add("--connections", type=int, metavar="N", help=f"connections of the load generator ({FULL.connections})")
    add("--budget", type=float, metavar="S", help="seconds after which no further row begins")
    add("--output", type=Path, default=Path(".cache/benchmarks"), metavar="DIR", help="where results.md and .json go")
    add("--folder", type=Path, metavar="DIR", help="where data directories are made (a temporary folder)")
    return parser


def _plan(options: argparse.Namespace) -> Plan:
    base = QUICK if options.quick else FULL
    names = ("rounds", "seconds", "scale", "manifests", "swept", "connections", "budget")
    return replace(base, **{name: value for name in names if (value := getattr(options, name)) is not None})


def _pairs(texts: Sequence[str]) -> dict[str, str]:
    for text in texts:
        if "=" not in text:
            raise Absent(f"{text}: write NAME=VALUE")
    return dict(text.split("=", 1) for text in texts)


def _start(
    options: argparse.Namespace, rows: tuple[Row, ...], folder: Path, results: Results, stack: ExitStack
) -> list[Contender]:
    """This registry, which must start; and the peers, which are left out where they cannot; rivals that rows have."""
    named = options.without if options.without is not None else "debian" if options.quick else ""
    without = {name.strip() for name in named.split(",")}
    settings = (closed.LIMITS if options.closed else {}) | _pairs(options.setting)
    found = [_started(lambda: contenders.ours(options.web_processes, settings), folder / "gati", stack)]
    makers: dict[str, Callable[[], contenders.Starter]] = {
        "distribution": partial(peers.distribution, is_closed=options.closed),
        "debian": partial(peers.debian, is_closed=options.closed),
        "zot": partial(peers.zot, is_closed=options.closed),
        "nginx": lambda: ceilings.nginx,
    }
    if any(row.rival == npm.VERDACCIO for row in rows):
        makers[npm.VERDACCIO] = lambda: npm.verdaccio
    if options.closed:
        found[0].accounts = closed.close(found[0].url)
    found += [contenders.given(peer) for peer in options.peer]
    without |= {one.name for one in found}
    for name, make in makers.items():
        if name in without:
            results.left_out[name] = "not asked for"
            continue
        try:
            found.append(_started(make, folder / name, stack))
        except Absent as error:
            results.left_out[name] = str(error)
            say(f"left out: {error}")
    credentials, accounts = _pairs(options.credential), _pairs(options.accounts)
    for one in found:
        if one.name in credentials:
            one.accounts = Accounts(credentials[one.name], credentials[one.name])
        if one.name in accounts:
            one.accounts.many = tuple(Path(accounts[one.name]).read_text().split())
    return found


def _started(make: Callable[[], contenders.Starter], folder: Path, stack: ExitStack) -> Contender:
    starter = make()
    contender = starter(folder)
    contender.start = starter
    stack.callback(contender.stop)
    return contender


def _run(options: argparse.Namespace, rows: tuple[Row, ...], stack: ExitStack) -> report.Report:
    begun, plan, results = time.monotonic(), _plan(options), Results()
    folder = Path(tempfile.mkdtemp(prefix="gati-bench-", dir=options.folder))
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    folder.chmod(0o755)
    body = Body(folder / "body", max((row.size for row in rows), default=0) or MIB)
    stack.callback(body.close)
    taking_part = _start(options, rows, folder, results, stack)
    if any(row.ceiling == "disk" for row in rows):
        results.ceilings = {"sha256 alone": ceilings.hashing(), "write and fdatasync": ceilings.writing(folder)}
    generator = Generator(folder, body.path)
    stands = [Stand(one, plan, body, generator, folder) for one in taking_part]
    measure_all(rows, stands, begun + plan.budget, results)
    say(f"measured in {time.monotonic() - begun:.0f} s")
    return report.Report(plan, rows, taking_part, results)


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Run what the command line asks for; 1 where something failed that should have been measured."""
    options = _parser().parse_args()
    signal.signal(signal.SIGTERM, _interrupt)  # what was measured is written, what was started is stopped
    if options.list:
        for row in table.ROWS:
            print(f"{row.name:22} {'quick' if row.quick else '     '} {row.title}")
        return 0
    try:
        with ExitStack() as stack:
            done = _run(options, table.chosen(options.rows, quick=options.quick, closed=options.closed), stack)
            tables, figures = report.write(done, options.output)
            ended = time.monotonic()
    except Absent as error:
        say(f"benchmarks: {error}")
        return 2
    print(tables.read_text())
    say(f"stopped in {time.monotonic() - ended:.0f} s; written: {tables}, {figures}")
    return 1 if done.results.failures else 0


if __name__ == "__main__":
    sys.exit(main())
