"""Executors as processes of their own: killed in each stage of a build, and slow tasks run twice by speculation."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

from pyspark import SparkContext
from pyspark.sql import SparkSession

from corpus import build as building
from corpus import progress, sources
from tests.faults.scene import Scene, Strike, Tried, completes, session, stops

CLUSTER = {"spark_master": "local-cluster[2,1,1024]", "spark_executor_memory": "1g", "spark_ui_enabled": "false"}
"""A master, and two workers that start executors as other clusters do."""
STAGES = (
    {"pinning the inputs' versions", "judging every post", "computing the row digest and the trees"},
    {"checking the gates", "writing the side tables", "committing the version"},
)
"""In two builds, so that those killed in one stage are there again in the next."""


def executor(scene: Scene) -> Iterator[Tried]:
    """An executor is killed in every stage; what is settled has a place of its own."""
    with session(**CLUSTER, spark_checkpoint_dir=str(scene.folder / "checkpoints")) as spark:
        for number, stages in enumerate(STAGES):
            with killing(spark, stages) as killed:
                request, what = (
                    scene.request(f"executor {number}"),
                    f"an executor killed while {', '.join(sorted(stages))}",
                )
                tried = completes(scene, spark, request, what)
            wrong = [] if len(killed) == len(stages) else [f"{len(killed)} executors were killed"]
            yield replace(tried, wrong=tried.wrong + wrong)


def executor_unsettled(scene: Scene) -> Iterator[Tried]:
    """Without a checkpoint directory what is settled dies with its executor, and the build says so."""
    stages, what = {"judging every post", "writing the side tables"}, "executors killed, without spark.checkpoint.dir"
    with session(**CLUSTER) as spark, killing(spark, stages):
        strike = Strike(what, "judge", lambda: None, "spark.checkpoint.dir")
        yield from stops(scene, spark, scene.request("unsettled"), strike)


@contextmanager
def killing(spark: SparkSession, stages: set[str]) -> Iterator[list[int]]:
    """Within this, an executor is killed the first time that tasks of each of these steps of a build run."""
    killed, left = list[int](), set(stages)
    modules: list[Any] = [building, sources]
    own = progress.step

    @contextmanager
    def step(title: str) -> Iterator[None]:
        threads = [Thread(target=kill_one, args=(spark, killed))] if title in left else []
        left.discard(title)
        with own(title):
            for thread in threads:
                thread.start()
            yield
        for thread in threads:
            thread.join()

    for module in modules:
        module.step = step
    try:
        yield killed
    finally:
        for module in modules:
            module.step = own


def kill_one(spark: SparkSession, killed: list[int]) -> None:
    """Waits until tasks run, and kills the executor that has lived longest."""
    tracker, until = spark.sparkContext.statusTracker(), time.monotonic() + 60
    while time.monotonic() < until:
        stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
        if any(stage and stage.numActiveTasks for stage in stages):
            oldest = min(executors())
            os.kill(oldest, signal.SIGKILL)
            killed.append(oldest)
            return
        time.sleep(0.01)


def executors() -> list[int]:
    """The processes of this one's executors, which its Java has started."""
    java = SparkContext._gateway.proc.pid  # type: ignore[union-attr]
    return [process for process in children(java) if b"CoarseGrainedExecutorBackend" in said(process, "cmdline")]


def children(parent: int) -> list[int]:
    tasks = Path(f"/proc/{parent}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def said(process: int, what: str) -> bytes:
    try:
        return Path(f"/proc/{process}/{what}").read_bytes()
    except OSError:
        return b""


def speculation(scene: Scene) -> Iterator[Tried]:
    """Tasks that take longer than others are begun twice; one of each pair counts."""
    events = scene.folder / "events"
    events.mkdir()
    eager = {"multiplier": "1.01", "quantile": "0.1", "minTaskRuntime": "1ms", "interval": "5ms"}
    told = {"spark_eventLog_enabled": "true", "spark_eventLog_dir": events.as_uri(), "spark_eventLog_compress": "false"}
    own = {f"spark_speculation_{name}": value for name, value in eager.items()}
    with session(**CLUSTER, **told, **own, spark_speculation="true", spark_sql_shuffle_partitions="4") as spark:
        tried = completes(scene, spark, scene.request("speculation"), "speculative execution")
    twice = sum(event["Task Info"]["Speculative"] for event in ended_tasks(events))
    wrong = [] if twice else ["no task was begun twice"]
    yield replace(tried, what=f"{tried.what} ({twice} tasks run twice)", wrong=tried.wrong + wrong)


def ended_tasks(events: Path) -> Iterator[dict[str, Any]]:
    """What Spark has written of tasks that ended."""
    for file in events.rglob("events_*"):
        for line in file.read_text().splitlines():
            if line.startswith('{"Event":"SparkListenerTaskEnd"'):
                yield json.loads(line)
