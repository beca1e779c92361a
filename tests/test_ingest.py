"""Ingest: the same file twice changes nothing, every row is accounted for, bad files stop it before it writes."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from chispa import assert_df_equality
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from corpus.arrivals import OUTCOMES, as_arriving, as_held, with_outcome
from corpus.errors import ConfigError, Conflict, SourceError
from corpus.ingest import Counted, _carried_out, _planned, foreseen, ingest, quarantine_warnings
from corpus.schemas import KEYS, REQUIRED_INPUTS
from corpus.sources import Place, Source, pin, read_inputs

Line = dict[str, Any]

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
POST = {"post_id": "p1", "account_id": "a1", "text": "one", "recorded_at": "2026-01-01T00:00:00Z"}
PROFILE = {"account_id": "a1", "country": "gb", "recorded_at": "2026-01-01T00:00:00Z"}
OBJECTION = {"objection_id": "o1", "subject_id": "a1", "status": "received", "recorded_at": "2026-01-01T00:00:00Z"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one row for each required table, as JSON lines."""
    for table, row in (("posts", POST), ("profiles", PROFILE), ("objections", OBJECTION)):
        write_lines(tmp_path / table, [row])
    return tmp_path


def write_lines(folder: Path, *files: Iterable[Line | str]) -> None:
    """Makes these the files of a folder: JSON lines, or whatever the text says."""
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for number, rows in enumerate(files):
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        (folder / f"{number}.json").write_text("\n".join(lines), encoding="utf-8")


def source_of(folder: Path, **tables: dict[str, Any]) -> Source:
    """A source of posts in JSON lines, laid out as the contract; `tables` says what is otherwise, or else in files."""
    elsewhere = {table: {"path": "nowhere"} for table in ("profiles", "objections")}
    in_files = {
        table: {"files": f"{folder}/{table}", "format": "json", "schema": "contract"} | said
        for table, said in ({"posts": dict[str, Any]()} | tables).items()
    }
    return Source.model_validate({"name": "files", "store": f"{folder}/store", **elsewhere, **in_files})


def figures(counted: list[Counted], table: str) -> tuple[int, ...]:
    found = next(c for c in counted if c.table == table)
    return found.rows_in, found.stored, found.replaced, found.quarantined, found.already_there, found.version


def stored(spark: SparkSession, folder: Path, table: str) -> DataFrame:
    return spark.read.format("delta").load(f"{folder}/store/{table}")


def test_the_same_files_twice_change_nothing(spark: SparkSession, folder: Path) -> None:
    twins = [POST | {"post_id": "p3", "text": text} for text in ("heads", "tails")]
    misfits: list[Line | str] = [POST | {"post_id": "p2", "recorded_at": "soon"}, "{half", {"post_id": " N/A"}]
    write_lines(folder / "posts", [POST, *twins, *misfits], [POST])
    coming = foreseen(spark, source_of(folder))
    assert not (folder / "store").exists()
    first, second = ingest(spark, source_of(folder)), ingest(spark, source_of(folder))
    assert figures(coming, "posts") == (7, 2, 0, 4, 1, 0)
    assert figures(first, "posts") == (7, 2, 0, 4, 1, 1)
    assert figures(second, "posts") == (7, 0, 0, 4, 3, 1)

    kept = stored(spark, folder, "quarantine").collect()
    assert Counter(row.reason for row in kept) == {
        "recorded_at: not of the contract's type": 1,
        "differs from another row with the same key and recorded_at": 1,
        "malformed record": 1,
        "no post_id": 1,
    }
    assert {Path(row.file).name for row in kept} == {"0.json"}
    assert [json.loads(row.row)["_corrupt_record"] for row in kept if row.reason == "malformed record"] == ["{half"]
    assert len(list((folder / "store/quarantine/_delta_log").glob("*.json"))) == 2


def test_stored_tables_keep_their_past_and_their_log_says_nothing_about_people(
    spark: SparkSession, folder: Path
) -> None:
    ingest(spark, source_of(folder).model_copy(update={"retention_days": 400}))
    commits = sorted((folder / "store/posts/_delta_log").glob("*.json"))
    created, written = ([json.loads(line) for line in path.read_text().splitlines()] for path in commits)
    assert next(entry["metaData"]["configuration"] for entry in created if "metaData" in entry) == {
        "delta.enableDeletionVectors": "false",
        "delta.enableInCommitTimestamps": "true",
        "delta.deletedFileRetentionDuration": "interval 400 days",
        "delta.logRetentionDuration": "interval 400 days",
        "delta.enableExpiredLogCleanup": "false",
        "delta.dataSkippingStatsColumns": "recorded_at",
    }
    assert not any("add" in entry for entry in created)
    statistics = [json.loads(entry["add"]["stats"]) for entry in written if "add" in entry]
    assert [set(of_file["minValues"]) for of_file in statistics] == [{"recorded_at"}]


