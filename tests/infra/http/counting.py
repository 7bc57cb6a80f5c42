"""A process that counts: `counting.py FILE`, its token on standard output, then one command a line."""

import sys
from pathlib import Path

from registry.infra.http.counters import Counters


def main(path: Path) -> None:
    """`begin N`, `finish N`, `hammer N TIMES`, `stamp N`; each is answered with a line."""
    counters = Counters(path)
    print(counters.token, flush=True)  # noqa: T201 - how the test hears of it
    for line in sys.stdin:
        word, number, *rest = line.split()
        slots = (int(number),)
        for _ in range(int(rest[0]) if rest else 1):
            if word in {"begin", "hammer"}:
                counters.begin(slots)
            if word in {"finish", "hammer"}:
                counters.finish(slots)
        print("open" if counters.stamp(slots) is None else "still", flush=True)  # noqa: T201 - as above


if __name__ == "__main__":
    main(Path(sys.argv[1]))
