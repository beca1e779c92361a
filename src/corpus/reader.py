"""A version in a Spark session, for a training run: handed out, logged, and exactly that one."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from corpus.uses import Asked, hand_out
from corpus.versions import parse_one


def read_version(  # noqa: PLR0913 (who reads, for what)
    spark: SparkSession,
    warehouse: Path | str,
    version: str,
    *,
    run: str,
    purpose: str,
    approved_by: str,
    signer: Path | str | None = None,
) -> DataFrame:
    """The documents of a version such as `uk-social@7`; the use is logged before a row is read.

    `signer` is the dataset's signing key: CORPUS_SIGNER, or ~/.config/corpus/DATASET.ed25519.pem, where it is not
    named. Raises UseRefused, DatasetError, ConfigError.
    """
    dataset, number = parse_one(version)
    place = signer or os.environ.get("CORPUS_SIGNER") or Path.home() / f".config/corpus/{dataset}.ed25519.pem"
    handed = hand_out(Path(warehouse), dataset, number, Asked(run, purpose, approved_by), place, datetime.now(UTC))
    return spark.read.format("delta").option("versionAsOf", handed.number).load(handed.path)
