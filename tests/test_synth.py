from __future__ import annotations

import re
import runpy
from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import pairwise
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from corpus import synth
from corpus.demo import _write_source
from corpus.errors import ConfigError
from corpus.facts import facts_of
from corpus.ingest import ingest
from corpus.inputs import Inputs, conformed
from corpus.keys import repeated
from corpus.pipeline import judge
from corpus.policy import Clock, read_policy
from corpus.reasons import Reason
from corpus.resolution import resolved_objections
from corpus.schemas import INPUTS, KEYS, input_columns
from corpus.sources import read_source
from corpus.synth.draws import MADE_OF

ROOT = Path(__file__).parent.parent
AS_OF = datetime(2026, 11, 20, tzinfo=UTC)
POSTS, SEED = 20_000, 7
World = dict[str, DataFrame]


@pytest.fixture(scope="module")
def waves(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> list[World]:
    """The first export and the one an hour later, written and read back."""
    folders = [tmp_path_factory.mktemp("exports") / f"wave-{wave}" for wave in (0, 1)]
    for wave, folder in enumerate(folders):
        made = synth.world(spark, posts=POSTS, seed=SEED, as_of=AS_OF, wave=wave)
        written = synth.write_world(made, folder, format="parquet")
        assert written["posts"] == POSTS + wave * POSTS // 100
    return [{table: spark.read.parquet(f"{folder}/{table}") for table in (*INPUTS, "truth")} for folder in folders]


def digest(rows: DataFrame) -> list[int]:
    """The same for the same rows in any order."""
    halves = (F.sum(F.pmod(F.xxhash64(*rows.columns, F.lit(half)), F.lit(2**40))) for half in (0, 1))
    return list(rows.agg(F.count(F.lit(1)), *halves).first() or [])


def test_the_same_arguments_give_the_same_rows_whatever_the_partitioning(
    spark: SparkSession, waves: list[World], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synth, "ROWS_PER_TASK", 3000)
    spark.conf.set("spark.sql.leafNodeDefaultParallelism", "5")
    try:
        again = synth.world(spark, posts=POSTS, seed=SEED, as_of=AS_OF)
        assert again["posts"].rdd.getNumPartitions() > 2
        for table in ("posts", "objections", "feeds"):
            assert digest(again[table]) == digest(waves[0][table])
    finally:
        spark.conf.unset("spark.sql.leafNodeDefaultParallelism")


def test_another_seed_gives_another_world_of_the_same_size(spark: SparkSession, waves: list[World]) -> None:
    rows, *hashes = digest(synth.world(spark, posts=POSTS, seed=SEED + 1, as_of=AS_OF)["links"])
    assert rows == waves[0]["links"].count()
    assert hashes != digest(waves[0]["links"])[1:]


def test_every_table_has_the_columns_of_the_contract(waves: list[World]) -> None:
    for table in INPUTS:
        assert [(c.name, c.type) for c in input_columns(table)] == [
            (field.name, field.dataType.simpleString().upper()) for field in waves[0][table].schema
        ]


def test_a_world_has_the_sizes_asked_for(waves: list[World]) -> None:
    sizes = {table: waves[0][table].count() for table in ("posts", "profiles", "truth")}
    without_profile = 2 * MADE_OF["roles"]["no_profile"][0]
    assert sizes == {"posts": POSTS, "profiles": POSTS // 10 - without_profile, "truth": POSTS - 1}


def test_shares_add_up_and_name_reasons() -> None:
    for table in ("roles", "kinds"):
        assert sum(slots for slots, *_ in MADE_OF[table].values()) == 1000
        outcomes = {outcome for _, *both in MADE_OF[table].values() for outcome in both}
        assert outcomes <= {reason.name for reason in Reason} | {"eligible", ""}


def test_every_reason_is_planted_but_what_would_stop_the_build(waves: list[World]) -> None:
    planted = {row.planted for row in waves[0]["truth"].select("planted").distinct().collect()}
    assert {reason.name for reason in Reason} - planted == {"PROFILE_CONFLICT"}
    assert planted - {reason.name for reason in Reason} <= {"eligible", None}


def test_repeated_keys_stay_where_a_build_passes(spark: SparkSession, waves: list[World]) -> None:
    inputs = Inputs(**{table: conformed(waves[0][table], table) for table in INPUTS})  # type: ignore[arg-type] # none absent
    facts = facts_of(inputs, resolved_objections(inputs))[()]
    shares = {table: facts.bad_keys[table] / facts.rows[table] for table in KEYS}
    assert shares == {table: 0.0001 if table == "posts" else 0.0 for table in KEYS}
    profiles = synth.world(spark, posts=400_000, seed=SEED, as_of=AS_OF)["profiles"]
    assert repeated(profiles, "account_id").count() == 1


def test_what_is_planted_is_what_the_rules_find_and_about_half_is_eligible(waves: list[World]) -> None:
    policy = read_policy(ROOT / "conf/policies/uk-social.toml")
    inputs = Inputs(**{table: conformed(waves[0][table], table) for table in INPUTS})  # type: ignore[arg-type] # none absent
    verdicts = judge(inputs, policy, Clock(cutoff=AS_OF, now=AS_OF))
    masks = F.create_map(*(F.lit(part) for reason in Reason for part in (reason.name, reason.mask)))
    reasons, mask = F.col("reasons"), F.coalesce(masks[F.col("planted")], F.lit(0))
    as_planted = F.when(mask == 0, reasons == 0).otherwise(reasons.bitwiseAND(mask) != 0)
    as_copied = F.col("kept_instead").eqNullSafe(F.col("copy_of"))
    is_certain = F.col("planted").isNotNull()
    found = (
        waves[0]["truth"]
        .join(verdicts, on="post_id", how="full")
        .agg(
            F.collect_list(F.when(is_certain & ~(as_planted & as_copied), F.struct("post_id", "planted"))).alias(
                "other"
            ),
            F.avg((reasons == 0).cast("int")).alias("eligible"),
            F.count_if(F.isnull("planted") | F.isnull("reasons")).alias("unmatched"),
        )
        .first()
    )
    assert found is not None
    assert found["other"] == []
    assert found["unmatched"] < POSTS / 1000
    assert 0.45 <= found["eligible"] <= 0.6


def test_copies_resemble_what_they_copy(waves: list[World]) -> None:
    texts = waves[0]["posts"].select("post_id", "text")
    copied = texts.select(F.col("post_id").alias("copy_of"), F.col("text").alias("original"))
    pairs = waves[0]["truth"].join(texts, on="post_id", how="inner").join(copied, on="copy_of", how="inner").collect()
    likeness = {"EXACT_DUPLICATE": 1.0, "NEAR_DUPLICATE": 0.8}
    unlike = [row for row in pairs if similarity(row.text, row.original) < likeness[row.planted]]
    assert len(pairs) > POSTS // 50
    assert not unlike


def similarity(one: str, other: str) -> float:
    """Jaccard over pairs of neighbouring words."""
    first, second = (set(pairwise(words)) for words in map(words_of, (one, other)))
    return len(first & second) / len(first | second)


def words_of(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def test_most_posts_are_by_few_and_one_text_is_everywhere(waves: list[World]) -> None:
    posts = waves[0]["posts"]
    by_author = sorted((row["count"] for row in posts.groupBy("account_id").count().collect()), reverse=True)
    assert sum(by_author[: len(by_author) // 10]) > POSTS * 0.45
    viral = posts.groupBy("text").count().orderBy(F.desc("count")).limit(4).collect()
    assert [row.text for row in viral if row["count"] > 100 and row.text] != []
    length = posts.agg(F.avg(F.length("text"))).first()
    assert length is not None
    assert 100 < length[0] < 130


@pytest.mark.parametrize(("wave", "in_place"), [(0, False), (1, False), (1, True)])
def test_feeds_chain_and_their_totals_are_the_rows_that_will_be_stored(
    spark: SparkSession, waves: list[World], wave: int, in_place: bool
) -> None:
    again = synth.world(spark, posts=POSTS, seed=SEED, as_of=AS_OF, wave=wave, in_place=True)
    tables = waves[wave] | ({"feeds": again["feeds"]} if in_place else {})
    deliveries = tables["feeds"].orderBy("recorded_at").collect()
    assert totals(deliveries) == rows_by_feed(tables, by_key=not in_place)
    check_chains(deliveries, AS_OF + timedelta(hours=wave))


def rows_by_feed(tables: World, by_key: bool) -> dict[tuple[str, str], int]:
    """The rows of each table, objections by channel: as ingest keeps them, one a key, or as they are."""
    found: dict[tuple[str, str], int] = {}
    for feed in ("posts", "profiles", "requests", "objections"):
        rows = tables[feed].withColumn("channel", F.col("channel") if feed == "objections" else F.lit("*"))
        counted = rows.groupBy("channel").agg(F.count_distinct(*KEYS[feed]) if by_key else F.count("*")).collect()
        found |= {(feed, channel): count for channel, count in counted}
    return found


def totals(deliveries: list[Row]) -> dict[tuple[str, str], int]:
    """The newest total of each feed and channel; `deliveries` are in order of time."""
    return {(row.feed, row.channel): row.row_count for row in deliveries}


def check_chains(deliveries: list[Row], watermark: datetime) -> None:
    """Each delivery goes on where the one before ended, and the newest says that it knows all up to the watermark."""
    for feed in totals(deliveries):
        chain = [row for row in deliveries if (row.feed, row.channel) == feed]
        assert [row.first_seq for row in chain] == [1, *(row.last_seq + 1 for row in chain[:-1])]
        assert chain[-1].watermark == watermark.replace(tzinfo=None)


def test_what_is_stored_of_three_waves_is_what_their_feeds_promise(
    spark: SparkSession, waves: list[World], tmp_path: Path
) -> None:
    for wave in range(3):
        exports = tmp_path / f"hour-{wave}"
        made = waves[wave] if wave < 2 else synth.world(spark, posts=POSTS, seed=SEED, as_of=AS_OF, wave=wave)
        synth.write_world({table: made[table] for table in INPUTS}, exports, format="parquet")
        ingest(spark, read_source(_write_source(tmp_path, exports)))
        stored = {table: spark.read.format("delta").load(f"{tmp_path}/inputs/{table}") for table in INPUTS}
        deliveries = stored["feeds"].orderBy("recorded_at").collect()
        assert totals(deliveries) == rows_by_feed(stored, by_key=False)
        check_chains(deliveries, AS_OF + timedelta(hours=wave))


def test_nearly_all_objections_resolve(waves: list[World]) -> None:
    profiles, objections = waves[1]["profiles"], waves[1]["objections"]
    known = [profiles.select(name) for name in ("account_id", "person_id", "email_hash")]
    subjects = reduce(DataFrame.union, [*known, waves[1]["posts"].select("post_id")]).toDF("subject_id")
    assert objections.join(subjects, on="subject_id", how="left_anti").count() * 1000 < objections.count()


def test_no_reason_swings_from_wave_to_wave(waves: list[World]) -> None:
    shares = []
    for wave in waves:
        counted = wave["truth"].groupBy("planted").count().collect()
        shares.append({row.planted: row["count"] / wave["truth"].count() for row in counted})
    for reason in shares[0].keys() | shares[1].keys():
        before, after = (share.get(reason, 0) for share in shares)
        assert abs(after - before) <= max(0.01, before / 2), reason


@pytest.mark.parametrize("table", [table for table in INPUTS if table != "feeds"])
def test_an_hour_later_a_row_is_the_same_or_recorded_later(waves: list[World], table: str) -> None:
    before, after = waves[0][table], waves[1][table]
    changed = before.exceptAll(after).withColumnRenamed("recorded_at", "was_recorded_at").cache()
    later = F.coalesce(F.col("recorded_at") > F.col("was_recorded_at"), F.lit(False))
    newer = after.select(*KEYS[table], "recorded_at")
    assert changed.join(newer, on=list(KEYS[table]), how="left").where(~later).isEmpty()
    assert changed.count() < before.count() * 0.02


def test_an_hour_later_nothing_of_an_objection_has_changed_but_its_status(waves: list[World]) -> None:
    before, after = (wave["objections"].drop("status", "ruling_id", "recorded_at") for wave in waves)
    assert before.exceptAll(after).isEmpty()


def test_an_hour_later_all_deliveries_are_there_still(waves: list[World]) -> None:
    assert waves[0]["feeds"].exceptAll(waves[1]["feeds"]).isEmpty()


def test_each_hour_some_object_some_relent_and_posts_come_and_go(waves: list[World]) -> None:
    objections = waves[1]["objections"].where(F.col("recorded_at") > AS_OF)
    kinds = {row.kind: row["count"] for row in objections.groupBy("kind").count().collect()}
    assert 0.01 < kinds["object"] / (POSTS // 10) < 0.04
    assert kinds["withdraw"] > 0
    posts = waves[1]["posts"].where(F.col("recorded_at") > AS_OF)
    late = posts.agg(
        *(F.count_if(F.col(name) > AS_OF).alias(name) for name in ("created_at", "edited_at", "deleted_at"))
    )
    assert min(late.first() or [0]) > 0
    lapsed = waves[1]["profiles"].where(F.col("recorded_at") > AS_OF)
    assert {"deactivated", "active"} == {row.status for row in lapsed.select("status").collect()}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"posts": 0}, "--posts: found 0"),
        ({"wave": -1}, "--wave: found -1"),
        ({"as_of": datetime(2026, 11, 20)}, "with a zone"),
        ({"as_of": datetime(2001, 1, 1, tzinfo=UTC)}, "2012 or later"),
    ],
)
def test_a_world_that_cannot_be_is_refused(spark: SparkSession, arguments: dict[str, int], message: str) -> None:
    asked: dict[str, object] = {"posts": 100, "seed": 1, "as_of": AS_OF, "wave": 0} | arguments
    with pytest.raises(ConfigError, match=message):
        synth.world(spark, **asked)  # type: ignore[arg-type] # one wrong argument at a time


def test_a_folder_in_use_or_an_unknown_format_is_refused_and_nothing_is_written(
    spark: SparkSession, tmp_path: Path
) -> None:
    frames = {"truth": spark.range(3)}
    (tmp_path / "used").mkdir()
    (tmp_path / "used/notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="is not empty"):
        synth.write_world(frames, tmp_path / "used", format="parquet")
    with pytest.raises(ConfigError, match="did you mean 'parquet'"):
        synth.write_world(frames, tmp_path / "new", format="parket")
    assert [path.name for path in tmp_path.rglob("*")] == ["used", "notes.txt"]
    assert synth.write_world(frames, tmp_path / "new", format="delta") == {"truth": 3}


def test_the_job_says_what_is_wrong_and_ends_with_its_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main = runpy.run_path(str(ROOT / "jobs/synth.py"))["main"]
    assert main(["--out", str(tmp_path / "new"), "--as-of", "2026-11-20T00:00:00"]) == ConfigError.exit_code
    assert "synth: --as-of is a time without a zone" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_named(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match="file/world/truth cannot be written: "):
        synth.write_world({"truth": spark.range(3)}, tmp_path / "file/world", format="parquet")
