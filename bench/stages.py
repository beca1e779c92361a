"""Where the time of a build goes: by query and by stage, by Spark's own metrics, as Markdown.

Each query is named by the line of ours that asked for it. The world is made once; or name another's source file, with
a file `as-of` beside it that holds the cutoff.

Example: python bench/stages.py --posts 1000000 --conf spark.sql.shuffle.partitions=16
"""

from __future__ import annotations

import argparse
import re
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
from corpus.operations.stages import as_row, instant, stored
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
SUMS = ("task_s", "cpu_s", "gc_s", "in_mb", "out_mb", "shuffled_mb", "spilled_mb")
NONE = dict.fromkeys(SUMS, 0.0)
LEAST = 0.005
"""A row that took a smaller part of the whole is left out, unless all are asked for."""


def main() -> int:
    """Builds once in a new warehouse and prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=1_000_000, help="of a world with a third as many accounts")
    parser.add_argument("--source", type=Path, help="the source file of another world")
    parser.add_argument("--exact-only", action="store_true", help="without the rules that look for likeness")
    parser.add_argument("--conf", action="append", default=[], metavar="KEY=VALUE", help="a setting of Spark")
    parser.add_argument("--warm", action="store_true", help="measure the second build of two")
    parser.add_argument("--all", action="store_true", help="also what took no time worth naming")
    asked = parser.parse_args()
    settings = {"spark.ui.retainedStages": "10000", "spark.sql.ui.retainedExecutions": "10000"} | dict(
        pair.split("=", 1) for pair in asked.conf
    )
    spark = open_session("bench stages", ROOT / "conf/spark/local.conf", settings)
    source = asked.source or source_of(spark, crowded(asked.posts))
    name_queries(spark)
    for turn in range(1 + asked.warm):
        shutil.rmtree(PLACE, ignore_errors=True)
        known, began = newest(spark), time.monotonic()
        build(spark, request_of(source, PLACE, asked.exact_only))
        took = time.monotonic() - began
        print(f"build {turn + 1}: {took:.1f} s")
    least = 0 if asked.all else LEAST * took
    ran = [{k: v for k, v in row.items() if k != "began"} for row in stages(spark, known[1])]
    print(f"\n{as_markdown(queries(spark, known[0]), least)}\n\n{as_markdown(ran, least)}")
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
    asked = (one.executionId() for one in _listed(_sql_store(spark).executionsList()))
    return max(asked, default=-1), max((row["stage"] for row in stages(spark, -1)), default=-1)


def queries(spark: SparkSession, after: int) -> list[dict[str, Any]]:
    """One row per place that asked, with the sums of its queries; `waits` is what it took with no stage running.

    A query that Delta asks to answer another is counted with that one.
    """
    by_stage, places = {row["stage"]: row for row in stages(spark, -1)}, dict[str, dict[str, Any]]()
    asked = [one for one in _listed(_sql_store(spark).executionsList()) if one.executionId() > after]
    for one in asked:
        place = re.sub("^Delta: |: Filtering files.*", "", one.description())
        row = places.setdefault(place, {"asked by": place, "queries": 0, "seconds": 0.0, "waits": 0.0} | NONE)
        own = [by_stage[stage] for stage in _listed(one.stages()) if stage in by_stage]
        if one.rootExecutionId() == one.executionId() and one.completionTime().isDefined():
            seconds = (one.completionTime().get().getTime() - one.submissionTime()) / 1000
            row["queries"] += 1
            row["seconds"] += seconds
            row["waits"] += seconds
        row["waits"] -= _busy(own)
        row |= {name: row[name] + sum(stage[name] for stage in own) for name in SUMS}
    return list(places.values())


def _busy(some: list[dict[str, Any]]) -> float:
    """The seconds in which at least one of these stages ran."""
    busy, until = 0.0, 0.0
    for began, ended in sorted((stage["began"], stage["began"] + stage["seconds"]) for stage in some):
        busy, until = busy + max(0.0, ended - max(began, until)), max(until, ended)
    return busy


def stages(spark: SparkSession, after: int) -> list[dict[str, Any]]:
    """The stages that ran, one row each."""
    listed, _ = stored(spark.sparkContext)
    rows = (_stage(one) for one in listed if one.get("submissionTime") and one["stageId"] > after)
    return sorted(rows, key=lambda row: row["stage"])


def _stage(one: dict[str, Any]) -> dict[str, Any]:
    figures = as_row(one)
    return {
        "stage": figures["stage"],
        "asked by": one.get("description") or figures["name"],
        "began": instant(one["submissionTime"]).timestamp(),
        "seconds": figures["seconds"] or 0.0,
        "tasks": figures["tasks"],
        "task_s": figures["executor_seconds"],
        "cpu_s": figures["executor_cpu_seconds"],
        "gc_s": one["jvmGcTime"] / 1e3,
        "in_mb": figures["input_bytes"] / 1e6,
        "in_rows": figures["input_rows"],
        "out_mb": figures["output_bytes"] / 1e6,
        "out_rows": figures["output_rows"],
        "shuffled_mb": figures["shuffle_write_bytes"] / 1e6,
        "shuffled_rows": one["shuffleWriteRecords"],
        "spilled_mb": (one["memoryBytesSpilled"] + figures["spill_bytes"]) / 1e6,
    }


def as_markdown(rows: list[dict[str, Any]], least: float) -> str:
    """A table of the rows that took so many seconds, in their order, with the sums over all of what adds up."""
    if not rows:
        return "nothing ran"
    adds_up = [name for name in ("seconds", "waits", *SUMS) if name in rows[0]]
    total = dict.fromkeys(rows[0], "") | {name: sum(row[name] for row in rows) for name in adds_up}
    lines = [rows[0].keys(), ("---" if name == "asked by" else "--:" for name in rows[0])]
    lines += [map(_shown, row.values()) for row in [*(r for r in rows if r["seconds"] >= least), total]]
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
