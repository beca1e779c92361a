"""A dataset's Delta tables.

How they are made, what a build writes into them, and the one commit that makes a version.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from hashlib import sha256
from pathlib import Path

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from corpus.errors import Conflict, EnvironmentFault
from corpus.keyed import keyed, with_key, without_key
from corpus.policy import Policy
from corpus.schemas import EXCLUSIONS, GROUNDS, MEMBERS, REGISTER, SNAPSHOT, columns
from corpus.verdicts import primary_reason

DOC_ID_DIGITS = 32
BUCKET_DIGITS = 4
MAX_BUCKET_BITS = 4 * BUCKET_DIGITS
AUTHORS_PER_BUCKET = 1000
"""So many at least, where there are so many: a bucket must not tell one author's documents from another's."""

SIDE_TABLES = {"exclusions": EXCLUSIONS, "members": MEMBERS, "grounds": GROUNDS, "objections": REGISTER}
STATISTICS = {"snapshot": "bucket,platform,surface,created_on"} | dict.fromkeys(SIDE_TABLES, "bucket")


@dataclass(frozen=True)
class Said:
    """What a commit says of itself: its build, and the SHA-256 of that build's intent."""

    build_id: str
    intent: str


@dataclass(frozen=True)
class Commit:
    """A version that a build made."""

    version: int
    released_at: datetime
    intent: str


