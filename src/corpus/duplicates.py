"""Which posts say what an earlier one says, or almost: the first stays, and what it stands for is counted."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import arrow_udf

from corpus.alike import Likeness
from corpus.errors import EnvironmentFault
from corpus.keys import repeated_hashes
from corpus.policy import Policy
from corpus.reasons import Reason
from corpus.rules import in_force
from corpus.staging import sent_where_few, settled
from corpus.verdicts import bitmap, has_any

AT_ONCE = 2_000_000
"""So many pairs are decided one after the other in one task."""
ROUNDS = 100


def with_duplicates(posts: DataFrame, likeness: Likeness, policy: Policy) -> DataFrame:
    """Adds EXACT_DUPLICATE, NEAR_DUPLICATE, `kept_instead`, `similarity`, `copies` and `is_capped`.

    Among the posts without any reason, in order of (created_at, post_id), one is dropped if its text equals or
    resembles that of a kept earlier one. One row in, one row out. Costs one exchange of fingerprints and ids; the texts
    move only if what was found is too much to broadcast.
    """
    exact, near = (in_force(policy) & reason.mask for reason in (Reason.EXACT_DUPLICATE, Reason.NEAR_DUPLICATE))
    if not exact | near:
        return posts.transform(_as_kept_alone)
    is_eligible = F.col("reasons") == 0
    eligible = posts.where(is_eligible & F.col("fingerprint").isNotNull())
    alike = likeness.alike.where(F.col("similarity") >= (policy.dedup.near if near else 2)).where("NOT late.is_out")
    dropped = alike.transform(_without_copies, posts, policy).transform(dropped_texts)
    found = eligible.transform(as_fates, dropped, likeness.capped).transform(sent_where_few)
    is_near = is_eligible & F.col("instead").isNotNull()
    is_copy = is_eligible & ~is_near & F.coalesce(F.col("first.post_id") != F.col("post_id"), F.lit(False))
    one, none = F.lit(1).cast("bigint"), F.lit(0).cast("bigint")
    stands_for = F.coalesce("copies", one) + F.coalesce("gained", none)
    reason = F.when(is_near, bitmap(near)).when(is_copy, bitmap(exact or near)).otherwise(F.col("reasons"))
    return (
        posts
        # one row in, one row out: a text has one fate
        .join(found, on="fingerprint", how="left")
        .withColumn("kept_instead", F.when(is_near, F.col("instead.post_id")).when(is_copy, F.col("first.post_id")))
        .withColumn("similarity", F.when(is_near, F.col("instead.similarity")).when(is_copy, F.lit(1.0)))
        .withColumn("copies", F.when(is_eligible & ~is_near & ~is_copy, stands_for))
        .withColumn("is_capped", is_eligible & F.coalesce("is_capped", F.lit(False)))
        .withColumn("reasons", reason)
        .drop("first", "instead", "gained")
    )


def as_fates(posts: DataFrame, dropped: DataFrame, capped: DataFrame) -> DataFrame:
    """One row per text that is more than kept for itself.

    Columns: fingerprint, `first` of its posts by (created_at, post_id), how many `copies`; `instead` if it was dropped;
    how many posts of other texts it `gained`; is_capped.
    """
    first = F.struct(F.isnull("created_at"), "created_at", "post_id")
    texts = (
        posts
        .transform(of_texts_said_twice)
        .groupBy("fingerprint")
        .agg(F.min(first).alias("first"), F.count("*").alias("copies"))
    )
    # many rows in, those of dropped texts out
    of_dropped = posts.join(dropped, on="fingerprint", how="inner").groupBy("instead.fingerprint")
    fates = (
        texts.where("copies > 1"),
        dropped,
        of_dropped.agg(F.count("*").alias("gained")),
        capped.withColumn("is_capped", F.lit(True)),
    )
    return (
        reduce(lambda one, other: one.unionByName(other, allowMissingColumns=True), fates)
        .groupBy("fingerprint")
        .agg(*(F.max(name).alias(name) for name in ("first", "copies", "instead", "gained", "is_capped")))
    )


def of_texts_said_twice(posts: DataFrame) -> DataFrame:
    """The posts whose text others have too, and a few whose hash collides with another's.

    Costs one exchange of hashes and counts; the rest then sort the few posts that matter, and not all.
    """
    hashed = posts.select("fingerprint", "created_at", "post_id", F.xxhash64("fingerprint").alias("hash"))
    # many rows in, few out
    return hashed.join(sent_where_few(hashed.transform(repeated_hashes)), on="hash", how="left_semi")


def dropped_texts(alike: DataFrame) -> DataFrame:
    """One row per text that resembles an earlier kept one: fingerprint, and `instead`, the earliest such text."""
    instead = F.struct("early.post_id", "early.fingerprint", "similarity")
    return (
        alike
        .transform(only_from_kept)
        .groupBy(F.col("late.fingerprint").alias("fingerprint"))
        .agg(F.min_by(instead, F.col("early")).alias("instead"))
        .transform(sent_where_few)
    )


def only_from_kept(pairs: DataFrame) -> DataFrame:
    """The pairs whose earlier text is kept: a text is dropped if one of its earlier ones is kept.

    While there are too many pairs to decide in order, in rounds: a text that is later in no open pair is kept; those
    after it are dropped, and the pairs of what was dropped are closed. The earliest text of all open pairs is later in
    none, so each round closes a pair at least, and they end.
    """
    number = pairs.count()
    if number <= AT_ONCE:
        return pairs.transform(_decided_in_order) if number else pairs.where(F.lit(False))
    still, dropped = pairs, pairs.where(F.lit(False)).select("late.post_id")
    for _ in range(ROUNDS):
        if still.count() <= AT_ONCE:
            dropped = dropped.unionByName(still.transform(_decided_in_order).select("late.post_id")).distinct()
            return pairs.transform(_without, "early", dropped)
        kept = still.transform(_without, "early", still.select("late.post_id").distinct())
        ended = kept.select("late.post_id").distinct().transform(settled)
        still = still.transform(_without, "late", ended).transform(_without, "early", ended).transform(settled)
        dropped = dropped.unionByName(ended)
    raise EnvironmentFault(
        f"Near-duplicates were not decided in {ROUNDS} rounds: {still.count()} pairs of texts are open, and one task "
        f"takes at most {AT_ONCE}. Texts that change a little from post to post form longer chains than expected; "
        "raise dedup.near, or duplicates.AT_ONCE where executors have the memory. Nothing was written."
    )


def _decided_in_order(pairs: DataFrame) -> DataFrame:
    """The pairs whose earlier text is kept, by a look at one after the other. One task, which holds what it dropped."""
    is_kept = arrow_udf(_are_kept, "boolean")  # type: ignore[call-overload]  # stub: no iterators of tuples
    return (
        pairs
        .repartition(1)
        .sortWithinPartitions("late", "early")
        .withColumn("is_kept", is_kept.asNondeterministic()(F.col("early.post_id"), F.col("late.post_id")))
        .where("is_kept")
    )


def _are_kept(batches: Iterator[tuple[pa.Array, pa.Array]]) -> Iterator[pa.Array]:
    """Whether the pair's earlier text is kept, and so its later one dropped; for pairs in order of the later."""
    dropped: set[str] = set()
    for earlier, later in batches:
        found = []
        for early, late in zip(earlier.to_pylist(), later.to_pylist(), strict=True):
            found.append(early not in dropped)
            if found[-1]:
                dropped.add(late)
        yield pa.array(found, pa.bool_())


def _without(pairs: DataFrame, end: str, posts: DataFrame) -> DataFrame:
    """The pairs whose one end is not among these posts."""
    named = posts.select(F.col("post_id").alias("_gone"))
    return pairs.join(named, on=F.col(f"{end}.post_id") == F.col("_gone"), how="left_anti")


def _without_copies(pairs: DataFrame, posts: DataFrame, policy: Policy) -> DataFrame:
    """The pairs of texts that are still eligible: if a text's first post copies an objector, so do the others."""
    mask = in_force(policy) & Reason.OBJECTOR_TEXT_COPY.mask
    if not mask:
        return pairs
    copies = posts.where(has_any(F.col("reasons"), mask)).select("post_id")
    return pairs.transform(_without, "early", copies).transform(_without, "late", copies).transform(settled)


def _as_kept_alone(posts: DataFrame) -> DataFrame:
    """The columns of duplicates where none are sought."""
    return (
        posts
        .withColumn("kept_instead", F.lit(None).cast("string"))
        .withColumn("similarity", F.lit(None).cast("double"))
        .withColumn("copies", F.when(F.col("reasons") == 0, F.lit(1).cast("bigint")))
        .withColumn("is_capped", F.lit(False))
    )
