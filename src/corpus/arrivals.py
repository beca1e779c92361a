"""What becomes of a row that arrives: decided by its key, `recorded_at` and content alone, whatever the order of files.

Rows of a key are applied in the order of (`recorded_at`, content), null times first, on top of the stored row:

  stored         the first row of its key
  replaced       newer than the row that was there, whose place it takes
  already_there  the same as the row that was there, or older
  quarantined    does not fit the contract; or differs from another row of the same `recorded_at`; or, of an objection,
                 changes what may never change (anything but `status` and `ruling_id`)
"""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from corpus.schemas import KEYS

OUTCOMES = ("stored", "replaced", "quarantined", "already_there")
MAY_CHANGE = ("status", "ruling_id", "recorded_at")
"""What a later row may change of an objection."""

STRAY = "changes more of the objection than status and ruling_id"
TIE = "differs from another row with the same key and recorded_at"
JUDGED_BY = ("recorded_at", "reason", "content", "frozen", "lane", "held")


def as_arriving(rows: DataFrame, names: list[str]) -> DataFrame:
    """The rows of files with what decides between rows of one key; `names` are their columns of the contract.

    A row that does not fit has a lane of its own: it neither meets its key's rows nor piles up under a null key.
    """
    lane = F.when(F.col("reason").isNotNull(), F.xxhash64("raw")).otherwise(F.lit(0))
    return rows.transform(_with_hashes, names).withColumns({"lane": lane, "held": F.lit(False)})


def as_held(stored: DataFrame, table: str, names: list[str]) -> DataFrame:
    """The stored rows as what new ones are judged against: keys, times and hashes, no text."""
    hashed = stored.transform(_with_hashes, names)
    facts = {"reason": F.lit(None).cast("STRING"), "lane": F.lit(0).cast("BIGINT"), "held": F.lit(True)}
    held = hashed.withColumns(facts)
    return held.select(*dict.fromkeys((*KEYS[table], *JUDGED_BY)))


def with_outcome(rows: DataFrame, table: str) -> DataFrame:
    """Adds the `outcome` of each row, the `reason` of a quarantined one, and which row `survives` in the stored table.

    `rows` are arriving and held ones. One row in, one row out. All windows are inside a key and in one order, so they
    share one exchange and one sort (objections: two sorts).
    """
    key = [*KEYS[table], "lane"]
    order = [F.col("recorded_at").asc_nulls_first(), F.col("stray").asc(), F.col("held").desc(), F.col("content").asc()]
    in_time = Window.partitionBy(*key).orderBy(*order)
    at_once = Window.partitionBy(*key, "recorded_at").orderBy(*order[1:])
    whole = in_time.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    first = F.first("content").over(at_once.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    placed = rows.withColumn("stray", _is_stray(table, Window.partitionBy(*key))).withColumns({
        "known": F.max("held").over(whole),
        "older": F.max("held").over(in_time.rowsBetween(Window.currentRow, Window.unboundedFollowing)),
        "same": F.col("content") == first,
        "place": F.row_number().over(at_once),
    })
    turns = placed.withColumn("turn", F.when(_is_applied(), F.struct("recorded_at", "content")))
    is_first, is_last = (F.col("turn") == pick("turn").over(whole) for pick in (F.min, F.max))
    fates = {"survives": F.coalesce(is_last, F.lit(False)), "outcome": _outcome(is_first)}
    return turns.withColumns(fates).withColumn("reason", _reason())


def json_of(names: Iterable[str]) -> Column:
    """These columns as JSON, nulls and microseconds included: rows that differ anywhere differ here."""
    options = {"ignoreNullFields": "false", "timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX"}
    return F.to_json(F.struct(*names), options)


def _with_hashes(rows: DataFrame, names: list[str]) -> DataFrame:
    """Adds `content` and `frozen`, hashes of all columns and of those that may not change; compared in one key only."""
    frozen = [name for name in names if name not in MAY_CHANGE]
    hashed = rows.withColumns({"content": F.xxhash64(json_of(names)), "frozen": F.xxhash64(json_of(frozen))})
    return hashed if "recorded_at" in names else hashed.withColumn("recorded_at", F.lit(None).cast("TIMESTAMP"))


def _is_stray(table: str, in_key: WindowSpec) -> Column:
    """Whether an objection says something else than the stored row of its id, or than the first one."""
    if table != "objections":
        return F.lit(False)
    stored_or_first = F.min(F.struct(~F.col("held"), "recorded_at", "content", "frozen"))
    whole = in_key.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    return F.col("frozen") != stored_or_first.over(whole)["frozen"]


def _is_applied() -> Column:
    """Whether the row changes the stored table when its turn comes: not older, and the first of its instant."""
    return F.col("reason").isNull() & ~(F.col("held") | F.col("stray") | F.col("older")) & (F.col("place") == 1)


def _outcome(is_first: Column) -> Column:
    is_bad = F.col("reason").isNotNull() | F.col("stray") | ~(F.col("older") | F.col("same"))
    return (
        F
        .when(F.col("held"), F.lit(None))
        .when(is_bad, F.lit("quarantined"))
        .when(is_first & ~F.col("known"), F.lit("stored"))
        .when(F.col("turn").isNotNull(), F.lit("replaced"))
        .otherwise(F.lit("already_there"))
    )


def _reason() -> Column:
    conflict = F.when(F.col("stray"), F.lit(STRAY)).otherwise(F.lit(TIE))
    return F.when(F.col("outcome") == "quarantined", F.coalesce("reason", conflict))
