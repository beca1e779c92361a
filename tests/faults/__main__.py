"""Strikes real builds with every fault that a cluster knows, and counts; ARGS="--only driver --kills 100" for one.

Each fault strikes a tiny build in real processes: a file is damaged, a process killed, a disk filled. Either the build
goes on and makes what an undisturbed build makes, or it stops with a sentence, and makes that when it is run again.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.faults.builders import eight, optimize, two
from tests.faults.driver import driver
from tests.faults.elsewhere import clock, disk
from tests.faults.executors import executor, executor_unsettled, speculation
from tests.faults.inputs import damaged, vacuumed, written
from tests.faults.scene import EXPECTED, NotHere, Scene, Tried, make_scene, scene_in, session
from tests.faults.settings import settings, task

FAULTS: dict[str, Callable[[Scene], Iterator[Tried]]] = {
    "damaged": damaged,
    "vacuumed": vacuumed,
    "written": written,
    "task": task,
    "settings": settings,
    "speculation": speculation,
    "executor": executor,
    "unsettled": executor_unsettled,
    "two": two,
    "eight": eight,
    "optimize": optimize,
    "clock": clock,
    "disk": disk,
}
NEED_STAGES = ("task", "settings", "speculation", "executor", "unsettled")
"""They strike builds that search for duplicates too; the others strike the protocol, whatever was judged."""


def run(name: str, tried: Iterator[Tried]) -> list[Tried]:
    """Strikes with one fault; a line for each build, and one for the fault."""
    began, made = time.monotonic(), list[Tried]()
    try:
        for one in tried:
            made.append(one)
            told(one)
    except NotHere as why:
        print(f"  NOT RUN: {why}")
    print(line(name, made), f"{time.monotonic() - began:6.0f} s", flush=True)
    return made


def told(one: Tried) -> None:
    print(f"  {one.what}: {one.said.splitlines()[0][:400]}", flush=True)
    for word, what in (*(("WRONG", what) for what in one.wrong), *(("LOST", what) for what in one.lost)):
        print(f"    {word}: {what[:600]}", flush=True)


def line(name: str, tried: list[Tried]) -> str:
    """One fault's row of the page."""
    counts = {
        "times": len(tried),
        "wrong": sum(bool(one.wrong) for one in tried),
        "lost": sum(bool(one.lost) for one in tried),
        "repaired": sum(one.is_well for one in tried),
    }
    return f"{name:12}" + "".join(f"{count:5} {word}" for word, count in counts.items())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", action="append", choices=[*FAULTS, "driver"], help="this fault alone; may be repeated"
    )
    parser.add_argument("--list", action="store_true", help="name the faults, and run none")
    parser.add_argument("--kills", type=int, default=10, help="how many drivers are killed")
    parser.add_argument("--seed", type=int, default=1, help="of the moments at which they are")
    parser.add_argument("--folder", type=Path, help="keep what is made here, and begin with what was kept")
    given = parser.parse_args()
    names = given.only or [*FAULTS, "driver"]
    if given.list:
        print("\n".join(names))
        return 0
    print(f"seed {given.seed}", flush=True)
    with nullcontext(given.folder) if given.folder else TemporaryDirectory(prefix="corpus-faults-") as folder:
        found = struck(Path(folder), names, given)
    for name, tried in found.items():
        print(line(name, tried))
    wrong = [one for tried in found.values() for one in tried if one.wrong or one.lost or not one.is_well]
    return 1 if wrong else 0


def struck(folder: Path, names: list[str], given: argparse.Namespace) -> dict[str, list[Tried]]:
    """What every fault did."""
    found: dict[str, list[Tried]] = {}
    for searches, kind in ((False, "protocol"), (True, "stages")):
        wanted = [name for name in names if name != "driver" and (name in NEED_STAGES) == searches]
        if wanted and not (folder / kind / EXPECTED).exists():
            with session() as spark:
                make_scene(spark, folder / kind, searches)
        found |= {name: run(name, FAULTS[name](scene_in(folder / kind))) for name in wanted}
    if "driver" in names:
        found["driver"] = run("driver", driver(folder / "driver", given.kills, given.seed))
    return found


if __name__ == "__main__":
    sys.exit(main())