def test_a_build_reads_what_was_ingested(spark: SparkSession, folder: Path) -> None:
    mapped = {"columns": {"country": "concat(' ', country)", "person_id": "'N/A'"}}
    source = source_of(folder, profiles=mapped, objections={})
    ingest(spark, source)
    inputs = read_inputs(spark, source, pin(spark, source))
    expected = spark.createDataFrame([("a1", "GB", None)], "account_id STRING, country STRING, person_id STRING")
    assert_df_equality(inputs.profiles.select(expected.columns), expected, ignore_nullable=True)
    assert ("links", "*") in inputs.absent


def test_a_column_that_one_of_several_places_lacks_is_absent(spark: SparkSession, folder: Path) -> None:
    write_lines(folder / "more", [POST | {"post_id": "p2", "deleted_at": "2026-01-01T00:00:00Z"}])
    places = [
        {"files": f"{folder}/posts", "format": "json", "schema": "post_id STRING, text STRING, recorded_at STRING"},
        {"files": f"{folder}/more", "format": "json"},
    ]
    posts = [Place.model_validate(place) for place in places]
    source = source_of(folder).model_copy(update={"posts": posts})
    assert figures(ingest(spark, source), "posts") == (2, 2, 0, 0, 0, 1)
    assert stored(spark, folder, "posts").columns == ["post_id", "text", "recorded_at"]


