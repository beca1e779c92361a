"""Files made into the contract's Delta tables: the same file twice changes nothing, and every row is accounted for.

Everything is read, mapped, judged (`arrivals`) and counted before anything is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from delta.exceptions import DeltaConcurrentModificationException
from delta.tables import DeltaTable
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, Observation, Row, SparkSession
from pyspark.sql import functions as F

from corpus.abreast import abreast
from corpus.arrivals import OUTCOMES, as_arriving, as_held, json_of, with_outcome
from corpus.cluster import require_shared
from corpus.errors import ConfigError, Conflict, CorpusError, EnvironmentFault, SourceError
from corpus.files import read_table
from corpus.mapping import plainly, reading
from corpus.progress import step
from corpus.schemas import KEYS, input_columns
from corpus.sources import Place, Source, delta_place, find_delta
from corpus.text_html import register_html_to_text

QUARANTINE = "`table` STRING, row_digest STRING, reason STRING, row STRING, file STRING"


@dataclass(frozen=True)
class Counted:
    """What became of the rows of one table's files, and the version of the stored table that now holds them."""

    table: str
    rows_in: int
    stored: int
    replaced: int
    quarantined: int
    already_there: int
    version: int


@dataclass(frozen=True)
class Target:
    """A stored table: its `columns` are the contract's that the files have, `base` its version (None: not made yet)."""

    table: str
    path: str
    columns: list[str]
    base: int | None


@dataclass(frozen=True)
class Plan:
    """One table's rows, read and counted by what is to become of them."""

    target: Target
    rows: DataFrame
    counts: dict[str, int]

    @property
    def judged(self) -> DataFrame:
        """The rows with their outcomes."""
        return _judged(self.rows, self.target)


def ingest(spark: SparkSession, source: Source) -> list[Counted]:
    """Brings the source's files into the Delta tables of its `store`.

    Raises SourceError before anything is written, and Conflict where another ingest writes meanwhile.
    """
    plans = _plans(spark, source)
    if source.store:
        require_shared(spark, source.store)
    stored = abreast(lambda table: _carried_out(spark, source, plans[table]), plans)
    for plan in plans.values():
        with _writing(f"{source.store}/quarantine"):
            _quarantine(spark, source, plan)
    return [*stored.values()]


def foreseen(spark: SparkSession, source: Source) -> list[Counted]:
    """What an ingest would do to the tables as they are (`version`): all is read, judged and counted, none stored."""
    return [_counted(plan, plan.target.base or 0) for plan in _plans(spark, source).values()]


def quarantine_warnings(source: Source, counted: list[Counted]) -> list[str]:
    """What a person must know of rows that do not count; an objection among them keeps nobody out."""
    amiss = {table.table: table.quarantined for table in counted if table.quarantined}
    place = f"{source.store}/quarantine holds them, each with its reason"
    found = [f"{sum(amiss.values())} rows do not fit and do not count: {place}."] if amiss else []
    if "objections" in amiss:
        found.append(f"{amiss['objections']} of them are objections, which keep nobody out until they are mended.")
    return found


def _plans(spark: SparkSession, source: Source) -> dict[str, Plan]:
    register_html_to_text(spark)
    tables = [table for table in source.tables if source.is_files(table)]
    if not tables:
        raise ConfigError(f"The source {source.name} has no files to ingest: its tables are read where they are.")
    return abreast(partial(_planned, spark, source), tables)


def _planned(spark: SparkSession, source: Source, table: str) -> Plan:
    """One table read to its last row and judged, nothing written: one exchange, of keys, times and hashes."""
    files = ", ".join(file for place in source.places(table) for file in place.files)
    with step(f"reading {table}"), reading(f"The source {source.name}, [{table}]: {files}"):
        rows = read_table(spark, source, table)
        target = _target(spark, source, table, rows.columns)
        seen = Observation()
        counted = rows.observe(seen, F.count(F.lit(1)).alias("rows_in")).transform(_judged, target).agg(*_tallies())
        counts = counted.collect()[0].asDict() | seen.get
    _check_sum(table, counts)
    return Plan(target, rows, counts)


def _target(spark: SparkSession, source: Source, table: str, found: list[str]) -> Target:
    path = str(delta_place(source, table).path)
    columns = [c.name for c in input_columns(table) if c.name in found]
    stored = find_delta(spark, Place(path=path))
    if stored:
        _check_same_columns(table, path, stored.toDF().columns, columns)
    return Target(table, path, columns, _newest(stored)["version"] if stored else None)


def _judged(rows: DataFrame, target: Target) -> DataFrame:
    """The rows with their outcomes, the stored rows' keys, times and hashes among them."""
    arriving = rows.transform(as_arriving, target.columns)
    if target.base is not None:
        stored = rows.sparkSession.read.format("delta").option("versionAsOf", target.base).load(target.path)
        held = stored.transform(as_held, target.table, target.columns)
        arriving = arriving.unionByName(held, allowMissingColumns=True)
    return arriving.transform(with_outcome, target.table)


def _tallies() -> list[Column]:
    outcomes = [F.count_if(F.col("outcome") == outcome).alias(outcome) for outcome in OUTCOMES]
    return [*outcomes, F.count_if(F.col("survives") & F.col("known")).alias("updated")]


def _check_sum(table: str, counts: dict[str, int]) -> None:
    """Raises unless every row that was read has come to exactly one outcome."""
    if counts["rows_in"] != sum(counts[outcome] for outcome in OUTCOMES):
        found = f"{table}: not every row is accounted for: {counts}"
        raise SourceError(f"{found}. Nothing was written; run the ingest again.")


