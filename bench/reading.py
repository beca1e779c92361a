"""Times `corpus log`, `show`, `diff` and `why` on the demo's warehouse, Python's start included.

Run `make demo` first; then `python bench/reading.py [demo]`.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from corpus.demo import DATASET, who_left
from corpus.versions import versions

LIMIT_SECONDS = 1.0
RUNS = 5


def main(folder: Path) -> int:
    """Prints the median of a few runs of each command, and fails where one takes a second or more."""
    warehouse = folder / "warehouse"
    builds = [version for version in versions(warehouse, DATASET) if version.kind == "build"]
    before, after = builds[-2:]
    post = who_left(warehouse, before, after)["post_id"]
    commands = [
        ["log", DATASET],
        ["show", after.name],
        ["diff", f"{DATASET}@{before.number}..{after.number}"],
        ["why", after.name, post],
        ["why", DATASET, post],
    ]
    print(f"{'command':50} seconds (median of {RUNS})")
    taken = {" ".join(command): seconds(warehouse, command) for command in commands}
    for command, time_taken in taken.items():
        print(f"corpus {command:43} {time_taken:7.2f}")
    return int(max(taken.values()) >= LIMIT_SECONDS)


def seconds(warehouse: Path, command: list[str]) -> float:
    """How long a command takes from the shell: the median of a few runs."""
    return median(_once(warehouse, command) for _ in range(RUNS))


def _once(warehouse: Path, command: list[str]) -> float:
    program = [str(Path(sys.executable).parent / "corpus"), *command, "--warehouse", str(warehouse)]
    started = time.perf_counter()
    subprocess.run(program, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main(Path(*sys.argv[1:2] or ["demo"])))
