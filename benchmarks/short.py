"""The short table for documents, out of a run's JSON: `python -m benchmarks.short .cache/benchmarks/results.json`."""

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.contenders import OURS
from benchmarks.report import number


def short(results: dict[str, Any], command: str) -> str:
    """One line for each row that a peer was measured in, and how to measure it again."""
    lines = [
        "| what | unit | this registry | best peer | ratio | at least |",
        "| --- | --- | --- | --- | --- | --- |",
        *(line for row in results["rows"].values() if (line := _line(row))),
    ]
    return "\n".join([*lines, "", f"{results['written'][:10]}, {results['machine']}; `{command}` measures it again."])


def _line(row: dict[str, Any]) -> str:
    ours, best, target = row["contenders"].get(OURS), row["best_peer"], row["target"]
    if not ours or ours["median"] is None or best is None:
        return ""
    peer = f"{number(row['contenders'][best]['median'])} ({best})"
    ratio = f"{row['ratio_to_best_peer']:.2f} x"
    if row["estimated_bar"] is not None:
        ratio += f"; {row['ratio_to_estimated_bar']:.2f} x of the estimated bar"
    least = f"{target['least']:g} x" if target else ""
    return f"| {row['title']} | {row['unit']} | {number(ours['median'])} | {peer} | {ratio} | {least} |"


def main() -> int:
    """Print the table of the file that is named."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    print(short(json.loads(Path(sys.argv[1]).read_text()), "make bench"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
