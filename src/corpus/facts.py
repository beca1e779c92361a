"""What the gates need to know of the inputs, counted in one Spark job; the gates themselves are plain Python."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from corpus.inputs import Inputs
from corpus.resolution import is_withdrawal
from corpus.schemas import KEYS

BY_CHANNEL = ("objections", "notices")
"""Tables whose feeds may come by channel, and not as a whole (`*`)."""
EXAMPLES = 20
LATEST = datetime(9999, 1, 1, tzinfo=UTC)
"""Python knows no later year than this, Spark does."""


@dataclass(frozen=True)
class Feed:
    """What the deliveries of one channel say: the newest watermark, the newest total, whether one is missing.

    `found` is how many rows there are of it.
    """

    feed: str
    channel: str | None
    watermark: datetime | None
    rows: int | None
    is_broken: bool
    table_version: int | None
    found: int | None = None


@dataclass
class Facts:
    """Rows and bad keys by table, rows by table and channel, objections and how many resolve to nobody, the feeds.

    `objections` counts `all`, those `withdrawn` and those `unresolved`; `unpinned` are tables read at no fixed version.
    """

    rows: dict[str, int] = field(default_factory=dict)
    bad_keys: dict[str, int] = field(default_factory=dict)
    channel_rows: dict[tuple[str, str | None], int] = field(default_factory=dict)
    objections: dict[str, int] = field(default_factory=dict)
    unresolved: list[str] = field(default_factory=list)
    feeds: list[Feed] = field(default_factory=list)
    unpinned: list[str] = field(default_factory=list)


def facts_of(inputs: Inputs, resolved: DataFrame, by: tuple[str, ...] = ()) -> dict[tuple[Any, ...], Facts]:
    """The facts of these inputs under the key `()`; with `by`, those of each world that these columns tell apart.

    `resolved` says of each objection what it resolves to.

    One exchange of hashes per table, and those of the objections; the driver gets a row or two per table and channel.
    """
    tables = [table for table in KEYS if (table, "*") not in inputs.absent]
    counted = [
        *(_keys(getattr(inputs, table), table, by) for table in tables),
        *(_channel_rows(getattr(inputs, table), table, by) for table in BY_CHANNEL),
        _objections(inputs.objections, by),
        _unresolved(resolved, by),
        _some_unresolved(resolved, by),
        _feeds(inputs.feeds, by),
    ]
    found: dict[tuple[Any, ...], Facts] = {}
    for row in reduce(lambda some, more: some.unionByName(more, allowMissingColumns=True), counted).collect():
        _note(found.setdefault(tuple(row[name] for name in by), Facts()), row.asDict())
    for facts in found.values():
        facts.rows = dict.fromkeys(tables, 0) | facts.rows
        facts.feeds = [replace(feed, found=_rows_of(feed, facts)) for feed in facts.feeds]
    return found


def _rows_of(feed: Feed, facts: Facts) -> int:
    if feed.feed in BY_CHANNEL and feed.channel != "*":
        return facts.channel_rows.get((str(feed.feed), feed.channel), 0)
    return facts.rows.get(feed.feed, 0)


def _note(facts: Facts, row: dict[str, Any]) -> None:
    """Puts one counted row where it belongs."""
    kind, name, channel, number = (row[column] for column in ("fact", "name", "channel", "number"))
    if kind == "feed":
        at = row["at"] and row["at"].replace(tzinfo=UTC)
        facts.feeds.append(Feed(name, channel, at, number, row["is_broken"], row["version"]))
    elif kind == "unresolved":
        facts.unresolved.append(name)
    elif kind == "channel_rows":
        facts.channel_rows[name, channel] = number
    else:
        getattr(facts, kind)[name] = number


def _keys(rows: DataFrame, table: str, by: tuple[str, ...]) -> DataFrame:
    """How many rows a table has, and how many have a key that is null in some column or that other rows have too."""
    is_null = reduce(Column.__or__, (F.col(name).isNull() for name in KEYS[table]))
    hashed = rows.select(*by, F.when(~is_null, F.xxhash64(*KEYS[table])).alias("hash"))
    is_bad = F.col("hash").isNull() | (F.col("count") > 1)
    return (
        hashed
        .groupBy(*by, "hash")
        .count()
        .groupBy(*by)
        .agg(_sum(F.col("count")).alias("rows"), _sum(F.when(is_bad, F.col("count"))).alias("bad_keys"))
        .unpivot([*by], ["rows", "bad_keys"], "fact", "number")
        .withColumn("name", F.lit(table))
    )


def _channel_rows(rows: DataFrame, table: str, by: tuple[str, ...]) -> DataFrame:
    counted = rows.groupBy(*by, "channel").agg(F.count("*").alias("number"))
    return counted.withColumns({"fact": F.lit("channel_rows"), "name": F.lit(table)})


def _objections(objections: DataFrame, by: tuple[str, ...]) -> DataFrame:
    """How many objections there are (each once), and how many of them a verified withdrawal names."""
    names = F.coalesce(F.col("verified"), F.lit(False)) & F.col("withdraws").isNotNull()
    marked = objections.select(
        *by,
        F.when(is_withdrawal(), F.when(names, F.col("withdraws"))).otherwise(F.col("objection_id")).alias("id"),
        (~is_withdrawal()).alias("is_objection"),
    ).where(F.col("id").isNotNull())
    each = marked.groupBy(*by, "id").agg(
        F.bool_or("is_objection").alias("is_objection"), F.bool_or(~F.col("is_objection")).alias("is_withdrawn")
    )
    return (
        each
        .groupBy(*by)
        .agg(
            F.count_if("is_objection").alias("all"),
            F.count_if(F.col("is_objection") & F.col("is_withdrawn")).alias("withdrawn"),
        )
        .unpivot([*by], ["all", "withdrawn"], "name", "number")
        .withColumn("fact", F.lit("objections"))
    )


def _unresolved(resolved: DataFrame, by: tuple[str, ...]) -> DataFrame:
    counted = resolved.groupBy(*by).agg(F.count_if(F.col("resolved_as").isNull()).alias("number"))
    return counted.withColumns({"fact": F.lit("objections"), "name": F.lit("unresolved")})


def _some_unresolved(resolved: DataFrame, by: tuple[str, ...]) -> DataFrame:
    """The first few of those that resolve to nobody, by id."""
    in_order = Window.partitionBy(*by).orderBy("objection_id")
    return (
        resolved
        .where(F.col("resolved_as").isNull())
        .select(*by, F.col("objection_id").alias("name"), F.row_number().over(in_order).alias("place"))
        .where(F.col("place") <= EXAMPLES)
        .drop("place")
        .withColumn("fact", F.lit("unresolved"))
    )


def _feeds(feeds: DataFrame, by: tuple[str, ...]) -> DataFrame:
    """One row per feed and channel. Deliveries chain: each begins where the one before it ended."""
    in_turn = Window.partitionBy(*by, "feed", "channel").orderBy("recorded_at", "first_seq", "last_seq")
    before = F.lag("last_seq").over(in_turn)
    follows = F.coalesce(F.col("first_seq") == before + 1, before.isNull() & (F.row_number().over(in_turn) == 1))
    newest = F.max(F.struct("recorded_at", "last_seq", "row_count", "table_version"))
    return (
        feeds
        .withColumn("is_gap", ~follows | F.col("first_seq").isNull() | F.col("last_seq").isNull())
        .groupBy(*by, "feed", "channel")
        .agg(
            F.max(F.least("watermark", F.lit(LATEST))).alias("at"),
            F.bool_or("is_gap").alias("is_broken"),
            newest.alias("newest"),
        )
        .select(
            *by, F.lit("feed").alias("fact"), F.col("feed").alias("name"), "channel", "at", "is_broken",
            F.col("newest.row_count").alias("number"), F.col("newest.table_version").alias("version"),
        )
    )  # fmt: skip


def _sum(number: Column) -> Column:
    return F.coalesce(F.sum(number), F.lit(0))
