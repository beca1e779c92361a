"""Faults that need a process of their own: whose disks are small, or whose clock can be moved.

It is this module, run under what makes it so; it strikes, and prints what it found for the process that began it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

from tests.conftest import ROOT
from tests.faults.scene import NotHere, Scene, Tried, completes, scene_in, session, stops, when

CLOCK = "clock.txt"
DISKS = ("small", "scratch")
MEGABYTES = 64


def clock(scene: Scene) -> Iterator[Tried]:
    """The clock of Python and Java moves while a build runs."""
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not libraries:
        raise NotHere("there is no libfaketime (apt-get install faketime)")
    moved = {"LD_PRELOAD": str(libraries[0]), "FAKETIME_TIMESTAMP_FILE": str(scene.folder / CLOCK)}
    (scene.folder / CLOCK).write_text("+0")
    yield from elsewhere(scene, "clock", [], moved | {"FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"})


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
    for line in process.stdout or ():
        if line.startswith("{"):
            yield Tried(**json.loads(line))
    if process.wait():
        last = (scene.folder / f"{name}.log").read_text().splitlines()[-1:]
        yield Tried(name, "its process ended", [f"it ended with {process.returncode}: {last}"], is_well=False)


def moved_clock(scene: Scene) -> Iterator[Tried]:
    """Back before the last release, a build refuses; far ahead it goes on, and the one after it, by then, refuses."""

    def set_to(offset: str) -> None:
        (scene.folder / CLOCK).write_text(offset)

    with session() as spark:
        clock, request = "The clock of this machine says", scene.request("back")
        with when("judge", partial(set_to, "-2d")):
            what = "the clock two days back while judging"
            yield stops(scene, spark, request, what, clock, mend=partial(set_to, "+0"))
        request = scene.request("ahead")
        with when("judge", partial(set_to, "+40d")):
            yield completes(scene, spark, request, "the clock forty days ahead while judging")
        set_to("+0")
        request = scene.request("after")
        with when("judge", partial(set_to, "-30d")):
            what = "the clock a month back, as after a version from the future"
            yield stops(scene, spark, request, what, clock, mend=partial(set_to, "+0"))


def full_disk(scene: Scene) -> Iterator[Tried]:
    """The dataset's disk is full from the start, halfway, or near the end; then Spark's own."""
    small, scratch = (scene.folder / name for name in DISKS)
    for place in (small, scratch):
        place.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "none", str(place)]
        subprocess.run(mount, check=True)
    with session(spark_local_dir=str(scratch)) as spark:
        for moment in ("cleared", "digest_and_trees", "commit_version"):
            request = scene.request(f"small/{moment}")
            with when(moment, partial(fill, small)):
                what = f"the dataset's disk full before {moment.replace('_', ' ')}"
                yield stops(scene, spark, request, what, "A disk is full", mend=partial(empty, small))
        request = scene.request("roomy")
        with when("judge", partial(fill, scratch)):
            what = "Spark's own disk full while judging"
            yield stops(scene, spark, request, what, "A disk is full", mend=partial(empty, scratch))


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
