"""What is timed, each in a process of its own: our build or a part of it, the same by hand, and the bare writing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import deltalake
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

import by_hand
from corpus import snapshot, tables
from corpus.accounts import judged_people
from corpus.build import build
from corpus.dataset_key import read_key
from corpus.founding import founded
from corpus.pipeline import judge
from corpus.request import BuildRequest
from corpus.schemas import INPUTS
from corpus.session import open_session
from corpus.sources import pin, read_inputs
from corpus.tables import write_side_table
from processes import Taken, taken
from worlds import ROOT, WORK, Size, request_of, skewed_copy, source_of

APART = {
    "spark.master": "local-cluster[1,2,4096]",
    "spark.driver.memory": "1400m",
    "spark.executor.memory": "4g",
    "spark.executor.extraJavaOptions": "-Duser.timezone=UTC -Xss4m",
}
"""Driver and executor as processes of their own; in local mode the driver is the executor. A heap of 1.4 GB and what
Java holds beside it stay below 2 GiB."""
SHARES = 1_000_000
Ran = dict[str, Any]


def measured(step: str, source: Path, runs: int = 3, **options: Any) -> Ran:
    """What a step took, so many times in one process of its own: the lists `seconds` and `processor`, and `peak`."""
    WORK.mkdir(parents=True, exist_ok=True)
    report, log = WORK / f"{step}.json", WORK / f"{step}.log"
    given = json.dumps({"step": step, "source": str(source), "runs": runs, "report": str(report)} | options)
    with log.open("w") as written:
        ended = subprocess.run([sys.executable, __file__, given], stdout=written, stderr=written, check=False, cwd=ROOT)
    if ended.returncode:
        sys.exit(f"{step} failed; see {log}")
    found = json.loads(report.read_text())
    peaks = [ran["peak"] for ran in found]
    return {
        "seconds": [ran["seconds"] for ran in found],
        "processor": [ran["processor"] for ran in found],
        "peak": {kind: max(peak.get(kind, 0) for peak in peaks) for kind in peaks[-1]},
    }


def middle(ran: Ran, what: str = "seconds") -> float:
    """The median of a step's runs."""
    return float(median(ran[what]))


def place(step: str) -> Path:
    """Where a step leaves what it made."""
    return WORK / step


def main() -> int:
    """Runs one step and writes down what it took."""
    given = json.loads(sys.argv[1])
    step, source, runs, report = (given.pop(name) for name in ("step", "source", "runs", "report"))
    found: list[Taken] = STEPS[step](Path(source), runs, **given)
    Path(report).write_text(json.dumps([asdict(ran) for ran in found]))
    return 0


def whole(source: Path, runs: int, *, exact_only: bool = False, apart: bool = False) -> list[Taken]:
    """Whole builds, each the first of a new dataset: gates, verdicts, tables, digest, trees, statement, seal."""
    spark = session(APART if apart else {})
    found = []
    for _ in range(runs):
        request = fresh("whole", source, exact_only)
        with taken() as one:
            build(spark, request)
        found.append(one)
    return found


def ours(source: Path, runs: int) -> list[Taken]:
    """What the opponent does, too: read, judge every post, write exclusions, members and snapshot, which are empty."""
    spark = session({})
    found = []
    for _ in range(runs):
        request = fresh("ours", source, exact_only=True)
        key, bits = founded(spark, request, profiles_in(source))
        with taken() as one:
            inputs = read_inputs(spark, request.source, pin(spark, request.source))
            people = judged_people(inputs, request.policy, request.clock)
            keyed = (key, bits, spark)
            judged = judge(inputs, request.policy, request.clock, people)
            verdicts = judged.transform(snapshot.with_ids, *keyed).persist()
            write_side_table(snapshot.as_exclusions(verdicts), request.folder, "exclusions", "bench", "post_id")
            write_side_table(snapshot.as_members(verdicts, *keyed), request.folder, "members", "bench", "doc_id")
            snapshot.commit(snapshot.as_documents(verdicts), request.folder, snapshot.Said("bench", ""))
        found.append(one)
        spark.catalog.clearCache()
    return found


def by_hand_in_any_order(source: Path, runs: int) -> list[Taken]:
    """The opponent, which leaves rows where they fall."""
    return _by_hand(source, runs, in_order_of_buckets=False)


def by_hand_in_order(source: Path, runs: int) -> list[Taken]:
    """The opponent, which puts rows in the order of our tables."""
    return _by_hand(source, runs, in_order_of_buckets=True)


def _by_hand(source: Path, runs: int, *, in_order_of_buckets: bool) -> list[Taken]:
    inputs = by_hand.as_parquet(source.parent)
    request = request_of(source, place("ours"), exact_only=True)
    key, bits = read_key(request.key_file), bucket_bits(request)
    found = []
    for _ in range(runs):
        with taken() as one:
            by_hand.run(inputs, place("by_hand"), request.cutoff, key, bits, in_order_of_buckets=in_order_of_buckets)
        found.append(one)
    return found


