"""Sources: what a source file may say, what it may not, and what a build reads of it."""

from __future__ import annotations

import os
import re
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from corpus.errors import ConfigError, SourceError
from corpus.sources import PIN_ORDER, Source, _kept_for, pin, read_inputs, read_source, retention_warnings

ROOT = Path(__file__).parent.parent

POSTS = """id BIGINT, author STRING, body STRING, created_at STRING, deleted_at STRING, parts ARRAY<BIGINT>,
    recorded_at TIMESTAMP"""
PROFILES = "account_id STRING, country STRING, birth_date TIMESTAMP"
OBJECTIONS = "objection_id STRING, subject_type STRING, subject_id STRING, status STRING, received_at STRING"
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables of somebody else: posts and profiles by path, objections in the catalog; and a folder that is no table."""
    folder = tmp_path_factory.mktemp("lake")
    _write(spark, POSTS, [(1, " a1 ", "first", "2026-01-01T10:00:00Z", None, [7], NOON)], folder / "posts")
    _write(spark, PROFILES, [("a1", " gb ", NOON)], folder / "profiles")
    spark.sql("CREATE DATABASE IF NOT EXISTS law")
    spark.sql(f"CREATE TABLE law.objections ({OBJECTIONS}) USING delta")
    spark.range(1).write.parquet(str(folder / "parquet"))
    return folder


def _write(spark: SparkSession, ddl: str, rows: list[tuple[object, ...]], path: Path) -> None:
    spark.createDataFrame(rows, ddl).write.format("delta").mode("append").save(str(path))


def _source(folder: Path, posts: str = "", columns: str = "", profiles: str = "", more: str = "") -> str:
    """A source file over the tables of `lake`, with some of it said otherwise."""
    return f"""
        name = "social"
        [posts]
        {posts or f'path = "{folder}/posts"'}
        [posts.columns]
        post_id = "CAST(id AS STRING)"
        account_id = "author"
        coauthor_ids = "parts"
        mentions = "array()"
        {columns}
        [profiles]
        path = "{folder}/profiles"
        [profiles.columns]
        birth_date = "CAST(birth_date AS DATE)"
        {profiles}
        [objections]
        table = "law.objections"
        {more}
    """


def _read(text: str, folder: Path) -> Source:
    path = folder / f"source{time.monotonic_ns()}.toml"
    path.write_text(text, encoding="utf-8")
    return read_source(path)


@pytest.mark.parametrize("path", sorted((ROOT / "conf/sources").glob("*.toml")), ids=lambda path: path.stem)
def test_every_source_that_comes_with_the_project_is_valid(path: Path) -> None:
    assert read_source(path).tables


MISTAKES = {  # text before the other tables, and the message
    "unknown key": ('[posts]\npaht = "x"', r"'posts.0.paht' is not a known key \(did you mean 'path'\?\)"),
    "unknown table": ('[profile]\npath = "x"', r"'profile' is not a known key \(did you mean 'profiles'\?\)"),
    "required table": ("", "'posts' is missing"),
    "two places": ('[posts]\npath = "x"\ntable = "y"', "exactly one of path .* and files; found path and table"),
    "no place": ('[posts]\nwhere = "true"', "found none of them"),
    "no format": ('[posts]\nfiles = "x"', "`files` needs a `format`"),
    "other format": ('[posts]\nfiles = "x"\nformat = "avro"', "'posts.0.format': found 'avro'"),
    "no store": ('[posts]\nfiles = "x"\nformat = "csv"', "the source needs `store`"),
    "unknown column": (
        '[posts]\npath = "x"\n[posts.columns]\nacount_id = "a"',
        r"'acount_id' is not a column of posts \(did you mean 'account_id'\?\); they are: post_id, account_id",
    ),
    "vanishing rows": (
        'store = "s"\n[posts]\nfiles = "x"\nformat = "csv"\noptions = {MODE = "DROPMALFORMED"}',
        "the option 'MODE' is not for a source to set",
    ),
    "several tables": ('[[posts]]\npath = "x"\n[[posts]]\npath = "y"', "only files may come from several places"),
    "no TOML": ("[posts", "is not TOML"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_a_source_file_is_named(text: str, message: str, tmp_path: Path) -> None:
    rest = "".join(f'\n[{table}]\npath = "x"' for table in ("profiles", "objections"))
    if text:
        rest += "" if "[posts" in text or "[[posts" in text else '\n[posts]\npath = "x"'
    with pytest.raises(ConfigError, match=message):
        _read('name = "s"\n' + text + rest, tmp_path)


def test_a_source_file_that_is_not_there_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "social.toml").touch()
    with pytest.raises(ConfigError, match=r"There is no source file .*socal.toml \(did you mean 'social.toml'\?\)"):
        read_source(tmp_path / "socal.toml")


WRONG = {
    "no such path": ({"posts": 'path = "/nowhere/posts"'}, r"\[posts\]: there is no Delta table at /nowhere/posts"),
    "no Delta": ({"posts": 'path = "{lake}/parquet"'}, "there is no Delta table at .*parquet"),
    "no such table": ({"posts": 'table = "law.nothing"'}, r"\[posts\]: there is no table 'nothing' in law"),
    "not ingested": ({"posts": 'files = "x"\nformat = "csv"'}, "made of files. Run `corpus ingest` on it first"),
    "no such column": (
        {"columns": 'text = "lower(bdy)"'},
        r"posts.text = `lower\(bdy\)` names `bdy`, which is not there \(did you mean 'body'\?\)\. The columns are: i",
    ),
    "does not parse": (
        {"columns": 'text = "lower(body"'},
        r"posts.text = `lower\(body` does not parse: .* end of input",
    ),
    "unknown function": ({"columns": 'text = "lwr(body)"'}, r"posts.text = `lwr\(body\)` is not understood: .*`lwr`"),
    "wrong type": (
        {"columns": 'created_at = "id"'},
        "posts.created_at = `id` is BIGINT, where the contract has TIMESTAMP .made from timestamp or .* or string",
    ),
    "wrong type by name": (
        {"profiles": 'account_id = "birth_date"'},
        "profiles.account_id = `birth_date` is TIMESTAMP",
    ),
    "a clock": (
        {"columns": 'recorded_at = "current_timestamp()"'},
        "uses `current_timestamp`, which may give another value",
    ),
    "a table that is not pinned": ({"columns": 'lang = "(SELECT max(author) FROM t)"'}, r"lang = .* uses `\(SELECT`"),
    "an aggregate": ({"columns": 'lang = "max(author)"'}, "the expressions of posts do not go together"),
    "an empty expression": ({"columns": 'lang = ""'}, "posts.lang = `` is not understood"),
    "no key": (
        {"columns": "", "profiles": "", "more": '[links]\npath = "{lake}/profiles"'},
        "links has no link_group_id",
    ),
    "bad condition": ({"posts": 'path = "{lake}/posts"\nwhere = "idd > 1"'}, r"posts.where = `idd > 1` names `idd`"),
}


@pytest.mark.parametrize(("parts", "message"), WRONG.values(), ids=WRONG)
def test_an_input_that_cannot_be_read_is_a_clear_error(
    parts: dict[str, str], message: str, spark: SparkSession, lake: Path, tmp_path: Path
) -> None:
    text = _source(lake, **{name: part.replace("{lake}", str(lake)) for name, part in parts.items()})
    source = _read(text.replace('name = "social"', 'name = "social"\nstore = "nowhere"'), tmp_path)
    with pytest.raises(SourceError, match=message):
        read_inputs(spark, source, pin(spark, source))


def test_an_absent_column_is_absent_and_an_absent_table_too(spark: SparkSession, lake: Path, tmp_path: Path) -> None:
    source = _read(_source(lake), tmp_path)
    absent = read_inputs(spark, source, pin(spark, source)).absent
    assert ("posts", "text") in absent
    assert ("notices", "*") in absent
    assert not {("posts", "mentions"), ("posts", "created_at"), ("profiles", "email_hash")} & absent


def test_a_build_reads_the_version_that_was_pinned_and_nothing_newer(
    spark: SparkSession, lake: Path, tmp_path: Path
) -> None:
    source = _read(_source(lake), tmp_path)
    pins = pin(spark, source)
    _write(spark, PROFILES, [("a2", "GB", NOON)], lake / "profiles")
    profiles = read_inputs(spark, source, pins).profiles.select("account_id", "country").collect()
    assert [tuple(row) for row in profiles] == [("a1", "GB")]
    assert [*pins] == ["posts", "profiles", "objections"]
    assert pins["profiles"].rows == 1


def test_people_are_pinned_after_posts_and_what_they_have_said_last() -> None:
    assert PIN_ORDER[0] == "posts"
    assert PIN_ORDER[-2:] == ("objections", "requests")


def test_a_value_that_does_not_fit_leaves_a_row_that_can_only_exclude(
    spark: SparkSession, lake: Path, tmp_path: Path
) -> None:
    rows = [
        ("fits", "2026-01-01T10:00:00+01:00", None, ["7"], datetime(2026, 1, 1, 9)),
        ("no such day", "2026-02-30", None, None, None),
        ("today at noon, says Spark", "12:00", None, None, None),
        ("deleted, but when?", "2026-01-01T10:00:00Z", "yesterday", None, None),
        ("null is no misfit", None, None, ["7"], None),
    ]
    posts = [(n, name, "text", created, deleted, [7], NOON) for n, (name, created, deleted, *_) in enumerate(rows)]
    _write(spark, POSTS, list(posts), tmp_path / "posts")
    source = _read(_source(lake, posts=f'path = "{tmp_path}/posts"', columns='text = "body"'), tmp_path)
    read = read_inputs(spark, source, pin(spark, source)).posts.select(
        "account_id", "coauthor_ids", "created_at", "text"
    )
    found = {row.account_id: (row.coauthor_ids, row.created_at, row.text) for row in read.collect()}
    assert found == {name: (*kept, "text" if kept[0] else None) for name, _, _, *kept in rows}


def test_a_table_that_was_replaced_since_it_was_pinned_is_refused(
    spark: SparkSession, lake: Path, tmp_path: Path
) -> None:
    source = _read(_source(lake), tmp_path)
    pins = pin(spark, source)
    before = pins | {"profiles": replace(pins["profiles"], table_id="another")}
    with pytest.raises(SourceError, match="profiles is no longer the table that was pinned"):
        read_inputs(spark, source, before)


@pytest.mark.parametrize("in_commit", [True, False])
def test_the_newest_version_opens_at_any_age_and_an_older_one_until_its_pin_says(
    in_commit: bool, spark: SparkSession, lake: Path, tmp_path: Path
) -> None:
    table = tmp_path / "profiles"
    spark.conf.set("spark.databricks.delta.properties.defaults.enableInCommitTimestamps", str(in_commit).lower())
    _write(spark, PROFILES, [("a1", "GB", NOON)], table)
    spark.conf.unset("spark.databricks.delta.properties.defaults.enableInCommitTimestamps")
    _make_older(spark, table, timedelta(days=30))
    source = _read(_source(lake).replace(f"{lake}/profiles", str(table)), tmp_path)
    pins = pin(spark, source)
    profiles = pins["profiles"]
    assert timedelta(days=30) < datetime.now(UTC) - profiles.committed_at < timedelta(days=31)
    assert profiles.opens_until == profiles.committed_at + timedelta(days=7)
    assert read_inputs(spark, source, pins).profiles.first() is not None

    _write(spark, PROFILES, [("a2", "GB", NOON)], table)
    with pytest.raises(
        SourceError, match=r"version 0 of .*profiles cannot be read. .*beyond delta\.deletedFileRetention"
    ):
        read_inputs(spark, source, pins)


def _make_older(spark: SparkSession, table: Path, age: timedelta) -> None:
    """Moves every commit of a table into the past, as notes on Delta say: by its file's time and by its own record."""
    past = time.time() - age.total_seconds()
    for commit in (table / "_delta_log").glob("*.json"):
        text = commit.read_text(encoding="utf-8")
        commit.write_text(re.sub(r'"inCommitTimestamp":\d+', f'"inCommitTimestamp":{int(past * 1000)}', text))
        os.utime(commit, (past, past))
    for checksum in (table / "_delta_log").glob("*.crc"):
        checksum.unlink()
    spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()  # type: ignore[union-attr]


