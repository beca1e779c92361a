"""Keyed hashes: HMAC-SHA256 as native columns, under a key that stands in no plan."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from corpus.dataset_key import BLOCK, INNER_PAD, OUTER_PAD

_INNER, _OUTER = "_key_inner", "_key_outer"


def with_key(rows: DataFrame, key: bytes, spark: SparkSession) -> DataFrame:
    """Adds the key as columns for `keyed`, from a broadcast one-row frame.

    As data it shows in no plan and no event log.
    """
    padded = key.ljust(BLOCK, b"\0")
    pads = (bytes(b ^ INNER_PAD for b in padded), bytes(b ^ OUTER_PAD for b in padded))
    one = spark.createDataFrame(spark.sparkContext.parallelize([pads], 1), f"{_INNER} BINARY, {_OUTER} BINARY")
    return rows.join(F.broadcast(one), how="cross")  # one row in, one row out


def without_key(rows: DataFrame) -> DataFrame:
    """Drops the key's columns."""
    return rows.drop(_INNER, _OUTER)


def keyed(kind: str, name: Column) -> Column:
    """`dataset_key.keyed_hash` of a column, on a frame that went through `with_key`; null for null (RFC 2104)."""
    message = F.concat(F.lit(f"{kind}\0"), name).cast("binary")
    inner = F.unhex(F.sha2(F.concat(F.col(_INNER), message), 256))
    return F.sha2(F.concat(F.col(_OUTER), inner), 256)
