"""An invented UK world of any size: people, posts, objections, and what is planted in them; for demos and benchmarks.

Every row is made from its number alone, by hashes and arithmetic: no join, no exchange of rows, nothing made in Python.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import reduce
from pathlib import Path

from py4j.protocol import Py4JJavaError
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from corpus.errors import ConfigError, nearest
from corpus.inputs import as_contract
from corpus.progress import step
from corpus.synth import objections, people
from corpus.synth import posts as content
from corpus.synth.planted import DAY, HOUR, World, as_time, micros

FORMATS = ("delta", "parquet", "json")
MOST_POSTS = 5_000_000_000
EARLIEST = datetime(2012, 1, 1, tzinfo=UTC)


def world(spark: SparkSession, *, posts: int, seed: int, as_of: datetime, wave: int = 0) -> dict[str, DataFrame]:
    """The input tables of the contract, as exported `wave` hours after `as_of`, and the table `truth`; all lazy.

    The same arguments give the same rows. A later wave holds the rows of the earlier ones, changed ones with a later
    `recorded_at`. Raises ConfigError for a size, time or wave that no world can have.
    """
    made = _checked(World(posts, seed, as_of, wave))
    drafts, accounts = content.drafted(spark, made), people.numbered_accounts(spark, made)
    tables = {
        "posts": content.posts(drafts, made),
        "profiles": people.profiles(accounts, made),
        "objections": objections.objections(accounts, made),
        "links": people.links(accounts, made),
        "notices": people.notices(accounts, made),
        "requests": objections.requests(accounts, made),
    }
    return tables | {"feeds": feeds(tables, made), "truth": content.truth(drafts, made)}


def write_world(frames: dict[str, DataFrame], out: str | Path, *, format: str) -> dict[str, int]:  # noqa: A002 (Spark's)
    """Writes each table into its own folder of `out`; the rows of each.

    Raises ConfigError for an unknown format, or an `out` that holds files or cannot be written.
    """
    if format not in FORMATS:
        raise ConfigError(
            f"--format: there is no format '{format}'{nearest(format, FORMATS)}; there are: {', '.join(FORMATS)}."
        )
    spark = next(iter(frames.values())).sparkSession
    if _holds_files(spark, str(out)):
        raise ConfigError(
            f"The folder {out} is not empty, and a world is only written into a new one: name another, or remove it."
        )
    return {name: _write(frame, name, str(out), format) for name, frame in frames.items()}


def feeds(tables: dict[str, DataFrame], made: World) -> DataFrame:
    """One row per delivery of a whole table or an objection channel: a day before the first export, then each hour."""
    whole = F.lit("*")
    arrivals = [
        _post_arrivals(tables["posts"].sparkSession, made),
        _arrivals(tables["profiles"], "profiles", whole, F.lit(-1)),
        _arrivals(tables["requests"], "requests", whole, _arrived(made)),
        _arrivals(tables["objections"], "objections", F.col("channel"), _arrived(made)),
    ]
    in_turn = Window.partitionBy("feed", "channel").orderBy("delivery")
    watermark = F.lit(micros(made.as_of)) + F.when(F.col("delivery") < 0, -DAY).otherwise(F.col("delivery") * HOUR)
    deliveries = (
        reduce(DataFrame.unionByName, arrivals)
        .withColumn("delivery", F.explode(F.sequence(F.col("arrival"), F.lit(made.wave))))
        .groupBy("feed", "channel", "delivery")
        .agg(F.sum("rows").alias("row_count"))
        .withColumn("first_seq", F.coalesce(F.lag("row_count").over(in_turn), F.lit(0)) + 1)
        .withColumn("last_seq", F.col("row_count"))
        .withColumn("watermark", as_time(watermark))
        .withColumn("recorded_at", F.col("watermark"))
    )
    return as_contract(deliveries, "feeds")


def _post_arrivals(spark: SparkSession, made: World) -> DataFrame:
    """How many posts came with each delivery; known without counting them."""
    last_day = made.posts // 500
    rows = F.when(F.col("id") < 0, made.posts - last_day).when(F.col("id") == 0, last_day).otherwise(made.new_posts)
    return spark.range(-1, made.wave + 1).select(
        F.lit("posts").alias("feed"),
        F.lit("*").alias("channel"),
        F.col("id").cast("int").alias("arrival"),
        rows.cast("bigint").alias("rows"),
    )


def _arrivals(rows: DataFrame, feed: str, channel: Column, arrival: Column) -> DataFrame:
    counted = rows.groupBy(channel.alias("channel"), arrival.alias("arrival")).agg(F.count(F.lit(1)).alias("rows"))
    return counted.select(F.lit(feed).alias("feed"), "channel", "arrival", "rows")


def _arrived(made: World) -> Column:
    """With which delivery a row came: -1 a day before the first export, 0 with it, then by waves."""
    since = F.unix_micros("received_at") - micros(made.as_of)
    return F.when(since <= -DAY, -1).otherwise(F.greatest(F.ceil(since / HOUR), F.lit(0))).cast("int")


def _checked(made: World) -> World:
    if not 1 <= made.posts <= MOST_POSTS:
        raise ConfigError(f"--posts: found {made.posts}; a world has 1 to {MOST_POSTS} posts.")
    if made.wave < 0:
        raise ConfigError(f"--wave: found {made.wave}; expected 0 (the first export) or more (hours after it).")
    if made.as_of.tzinfo is None or made.as_of < EARLIEST:
        raise ConfigError(f"--as-of: found {made.as_of}; expected a time with a zone, {EARLIEST.year} or later.")
    return made


def _holds_files(spark: SparkSession, folder: str) -> bool:
    listing = spark.read.format("binaryFile").option("recursiveFileLookup", "true")
    try:
        return not listing.load(folder).select("path").isEmpty()
    except AnalysisException as absent:
        if absent.getCondition() == "PATH_NOT_FOUND":
            return False
        raise


def _write(frame: DataFrame, name: str, out: str, kind: str) -> int:
    with step(f"writing {name}"):
        try:
            frame.write.format(kind).mode("errorifexists").save(f"{out}/{name}")
        except (Py4JJavaError, PySparkException) as failed:
            why = str(getattr(failed, "java_exception", failed)).splitlines()[0]
            raise ConfigError(f"{out}/{name} cannot be written: {why}") from None
        reader = frame.sparkSession.read.format(kind)
        return (reader if kind == "delta" else reader.schema(frame.schema)).load(f"{out}/{name}").count()
