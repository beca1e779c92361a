"""A dataset in a Spark session: a version for a training run, handed out and logged, and tables for who asks by SQL."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

from pyspark.sql import DataFrame, SparkSession

from corpus.catalogs import detail, lacking, quoted, tables_in
from corpus.errors import ConfigError
from corpus.sql.catalog import restricted_beside, schema_of, statements
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


def register(
    spark: SparkSession, warehouse: Path | str, dataset: str, restricted: bool = False, schema: str | None = None
) -> str:
    """The name of a schema that has a dataset's tables: `uk_social` with snapshot, versions and funnel.

    `restricted` adds those that name people, for the privacy team, in `uk_social_restricted`. After a build the funnel
    must be registered again. Raises DatasetError, and ConfigError where the schema has something else.
    """
    makes = statements(Path(warehouse), dataset, restricted, schema)
    parts = schema_of(Path(warehouse), dataset, schema)
    require_own(spark, parts, (Path(warehouse) / dataset).absolute())
    for statement in makes:
        spark.sql(statement)
    return schema or parts[0]


def require_own(spark: SparkSession, schema: list[str], dataset: Path) -> None:
    """Raises ConfigError where the catalog of a schema is not there, or the schema has what is not the dataset's."""
    name = ".".join(schema)
    if len(schema) > 1 and (wrong := lacking(spark, schema[:-1], ("catalog",))):
        raise ConfigError(f"{name}: {wrong}.")
    there = [table for part in (schema, restricted_beside(schema)) for table in tables_in(spark, part)]
    found = detail(spark, quoted(*schema, "snapshot")) if there else None
    place = unquote(found["location"].removeprefix("file:")) if found else None
    if there and place != str(dataset / "snapshot"):
        what = f"the snapshot of another dataset, {place}" if place else f"tables of something else: {there[0]}, …"
        raise ConfigError(
            f"The schema {name} has {what}; expected {dataset / 'snapshot'}, or nothing yet. Name another: a schema is "
            "one dataset's alone."
        )