def _check_same_columns(table: str, path: str, stored: list[str], now: list[str]) -> None:
    """Raises if the files have other columns of the contract than those stored."""
    gone, new = sorted(set(stored) - set(now)), sorted(set(now) - set(stored))
    if gone or new:
        found = [f"no longer have {', '.join(gone)}"] * bool(gone) + [f"now have {', '.join(new)}"] * bool(new)
        raise SourceError(
            f"{table}: the files {' and '.join(found)}, unlike the rows stored in {path}. A null would not mean "
            "the same in old rows and new ones: map the column in the source, or ingest everything into a new `store`."
        )


def _carried_out(spark: SparkSession, source: Source, plan: Plan) -> Counted:
    """The plan's changes made: one exchange of whole rows, and those of MERGE where the table has rows already."""
    target, counts, version = plan.target, plan.counts, plan.target.base or 0
    with step(f"storing {target.table}"), _writing(target.path):
        if target.base is None or counts["stored"] or counts["updated"]:
            stored = _unmoved(spark, target) or _created(spark, source, target)
            version = _store(stored, plan) if counts["stored"] or counts["updated"] else 0
    return _counted(plan, version)


def _counted(plan: Plan, version: int) -> Counted:
    figures = {figure: plan.counts[figure] for figure in ("rows_in", *OUTCOMES)}
    return Counted(table=plan.target.table, version=version, **figures)


def _unmoved(spark: SparkSession, target: Target) -> DeltaTable | None:
    """The stored table, if there is one. Raises Conflict if it has moved since its rows were read."""
    stored = find_delta(spark, Place(path=target.path))
    found = _newest(stored)["version"] if stored else None
    if found != target.base:
        moved = f"{target.path} went from version {target.base} to {found} while files were read"
        raise Conflict(f"{moved}. Run the ingest again.")
    return stored


def _created(spark: SparkSession, source: Source, target: Target) -> DeltaTable:
    ddl = ", ".join(f"{c.name} {c.type}" for c in input_columns(target.table) if c.name in target.columns)
    return _create(spark, source, target.path, ddl, statistics="recorded_at")


def _create(spark: SparkSession, source: Source, path: str, ddl: str, statistics: str) -> DeltaTable:
    """An empty Delta table whose versions open for `retention_days` and whose log says nothing about a person."""
    kept = f"interval {source.retention_days} days"
    properties = {
        "delta.enableDeletionVectors": "false",
        "delta.enableInCommitTimestamps": "true",
        "delta.deletedFileRetentionDuration": kept,
        "delta.logRetentionDuration": kept,
        "delta.enableExpiredLogCleanup": "false",
        "delta.dataSkippingStatsColumns": statistics if statistics in ddl else "",
    }
    builder = DeltaTable.create(spark).location(path).addColumns(spark.createDataFrame([], ddl).schema)
    for key, value in properties.items():
        builder = builder.property(key, value)
    return builder.execute()


def _store(stored: DeltaTable, plan: Plan) -> int:
    """Puts the surviving rows in, and checks that Delta counted what the plan had counted; the version made so."""
    target, counts = plan.target, plan.counts
    survivors = plan.judged.where("survives").select(*target.columns)
    if target.base is None:
        survivors.write.format("delta").mode("append").save(target.path)
        expected = {"numOutputRows": counts["stored"]}
    else:
        same_key = " AND ".join(f"held.{key} = new.{key}" for key in KEYS[target.table])
        merge = stored.alias("held").merge(survivors.alias("new"), same_key).whenNotMatchedInsertAll()
        (merge.whenMatchedUpdateAll() if counts["updated"] else merge).execute()
        expected = {"numTargetRowsInserted": counts["stored"], "numTargetRowsUpdated": counts["updated"]}
    newest = _newest(stored)
    found = {figure: int(newest["operationMetrics"][figure]) for figure in expected}
    if found != expected:
        raise Conflict(
            f"{target.path}: version {newest['version']} wrote {found}, where {expected} were counted: the files or "
            "the table changed meanwhile. Restore the version before it, and run the ingest again."
        )
    return int(newest["version"])


def _quarantine(spark: SparkSession, source: Source, plan: Plan) -> None:
    """Keeps the quarantined rows, each once: as they stood in their file or, in a conflict, as they were mapped."""
    if not plan.counts["quarantined"]:
        return
    path = f"{source.store}/quarantine"
    row = F.coalesce("raw", json_of(plan.target.columns))
    found = plan.judged.where(F.col("outcome") == "quarantined")
    key = (F.lit(plan.target.table).alias("table"), F.sha2(row, 256).alias("row_digest"), "reason")
    each_once = found.groupBy(*key).agg(F.min(row).alias("row"), F.min("file").alias("file"))
    kept = find_delta(spark, Place(path=path)) or _create(spark, source, path, QUARANTINE, statistics="table")
    # Few rows: those of this ingest that the quarantine does not hold yet.
    new = each_once.join(kept.toDF(), on=["table", "row_digest", "reason"], how="left_anti")
    if not new.isEmpty():
        new.write.format("delta").mode("append").save(path)


@contextmanager
def _writing(path: str) -> Iterator[None]:
    """Turns what Delta says of a table that cannot be written into a sentence and what to do."""
    try:
        yield
    except CorpusError:
        raise
    except DeltaConcurrentModificationException:
        raise Conflict(f"Another ingest wrote to {path} at the same time. Run this one again.") from None
    except (PySparkException, Py4JJavaError) as broken:
        raise EnvironmentFault(f"{path} cannot be written. {plainly(broken)}") from None


def _newest(table: DeltaTable) -> Row:
    return table.history(1).select("version", "operationMetrics").collect()[0]
