"""An invented UK world of any size: people, posts, objections, and what is planted in them; for demos and benchmarks.

Every row is made from its number alone, by hashes and arithmetic: no join, no exchange of rows, nothing made in Python.
`world.toml` says what is drawn for a row and `tables.toml` what becomes of it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial, reduce
from pathlib import Path

from py4j.protocol import Py4JJavaError
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from corpus import schemas
from corpus.abreast import abreast
from corpus.cluster import require_shared
from corpus.errors import ConfigError, nearest
from corpus.inputs import as_contract
from corpus.progress import step
from corpus.schemas import INPUTS, columns
from corpus.synth.draws import DAY, HOUR, World, micros, only_columns, with_columns, with_draws

FORMATS = ("delta", "parquet", "json")
MOST_POSTS = 5_000_000_000
ROWS_PER_TASK = 500_000
EARLIEST = datetime(2012, 1, 1, tzinfo=UTC)
UNRESOLVED_EVERY = 40_000
"""One objection in so many accounts names nobody: less than one in 1,000 objections, where a build still passes."""

LETTERS = {
    "post_id": "p", "account_id": "a", "person_id": "u", "link_group_id": "g", "ruling_id": "r", "withdraws": "o",
    "reshared_from": "p", "reply_to": "p", "copy_of": "p", "coauthor_ids": "a", "mentions": "a", "tags": "a",
}  # fmt: skip
"""How the ids in a column begin, before ten digits."""
TRUTH = "post_id STRING, planted STRING, copy_of STRING"


def world(  # noqa: PLR0913 (all that decides a world)
    spark: SparkSession,
    *,
    posts: int,
    seed: int,
    as_of: datetime,
    wave: int = 0,
    in_place: bool = False,
    accounts: int | None = None,
) -> dict[str, DataFrame]:
    """The input tables of the contract, as exported `wave` hours after `as_of`, and the table `truth`; all lazy.

    The same arguments give the same rows. A later wave holds the rows of the earlier ones, changed ones with a later
    `recorded_at`. The totals in `feeds` are those after an ingest, which keeps one row a key; `in_place`, those of the
    rows as they are. There are a tenth as many `accounts` as posts, unless it says how many.
    Raises ConfigError for a size, time or wave that no world can have.
    """
    made = _checked(World(posts, seed, as_of, wave, accounts))
    people = spark.range(made.accounts).toDF("account").transform(_with_people, made)
    drafts = _drafts(spark, made)
    sent = people.crossJoin(spark.range(2).toDF("turn")).transform(with_columns, made, "notice").where("is_sent")
    linked = people.where("role IN ('linked_calm', 'linked', 'unlinked')")
    tables = {
        "posts": drafts.transform(_with_text, made).transform(_as_rows, made, "posts"),
        "profiles": people.where("role != 'no_profile'").transform(_as_rows, made, "profiles"),
        "objections": _objections(people, made),
        "links": linked.transform(_as_rows, made, "links"),
        "notices": sent.transform(_as_rows, made, "notices"),
        "requests": _requests(people, made),
    }
    truth = drafts.where("NOT is_second_twin").transform(with_columns, made, "outcome")
    contract = {table: as_contract(rows, table) for table, rows in tables.items()}
    return contract | {
        "feeds": feeds(contract, made, in_place),
        "truth": truth.transform(_as_rows, made, "truth", TRUTH),
    }


def write_world(frames: dict[str, DataFrame], out: str | Path, *, format: str) -> dict[str, int]:  # noqa: A002 (Spark's)
    """Writes each table into its own folder of `out`; the rows of each.

    Raises ConfigError for an unknown format, or an `out` that holds files or cannot be written.
    """
    if format not in FORMATS:
        known = ", ".join(FORMATS)
        raise ConfigError(f"--format: there is no format '{format}'{nearest(format, FORMATS)}; there are: {known}.")
    spark = next(iter(frames.values())).sparkSession
    if _holds_files(spark, str(out)):
        raise ConfigError(
            f"The folder {out} is not empty, and a world is only written into a new one: name another, or remove it."
        )
    require_shared(spark, out)
    return abreast(lambda name: _write(frames[name], name, str(out), format), frames)


def feeds(tables: dict[str, DataFrame], made: World, in_place: bool) -> DataFrame:
    """One row per delivery of a whole table or an objection channel: a day before the first export, then each hour."""
    since = F.unix_micros("received_at") - micros(made.as_of)
    arrived = F.when(since <= -DAY, -1).otherwise(F.greatest(F.ceil(since / HOUR), F.lit(0))).cast("int")
    repeated = {table: 0 if in_place else rows for table, rows in made.twins.items()}
    arrivals = [
        _post_arrivals(tables["posts"].sparkSession, made, repeated["posts"]),
        _arrivals(tables["profiles"], "profiles", F.lit(-1)).withColumn("rows", F.col("rows") - repeated["profiles"]),
        _arrivals(tables["requests"], "requests", arrived),
        _arrivals(tables["objections"], "objections", arrived, F.col("channel")),
    ]
    in_turn = Window.partitionBy("feed", "channel").orderBy("delivery")
    watermark = F.lit(micros(made.as_of)) + F.when(F.col("delivery") < 0, -DAY).otherwise(F.col("delivery") * HOUR)
    deliveries = (
        reduce(DataFrame.unionByName, arrivals)
        .withColumn("delivery", F.explode(F.sequence(F.col("arrival"), F.lit(made.wave))))
        .groupBy("feed", "channel", "delivery")
        .agg(F.sum("rows").alias("row_count"))
        .withColumn("first_seq", F.coalesce(F.lag("row_count").over(in_turn), F.lit(0)) + 1)
        .withColumns({"last_seq": F.col("row_count"), "watermark": F.timestamp_micros(watermark)})
        .withColumn("recorded_at", F.col("watermark"))
    )
    return as_contract(deliveries, "feeds")


def _with_people(rows: DataFrame, made: World) -> DataFrame:
    """Adds what the account with the number `account` is, and what became of it."""
    paired = rows.withColumn("pair", F.shiftright("account", 1))
    drawn = paired.transform(with_draws, made, "pair", "pair").transform(with_draws, made, "account", "account")
    return drawn.transform(with_columns, made, "account")


def _numbered(numbers: DataFrame, made: World) -> DataFrame:
    """Adds to post numbers their kind by slot and their times."""
    return numbers.transform(with_draws, made, "number", "number").transform(with_columns, made, "number")


def _drafts(spark: SparkSession, made: World) -> DataFrame:
    """One row per post: its kind, source, author with role, surface, language, and what a wave does to it."""
    numbers = spark.range(0, made.all_posts, 1, max(2, made.all_posts // ROWS_PER_TASK)).toDF("number")
    drawn = numbers.transform(_numbered, made).transform(with_draws, made, "post", "number")
    return drawn.transform(with_columns, made, "draft").transform(_with_people, made)


def _with_text(drafts: DataFrame, made: World) -> DataFrame:
    return drafts.transform(with_draws, made, "text", "text_number").transform(with_columns, made, "text")


def _objections(accounts: DataFrame, made: World) -> DataFrame:
    """One row per event: objections by people, their withdrawals, objections to single posts, a few by nobody."""
    spark, objecting = accounts.sparkSession, accounts.where("objects_itself")
    nobodies = spark.range(9_000_000_000, 9_000_000_000 + made.accounts // UNRESOLVED_EVERY).toDF("number")
    events = [
        objecting.transform(_as_rows, made, "objections"),
        objecting.where("withdrawn IS NOT NULL").transform(_as_rows, made, "withdrawals", INPUTS["objections"]),
        _planted(spark, made, "objected").transform(_as_rows, made, "objections_to_posts", INPUTS["objections"]),
        nobodies.transform(_numbered, made).transform(_as_rows, made, "objections_by_nobody", INPUTS["objections"]),
    ]
    return reduce(lambda some, more: some.unionByName(more, allowMissingColumns=True), events)


def _requests(accounts: DataFrame, made: World) -> DataFrame:
    """One row per request: about accounts, and about single posts."""
    of_accounts = accounts.where("role IN ('erased', 'reported')").transform(_as_rows, made, "requests")
    about_posts = _planted(accounts.sparkSession, made, "requested")
    of_posts = about_posts.transform(_as_rows, made, "requests_about_posts", INPUTS["requests"])
    return of_accounts.unionByName(of_posts, allowMissingColumns=True)


def _planted(spark: SparkSession, made: World, kind: str) -> DataFrame:
    """One row per post of a kind that needs nothing to refer to."""
    return spark.range(made.all_posts).toDF("number").transform(_numbered, made).where(F.col("own_kind") == kind)


def _as_rows(rows: DataFrame, made: World, heading: str, ddl: str | None = None) -> DataFrame:
    """The columns that tables.toml has under this heading: numbers as ids, microseconds as times."""
    raw = rows.transform(only_columns, made, heading)
    return raw.select(*(_value(c).alias(c.name) for c in columns(ddl or INPUTS[heading]) if c.name in raw.columns))


def _value(c: schemas.Column) -> Column:
    if c.type == "TIMESTAMP":
        return F.timestamp_micros(c.name)
    if c.name not in LETTERS:
        return F.col(c.name)
    return F.transform(c.name, partial(_id, c.name)) if c.type.startswith("ARRAY") else _id(c.name, F.col(c.name))


def _id(name: str, number: Column) -> Column:
    return F.concat(F.lit(LETTERS[name]), F.lpad(number.cast("string"), 10, "0"))


def _post_arrivals(spark: SparkSession, made: World, repeated: int) -> DataFrame:
    """How many posts came with each delivery; known without counting them."""
    last_day = made.posts // 500
    first = made.posts - last_day - repeated
    rows = F.when(F.col("id") < 0, first).when(F.col("id") == 0, last_day).otherwise(made.new_posts)
    numbers = spark.range(-1, made.wave + 1).withColumns({"channel": F.lit("*"), "feed": F.lit("posts")})
    return numbers.select(
        "feed", "channel", F.col("id").cast("int").alias("arrival"), rows.cast("bigint").alias("rows")
    )


def _arrivals(rows: DataFrame, feed: str, arrival: Column, channel: Column | None = None) -> DataFrame:
    by = (F.lit("*") if channel is None else channel).alias("channel"), arrival.alias("arrival")
    return rows.groupBy(*by).agg(F.count("*").alias("rows")).withColumn("feed", F.lit(feed))


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
