"""A process that counts: `charging.py FILE LIMIT`, one command a line, each answered with a line."""

import sys
from pathlib import Path

from registry.core.rates import Rate
from registry.infra.limits.model import Kind
from registry.infra.limits.shared import SharedWindows


def main(path: Path, limit: int) -> None:
    """`charge KEY TIMES` answers how many passed; `hold KEY` takes the lock of a key and keeps it."""
    windows, rate = SharedWindows(path), Rate(limit, 86_400)
    print("ready", flush=True)  # noqa: T201 - how the test hears of it
    for line in sys.stdin:
        match line.split():
            case ["hold", key]:
                assert windows._lock(windows._place(Kind.TRANSFER, key))
                print("held", flush=True)  # noqa: T201 - as above
            case [_, key, times]:
                passed = [windows.charge(Kind.TRANSFER, key, rate).allowed for _ in range(int(times))]
                print(sum(passed), flush=True)  # noqa: T201 - as above


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
