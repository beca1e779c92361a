"""Real input: a Stack Exchange dump, as conf/sources/stackexchange.toml and conf/policies/forum.toml take it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from corpus.ingest import Counted, ingest
from corpus.inputs import Inputs
from corpus.policy import read_policy
from corpus.rules import without_data
from corpus.sources import Source, pin, read_inputs, read_source
from corpus.text_html import register_html_to_text

ROOT = Path(__file__).parent.parent
DUMP = ROOT / "../shared/data/stackexchange"

COUNTRIES = [
    ("London, United Kingdom", "GB"),
    ("Cambridge, UK", "GB"),
    ("England", "GB"),
    ("Scotland, United Kingdom", "GB"),
    ("Belfast, Northern Ireland", "GB"),
    ("LONDON ", "GB"),
    ("London, ON, Canada", "CA"),
    ("New England", None),
    ("Sydney, New South Wales", None),
    ("Cambridge, MA", "US"),
    ("Palm Bay, FL", "US"),
    ("Dublin, Ireland", "IE"),
    ("Toronto", "CA"),
    ("Bangalore, Karnataka, India", "IN"),
    ("Tbilisi, Georgia", None),
    ("Earth", None),
    ("", None),
    (None, None),
]


@pytest.fixture(scope="module")
def source() -> Source:
    return read_source(ROOT / "conf/sources/stackexchange.toml")


def test_a_country_is_read_from_what_people_write_only_where_it_is_plain(spark: SparkSession, source: Source) -> None:
    rows = spark.createDataFrame(COUNTRIES, "_Location STRING, expected STRING")
    found = rows.withColumn("found", F.expr(source.profiles[0].columns["country"]))
    assert [row.asDict() for row in found.where("NOT (found <=> expected)").collect()] == []


def test_html_becomes_the_text_that_a_person_reads(spark: SparkSession) -> None:
    register_html_to_text(spark)
    pages = [
        ("<p>Title</p><p>two &amp; <b>three</b></p>", "Title\n\ntwo & three"),
        ("<script>alert()</script>", ""),
        ("", ""),
        (None, None),
    ]
    found = spark.createDataFrame(pages, "html STRING, expected STRING").withColumn(
        "text", F.expr("html_to_text(html)")
    )
    assert [row.asDict() for row in found.where("NOT (text <=> expected)").collect()] == []


@pytest.fixture(scope="module")
def ingested(
    spark: SparkSession, source: Source, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[Counted], Inputs]:
    if not DUMP.is_dir():
        pytest.skip("the real dump is not here: it belongs beside the project, in ../shared/data/stackexchange")
    store = tmp_path_factory.mktemp("stackexchange")
    here = source.model_copy(update={"store": str(store)})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        counted = ingest(spark, here)
    return counted, read_inputs(spark, here, pin(spark, here))


def test_every_row_of_the_dump_is_stored(ingested: tuple[list[Counted], Inputs]) -> None:
    counted, _ = ingested
    assert [(c.table, c.rows_in, c.stored) for c in counted] == [
        ("posts", 1986 + 3413, 1986 + 3413),
        ("profiles", 3461, 3461),
        ("objections", 6, 6),
    ]


def test_posts_and_comments_are_readable_posts(ingested: tuple[list[Counted], Inputs]) -> None:
    posts = ingested[1].posts
    figures = posts.agg(
        F.count_if(F.col("surface") == "comment").alias("comments"),
        F.count_if(F.col("text").rlike("</p>|&lt;|&amp;") & (F.col("surface") != "comment")).alias("with_tags"),
        F.count_if(F.col("created_at").isNull()).alias("without_time"),
        F.max(F.when(F.col("post_id") == "post-1", F.substring("text", 1, 49))).alias("first"),
        F.max(F.when(F.col("post_id") == "post-1", F.col("edited_at"))).alias("edited"),
    ).collect()[0]
    assert figures.asDict() == {
        "comments": 3413,
        "with_tags": 0,
        "without_time": 0,
        "first": "Can a Turing machine simulate a quantum computer?",
        "edited": datetime(2018, 3, 16, 15, 40, 38, 227000),
    }


def test_authors_have_profiles_and_the_community_account_is_no_person(
    ingested: tuple[list[Counted], Inputs],
) -> None:
    inputs = ingested[1]
    authors = inputs.posts.select("account_id").distinct()
    joined = authors.join(inputs.profiles, on="account_id", how="left")
    found = joined.agg(
        F.count_if(F.col("account_type") == "page").alias("pages"),
        F.count_if(F.col("account_type").isNull()).alias("without"),
        F.countDistinct("country").alias("countries"),
    ).collect()[0]
    assert (found.pages, found.without) == (1, 1)  # "Community", and the three posts that have no author
    assert found.countries > 10


def test_the_objections_are_about_people_of_the_dump(ingested: tuple[list[Counted], Inputs]) -> None:
    inputs = ingested[1]
    known = inputs.profiles.select(F.col("account_id").alias("subject_id"))
    assert inputs.objections.join(known, on="subject_id", how="left_anti").count() == 0


def test_the_forum_policy_switches_off_just_the_rules_that_the_dump_cannot_feed(
    ingested: tuple[list[Counted], Inputs],
) -> None:
    policy = read_policy(ROOT / "conf/policies/forum.toml")
    assert without_data(ingested[1], policy) == []
    needless = [
        off.rule
        for off in policy.rules_off
        if not without_data(
            ingested[1], policy.model_copy(update={"rules_off": [o for o in policy.rules_off if o != off]})
        )
    ]
    assert needless == []
