"""Duplicates and copies of objectors come out as a slow look at one post after the other says."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from corpus import duplicates, minhash
from corpus.alike import likeness_of
from corpus.copies import with_marks, with_objector_copies
from corpus.duplicates import only_from_kept, with_duplicates
from corpus.errors import EnvironmentFault
from corpus.policy import Policy, read_policy
from corpus.posts import with_fingerprint
from corpus.reasons import Reason, reasons_in
from tests import likeness_oracle as oracle
from tests.likeness_oracle import Fate, Post

POLICY = read_policy(Path(__file__).parent.parent / "conf/policies/uk-social.toml")
START = datetime(2026, 1, 1)
SCHEMA = "post_id STRING, account_id STRING, text STRING, created_at TIMESTAMP, reasons BIGINT"
VOCABULARY = [f"w{n}" for n in range(40)] + ["Leeds", "żółć", "今日は", "don't"]


def policy(dedup: dict[str, Any] | None = None, copies: dict[str, Any] | None = None) -> Policy:
    changed = {
        "dedup": POLICY.dedup.model_copy(update=dedup or {}),
        "objector_copies": POLICY.objector_copies.model_copy(update=copies or {}),
    }
    return POLICY.model_copy(update=changed)


def decided(posts: DataFrame, under: Policy) -> DataFrame:
    """The posts with what this stage decides about them."""
    kept = posts.transform(with_fingerprint).persist()
    likeness = likeness_of(kept, under)
    return kept.transform(with_objector_copies, likeness, under).transform(with_duplicates, likeness, under)


def frame(spark: SparkSession, posts: list[Post]) -> DataFrame:
    rows = [(p.post_id, p.account_id, p.text, p.created_at, reasons_of(p)) for p in posts]
    return spark.createDataFrame(rows, SCHEMA)


def reasons_of(post: Post) -> int:
    return 0 if post.is_eligible else Reason.OBJECTED.mask if post.is_objectors else Reason.NOT_PUBLIC.mask


def fates(rows: list[Row]) -> dict[str, Fate]:
    """What became of the posts that had no reason of their own."""
    found = {}
    for row in rows:
        names = [reason.name for reason in reasons_in(row.reasons) if reason.group.value == "dataset"]
        if row.reasons == 0 or names in (["EXACT_DUPLICATE"], ["NEAR_DUPLICATE"]):
            found[row.post_id] = Fate("".join(names), row.kept_instead, row.similarity, row.copies)
    return found


def copies_in(rows: list[Row]) -> set[str]:
    return {row.post_id for row in rows if row.reasons & Reason.OBJECTOR_TEXT_COPY.mask}


def proposed_or_not(posts: list[Post], near: float, size: int) -> oracle.Resembles:
    """Jaccard of the texts that share a band; the others are not compared."""
    normals = sorted({oracle.normal(post.text) for post in posts} - {""})
    hashes, begin, _ = minhash.shingles(pa.array(normals), size)
    keys = minhash.band_keys(hashes, begin, minhash.banding_for(near, size, POLICY.dedup.seed))
    bands: dict[str, set[tuple[int, int]]] = {"": set()} | {
        text: set(enumerate(column)) for text, column in zip(normals, keys.T.tolist(), strict=True)
    }
    exact = cache(oracle.jaccard(size))

    def similarity(one: str, other: str) -> float:
        first, second = oracle.normal(one), oracle.normal(other)
        return exact(first, second) if bands[first] & bands[second] else 0.0

    return cache(similarity)


def edited(draw: random.Random, template: list[str]) -> str:
    """A template with a few words replaced, left out or put in, in other clothes."""
    words = list(template)
    for _ in range(draw.choice((0, 0, 1, 1, 2, 3))):
        at, word = draw.randrange(len(words)), draw.choice(VOCABULARY)
        words[at : at + draw.randrange(2)] = draw.choice(([word], [], [word, word]))
        words = words or [word]
    text = " ".join(words)
    return draw.choice((text, text.upper(), f"“{text}!”", text.replace(" ", ", ")))


def world(seed: int) -> list[Post]:
    """200 posts, made of eight texts, with ties, unknown times, and texts that say nothing."""
    draw = random.Random(seed)
    templates = [draw.choices(VOCABULARY, k=draw.randrange(1, 27)) for _ in range(8)]
    posts = []
    for number in draw.sample(range(200), 200):
        kind = draw.choice(("eligible",) * 6 + ("out", "objector"))
        day = START + timedelta(days=draw.randrange(13))
        silent = kind != "eligible" and draw.random() < 0.1
        text = draw.choice(("", "…", "🎉")) if silent else edited(draw, draw.choice(templates))
        time = None if kind != "eligible" and draw.random() < 0.2 else day
        account = f"a{draw.randrange(10)}"
        posts.append(Post(f"p{number:03d}", account, text, time, kind == "eligible", kind == "objector"))
    return posts


@settings(max_examples=4, derandomize=True, deadline=None, phases=[Phase.generate], database=None)
@given(st.integers(0, 10**9), st.sampled_from((1, 2, 3)), st.sampled_from((0.6, 0.8)), st.sampled_from((2, 4)))
def test_every_post_comes_out_as_one_after_the_other_would(
    spark: SparkSession, seed: int, size: int, near: float, min_authors: int
) -> None:
    posts = world(seed)
    under = policy({"near": near, "shingle_words": size}, {"near": 0.7, "min_tokens": 3, "min_authors": min_authors})
    resembles = proposed_or_not(posts, min(near, 0.7), size)
    rows = decided(frame(spark, posts), under).collect()
    copied = oracle.copies(posts, 0.7, 3, min_authors, resembles)
    assert copies_in(rows) == copied
    left = [post for post in posts if post.is_eligible and post.post_id not in copied]
    expected = oracle.duplicates(left, near, resembles)
    assert fates(rows) == expected
    spark.catalog.clearCache()


@pytest.fixture(scope="module")
def templated() -> list[Post]:
    """Texts that fill buckets: 300 that resemble each other, 100 that almost do, and a few others."""
    long, short = " ".join(f"t{n}" for n in range(30)), " ".join(f"s{n}" for n in range(10))
    texts = [f"{long} {n} {long[::-1]}" for n in range(300)] + [f"{short} {n}" for n in range(50)]
    texts += [f"{n} {short} {n} {n + 1}" for n in range(100)] + ["rain", "Rain!", "tea in leeds"]
    days = random.Random(3).choices(range(5), k=len(texts))
    return [
        Post(f"p{n}", f"a{n % 7}", t, START + timedelta(days=d))
        for n, (t, d) in enumerate(zip(texts, days, strict=True))
    ]


@contextmanager
def partitioned(spark: SparkSession, partitions: int) -> Iterator[None]:
    before = str(spark.conf.get("spark.sql.shuffle.partitions"))
    spark.conf.set("spark.sql.shuffle.partitions", partitions)
    yield
    spark.conf.set("spark.sql.shuffle.partitions", before)
    spark.catalog.clearCache()


def test_partitions_and_the_order_of_rows_decide_nothing_and_full_buckets_follow_their_first_post(
    spark: SparkSession, templated: list[Post]
) -> None:
    found = []
    for partitions in (1, 3, 64):
        shuffled = frame(spark, random.Random(partitions).sample(templated, len(templated))).repartition(partitions)
        with partitioned(spark, partitions):
            found.append(sorted(decided(shuffled, policy()).drop("fingerprint").collect()))
    rows = {row.post_id: row for row in found[0]}
    assert found[0] == found[1] == found[2]
    assert all(rows[f"p{n}"].is_capped for n in range(300))
    assert not any(rows[post].is_capped for post in ("p450", "p451", "p452"))
    by_oracle = oracle.duplicates(templated, 0.8, cache(oracle.jaccard(2)))
    certain = {f"p{n}" for n in (*range(300), 450, 451, 452)}
    assert {p: fate for p, fate in fates(found[0]).items() if p in certain} == {p: by_oracle[p] for p in certain}


BAD = {
    "null": None, "empty": "", "emoji": "🎉", "word": "rain", "same-word": "Rain!", "letter": "x", "same-letter": "(X)",
    "links": "https://t.co/aaaa https://t.co/bbbb", "same-links": "HTTPS://t.co/aaaa  https://t.co/bbbb",
    "long": "rain in leeds " + " ".join(f"w{n}" for n in range(160_000)), "one-long-word": "z" * 1_000_000,
    "near-long": "Rain in Leeds, " + " ".join(f"w{n}" for n in range(1, 160_000)),
    "hebrew": "הגשם יורד בלידס מהבוקר ועד הערב ואין איש ברחוב מלבד חתול אחד רטוב",
    "near-hebrew": "הגשם יורד בלידס מהבוקר ועד הערב ואין איש ברחוב מלבד חתול אחד יבש",
}  # fmt: skip


def test_odd_texts_have_a_fate_too(spark: SparkSession) -> None:
    posts = [Post(name, "a", text or "", START, is_eligible=bool(text)) for name, text in BAD.items()]
    halves = spark.range(3).select(
        F.format_string("half-%d", "id").alias("post_id"),
        F.lit("a").alias("account_id"),
        F.expr("CAST(concat(X'6861C3A9', X'EDA0BD', CAST(concat(' ', id % 2) AS BINARY)) AS STRING)").alias("text"),
        F.lit(START).alias("created_at"),
        F.lit(0).cast("bigint").alias("reasons"),
    )
    same = spark.range(100_000).select(
        F.format_string("viral-%06d", "id").alias("post_id"),
        F.concat(F.lit("a"), "id").alias("account_id"),
        F.lit("One text that goes round the world").alias("text"),
        F.lit(START).alias("created_at"),
        F.lit(0).cast("bigint").alias("reasons"),
    )
    rows = decided(frame(spark, posts).unionByName(halves).unionByName(same), policy())
    viral = rows.where("post_id LIKE 'viral-%'").groupBy("reasons", "kept_instead", "copies").count().collect()
    assert {tuple(row) for row in viral} == {
        (0, None, 100_000, 1),
        (Reason.EXACT_DUPLICATE.mask, "viral-000000", None, 99_999),
    }
    found = fates(rows.where("post_id NOT LIKE 'viral-%'").collect())
    dropped = {name: (fate.reason, fate.kept_instead) for name, fate in found.items() if fate.reason}
    assert dropped == {
        "word": ("EXACT_DUPLICATE", "same-word"),
        "same-letter": ("EXACT_DUPLICATE", "letter"),
        "same-links": ("EXACT_DUPLICATE", "links"),
        "near-long": ("NEAR_DUPLICATE", "long"),
        "near-hebrew": ("NEAR_DUPLICATE", "hebrew"),
        "half-2": ("EXACT_DUPLICATE", "half-0"),
    }
    assert found["one-long-word"] == Fate(copies=1)
    spark.catalog.clearCache()


def test_no_post_and_a_single_post_are_posts_too(spark: SparkSession) -> None:
    assert decided(frame(spark, []), policy()).collect() == []
    assert fates(decided(frame(spark, [Post("p", "a", "rain", START)]), policy()).collect()) == {"p": Fate(copies=1)}


PAIRED = [
    Post("p1", "a", "rain again in leeds and no bus to be seen", START),
    Post("p2", "a", "Rain again in Leeds, and no bus to be seen!", START),
    Post("p3", "b", "rain again in leeds and no bus to be seen today", START),
]


@pytest.mark.parametrize(
    ("dedup", "expected"),
    [
        ({"near": False}, {"p2": ("EXACT_DUPLICATE", 1.0)}),
        ({"exact": False}, {"p2": ("NEAR_DUPLICATE", 1.0), "p3": ("NEAR_DUPLICATE", 9 / 10)}),
        ({"exact": False, "near": False}, {}),
    ],
)
def test_each_kind_can_be_switched_off(spark: SparkSession, dedup: dict[str, Any], expected: dict[str, Any]) -> None:
    under = policy(dedup, {"exact": False, "near": False})
    found = fates(decided(frame(spark, PAIRED), under).collect())
    assert {name: (fate.reason, fate.similarity) for name, fate in found.items() if fate.reason} == expected
    assert sum(fate.copies or 0 for fate in found.values()) == 3


def pairs_between(spark: SparkSession, pairs: set[tuple[int, int]]) -> DataFrame:
    rows = [tuple((START, f"p{end:04d}", f"text {end}") for end in sorted(pair)) for pair in pairs]
    end = "STRUCT<created_at: TIMESTAMP, post_id: STRING, fingerprint: STRING>"
    return spark.createDataFrame(rows, f"early {end}, late {end}")


def test_rounds_decide_as_one_look_in_order_and_stop_at_their_bound(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(5)
    pairs = {(n, n + 1) for n in range(100, 106)}
    pairs |= {(a, b) for a in range(60) for b in range(a) if draw.random() < 0.05}
    at_once = only_from_kept(pairs_between(spark, pairs)).select("early.post_id", "late.post_id").collect()
    monkeypatch.setattr(duplicates, "AT_ONCE", 0)
    in_rounds = only_from_kept(pairs_between(spark, pairs)).select("early.post_id", "late.post_id").collect()
    assert sorted(in_rounds) == sorted(at_once)
    assert {row[1] for row in at_once if row[1] >= "p0100"} == {"p0101", "p0103", "p0105"}
    monkeypatch.setattr(duplicates, "ROUNDS", 1)
    with pytest.raises(EnvironmentFault, match="not decided in 1 rounds: 4 pairs"):
        only_from_kept(pairs_between(spark, {(n, n + 1) for n in range(6)}))


def test_objectors_texts_are_sought_under_a_key_of_this_build_alone(spark: SparkSession) -> None:
    prints = spark.createDataFrame([("a1",), ("a1",), ("b2",), (None,)], "fingerprint STRING")

    def marks(key: bytes) -> list[str | None]:
        marked = prints.transform(with_marks, key, mark="fingerprint")
        assert key.hex() not in str(marked._jdf.queryExecution())
        return [row.mark for row in marked.collect()]

    one, other = marks(bytes(range(32))), marks(bytes(range(1, 33)))
    assert one[0] == one[1] != one[2]
    assert one[3] is None
    assert not set(one[:3]) & set(other)
    assert not set(one) & {"a1", "b2"}
