"""Settings of Spark that must not matter, and a task that fails for a while: the same version all the same."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread

from pyspark.sql import SparkSession

from tests.faults.scene import Scene, Tried, completes, session, when

WHILE_IT_RUNS = {
    "adaptive execution on": {"spark.sql.adaptive.enabled": "true"},
    "seven shuffle partitions, nothing broadcast, stages compiled": {
        "spark.sql.shuffle.partitions": "7",
        "spark.sql.autoBroadcastJoinThreshold": "-1",
        "spark.sql.codegen.wholeStage": "true",
        "spark.sql.codegen.factoryMode": "FALLBACK",
    },
}
"""Beside the reference, made with adaptive execution off, two partitions, on two cores, and nothing compiled."""


def settings(scene: Scene) -> Iterator[Tried]:
    """One build for each."""
    with session() as spark:
        for what, changes in WHILE_IT_RUNS.items():
            with changed(spark, changes):
                yield completes(scene, spark, scene.request(what), what)
    with session(spark_master="local[1]", spark_sql_shuffle_partitions="1") as spark:
        what = "one core, one shuffle partition"
        yield completes(scene, spark, scene.request(what), what)


@contextmanager
def changed(spark: SparkSession, changes: dict[str, str]) -> Iterator[None]:
    """Within this, other settings."""
    before = {key: str(spark.conf.get(key)) for key in changes}
    for each in changes.items():
        spark.conf.set(*each)
    try:
        yield
    finally:
        for each in before.items():
            spark.conf.set(*each)


def task(scene: Scene) -> Iterator[Tried]:
    """A file of the posts is away until Spark has failed twice to read it; it tries so quickly that it may try more."""
    what, failed = "a task that fails, then works", list[int]()
    with session(spark_master="local[2,1000]") as spark:
        request = scene.request("task", with_inputs=True)
        (file,) = (scene.folder / "task inputs/posts").glob("*.parquet")
        with when("judge", lambda: Thread(target=away, args=(spark, file, failed)).start()):
            tried = completes(scene, spark, request, what)
    wrong = [] if failed else ["no task failed"]
    yield replace(tried, what=f"{what} ({sum(failed)} failures)", wrong=tried.wrong + wrong)


def away(spark: SparkSession, file: Path, failed: list[int]) -> None:
    """Takes a file away until tasks have failed twice."""
    hidden = file.rename(file.with_suffix(".away"))
    began = time.monotonic()
    while not failed and time.monotonic() - began < 120:
        if (count := failures(spark)) >= 2:
            failed.append(count)
        time.sleep(0.005)
    hidden.rename(file)


def failures(spark: SparkSession) -> int:
    """How many tasks of the running stages have failed."""
    tracker = spark.sparkContext.statusTracker()
    stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
    return sum(stage.numFailedTasks for stage in stages if stage)