def floor(source: Path, runs: int, *, clustered: bool = False) -> list[Taken]:
    """The same inputs read, and rows of the number and width that `ours` wrote written to the same tables."""
    spark = session({})
    made = place("ours") / "built/uk-social"
    rows = {name: deltalake.DeltaTable(made / name).to_pyarrow_dataset().count_rows() for name in by_hand.OUTPUTS}
    found = []
    for _ in range(runs):
        request = fresh("floor", source, exact_only=True)
        _, bits = founded(spark, request, profiles_in(source))
        with taken() as one:
            inputs = read_inputs(spark, request.source, pin(spark, request.source))
            for table in set(INPUTS) - {"posts"}:
                getattr(inputs, table).write.format("noop").mode("overwrite").save()
            written_as_they_come(inputs.posts, request, rows, bits, clustered)
        found.append(one)
    return found


def written_as_they_come(
    posts: DataFrame, request: BuildRequest, rows: dict[str, int], bits: int, clustered: bool
) -> None:
    """Posts as snapshot, members and exclusions, so many of each; which is decided by a hash of their ids."""
    is_in = F.pmod(F.xxhash64("post_id"), F.lit(SHARES)) < rows["snapshot"] * SHARES // (
        rows["snapshot"] + rows["exclusions"]
    )
    bucket = F.pmod(F.hash("account_id"), F.lit(1 << bits)).cast("int").alias("bucket")
    posts = posts.withColumn("doc_id", F.md5("post_id")).withColumn(
        "reasons", F.when(is_in, 0).otherwise(8).cast("bigint")
    )
    posts = posts.persist()
    excluded = posts.where("reasons != 0").select(
        "post_id",
        "account_id",
        "reasons",
        *_nothing("primary_reason STRING", "kept_instead STRING", "similarity DOUBLE"),
        bucket,
    )
    members = posts.where("reasons = 0").select(
        "doc_id", "post_id", "account_id", F.lit("author").alias("role"), bucket
    )
    documents = posts.where("reasons = 0").select(
        "doc_id",
        "text",
        "platform",
        "surface",
        "lang",
        F.to_date("created_at").alias("created_on"),
        F.char_length("text").alias("chars"),
        F.lit(1).cast("bigint").alias("copies"),
        bucket,
    )
    for name, frame, sort_by in (("exclusions", excluded, "post_id"), ("members", members, "doc_id")):
        if clustered:
            write_side_table(frame, request.folder, name, "bench", sort_by)
        else:
            tables.write_as_placed(frame, request.folder, name, "bench")
    if clustered:
        documents = documents.transform(tables.clustered, "doc_id")
    documents.write.format("delta").mode("overwrite").save(str(request.folder / "snapshot"))
    posts.unpersist()


def _nothing(*columns: str) -> list[Column]:
    pairs = (column.split() for column in columns)
    return [F.lit("OUT_OF_WINDOW" if name == "primary_reason" else None).cast(kind).alias(name) for name, kind in pairs]


def world(_: Path, runs: int, **size: int) -> list[Taken]:
    """A world made."""
    with taken() as one:
        source_of(session({}), Size(**size))
    return [one] * runs


def skewed_world(source: Path, runs: int, *, of: str, name: str, share: int, value: str) -> list[Taken]:
    """A skewed one made of another."""
    with taken() as one:
        skewed_copy(session({}), Path(of), source.parent, name, share, value)
    return [one] * runs


def session(settings: dict[str, str]) -> SparkSession:
    """A session that has started in full."""
    spark = open_session("bench speed", ROOT / "conf/spark/local.conf", settings)
    spark.range(10).count()
    return spark


def fresh(step: str, source: Path, exact_only: bool) -> BuildRequest:
    """A request for the first version of a new dataset."""
    shutil.rmtree(place(step), ignore_errors=True)
    return request_of(source, place(step), exact_only)


def profiles_in(source: Path) -> int:
    """How many profiles a world has."""
    return int(deltalake.DeltaTable(source.parent / "profiles").to_pyarrow_dataset().count_rows())


def bucket_bits(request: BuildRequest) -> int:
    """The bucket width of a dataset that is there."""
    properties = deltalake.DeltaTable(request.folder / "snapshot").metadata().configuration
    return int(properties["corpus.bucketBits"])


STEPS: dict[str, Callable[..., list[Taken]]] = {
    "whole": whole,
    "ours": ours,
    "floor": floor,
    "world": world,
    "skewed_world": skewed_world,
    "by_hand_in_any_order": by_hand_in_any_order,
    "by_hand_in_order": by_hand_in_order,
}

if __name__ == "__main__":
    sys.exit(main())
