"""A dataset in a Spark session: a version for a training run, handed out and logged, and tables for who asks by SQL."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

from pyspark.sql import DataFrame, SparkSession

from corpus.errors import ConfigError
from corpus.sql.catalog import database, quoted, statements
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


def register(spark: SparkSession, warehouse: Path | str, dataset: str, restricted: bool = False) -> str:
    """The name of a database that has a dataset's tables: `uk_social` with snapshot, versions and funnel.

    `restricted` adds those that name people, for the privacy team. After a build the funnel must be registered again.
    Raises DatasetError, and ConfigError where a database of this name has another dataset's snapshot.
    """
    name = database(dataset)
    makes_database, makes_snapshot, *makes_views = statements(Path(warehouse), dataset, restricted)
    spark.sql(makes_database)
    spark.sql(makes_snapshot)
    _require_ours(spark, name, (Path(warehouse) / dataset / "snapshot").absolute())
    for makes_view in makes_views:
        spark.sql(makes_view)
    return name


def _require_ours(spark: SparkSession, name: str, snapshot: Path) -> None:
    found = spark.sql(f"DESCRIBE DETAIL {quoted(name)}.snapshot").select("location").first()
    place = found["location"].removeprefix("file:") if found else ""
    if Path(unquote(place)) != snapshot:
        raise ConfigError(f"The database {name} has the snapshot of another dataset: {place}, not {snapshot}.")
