"""The two trees of a build, in Spark: which posts and which people are in, committed to under keys of this build alone.

The snapshot key travels as a broadcast variable to the Arrow function that needs it, and stands in no plan or log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyspark import Broadcast
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import arrow_udf

from corpus.dataset_key import keyed_by
from corpus.errors import DatasetError
from corpus.evidence.buckets import CHUNK_BITS, as_bucket
from corpus.evidence.store import trees_path, write_document
from corpus.staging import shuffle_partitions
from corpus.tables import write_as_placed
from corpus_verify.ids import TREES, depth_for
from corpus_verify.merkle import root_of

_MEMBER = "struct<id: binary, doc_id: binary, row_hash: binary>"
_BUCKET = pa.struct([("count", pa.int32()), ("tokens", pa.binary()), ("leaf", pa.binary())])


@dataclass(frozen=True)
class Tree:
    """A tree of a version: its root, how many ids it holds in how many buckets, and the roots of runs of buckets."""

    root: str
    ids: int
    buckets: int
    chunks: list[str]

    def summary(self) -> dict[str, str]:
        """What intents and records say of it."""
        return {"root": self.root, "ids": str(self.ids), "buckets": str(self.buckets)}


def write_trees(
    dataset: Path, build_id: str, documents: DataFrame, accounts: DataFrame, key: bytes
) -> dict[str, dict[str, str]]:
    """Writes a build's `leaves` and the file of its chunk roots; what the intent says of the two trees.

    The roots are those of what was written. For the frames and the key see `leaves_of`. Raises DatasetError.
    """
    with leaves_of(documents, accounts, key) as (leaves, sizes):
        write_as_placed(leaves, dataset, "leaves", build_id)
    leaves = documents.sparkSession.read.format("delta").load(str(dataset / "leaves"))
    trees = trees_of(leaves.where(F.col("build_id") == build_id), sizes)
    chunks = {name: tree.summary() | {"chunks": tree.chunks} for name, tree in trees.items()}
    write_document(trees_path(dataset, build_id), {"build_id": build_id} | chunks)
    return {name: tree.summary() for name, tree in trees.items()}


@contextmanager
def leaves_of(documents: DataFrame, accounts: DataFrame, key: bytes) -> Iterator[tuple[DataFrame, dict[str, int]]]:
    """The rows of `leaves` of both trees, but for the build_id, and how many ids each holds; for use within this only.

    One row per bucket; a partition is a run of them in order. documents: post_id, doc_id, row_hash (hex), one row a
    post, read twice. accounts: account_id, repeated. key: the snapshot key. One exchange for each tree, and one that
    leaves every account once.
    """
    persons = accounts.distinct().persist()
    sizes = {"documents": documents.count(), "persons": persons.count()}
    posts = documents.select(_member("post_id", F.col("doc_id").cast("binary"), F.unhex("row_hash")).alias("member"))
    nothing = F.lit(None).cast("binary")
    people = persons.select(_member("account_id", nothing, nothing).alias("member"))
    secret = documents.sparkSession.sparkContext.broadcast(key)
    try:
        yield (
            _leaves("post", posts, sizes["documents"], secret).unionAll(
                _leaves("account", people, sizes["persons"], secret)
            ),
            sizes,
        )
    finally:
        secret.destroy()
        persons.unpersist()


def trees_of(leaves: DataFrame, sizes: dict[str, int]) -> dict[str, Tree]:
    """The trees above rows of `leaves`; the driver holds the roots of chunks of leaves, never the leaves.

    Raises DatasetError if these are not the buckets that so many ids make.
    """
    runs = leaves.groupBy("tree", F.shiftright("index", CHUNK_BITS).alias("chunk")).agg(
        F.count("*").alias("buckets"),
        F.min("index").alias("first"),
        F.max("index").alias("last"),
        F.sum("count").alias("ids"),
        F.array_sort(F.collect_list(F.struct("index", "leaf"))).alias("leaves"),
    )
    rooted = runs.select("tree", "chunk", "buckets", "first", "last", "ids", _roots()("leaves.leaf").alias("root"))
    chunks = sorted(tuple(row) for row in rooted.collect())
    return {tree: _tree(tree, [chunk[2:] for chunk in chunks if chunk[0] == tree], sizes[tree]) for tree in sizes}


def bucket_index(kind: str, name: Column, depth: int) -> Column:
    """The bucket of an id, as `corpus_verify.ids.bucket_of` has it; depth is at most 60."""
    hashed = F.sha2(F.concat(F.lit(f"corpus bucket v1\0{kind}\0").cast("binary"), name), 256)
    return F.shiftright(F.conv(F.substring(hashed, 1, 15), 16, 10).cast("bigint"), 60 - depth)


def _member(name: str, doc_id: Column, row_hash: Column) -> Column:
    return F.struct(F.col(name).cast("binary").alias("id"), doc_id.alias("doc_id"), row_hash.alias("row_hash"))


def _leaves(kind: str, members: DataFrame, size: int, secret: Broadcast[bytes]) -> DataFrame:
    spark, depth = members.sparkSession, depth_for(size)
    part_bits = min(shuffle_partitions(spark).bit_length() - 1, depth)
    empty = spark.range(1 << depth).select(F.col("id").alias("index"), F.lit(None).cast(_MEMBER).alias("member"))
    placed = members.select(bucket_index(kind, F.col("member.id"), depth).alias("index"), "member")
    return (
        placed
        .unionAll(empty)  # a bucket without ids has its row too
        .withColumn("part", F.shiftright("index", depth - part_bits).cast("int"))
        .repartitionById(1 << part_bits, F.col("part"))
        .groupBy("part", "index")
        .agg(F.collect_list("member").alias("members"))
        .select("index", _buckets(kind, secret)("index", "members").alias("bucket"))
        .select(F.lit(TREES[kind]).alias("tree"), "index", "bucket.*")
        .sortWithinPartitions("index")
    )


def _buckets(kind: str, secret: Broadcast[bytes]) -> Callable[[str, str], Column]:
    """The Arrow function from index and members to count, tokens and leaf."""

    def buckets(batches: Iterator[tuple[pa.Array, pa.Array]]) -> Iterator[pa.Array]:
        key = secret.value
        row_key = keyed_by(key)
        for indexes, members in batches:
            made = [
                as_bucket(key, kind, index, own, row_key)
                for index, own in zip(indexes.to_pylist(), _rows(members), strict=True)
            ]
            columns = ([getattr(bucket, field.name) for bucket in made] for field in _BUCKET)
            arrays = [pa.array(values, field.type) for values, field in zip(columns, _BUCKET, strict=True)]
            yield pa.StructArray.from_arrays(arrays, fields=list(_BUCKET))

    return arrow_udf(buckets, "count int, tokens binary, leaf binary")  # type: ignore[no-any-return, call-overload]


def _rows(members: pa.ListArray) -> Iterator[list[tuple[bytes, bytes | None, bytes | None]]]:
    """The members of each bucket, as tuples."""
    flat = members.flatten()
    rows = list(zip(*(flat.field(at).to_pylist() for at in range(flat.type.num_fields)), strict=True))
    first = 0
    for many in members.value_lengths().to_pylist():
        yield rows[first : first + many]
        first += many


def _roots() -> Callable[[str], Column]:
    """The Arrow function from the leaf hashes of a run of buckets to their root."""

    def roots(leaves: pa.Array) -> pa.Array:
        return pa.array([root_of(run) for run in leaves.to_pylist()], pa.binary())

    return arrow_udf(roots, "binary")  # type: ignore[no-any-return, call-overload]


def _tree(name: str, chunks: list[tuple[int, int, int, int, bytes]], size: int) -> Tree:
    buckets, ids = sum(chunk[0] for chunk in chunks), sum(chunk[3] for chunk in chunks)
    follows = all(first == at << CHUNK_BITS and last - first == many - 1
                  for at, (many, first, last, *_) in enumerate(chunks))  # fmt: skip
    if not follows or ids != size or buckets != 1 << depth_for(size):
        raise DatasetError(
            f"The tree of {name} holds {ids} ids in {buckets} buckets, and {size} in {1 << depth_for(size)} were "
            "expected: an id is repeated, or leaves/ was written by two builds at once. Run the build again."
        )
    roots = [chunk[-1] for chunk in chunks]
    return Tree(root_of(roots).hex(), ids, buckets, [root.hex() for root in roots])
