"""Keys that should be unique and are not."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F


def repeated(rows: DataFrame, key: str) -> DataFrame:
    """The values of a key column that occur more than once, one row each; nulls are not values.

    Costs one exchange of 8-byte hashes, and one of the few keys whose hash repeats.
    """
    hashed = rows.where(F.col(key).isNotNull()).select(key, F.xxhash64(key).alias("hash"))
    suspects = hashed.groupBy("hash").count().where("count > 1").select("hash")
    # many rows in, few out: the suspects are the repeated keys and what collides with them
    return (
        hashed
        .join(F.broadcast(suspects), on="hash", how="left_semi")
        .groupBy(key)
        .count()
        .where("count > 1")
        .select(key)
    )


def rows_with_bad_key(rows: DataFrame, key: tuple[str, ...]) -> int:
    """How many rows have a key that is null in some column, or that other rows have too.

    Costs one exchange of hashes.
    """
    is_null = reduce(Column.__or__, (F.col(name).isNull() for name in key))
    hashed = rows.select(F.when(~is_null, F.xxhash64(*key)).alias("hash"))
    counts = hashed.groupBy("hash").count().where("hash IS NULL OR count > 1")
    (total,) = counts.agg(F.coalesce(F.sum("count"), F.lit(0)).alias("rows")).collect()
    return int(total["rows"])
