"""Results that are settled before the next step begins."""

from __future__ import annotations

from pyspark.sql import DataFrame


def settled(frame: DataFrame) -> DataFrame:
    """The same rows, computed now and kept, so that what builds on them plans and runs as if they were a table.

    Kept in the checkpoint directory where the session has one (`spark.checkpoint.dir`: outlives an executor), otherwise
    by the executors.
    """
    has_directory = frame.sparkSession.sparkContext.getCheckpointDir() is not None
    return frame.checkpoint() if has_directory else frame.localCheckpoint()
