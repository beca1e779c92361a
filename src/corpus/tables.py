"""A dataset's Delta tables: how they are made, how long their versions open, and what is written into the side ones."""

from __future__ import annotations

from functools import reduce
from pathlib import Path

import deltalake
from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from corpus.catalogs import delta_at
from corpus.errors import EnvironmentFault
from corpus.policy import Policy
from corpus.schemas import EXCLUSIONS, GROUNDS, LEAVES, MEMBERS, REGISTER, SNAPSHOT, columns

SIDE_TABLES = {
    "exclusions": EXCLUSIONS,
    "members": MEMBERS,
    "grounds": GROUNDS,
    "objections": REGISTER,
    "leaves": LEAVES,
}
STATISTICS = dict.fromkeys(SIDE_TABLES, "bucket") | {
    "snapshot": "bucket,platform,surface,created_on",
    "leaves": "tree,index",
}


def exists(spark: SparkSession, dataset: Path) -> bool:
    """Whether the dataset has been created."""
    return DeltaTable.isDeltaTable(spark, str(dataset / "snapshot"))


def create_tables(spark: SparkSession, dataset: Path, policy: Policy, own: dict[str, str]) -> None:
    """Makes the dataset's tables, empty, with properties of its own; the snapshot last: by it the dataset exists."""
    try:
        create_side_tables(spark, dataset, policy)
        _create(
            spark, dataset / "snapshot", f"({SNAPSHOT}) USING delta", properties(STATISTICS["snapshot"], policy) | own
        )
    except Exception as cannot:
        if "mkdirs failed" in str(cannot).lower() or "permission denied" in str(cannot).lower():
            raise EnvironmentFault(f"The warehouse folder {dataset.parent} cannot be written.") from None
        raise


def create_side_tables(spark: SparkSession, dataset: Path, policy: Policy) -> None:
    """Makes, empty, the side tables that are not there: all of them, or those that an older dataset does not have."""
    for name, ddl in SIDE_TABLES.items():
        if not DeltaTable.isDeltaTable(spark, str(dataset / name)):
            shape = f"({ddl}) USING delta PARTITIONED BY (build_id)"
            _create(spark, dataset / name, shape, properties(STATISTICS[name], policy))


def property_of(spark: SparkSession, dataset: Path, name: str) -> str:
    """A table property of the snapshot; empty if it has none."""
    detail = DeltaTable.forPath(spark, str(dataset / "snapshot")).detail().select("properties").first()
    return str(detail["properties"].get(name, "")) if detail else ""


def with_longer_retention(spark: SparkSession, dataset: Path, policy: Policy) -> None:
    """Lengthens how long versions open, if the policy asks for more than the tables have; never shortens it."""
    has = int(property_of(spark, dataset, "delta.deletedFileRetentionDuration").split()[1])
    if has < policy.retention_days:
        for name in ("snapshot", *SIDE_TABLES):
            settings = ", ".join(f"'{k}' = '{v}'" for k, v in _retention(policy).items())
            spark.sql(f"ALTER TABLE {delta_at((dataset / name).absolute())} SET TBLPROPERTIES ({settings})")


def properties(statistics: str, policy: Policy) -> dict[str, str]:
    """The Delta properties of every table of a dataset: versions that stay, and statistics on these columns only."""
    return {
        "delta.enableInCommitTimestamps": "true",
        "delta.enableDeletionVectors": "false",
        "delta.enableExpiredLogCleanup": "false",
        "delta.dataSkippingStatsColumns": statistics,
        "delta.checkpointPolicy": "classic",
    } | _retention(policy)


def write_side_table(rows: DataFrame, dataset: Path, name: str, build_id: str, sort_by: str) -> None:
    """Writes a build's rows of a side table, clustered by bucket."""
    write_as_placed(rows.transform(clustered, sort_by), dataset, name, build_id)


def write_as_placed(rows: DataFrame, dataset: Path, name: str, build_id: str) -> None:
    """Writes a build's rows of a side table where they lie, in place of what an earlier try of the same build left."""
    rows = rows.withColumn("build_id", F.lit(build_id)).select(*(c.name for c in columns(SIDE_TABLES[name])))
    (
        rows.write
        .format("delta")
        .mode("overwrite")
        .option("replaceWhere", f"build_id = '{build_id}'")
        .save(str(dataset / name))
    )


def clustered(rows: DataFrame, sort_by: str) -> DataFrame:
    """Rows in order of bucket over the files, and of an id inside: neighbours are not one author's."""
    return rows.repartitionByRange("bucket").sortWithinPartitions("bucket", sort_by)


def ids_judged(spark: SparkSession, dataset: Path) -> DataFrame:
    """The accounts and posts that builds of this dataset have judged, as `id`; repeated."""
    tables = (spark.read.format("delta").load(str(dataset / name)) for name in ("exclusions", "members"))
    ids = (table.select(F.explode(F.array("account_id", "post_id")).alias("id")) for table in tables)
    return reduce(DataFrame.unionAll, ids)


def sweep(spark: SparkSession, dataset: Path, builds: set[str]) -> None:
    """Deletes side rows of other builds than these, which made versions; reads no rows to find them.

    Only for who holds the lease and has just committed: any other builder has lost its base version by then.
    """
    for name in SIDE_TABLES:
        written = {str(found["build_id"]) for found in deltalake.DeltaTable(dataset / name).partitions()}
        for left in sorted(written - builds):
            DeltaTable.forPath(spark, str(dataset / name)).delete(F.col("build_id") == left)


def _create(spark: SparkSession, path: Path, shape: str, properties: dict[str, str]) -> None:
    settings = ", ".join(f"'{k}' = '{v}'" for k, v in properties.items())
    spark.sql(f"CREATE TABLE IF NOT EXISTS {delta_at(path.absolute())} {shape} TBLPROPERTIES ({settings})")


def _retention(policy: Policy) -> dict[str, str]:
    days = f"interval {policy.retention_days} days"
    return {"delta.deletedFileRetentionDuration": days, "delta.logRetentionDuration": days}
