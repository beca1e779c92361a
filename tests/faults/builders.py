"""Builders at once on one dataset, and builders beside an OPTIMIZE."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

from pyspark.sql import SparkSession

from corpus.evidence.commits import commits
from corpus.request import BuildRequest
from tests.conftest import ROOT
from tests.faults.scene import Scene, Strike, Tried, answer, completes, found, scene_in, session, stops

CLEAR = ("made version", "Conflict")


def two(scene: Scene) -> Iterator[Tried]:
    """Two processes begin the same build at once; then each a build of its own."""
    for what, ids in (("the same build", ("next", "next")), ("builds of their own", ("next", "other"))):
        request = scene.request(f"two {what}")
        builders = [begun(scene, request.warehouse.name, each) for each in ids]
        said = [each.communicate()[0].strip() for each in builders]
        with session() as spark:
            yield after(scene, spark, request, f"two processes, {what}", said)


def begun(scene: Scene, warehouse: str, build_id: str) -> subprocess.Popen[str]:
    """A process that makes one build."""
    command = [sys.executable, "-m", "tests.faults.builders", str(scene.folder), warehouse, build_id]
    with (scene.folder / "builders.log").open("a") as log:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT)


def eight(scene: Scene) -> Iterator[Tried]:
    """Eight sessions of one Java, two for each of four builds."""
    request = scene.request("eight")
    with session() as spark, ThreadPoolExecutor(8) as pool:
        asked = [replace(request, build_id=each) for each in ("next", "b", "c", "d") * 2]
        said = list(pool.map(answer, [spark.newSession() for _ in asked], asked))
        yield after(scene, spark, request, "eight builders of four builds", said)


def after(scene: Scene, spark: SparkSession, request: BuildRequest, what: str, said: list[str]) -> Tried:
    """What builders at once have left: each said a version or a conflict, and the next build goes on."""
    wrong = [each for each in said if not each.startswith(CLEAR)]
    again = answer(spark, request)
    more, lost, is_well = found(scene, request)
    built = Counter(commit.build_id for commit in commits(request.folder) if commit.build_id)
    wrong += [f"build {name} made {times} versions" for name, times in built.items() if times > 1]
    told = f"{dict(Counter(each.split(':')[0] for each in said))}; then {again}"
    return Tried(what, told, wrong + more, lost, is_well)


def optimize(scene: Scene) -> Iterator[Tried]:
    """Before a build, while it judges, and after it."""
    with session() as spark:
        request = scene.request("optimized before")
        optimized(spark, request)
        yield completes(scene, spark, request, "OPTIMIZE before a build")
        request = scene.request("optimized meanwhile")
        act = partial(optimized, spark, request)
        yield from stops(
            scene, spark, request, Strike("OPTIMIZE while a build judges", "judge", act, "moved from version")
        )


def optimized(spark: SparkSession, request: BuildRequest) -> None:
    """Rewrites the snapshot's files."""
    spark.sql(f"OPTIMIZE delta.`{request.folder}/snapshot` ZORDER BY (platform)")
    assert commits(request.folder)[-1].operation == "OPTIMIZE"


if __name__ == "__main__":
    folder, warehouse, build_id = sys.argv[1:]
    with session(spark_driver_memory="1g") as own:
        print(answer(own, replace(scene_in(Path(folder)).on(warehouse), build_id=build_id)))
