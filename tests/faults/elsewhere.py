"""Faults that need a process of their own: whose disks are small, or whose clock can be moved.

It is this module, run under what makes it so; it strikes, and prints what it found for the process that began it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from threading import Timer

from tests.conftest import ROOT
from tests.faults.scene import NotHere, Scene, Strike, Tried, answer, scene_in, session, stops

CLOCK = "clock.txt"
MEGABYTES = {"small": 64, "scratch": 400}
"""Spark keeps a copy of its jars in its own folder."""
FULL = "A disk is full"
PATIENCE = 900
"""Seconds that such a process may take: a Java whose clock is moved might wait for ever."""


def clock(scene: Scene) -> Iterator[Tried]:
    """The clock of Python and Java moves while a build runs."""
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not libraries:
        raise NotHere("there is no libfaketime (apt-get install faketime)")
    moved = {"LD_PRELOAD": str(libraries[0]), "FAKETIME_TIMESTAMP_FILE": str(scene.folder / CLOCK)}
    (scene.folder / CLOCK).write_text("+0")
    yield from elsewhere(scene, "clock", [], moved | {"FAKETIME_NO_CACHE": "1"})


def disk(scene: Scene) -> Iterator[Tried]:
    """The disks of the dataset and of Spark fill up; they are small file systems that only this process sees."""
    alone = ["unshare", "--map-root-user", "--mount"]
    try:
        subprocess.run([*alone, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        raise NotHere("this machine lets nobody mount a file system of their own (unshare --mount)") from None
    yield from elsewhere(scene, "disk", alone, {})


def elsewhere(scene: Scene, name: str, under: list[str], own: dict[str, str]) -> Iterator[Tried]:
    """What a fault does in a process of its own."""
    command = [*under, sys.executable, "-m", "tests.faults.elsewhere", name, str(scene.folder)]
    with (scene.folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT, env=os.environ | own
        )
    patience = Timer(PATIENCE, process.kill)
    patience.start()
    for line in process.stdout or ():
        if line.startswith("{"):
            yield Tried(**json.loads(line))
    patience.cancel()
    if process.wait():
        last = (scene.folder / f"{name}.log").read_text().splitlines()[-1:]
        yield Tried(name, "its process ended", [f"it ended with {process.returncode}: {last}"], is_well=False)


def moved_clock(scene: Scene) -> Iterator[Tried]:
    """Back before the last release, a build refuses; far ahead it goes on, and the one after it, by then, refuses."""

    def set_to(offset: str) -> None:
        (scene.folder / CLOCK).write_text(offset)

    says = "The clock of this machine says"
    with session() as spark:
        request, ahead = scene.request("clock"), partial(set_to, "+40d")
        what = "the clock two days back while judging, then forty days ahead"
        yield from stops(scene, spark, request, Strike(what, "judge", partial(set_to, "-2d"), says, ahead))
        set_to("+0")
        said = answer(spark, replace(request, build_id="later"))
        wrong = [] if says in said else [f"it does not say '{says}'"]
        yield Tried("the clock right again, after a version from the future", said, wrong)


def full_disk(scene: Scene) -> Iterator[Tried]:
    """The dataset's disk is full from the start, then near the end; then Spark's own."""
    small, scratch = (scene.folder / name for name in MEGABYTES)
    for place in (small, scratch):
        place.mkdir(exist_ok=True)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES[place.name]}m", "none", str(place)]
        subprocess.run(mount, check=True)
    with session(spark_local_dir=str(scratch)) as spark:
        full = [
            Strike(f"the dataset's disk full before {what}", moment, partial(fill, small), FULL, partial(empty, small))
            for moment, what in (("judge", "the side tables"), ("commit_version", "the commit"))
        ]
        yield from stops(scene, spark, scene.request("small/full"), *full)
        what = "Spark's own disk full while judging"
        full = [Strike(what, "judge", partial(fill, scratch), FULL, partial(empty, scratch))]
        yield from stops(scene, spark, scene.request("roomy"), *full)


def fill(place: Path) -> None:
    """Leaves no byte free."""
    try:
        with (place / "filler").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 16))
    except OSError:
        return


def empty(place: Path) -> None:
    (place / "filler").unlink()


INSIDE: dict[str, Callable[[Scene], Iterator[Tried]]] = {"clock": moved_clock, "disk": full_disk}


if __name__ == "__main__":
    for one in INSIDE[sys.argv[1]](scene_in(Path(sys.argv[2]))):
        print(json.dumps(asdict(one)), flush=True)
