"""Where the time of a build goes: one row per query and per stage, by Spark's own metrics, as Markdown.

Each query is named by the line of ours that asked for it. The world is made once; or name another's source file, with
a file `as-of` beside it that holds the cutoff.

Example: python bench/stages.py --posts 1000000 --conf spark.sql.shuffle.partitions=16
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any

from py4j.java_gateway import JavaObject
from pyspark.sql import DataFrameWriter, SparkSession
from pyspark.sql.classic.dataframe import DataFrame as ClassicDataFrame

from corpus.build import build
from corpus.session import open_session
from worlds import ROOT, WORK, crowded, request_of, source_of

PLACE = WORK / "stages"
OURS = str(ROOT / "src/corpus")
ACTIONS = {
    ClassicDataFrame: ("count", "collect", "head", "isEmpty", "checkpoint", "localCheckpoint", "toLocalIterator"),
    DataFrameWriter: ("save",),
    SparkSession: ("sql",),
}
"""What makes Spark work, by class."""
IN_TOTAL = ("seconds", "task_s", "cpu_s", "gc_s", "in_mb", "out_mb", "shuffled_mb", "spilled_mb")


def main() -> int:
    """Builds once in a new warehouse and prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=1_000_000, help="of a world with a third as many accounts")
    parser.add_argument("--source", type=Path, help="the source file of another world")
    parser.add_argument("--exact-only", action="store_true", help="without the rules that look for likeness")
    parser.add_argument("--conf", action="append", default=[], metavar="KEY=VALUE", help="a setting of Spark")
    parser.add_argument("--warm", action="store_true", help="measure the second build of two")
    asked = parser.parse_args()
    settings = {"spark.ui.retainedStages": "10000"} | dict(pair.split("=", 1) for pair in asked.conf)
    spark = open_session("bench stages", ROOT / "conf/spark/local.conf", settings)
    source = asked.source or source_of(spark, crowded(asked.posts))
    name_queries(spark)
    for turn in range(1 + asked.warm):
        shutil.rmtree(PLACE, ignore_errors=True)
        known, began = newest(spark), time.monotonic()
        build(spark, request_of(source, PLACE, asked.exact_only))
        print(f"build {turn + 1}: {time.monotonic() - began:.1f} s")
    print(f"\n{as_markdown(queries(spark, known[0]))}\n\n{as_markdown(stages(spark, known[1]))}")
    spark.stop()
    return 0


def name_queries(spark: SparkSession) -> None:
    """From here on each query is described by the functions of ours that asked for it."""
    for owner, names in ACTIONS.items():
        for name in names:
            setattr(owner, name, _named(spark, getattr(owner, name)))


def _named(spark: SparkSession, action: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(action)
    def named(*arguments: Any, **options: Any) -> Any:
        place, context = ", ".join(_callers()), spark.sparkContext
        if not place or context.getLocalProperty("spark.job.description"):
            return action(*arguments, **options)
        context.setJobDescription(place)
        try:
            return action(*arguments, **options)
        finally:
            context.setJobDescription(None)  # type: ignore[arg-type]  # stub: Spark clears it with null

    return named


def _callers() -> list[str]:
    """The first function of ours below the build's own, and the one that asked, with its line."""
    frame, found = sys._getframe(2), []  # noqa: SLF001 (there is no public way)
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith(OURS) and not code.co_filename.endswith("staging.py"):
            found.append(f"{Path(code.co_filename).stem}.{code.co_name}:{frame.f_lineno}")
        frame = frame.f_back  # type: ignore[assignment]
    inside = [place for place in found if not place.startswith("build._make_version:")]
    outer = [place for place in inside if not place.startswith("build.")][-1:]
    return list(dict.fromkeys([*outer, *found[:1]]))


def newest(spark: SparkSession) -> tuple[int, int]:
    """The newest query and the newest stage so far."""
    return (
        max((row["query"] for row in queries(spark, -1)), default=-1),
        max((row["stage"] for row in stages(spark, -1)), default=-1),
    )


def queries(spark: SparkSession, after: int) -> list[dict[str, Any]]:
    """The queries that ended, one row each, with the sums of their stages."""
    by_stage = {row["stage"]: row for row in stages(spark, -1)}
    found = []
    for one in _listed(_sql_store(spark).executionsList()):
        if one.executionId() <= after or not one.completionTime().isDefined():
            continue
        seconds = (one.completionTime().get().getTime() - one.submissionTime()) / 1000
        own = [by_stage[stage] for stage in _listed(one.stages()) if stage in by_stage]
        found.append(
            {"query": one.executionId(), "asked by": one.description(), "seconds": round(seconds, 2)}
            | {name: round(sum(row[name] for row in own), 1) for name in IN_TOTAL[1:]}
        )
    return found


def stages(spark: SparkSession, after: int) -> list[dict[str, Any]]:
    """The stages that ran, one row each."""
    store = spark.sparkContext._jsc.sc().statusStore()  # noqa: SLF001 (there is no public way)
    nothing = spark.sparkContext._gateway.new_array(spark._jvm.double, 0)  # noqa: SLF001
    listed = store.stageList(None, False, False, nothing, None)
    rows = (_stage(one) for one in _listed(listed) if one.submissionTime().isDefined() and one.stageId() > after)
    return sorted(rows, key=lambda row: row["stage"])


def _stage(one: JavaObject) -> dict[str, Any]:
    began, ended = one.submissionTime().get().getTime(), one.completionTime()
    return {
        "stage": one.stageId(),
        "asked by": one.description().get() if one.description().isDefined() else one.name(),
        "seconds": (ended.get().getTime() - began) / 1000 if ended.isDefined() else 0.0,
        "tasks": one.numTasks(),
        "task_s": one.executorRunTime() / 1e3,
        "cpu_s": one.executorCpuTime() / 1e9,
        "gc_s": one.jvmGcTime() / 1e3,
        "in_mb": one.inputBytes() / 1e6,
        "in_rows": one.inputRecords(),
        "out_mb": one.outputBytes() / 1e6,
        "out_rows": one.outputRecords(),
        "shuffled_mb": one.shuffleWriteBytes() / 1e6,
        "shuffled_rows": one.shuffleWriteRecords(),
        "spilled_mb": (one.memoryBytesSpilled() + one.diskBytesSpilled()) / 1e6,
    }


def as_markdown(rows: list[dict[str, Any]]) -> str:
    """A table of these rows, in their order, with the sums of what adds up."""
    if not rows:
        return "nothing ran"
    total = dict.fromkeys(rows[0], "") | {name: sum(row[name] for row in rows) for name in IN_TOTAL}
    lines = [rows[0].keys(), ("---" if name == "asked by" else "--:" for name in rows[0])]
    lines += [map(_shown, row.values()) for row in [*rows, total]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _shown(value: Any) -> str:
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def _sql_store(spark: SparkSession) -> JavaObject:
    return spark._jsparkSession.sharedState().statusStore()  # noqa: SLF001 (there is no public way)


def _listed(many: JavaObject) -> Iterator[Any]:
    each = many.iterator()
    while each.hasNext():
        yield each.next()


if __name__ == "__main__":
    sys.exit(main())
