"""What Spark itself measured of its stages, in the words of its monitoring API; what a stage read is in none of them.

Names of stages are places in code. Descriptions, failures and plans may hold what people wrote: they are not taken.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any

Row = dict[str, Any]
TAG = "corpus-step-"
WAIT_MS = 2_000
"""For what Spark's own listeners have not heard yet."""

COUNTS = {
    "tasks": "numTasks",
    "failed_tasks": "numFailedTasks",
    "input_rows": "inputRecords",
    "input_bytes": "inputBytes",
    "output_rows": "outputRecords",
    "output_bytes": "outputBytes",
    "shuffle_read_bytes": "shuffleReadBytes",
    "shuffle_write_bytes": "shuffleWriteBytes",
    "spill_bytes": "diskBytesSpilled",
}
"""Our name for a figure of a stage, and Spark's."""

SUMMED = (*COUNTS, "executor_seconds", "executor_cpu_seconds")


def mark(step: int) -> None:
    """What this thread starts in Spark from now on is this step's."""
    if context := _context():
        context.addJobTag(f"{TAG}{step}")


def unmark(step: int) -> None:
    """What this thread starts from now on is not this step's."""
    if context := _context():
        context.removeJobTag(f"{TAG}{step}")


def ended_stages(seen: set[tuple[int, int]]) -> list[tuple[int | None, Row]]:
    """The stages that have ended, but for those seen, in their order; each with the innermost step that started it."""
    context = _context()
    if context is None:
        return []
    stages, jobs = stored(context)
    steps = {stage: _innermost(job["jobTags"]) for job in jobs for stage in job["stageIds"]}
    ended = [s for s in stages if s["status"] in {"COMPLETE", "FAILED"} and (s["stageId"], s["attemptId"]) not in seen]
    return [(steps.get(s["stageId"]), as_row(s)) for s in sorted(ended, key=lambda s: (s["stageId"], s["attemptId"]))]


def as_row(stage: Row) -> Row:
    """A stage's figures: rows, bytes, seconds. Execution memory is the sum of its tasks' peaks."""
    known = {"stage": stage["stageId"], "attempt": stage["attemptId"], "name": stage["name"]}
    known |= {ours: stage[theirs] for ours, theirs in COUNTS.items()}
    return known | {
        "seconds": _seconds(stage),
        "executor_seconds": stage["executorRunTime"] / 1e3,
        "executor_cpu_seconds": round(stage["executorCpuTime"] / 1e9, 3),
        "peak_execution_memory_bytes": stage["peakExecutionMemory"],
        "peak_heap_bytes": stage.get("peakExecutorMetrics", {}).get("JVMHeapMemory") or None,
        "ok": stage["status"] == "COMPLETE",
    }


def _context() -> Any:
    """The process's Spark, if it runs; looks without starting one."""
    pyspark = sys.modules.get("pyspark")
    return pyspark.SparkContext._active_spark_context if pyspark else None  # noqa: SLF001 (has no public name)


def stored(context: Any) -> tuple[list[Row], list[Row]]:
    """All stages and jobs that Spark remembers (spark.ui.retainedStages), asked for in two calls, the web page off."""
    jvm, own = context._jvm, context._jsc.sc()  # noqa: SLF001
    own.listenerBus().waitUntilEmpty(WAIT_MS)
    no_quantiles, any_task = context._gateway.new_array(jvm.double, 0), jvm.java.util.ArrayList()  # noqa: SLF001
    store, as_json = own.statusStore(), jvm.org.apache.spark.status.api.v1.JacksonMessageWriter().mapper()
    stages = store.stageList(None, False, False, no_quantiles, any_task)
    return json.loads(as_json.writeValueAsString(stages)), json.loads(as_json.writeValueAsString(store.jobsList(None)))


def _innermost(tags: list[str]) -> int | None:
    return max((int(tag.removeprefix(TAG)) for tag in tags if tag.startswith(TAG)), default=None)


def _seconds(stage: Row) -> float | None:
    begin, end = (stage.get(moment) for moment in ("submissionTime", "completionTime"))
    return round((instant(end) - instant(begin)).total_seconds(), 3) if begin and end else None


def instant(text: str) -> datetime:
    """A moment as Spark writes it, in UTC and without saying so."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%Z")