RETENTIONS = {  # what the table says of files and of the log, and whether old logs are cleaned: days
    "Delta's defaults": (None, None, None, 7),
    "both long": ("interval 4000 days", "interval 4000 days", None, 4000),
    "log shorter": ("interval 60 days", "interval 5 weeks", None, 35),
    "log never cleaned": ("interval 60 days", None, "false", 60),
}


@pytest.mark.parametrize(("files", "log", "cleaned", "days"), RETENTIONS.values(), ids=RETENTIONS)
def test_a_version_opens_as_long_as_files_and_log_are_kept(
    files: str | None, log: str | None, cleaned: str | None, days: int
) -> None:
    keys = ("deletedFileRetentionDuration", "logRetentionDuration", "enableExpiredLogCleanup")
    said = {f"delta.{key}": value for key, value in zip(keys, (files, log, cleaned), strict=True) if value}
    assert _kept_for(said) == timedelta(days=days)


def test_a_retention_shorter_than_the_policy_wants_warns(spark: SparkSession, lake: Path, tmp_path: Path) -> None:
    pins = pin(spark, _read(_source(lake), tmp_path))
    short, ample = retention_warnings(pins, 8), retention_warnings(pins, 7)
    assert [warning.split(":")[0] for warning in short] == ["posts", "profiles", "objections"]
    assert "7 days after its commit, where the policy wants 8" in short[0]
    assert ample == []
