"""Keys that should be unique and are not."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def repeated(rows: DataFrame, key: str) -> DataFrame:
    """The values of a key column that occur more than once, one row each; nulls are not values.

    Costs one exchange of 8-byte hashes, and one of the few keys whose hash repeats.
    """
    hashed = rows.where(F.col(key).isNotNull()).select(key, F.xxhash64(key).alias("hash"))
    # many rows in, few out: the suspects are the repeated keys and what collides with them
    return (
        hashed
        .join(F.broadcast(hashed.transform(repeated_hashes)), on="hash", how="left_semi")
        .groupBy(key)
        .count()
        .where("count > 1")
        .select(key)
    )


def repeated_hashes(hashed: DataFrame) -> DataFrame:
    """The values of `hash` that occur more than once, one row each. Costs one exchange of hashes and counts."""
    return hashed.groupBy("hash").count().where("count > 1").select("hash")
