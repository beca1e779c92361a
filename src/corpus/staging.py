"""Results that are settled before the next step begins."""

from __future__ import annotations

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

FEW = 500_000
"""Rows that a driver of 2 GiB can send to all executors, of a few short columns."""

HASHED = 1_000_000
"""Rows that a task holds as a hash table."""


def settled(frame: DataFrame) -> DataFrame:
    """The same rows, computed now and kept, so that what builds on them plans and runs as if they were a table.

    Kept in the checkpoint directory where the session has one (`spark.checkpoint.dir`: outlives an executor), otherwise
    by the executors.
    """
    has_directory = frame.sparkSession.sparkContext.getCheckpointDir() is not None
    # as bytes: millions of rows as objects keep the garbage collector busy
    return frame.checkpoint() if has_directory else frame.localCheckpoint(storageLevel=StorageLevel.MEMORY_AND_DISK)


def sent_where_few(frame: DataFrame) -> DataFrame:
    """The same rows, settled, and sent to all executors where they are few: what they are joined to stays in its place.

    Spark knows no size of a settled frame, and would shuffle the texts before it finds that it need not.
    """
    kept = settled(frame)
    return F.broadcast(kept) if kept.count() <= FEW else kept


def looked_up(settled_frame: DataFrame) -> DataFrame:
    """The same rows, to be found by a hash table in each task where its share fits: the posts need not be sorted."""
    fits = settled_frame.count() <= HASHED * shuffle_partitions(settled_frame.sparkSession)
    return settled_frame.hint("shuffle_hash") if fits else settled_frame


def shuffle_partitions(spark: SparkSession) -> int:
    """Into how many parts an exchange splits rows, before adaptive execution merges small ones."""
    return int(str(spark.conf.get("spark.sql.shuffle.partitions")))
