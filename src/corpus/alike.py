"""Which texts resemble each other: pairs proposed by MinHash over Arrow, every one verified by its exact similarity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import arrow_udf

from corpus import minhash
from corpus.minhash import ELIGIBLE, OBJECTOR, Banding, banding_for
from corpus.policy import Policy
from corpus.reasons import Reason
from corpus.rules import in_force
from corpus.staging import sent_where_few, settled, shuffle_partitions
from corpus.text import normal_forms
from corpus.verdicts import is_objector

LEADERS = 3
"""So often the texts of a full bucket that resemble no leader yet are compared with the earliest of them."""
PARTS_PER_PARTITION = 8

_ENTRIES = pa.list_(pa.struct([("part", pa.int32()), ("entries", pa.binary())]))


@dataclass(frozen=True)
class Likeness:
    """Pairs of different texts that resemble each other, and the texts that were compared with a few others only.

    alike: early, late, similarity, words (of the shorter); some pairs stand there twice. Early and late are structs by
    which texts are ordered: is_out, is_undated, created_at, post_id (of the first eligible post, if any), fingerprint.
    capped: fingerprint.
    """

    alike: DataFrame
    capped: DataFrame


def likeness_of(posts: DataFrame, policy: Policy) -> Likeness:
    """The pairs at or above the lower threshold in force: eligible texts with each other, an objector's with all.

    Costs one pass over the texts and one exchange of 16 bytes for each text and band; where no two texts share a band,
    nothing more. Where no rule asks for likeness, nothing at all.
    """
    thresholds = thresholds_of(policy)
    if not thresholds:
        return _nothing_alike(posts)
    threshold = min(thresholds.values())
    banding = banding_for(threshold, policy.dedup.shingle_words, policy.dedup.seed)
    compared = posts.transform(only_compared, thresholds)
    pairs = compared.transform(as_proposed_pairs, banding).transform(settled)
    (found,) = pairs.agg(F.count("*").alias("pairs"), F.max("is_capped").alias("is_capped")).collect()
    if not found["pairs"]:
        return _nothing_alike(posts)
    texts = compared.transform(as_texts_of, pairs, banding).transform(settled)
    alike = pairs.transform(only_alike, texts, threshold).transform(settled)
    capped = texts.where(F.lit(False))
    if found["is_capped"]:
        alike = alike.transform(with_leaders, texts, threshold)
        # one row in, at most one out
        capped = texts.join(_ids_of(pairs.where("is_capped")), on="id", how="left_semi")
    return Likeness(alike.select("early", "late", "similarity", "words"), capped.select("fingerprint"))


def thresholds_of(policy: Policy) -> dict[Reason, float]:
    """The rules in force that look for likeness, with their thresholds."""
    asked = {Reason.NEAR_DUPLICATE: policy.dedup.near, Reason.OBJECTOR_TEXT_COPY: policy.objector_copies.near}
    return {reason: near for reason, near in asked.items() if near and in_force(policy) & reason.mask}


def only_compared(posts: DataFrame, thresholds: dict[Reason, float]) -> DataFrame:
    """The posts with words that one of these rules looks at, with what they are to it: `role`, and the text's `id`."""
    is_eligible, objects = F.col("reasons") == 0, is_objector(F.col("reasons"))
    matters = F.lit(True) if Reason.OBJECTOR_TEXT_COPY in thresholds else is_eligible
    eligible = F.when(is_eligible & F.lit(Reason.NEAR_DUPLICATE in thresholds), ELIGIBLE).otherwise(0)
    objector = F.when(objects & F.lit(Reason.OBJECTOR_TEXT_COPY in thresholds), OBJECTOR).otherwise(0)
    return (
        posts
        .where(F.col("fingerprint").isNotNull() & matters)
        .withColumn("role", eligible + objector)
        .withColumn("id", F.xxhash64("fingerprint"))
    )


def as_proposed_pairs(posts: DataFrame, banding: Banding) -> DataFrame:
    """One row per pair of texts that share a band: one, other (ids), is_capped. See `minhash.proposed_pairs`."""
    entries = _entries(banding, PARTS_PER_PARTITION * shuffle_partitions(posts.sparkSession))("text", "id", "role")
    return (
        posts
        .select(F.inline(entries))
        .groupBy("part")
        .agg(F.collect_list("entries").alias("entries"))
        .select(F.inline(_pairs()("entries")))
        .groupBy("one", "other")
        .agg(F.max("is_capped").alias("is_capped"))
    )


def as_texts_of(posts: DataFrame, pairs: DataFrame, banding: Banding) -> DataFrame:
    """One row per text in these pairs: id, fingerprint, first (what orders it), shingles (distinct hashes), words."""
    first = F.struct(
        (F.col("reasons") != 0).alias("is_out"), F.isnull("created_at").alias("is_undated"), "created_at", "post_id"
    )
    return (
        posts
        # one row in, at most one out
        .join(sent_where_few(_ids_of(pairs)), on="id", how="left_semi")
        .select("id", "fingerprint", first.alias("first"), _shingles(banding)("text").alias("set"))
        .groupBy("id", "fingerprint")
        .agg(F.min("first").alias("first"), F.min_by("set", "first").alias("set"))
        .select("id", "fingerprint", "first", "set.shingles", "set.words")
    )


