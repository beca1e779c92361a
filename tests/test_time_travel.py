"""A version still opens after its commit has aged beyond Delta's default week, because the dataset's tables say so."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from corpus import tables
from corpus.arguments import conf_file
from corpus.config import read_toml
from corpus.policy import as_policy
from corpus.schemas import SNAPSHOT

AGE = timedelta(days=30)


def write_two_versions(spark: SparkSession, table: Path) -> None:
    for number in (1, 2):
        rows = spark.range(3).selectExpr(f"CAST(id + {number} AS STRING) AS doc_id", "CAST(0 AS INT) AS bucket")
        rows.write.format("delta").mode("overwrite").option("mergeSchema", "true").save(str(table))


def age(spark: SparkSession, table: Path) -> None:
    """Makes every commit of a table older, where in-commit timestamps are kept: in its log, whose checksums go."""
    log = table / "_delta_log"
    for path in sorted(log.glob("*.json")):
        actions = [json.loads(line) for line in path.read_text().splitlines()]
        for action in actions:
            if "commitInfo" in action:
                action["commitInfo"]["inCommitTimestamp"] -= int(AGE.total_seconds() * 1000)
        path.write_text("\n".join(map(json.dumps, actions)) + "\n")
    for checksum in log.glob("*.crc"):  # hidden ones too
        checksum.unlink()
    jvm = spark.sparkContext._jvm
    assert jvm is not None
    jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()


def ids_at(spark: SparkSession, table: Path, version: int) -> list[str]:
    rows = spark.sql(f"SELECT doc_id FROM delta.`{table}` VERSION AS OF {version} ORDER BY doc_id")
    return [row["doc_id"] for row in rows.collect()]


def test_versions_open_after_thirty_days(spark: SparkSession, tmp_path: Path) -> None:
    tables.create_tables(
        spark, tmp_path, as_policy(read_toml(conf_file("policies", "uk-social"), "policy"), "uk-social"), {}
    )
    write_two_versions(spark, tmp_path / "snapshot")
    age(spark, tmp_path / "snapshot")
    assert ids_at(spark, tmp_path / "snapshot", 1) == ["1", "2", "3"]
    assert ids_at(spark, tmp_path / "snapshot", 2) == ["2", "3", "4"]


def test_a_twin_with_default_retention_does_not(spark: SparkSession, tmp_path: Path) -> None:
    twin = tmp_path / "twin"
    spark.sql(
        f"CREATE TABLE delta.`{twin}` ({SNAPSHOT}) USING delta "
        "TBLPROPERTIES ('delta.enableInCommitTimestamps' = 'true')"
    )
    write_two_versions(spark, twin)
    age(spark, twin)
    with pytest.raises(PySparkException, match="BEYOND_DELETED_FILE_RETENTION"):
        ids_at(spark, twin, 1)