def half_a_parquet_file(spark: SparkSession, posts: Path) -> None:
    spark.createDataFrame([POST] * 50).repartition(2).write.parquet(str(posts / "parquet"))
    last = max((posts / "parquet").glob("*.parquet"))
    last.write_bytes(last.read_bytes()[: last.stat().st_size // 2])
    (last.parent / f".{last.name}.crc").unlink()


def columns_in_two_orders(spark: SparkSession, posts: Path) -> None:
    (posts / "1.csv").write_text("post_id,text\np1,one\n")
    (posts / "2.csv").write_text("text,post_id\np1,one\n")


def text_of(name: str, text: str) -> Callable[[SparkSession, Path], object]:
    return lambda _, posts: (posts / name).write_text(text)


XML = {
    "files": "{posts}/p.xml",
    "format": "xml",
    "schema": "_Id STRING",
    "options": {"rowTag": "row"},
    "columns": {"post_id": "_Id"},
}

STOPS: dict[
    str, tuple[Callable[[SparkSession, Path], object], dict[str, Any], str]
] = {  # what is made in the folder of the posts, what the source says of them, the message
    "a half-written Parquet file": (
        half_a_parquet_file,
        {"files": "{posts}/parquet", "format": "parquet", "schema": None},
        r"\[posts\]: .*The file \S+/parquet/part-00001\S+\.parquet is damaged, half-written",
    ),
    "no file": (text_of("x", ""), {"files": "{posts}/*.jsonl"}, r"Path does not exist: \S+/posts/\*\.jsonl"),
    "CSV columns in another order": (
        columns_in_two_orders,
        {"files": "{posts}/*.csv", "format": "csv", "schema": None},
        r"The file \S+/posts/2\.csv is .*laid out otherwise: CSV header does not conform",
    ),
    "malformed XML": (
        text_of("p.xml", "<posts><row Id='1'/><row Id=></posts>"),
        XML,
        r"The file \S+/posts/p\.xml is damaged",
    ),
    "XML cut inside its last element": (
        text_of("p.xml", "<posts>\n<row Id='1'/>\n<row Id='2' Te"),
        XML,
        r"The file \S+/posts/p\.xml is half-written: it ends with .*<row Id='2' Te",
    ),
    "XML cut after an element": (
        text_of("p.xml", "<posts>\n<row Id='1'/>\n<row Id='2'></row>\n"),
        XML,
        r"The file \S+/posts/p\.xml is half-written",
    ),
    "a cast that fails on a value": (
        text_of("x.json", ""),
        {"columns": {"created_at": "CAST(text AS TIMESTAMP)"}},
        r"An expression met a value that it cannot take \(CAST_INVALID_INPUT\); use try_cast",
    ),
    "an expression on a column that is not there": (
        text_of("x.json", ""),
        {"columns": {"text": "txt"}},
        r"posts.text = `txt` names `txt`, which is not there \(did you mean 'text'\?\)",
    ),
}


@pytest.mark.parametrize("case", STOPS)
def test_what_stops_an_ingest_is_named_and_nothing_is_written(case: str, spark: SparkSession, folder: Path) -> None:
    make, said, message = STOPS[case]
    make(spark, folder / "posts")
    posts = {key: value.format(posts=folder / "posts") if key == "files" else value for key, value in said.items()}
    with pytest.raises(SourceError, match=message):
        ingest(spark, source_of(folder, posts=posts))
    assert not (folder / "store").exists()


def test_files_that_gain_or_lose_a_column_are_refused(spark: SparkSession, folder: Path) -> None:
    ingest(spark, source_of(folder, posts={"schema": None}))
    write_lines(folder / "posts", [{"lang": "en", **POST, "post_id": "p2"} | {"account_id": "a2"}])
    with pytest.raises(SourceError, match=r"posts: the files now have lang, unlike the rows stored in \S+/store/posts"):
        ingest(spark, source_of(folder, posts={"schema": None}))
    assert stored(spark, folder, "posts").count() == 1


def test_a_source_without_files_has_nothing_to_ingest(spark: SparkSession) -> None:
    in_place = {table: {"path": "x"} for table in ("posts", "profiles", "objections")}
    with pytest.raises(ConfigError, match="has no files to ingest"):
        ingest(spark, Source.model_validate({"name": "s", **in_place}))


def test_another_ingest_in_between_is_a_conflict_and_loses_nothing(spark: SparkSession, folder: Path) -> None:
    source = source_of(folder)
    planned = _planned(spark, source, "posts")
    write_lines(folder / "posts", [POST | {"recorded_at": "2026-01-02T00:00:00Z"}])
    ingest(spark, source)
    with pytest.raises(
        Conflict, match=r"store/posts went from version None to 1 while files were read\. Run the ingest"
    ):
        _carried_out(spark, source, planned)
    assert [row.recorded_at.day for row in stored(spark, folder, "posts").collect()] == [2]


# The meaning of an ingest, row by row: a slow, plain oracle.


def outcomes(held: dict[tuple[Any, ...], Line], rows: list[Line], table: str) -> list[str]:
    """What becomes of each row, applied in the order of (recorded_at, content); `held` is the table, and changes."""
    found = {}
    for number, row in sorted(enumerate(rows), key=lambda pair: (in_time(pair[1]), pair[1]["content"])):
        found[number] = outcome(held, row, table)
    return [found[number] for number in range(len(rows))]


def outcome(held: dict[tuple[Any, ...], Line], row: Line, table: str) -> str:
    key = tuple(row[name] for name in KEYS[table])
    if row["reason"]:
        return "quarantined"
    if key not in held:
        held[key] = row
        return "stored"
    there = held[key]
    if table == "objections" and any(row[name] != there[name] for name in ("subject_id", "kind")):
        return "quarantined"
    if in_time(row) < in_time(there) or row["content"] == there["content"]:
        return "already_there"
    if in_time(row) == in_time(there):
        return "quarantined"
    held[key] = row
    return "replaced"


def in_time(row: Line) -> tuple[bool, datetime]:
    return row["recorded_at"] is not None, row["recorded_at"] or NEW_YEAR


COLUMNS_OF = {
    "posts": "post_id STRING, text STRING, recorded_at TIMESTAMP",
    "objections": "objection_id STRING, kind STRING, subject_id STRING, status STRING, recorded_at TIMESTAMP",
    "feeds": "feed STRING, channel STRING, row_count BIGINT, recorded_at TIMESTAMP",
}


def random_row(dice: random.Random, table: str) -> Line:
    row = {
        "post_id": f"p{dice.randrange(60)}",
        "text": dice.choice(["", "a", "b", None]),
        "objection_id": f"o{dice.randrange(60)}",
        "kind": dice.choice(["object", "object", "object", "withdraw"]),
        "subject_id": dice.choice(["a1", "a1", "a1", "a2", None]),
        "status": dice.choice(["received", "upheld", None]),
        "feed": dice.choice(["posts", "links"]),
        "channel": f"c{dice.randrange(30)}",
        "row_count": dice.randrange(2),
        "recorded_at": dice.choice([None, *(NEW_YEAR + timedelta(microseconds=n) for n in range(3))]),
    }
    if table == "feeds":
        row["recorded_at"] = row["recorded_at"] or NEW_YEAR
    return {column.split()[0]: row[column.split()[0]] for column in COLUMNS_OF[table].split(", ")}


@settings(max_examples=3, deadline=None, phases=[Phase.generate], suppress_health_check=[*HealthCheck])
@given(seed=st.integers(0, 10**9))
@pytest.mark.parametrize("table", COLUMNS_OF)
def test_every_row_comes_to_what_a_slow_oracle_says(spark: SparkSession, table: str, seed: int) -> None:
    dice = random.Random(seed)
    before = {tuple(row[key] for key in KEYS[table]): row for row in (random_row(dice, table) for _ in range(40))}
    rows = [random_row(dice, table) | {"reason": dice.choice([None] * 9 + ["bad"])} for _ in range(300)]

    names = [column.split()[0] for column in COLUMNS_OF[table].split(", ")]
    numbered = [{"reason": None, **row, "n": n, "raw": str(n)} for n, row in enumerate([*before.values(), *rows])]
    arriving = spark.createDataFrame(numbered, COLUMNS_OF[table] + ", reason STRING, raw STRING, n INT").transform(
        as_arriving, names
    )
    held = arriving.where(F.col("n") < len(before)).select(*names).transform(as_held, table, names)
    together = arriving.where(F.col("n") >= len(before)).unionByName(held, allowMissingColumns=True)
    found = together.transform(with_outcome, table).where(~F.col("held")).orderBy("n").collect()

    contents = [row.content for row in arriving.select("n", "content").orderBy("n").collect()]
    for row, content in zip([*before.values(), *rows], contents, strict=True):
        row["content"] = content
    assert [row.outcome for row in found] == outcomes(before, rows, table)
    survivors = sorted(row.content for row in found if row.survives)
    assert survivors == sorted(row["content"] for row in before.values() if "reason" in row)


def test_batches_come_to_the_same_however_they_are_split_into_files(spark: SparkSession, folder: Path) -> None:
    dice = random.Random(7)
    state: dict[str, str] = {}
    for batch in range(3):
        rows = [line(dice, n, batch) for n in range(300)]
        dice.shuffle(rows)
        write_lines(folder / "posts", *(rows[part :: batch + 1] for part in range(batch + 1)))
        counted = next(c for c in ingest(spark, source_of(folder)) if c.table == "posts")
        newest: dict[str, Line] = {}
        for row in rows:
            newest[row["post_id"]] = max(
                row, newest.get(row["post_id"], row), key=lambda each: str(each["recorded_at"])
            )
        stored_now = {key for key in newest if key not in state}
        replaced = {key for key in newest if key in state and str(newest[key]["recorded_at"]) > state[key]}
        state |= {key: str(newest[key]["recorded_at"]) for key in stored_now | replaced}
        assert counted.stored == len(stored_now)
        assert counted.rows_in == 300 == sum(getattr(counted, name) for name in OUTCOMES)
    found = stored(spark, folder, "posts").select(
        "post_id", F.date_format("recorded_at", "yyyy-MM-dd'T'HH:mm:ss'Z'"), "text"
    )
    assert {row[0]: row[1] for row in found.collect()} == state
    assert all(row[2] == f"{row[0]} at {row[1]}" for row in found.collect())


def line(dice: random.Random, number: int, batch: int) -> Line:
    """A row whose text follows from its key and time, so that nothing conflicts."""
    key, at = f"p{dice.randrange(200)}", f"2026-01-0{dice.randrange(1, 4) + batch}T00:00:00Z"
    return {"post_id": key, "recorded_at": at, "text": f"{key} at {at}"}


def test_quarantined_objections_are_said_to_keep_nobody_out() -> None:
    source = Source.model_validate({"name": "s", "store": "kept"} | {t: {"path": "t"} for t in REQUIRED_INPUTS})
    fine = Counted("posts", 4, 4, 0, 0, 0, 1)
    assert quarantine_warnings(source, [fine]) == []
    amiss = [replace(fine, quarantined=2), replace(fine, table="objections", quarantined=1)]
    assert quarantine_warnings(source, amiss) == [
        f"3 rows do not fit and do not count: {source.store}/quarantine holds them, each with its reason.",
        "1 of them are objections, which keep nobody out until they are mended.",
    ]