def only_alike(pairs: DataFrame, texts: DataFrame, threshold: float) -> DataFrame:
    """The pairs at or above the threshold, with early, late, similarity (Jaccard over the sets of shingles) and words.

    One row in, at most one out, but for texts that share an id.
    """

    def side(name: str) -> DataFrame:
        text = F.struct("first.*", "fingerprint").alias(f"{name}_text")
        return texts.select(
            F.col("id").alias(name), text, *(F.col(c).alias(f"{name}_{c}") for c in ("shingles", "words"))
        )

    ones, others = F.size("one_shingles"), F.size("other_shingles")
    shared = F.size(F.array_intersect("one_shingles", "other_shingles"))
    return (
        pairs
        .join(side("one"), on="one", how="inner")
        .join(side("other"), on="other", how="inner")
        .withColumn("similarity", shared / (ones + others - shared))
        .where(F.col("similarity") >= threshold)
        .withColumn("early", F.least("one_text", "other_text"))
        .withColumn("late", F.greatest("one_text", "other_text"))
        .withColumn("words", F.least("one_words", "other_words"))
        .select(*pairs.columns, "early", "late", "similarity", "words")
    )


def with_leaders(alike: DataFrame, texts: DataFrame, threshold: float) -> DataFrame:
    """Adds pairs to those of full buckets: what resembles a bucket's hub with the earliest of them, which may be kept.

    Those that do not resemble it are compared with the earliest of the rest, and so on, three times in all.
    """
    member = F.explode(F.array("one", "other")).alias("id")
    order = texts.select("id", F.struct("first", "id").alias("order"))
    # one row in, one row out, but for texts that share an id
    hubs = alike.where("is_capped").select(F.col("one").alias("hub"), member).distinct()
    stars, found = hubs.join(order, on="id", how="inner"), alike
    for _ in range(LEADERS):
        leaders = stars.groupBy("hub").agg(F.min("order").alias("leader"))
        led = stars.join(leaders, on="hub", how="inner").where("order != leader").withColumn("one", F.col("leader.id"))
        pairs = led.select("one", F.col("id").alias("other"), F.lit(False).alias("is_capped")).distinct()
        close = pairs.transform(only_alike, texts, threshold).transform(settled)
        followers = close.select("one", F.col("other").alias("id"))
        stars = led.join(followers, on=["one", "id"], how="left_anti").select("hub", "id", "order").transform(settled)
        found = found.unionByName(close)
    return found


def _ids_of(pairs: DataFrame) -> DataFrame:
    return pairs.select(F.explode(F.array("one", "other")).alias("id")).distinct()


def _nothing_alike(posts: DataFrame) -> Likeness:
    """Frames without rows, which Spark's optimiser folds away with all that is joined to them."""
    none = posts.where(F.lit(False))
    text = F.struct(
        F.lit(True).alias("is_out"), F.lit(True).alias("is_undated"), "created_at", "post_id", "fingerprint"
    )
    pairs = none.select(
        text.alias("early"), text.alias("late"), F.lit(1.0).alias("similarity"), F.lit(0).alias("words")
    )
    return Likeness(pairs, none.select("fingerprint"))


def _entries(banding: Banding, parts: int) -> Callable[..., Column]:
    """The texts of a whole batch under the keys of their bands, split by parts; they stand in the batch's first row."""

    def entries(texts: pa.Array, ids: pa.Array, roles: pa.Array) -> pa.Array:
        at, role = minhash.once(ids.to_numpy(), roles.to_numpy())
        hashes, begin, _ = minhash.shingles(normal_forms(texts.take(pa.array(at))), banding.shingle_words)
        keys = minhash.band_keys(hashes, begin, banding)
        found = minhash.entries_by_part(keys, ids.to_numpy()[at].view(np.uint64), role.astype(np.uint64), parts)
        first = [{"part": part, "entries": some} for part, some in found]
        return pa.array([first, *[None] * (len(ids) - 1)], _ENTRIES)

    return arrow_udf(entries, "array<struct<part: int, entries: binary>>")  # type: ignore[no-any-return, call-overload]


def _pairs() -> Callable[..., Column]:
    """The pairs that the entries of a part propose."""

    def pairs(parts: pa.Array) -> pa.Array:
        found = [minhash.proposed_pairs(b"".join(part.as_py())) for part in parts]
        ends = np.cumsum([0, *(len(capped) for *_, capped in found)])
        ones, others, capped = (np.concatenate(column) for column in zip(*found, strict=True))
        columns = {"one": ones.view(np.int64), "other": others.view(np.int64), "is_capped": capped}
        rows = pa.StructArray.from_arrays([pa.array(column) for column in columns.values()], list(columns))
        return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), rows)

    return arrow_udf(pairs, "array<struct<one: bigint, other: bigint, is_capped: boolean>>")  # type: ignore[no-any-return, call-overload]


def _shingles(banding: Banding) -> Callable[..., Column]:
    """A text's distinct shingles, hashed, and how many words it has."""

    def sets(texts: pa.Array) -> pa.Array:
        hashes, begin, words = minhash.shingles(normal_forms(texts), banding.shingle_words)
        hashes, ends = minhash.distinct(hashes, begin)
        shingles = pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.array(hashes.view(np.int64)))
        return pa.StructArray.from_arrays([shingles, pa.array(words, pa.int32())], ["shingles", "words"])

    return arrow_udf(sets, "struct<shingles: array<bigint>, words: int>")  # type: ignore[no-any-return, call-overload]
