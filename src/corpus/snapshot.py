"""The rows that verdicts become, the one commit that makes a version of them, and the digest of their rows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from corpus.dataset_key import DOC_ID_DIGITS
from corpus.errors import Conflict
from corpus.keyed import keyed, with_key, without_key
from corpus.schemas import SNAPSHOT, columns
from corpus.tables import clustered
from corpus.verdicts import primary_reason

BUCKET_DIGITS = 4
MAX_BUCKET_BITS = 4 * BUCKET_DIGITS
AUTHORS_PER_BUCKET = 1000
"""So many at least, where there are so many: a bucket must not tell one author's documents from another's."""


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


def with_ids(verdicts: DataFrame, key: bytes, bits: int, spark: SparkSession) -> DataFrame:
    """Adds every post's `bucket`, and the `doc_id` of those that are in: once, whatever is then written of them."""
    return (
        verdicts
        .transform(with_key, key, spark)
        .withColumns({
            "doc_id": F.when(F.col("reasons") == 0, _doc_id()),
            "bucket": _bucket(F.col("account_id"), bits),
        })
        .transform(without_key)
    )


def as_documents(verdicts: DataFrame) -> DataFrame:
    """The posts that are in, as rows of the snapshot. Nothing of the author but the bucket."""
    return verdicts.where(F.col("reasons") == 0).select(*_document())


def as_row_hashes(verdicts: DataFrame) -> DataFrame:
    """The posts that are in, one narrow row each: post_id, doc_id, bucket, row_hash. For the digest and the trees."""
    documents = verdicts.where(F.col("reasons") == 0).select("post_id", *_document())
    return documents.select("post_id", "doc_id", "bucket", _row_hash().alias("row_hash"))


def as_exclusions(verdicts: DataFrame) -> DataFrame:
    """The posts that are out, as rows of the ledger, but for the build_id."""
    return verdicts.where(F.col("reasons") != 0).select(
        "post_id",
        "account_id",
        "reasons",
        primary_reason(F.col("reasons")).alias("primary_reason"),
        "kept_instead",
        "similarity",
        "bucket",
    )


def as_members(verdicts: DataFrame, key: bytes, bits: int, spark: SparkSession) -> DataFrame:
    """One row per document, account and role, but for the build_id."""
    author = F.array(F.struct(F.lit("author").alias("role"), F.col("account_id")))
    coauthors = F.transform(
        F.array_distinct(F.array_compact("coauthor_ids")),
        lambda account: F.struct(F.lit("coauthor").alias("role"), account.alias("account_id")),
    )
    people = F.when(F.size("coauthor_ids") > 0, F.concat(author, coauthors)).otherwise(author)
    is_author = F.col("person.role") == "author"
    return (
        verdicts
        .where(F.col("reasons") == 0)
        .select("doc_id", "post_id", F.col("bucket").alias("own"), F.explode(people).alias("person"))
        .transform(with_key, key, spark)
        .select(
            "doc_id",
            "post_id",
            "person.account_id",
            "person.role",
            F.when(is_author, F.col("own")).otherwise(_bucket(F.col("person.account_id"), bits)).alias("bucket"),
        )
    )


def with_bucket(rows: DataFrame, name: Column, key: bytes, bits: int, spark: SparkSession) -> DataFrame:
    """Adds the `bucket` of the account or post of this name."""
    return rows.transform(with_key, key, spark).withColumn("bucket", _bucket(name, bits)).transform(without_key)


def commit(documents: DataFrame, dataset: Path, said: Said) -> None:
    """The one commit of a build. The transaction id is the build's, so that a retried write cannot commit twice."""
    (
        documents
        .transform(clustered, "doc_id")
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


def committed(spark: SparkSession, dataset: Path, said: Said, version: int) -> Commit:
    """The commit just made, if it is this version and carries its intent. Raises Conflict."""
    made = commit_of(spark, dataset, said.build_id)
    if made is None or made.version != version or made.intent != said.intent:
        raise Conflict(
            f"The commit of build {said.build_id} to {dataset.name} is not version {version} with its own intent: "
            f"found {made}. If that is an earlier try of this build, whose Java outlived it, run the build again to "
            "seal it. Else another program writes to this table; stop it, and look at the table's history."
        )
    return made


def documents_at(spark: SparkSession, dataset: Path, version: int) -> DataFrame:
    """The documents of a version."""
    return spark.read.format("delta").option("versionAsOf", version).load(str(dataset / "snapshot"))


def row_digest(documents: DataFrame) -> str:
    """The digest of a version's rows, independent of files, partitions and order; docs/dataset.md defines it."""
    return digest_of_hashes(documents.select("doc_id", "bucket", _row_hash().alias("row_hash")))


def digest_of_hashes(rows: DataFrame) -> str:
    """The digest of rows of which doc_id, bucket and row_hash are known.

    One exchange of ids and hashes; the driver holds one hash per bucket.
    """
    in_order = F.transform(F.array_sort(F.collect_list("row")), lambda row: row["row_hash"])
    buckets = (
        rows
        .select("bucket", F.struct("doc_id", "row_hash").alias("row"))
        .groupBy("bucket")
        .agg(F.sha2(F.array_join(in_order, ""), 256).alias("digest"))
    )
    lines = sorted((row["bucket"], row["digest"]) for row in buckets.collect())
    return sha256("".join(f"{bucket}:{digest}\n" for bucket, digest in lines).encode()).hexdigest()


def _document() -> list[Column]:
    """The columns of a row of the snapshot, out of a kept verdict with its ids."""
    return [
        F.col("doc_id"),
        *map(F.col, ("text", "platform", "surface", "lang")),
        F.to_date("created_at").alias("created_on"),
        F.char_length("text").alias("chars"),
        F.col("copies"),
        F.col("bucket"),
    ]


def _row_hash() -> Column:
    """The SHA-256 of the canonical row, in hex; docs/dataset.md defines it."""
    return F.sha2(F.concat(*(_netstring(F.col(c.name)) for c in columns(SNAPSHOT))), 256)


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