def bucket_bits_for(accounts: int) -> int:
    """How many bits a new dataset's buckets get, so that each holds many authors."""
    return min(MAX_BUCKET_BITS, max(0, (accounts // AUTHORS_PER_BUCKET).bit_length() - 1))


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
            spark.sql(f"ALTER TABLE {_sql_path(dataset / name)} SET TBLPROPERTIES ({settings})")


def as_documents(verdicts: DataFrame, key: bytes, bits: int, spark: SparkSession) -> DataFrame:
    """The posts that are in, as rows of the snapshot. Nothing of the author but the bucket."""
    return (
        verdicts
        .where(F.col("reasons") == 0)
        .transform(with_key, key, spark)
        .select(
            _doc_id().alias("doc_id"),
            "text",
            "platform",
            "surface",
            "lang",
            F.to_date("created_at").alias("created_on"),
            F.char_length("text").alias("chars"),
            "copies",
            _bucket(F.col("account_id"), bits).alias("bucket"),
        )
    )


def as_exclusions(verdicts: DataFrame, key: bytes, bits: int, spark: SparkSession) -> DataFrame:
    """The posts that are out, as rows of the ledger, but for the build_id."""
    return (
        verdicts
        .where(F.col("reasons") != 0)
        .transform(with_key, key, spark)
        .select(
            "post_id",
            "account_id",
            "reasons",
            primary_reason(F.col("reasons")).alias("primary_reason"),
            "kept_instead",
            "similarity",
            _bucket(F.col("account_id"), bits).alias("bucket"),
        )
    )


def as_members(verdicts: DataFrame, key: bytes, bits: int, spark: SparkSession) -> DataFrame:
    """One row per document, account and role, but for the build_id."""
    author = F.array(F.struct(F.lit("author").alias("role"), F.col("account_id")))
    coauthors = F.transform(
        F.array_distinct(F.array_compact("coauthor_ids")),
        lambda account: F.struct(F.lit("coauthor").alias("role"), account.alias("account_id")),
    )
    people = F.concat(author, F.coalesce(coauthors, F.array().cast("array<struct<role:string,account_id:string>>")))
    return (
        verdicts
        .where(F.col("reasons") == 0)
        .select("post_id", F.explode(people).alias("person"))
        .transform(with_key, key, spark)
        .select(
            _doc_id().alias("doc_id"),
            "post_id",
            "person.account_id",
            "person.role",
            _bucket(F.col("person.account_id"), bits).alias("bucket"),
        )
    )


def with_bucket(rows: DataFrame, name: Column, key: bytes, bits: int, spark: SparkSession) -> DataFrame:
    """Adds the `bucket` of the account or post of this name."""
    return rows.transform(with_key, key, spark).withColumn("bucket", _bucket(name, bits)).transform(without_key)


def write_side_table(rows: DataFrame, dataset: Path, name: str, build_id: str, sort_by: str) -> None:
    """Writes a build's rows of a side table, in place of what an earlier try of the same build left there."""
    rows = rows.withColumn("build_id", F.lit(build_id)).select(*(c.name for c in columns(SIDE_TABLES[name])))
    (
        rows
        .transform(_clustered, sort_by)
        .write.format("delta")
        .mode("overwrite")
        .option("replaceWhere", f"build_id = '{build_id}'")
        .save(str(dataset / name))
    )


def commit(documents: DataFrame, dataset: Path, said: Said) -> None:
    """The one commit of a build. The transaction id is the build's, so that a retried write cannot commit twice."""
    (
        documents
        .transform(_clustered, "doc_id")
        .write.format("delta")
        .mode("overwrite")
        .option("txnAppId", said.build_id)
        .option("txnVersion", 1)
        .option("userMetadata", json.dumps({"build_id": said.build_id, "intent": said.intent}, sort_keys=True))
        .save(str(dataset / "snapshot"))
    )


def newest_version(spark: SparkSession, dataset: Path) -> int:
    """The newest version of the snapshot, whatever made it."""
    newest = DeltaTable.forPath(spark, str(dataset / "snapshot")).history(1).select("version").first()
    return int(newest["version"])  # type: ignore[index]


def commit_of(spark: SparkSession, dataset: Path, build_id: str) -> Commit | None:
    """The version that a build made; None if it made none."""
    history = DeltaTable.forPath(spark, str(dataset / "snapshot")).history()
    made = history.where(F.get_json_object("userMetadata", "$.build_id") == build_id)
    row = made.select(
        "version",
        F.unix_micros("timestamp").alias("micros"),
        F.get_json_object("userMetadata", "$.intent").alias("intent"),
    ).first()
    return Commit(row["version"], _from_micros(row["micros"]), row["intent"]) if row else None


def committed(spark: SparkSession, dataset: Path, said: Said, version: int, rows: int) -> Commit:
    """The commit just made, if it is this version, carries its intent and holds its rows. Raises Conflict."""
    made = commit_of(spark, dataset, said.build_id)
    if made is None or made.version != version or made.intent != said.intent:
        raise Conflict(
            f"The commit of build {said.build_id} to {dataset.name} is not version {version} with its own intent: "
            f"found {made}. If that is an earlier try of this build, whose Java outlived it, run the build again to "
            "seal it. Else another program writes to this table; stop it, and look at the table's history."
        )
    found = documents_at(spark, dataset, version).count()
    if found != rows:
        raise Conflict(f"{dataset.name}@{version} holds {found} rows; its build judged {rows} to be in.")
    return made


def documents_at(spark: SparkSession, dataset: Path, version: int) -> DataFrame:
    """The documents of a version."""
    return spark.read.format("delta").option("versionAsOf", version).load(str(dataset / "snapshot"))


def row_digest(documents: DataFrame) -> str:
    """The digest of a version's rows, independent of files, partitions and order; docs/dataset.md defines it.

    One exchange of ids and hashes; the driver holds one hash per bucket.
    """
    fields = [_netstring(F.col(c.name)) for c in columns(SNAPSHOT)]
    in_order = F.transform(F.array_sort(F.collect_list("row")), lambda row: row["hash"])
    buckets = (
        documents
        .select("bucket", F.struct("doc_id", F.sha2(F.concat(*fields), 256).alias("hash")).alias("row"))
        .groupBy("bucket")
        .agg(F.sha2(F.array_join(in_order, ""), 256).alias("digest"))
    )
    lines = sorted((row["bucket"], row["digest"]) for row in buckets.collect())
    return sha256("".join(f"{bucket}:{digest}\n" for bucket, digest in lines).encode()).hexdigest()


def ids_judged(spark: SparkSession, dataset: Path) -> DataFrame:
    """The accounts and posts that builds of this dataset have judged, as `id`; repeated."""
    tables = (spark.read.format("delta").load(str(dataset / name)) for name in ("exclusions", "members"))
    ids = (table.select(F.explode(F.array("account_id", "post_id")).alias("id")) for table in tables)
    return reduce(DataFrame.unionAll, ids)


def sweep(spark: SparkSession, dataset: Path) -> None:
    """Deletes side rows of builds that made no version.

    Only for who holds the lease and has just committed: any other builder has lost its base version by then.
    """
    history = DeltaTable.forPath(spark, str(dataset / "snapshot")).history()
    builds = history.select(F.get_json_object("userMetadata", "$.build_id").alias("build_id")).where(
        "build_id IS NOT NULL"
    )
    for name in SIDE_TABLES:
        table = DeltaTable.forPath(spark, str(dataset / name))
        left = table.toDF().select("build_id").distinct().join(builds, on="build_id", how="left_anti").collect()
        for row in left:
            table.delete(F.col("build_id") == row["build_id"])


def _create(spark: SparkSession, path: Path, shape: str, properties: dict[str, str]) -> None:
    settings = ", ".join(f"'{k}' = '{v}'" for k, v in properties.items())
    spark.sql(f"CREATE TABLE IF NOT EXISTS {_sql_path(path)} {shape} TBLPROPERTIES ({settings})")


def properties(statistics: str, policy: Policy) -> dict[str, str]:
    """The Delta properties of every table of a dataset: versions that stay, and statistics on these columns only."""
    return {
        "delta.enableInCommitTimestamps": "true",
        "delta.enableDeletionVectors": "false",
        "delta.enableExpiredLogCleanup": "false",
        "delta.dataSkippingStatsColumns": statistics,
        "delta.checkpointPolicy": "classic",
    } | _retention(policy)


def _retention(policy: Policy) -> dict[str, str]:
    days = f"interval {policy.retention_days} days"
    return {"delta.deletedFileRetentionDuration": days, "delta.logRetentionDuration": days}


def _sql_path(path: Path) -> str:
    return "delta.`" + str(path.absolute()).replace("`", "``") + "`"


def _clustered(rows: DataFrame, sort_by: str) -> DataFrame:
    """Rows in order of bucket over the files, and of an id inside: neighbours are not one author's."""
    return rows.repartitionByRange("bucket").sortWithinPartitions("bucket", sort_by)


def _doc_id() -> Column:
    return F.substring(keyed("post", F.col("post_id")), 1, DOC_ID_DIGITS)


def _bucket(account: Column, bits: int) -> Column:
    """The first bits of the keyed hash of an account; 0 where there is no account."""
    prefix = F.conv(F.substring(keyed("account", account), 1, BUCKET_DIGITS), 16, 10).cast("int")
    return F.coalesce(F.shiftright(prefix, MAX_BUCKET_BITS - bits), F.lit(0))


def _netstring(column: Column) -> Column:
    text = column.cast("string")
    return F.coalesce(F.concat(F.octet_length(text).cast("string"), F.lit(":"), text), F.lit("-"))


def _from_micros(micros: int) -> datetime:
    return datetime.fromtimestamp(0, tz=UTC) + timedelta(microseconds=micros)
