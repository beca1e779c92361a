"""Which posts say what an earlier one says, and which one stays."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from corpus.policy import Policy
from corpus.reasons import Reason
from corpus.rules import in_force
from corpus.verdicts import bitmap


def with_exact_duplicates(posts: DataFrame, policy: Policy) -> DataFrame:
    """Adds EXACT_DUPLICATE, `kept_instead`, `similarity` and `copies` among the posts without any reason.

    Of equal normalised texts the first by (created_at, post_id) stays. One row in, one row out. Costs one exchange of
    fingerprints and ids; the texts move only if the groups are too many to broadcast.
    """
    if not in_force(policy) & Reason.EXACT_DUPLICATE.mask:
        return posts.transform(_as_kept_alone)
    is_eligible = F.col("reasons") == 0
    groups = (
        posts
        .where(is_eligible)
        .groupBy("fingerprint")
        .agg(F.min(F.struct("created_at", "post_id")).alias("first"), F.count("*").alias("copies"))
        .where(F.col("copies") > 1)
        .select("fingerprint", F.col("first.post_id").alias("first_id"), "copies")
    )
    is_copy = is_eligible & F.coalesce(F.col("first_id") != F.col("post_id"), F.lit(False))
    duplicate = bitmap(Reason.EXACT_DUPLICATE.mask)
    return (
        posts
        .join(groups, on="fingerprint", how="left")
        .withColumn("kept_instead", F.when(is_copy, F.col("first_id")))
        .withColumn("similarity", F.when(is_copy, F.lit(1.0)))
        .withColumn("copies", F.when(is_eligible & ~is_copy, F.coalesce("copies", F.lit(1).cast("bigint"))))
        .withColumn("reasons", F.when(is_copy, duplicate).otherwise(F.col("reasons")))
        .drop("first_id")
    )


def _as_kept_alone(posts: DataFrame) -> DataFrame:
    """The columns of duplicates where none are sought."""
    return (
        posts
        .withColumn("kept_instead", F.lit(None).cast("string"))
        .withColumn("similarity", F.lit(None).cast("double"))
        .withColumn("copies", F.when(F.col("reasons") == 0, F.lit(1).cast("bigint")))
    )
