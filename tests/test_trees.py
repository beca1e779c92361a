"""The two trees of a build are those of a plain oracle, however the rows lie, and their key shows nowhere."""

from __future__ import annotations

import base64
import hmac
import json
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from corpus.dataset_key import bucket_key, keyed_by, snapshot_key
from corpus.errors import DatasetError
from corpus.evidence.buckets import as_bucket
from corpus.evidence.trees import leaves_of, trees_of
from corpus_verify import ids
from tests.small_prover import KINDS, depth_of, digest, root
from tests.small_prover import bucket_of as oracle_bucket
from tests.test_plan import nodes

KEY = snapshot_key(bytes(range(32)), "uk-social", "build-1")
ODD = ["żółć", "日本語", "😀", "a\0b", "a", "\0", " ", "A", "e\u0301", "é", "'; --", "-" * 3000]


def doc_id(post: str) -> str:
    return sha256(post.encode()).hexdigest()[:32]


def row_hash(post: str) -> str:
    return sha256(b"row of " + post.encode()).hexdigest()


def mac(key: bytes, *parts: bytes) -> bytes:
    return hmac.new(key, b"".join(parts), "sha256").digest()


def oracle(kind: str, names: list[str]) -> dict[int, tuple[int, bytes, bytes]]:
    """Count, token leaves and leaf hash of every bucket, as the definition has it."""
    depth = depth_of(len(names))
    held: dict[int, list[str]] = {index: [] for index in range(2**depth)}
    for name in names:
        held[oracle_bucket(kind, name, depth)].append(name)
    return {index: oracle_leaf(kind, index, some) for index, some in held.items()}


def oracle_leaf(kind: str, index: int, names: list[str]) -> tuple[int, bytes, bytes]:
    key = mac(KEY, b"bucket v1\0", kind.encode(), b"\0", index.to_bytes(8, "big"))
    leaves = []
    for name in names:
        row_key = mac(KEY, b"row v1\0", doc_id(name).encode())
        row = mac(row_key, bytes.fromhex(row_hash(name))) if kind == "post" else b""
        leaves.append(mac(key, name.encode()) + row)
    leaves.sort()
    leaf = digest(b"\0", digest(key), len(names).to_bytes(8, "big"), root(leaves))
    return len(names), b"".join(leaves), leaf


def oracle_root(hashes: list[bytes]) -> bytes:
    while len(hashes) > 1:
        hashes = [digest(b"\1", left, right) for left, right in zip(hashes[::2], hashes[1::2], strict=True)]
    return hashes[0]


def documents_of(spark: SparkSession, posts: list[str]) -> DataFrame:
    rows = [(post, doc_id(post), row_hash(post)) for post in posts]
    return spark.createDataFrame(rows, "post_id STRING, doc_id STRING, row_hash STRING")


def accounts_of(spark: SparkSession, accounts: list[str]) -> DataFrame:
    rows = [(account,) for account in accounts for _ in range(1 + len(account) % 3)]
    return spark.createDataFrame(rows, "account_id STRING")


def some(prefix: str, many: int) -> list[str]:
    return (ODD + [f"{prefix}-{n}" for n in range(many)])[:many]


CASES = [(0, 1), (1, 0), (16, 17), (17, 16)]


@pytest.mark.parametrize(("posts", "accounts"), CASES)
def test_trees_are_those_of_the_oracle(spark: SparkSession, posts: int, accounts: int) -> None:
    check_against_oracle(spark, some("p", posts), some("a", accounts))


@pytest.fixture(params=[1, 3, 64])
def partitions(spark: SparkSession, request: pytest.FixtureRequest) -> Iterator[int]:
    before = str(spark.conf.get("spark.sql.shuffle.partitions"))
    spark.conf.set("spark.sql.shuffle.partitions", request.param)
    yield request.param
    spark.conf.set("spark.sql.shuffle.partitions", before)


def test_trees_do_not_depend_on_partitions(spark: SparkSession, partitions: int) -> None:
    check_against_oracle(spark, some("p", 1000), some("a", 1000), partitions)


def check_against_oracle(spark: SparkSession, posts: list[str], accounts: list[str], partitions: int = 1) -> None:
    documents = documents_of(spark, posts).repartition(partitions)
    with leaves_of(documents, accounts_of(spark, accounts), KEY) as (leaves, sizes):
        kept = leaves.persist()
        rows = kept.collect()
        trees = trees_of(kept, sizes)
        kept.unpersist()
    for kind, names in (("post", posts), ("account", accounts)):
        expected = oracle(kind, names)
        tree = KINDS[kind]
        own = [row for row in rows if row["tree"] == tree]
        assert [row["index"] for row in own] == [*expected]
        assert {row["index"]: (row["count"], bytes(row["tokens"]), bytes(row["leaf"])) for row in own} == expected
        hashes = [leaf for _, _, leaf in expected.values()]
        said = {"root": oracle_root(hashes).hex(), "ids": str(len(names)), "buckets": str(len(expected))}
        assert trees[tree].summary() == said
        assert trees[tree].chunks == [said["root"]]


def test_runs_of_4096_buckets_are_rooted_apart(spark: SparkSession) -> None:
    hashes = [sha256(str(n).encode()).digest() for n in range(3 * 4096 + 4096)]
    leaves = spark.range(len(hashes)).select(
        F.lit("persons").alias("tree"),
        F.col("id").alias("index"),
        F.lit(16).alias("count"),
        F.unhex(F.sha2(F.col("id").cast("string"), 256)).alias("leaf"),
    )
    (tree,) = trees_of(leaves.repartition(3, "leaf"), {"persons": 16 * len(hashes)}).values()
    assert tree.chunks == [oracle_root(hashes[at : at + 4096]).hex() for at in range(0, len(hashes), 4096)]
    assert tree.root == oracle_root(hashes).hex()
    with pytest.raises(DatasetError, match="persons holds 262128 ids in 16383 buckets, and 262144 in 16384 were exp"):
        trees_of(leaves.where("index != 5000"), {"persons": 16 * len(hashes)})


def test_an_id_that_is_there_twice_is_refused() -> None:
    with pytest.raises(DatasetError, match="there twice"):
        as_bucket(KEY, "post", 0, [(b"p", b"1", b"x" * 32), (b"p", b"2", b"y" * 32)], keyed_by(KEY))


def test_keys_and_tokens_are_hmac() -> None:
    for key in (b"", b"k", bytes(range(64))):
        assert keyed_by(key)(b"message") == hmac.digest(key, b"message", "sha256")
    key = bucket_key(KEY, "account", 7)
    made = as_bucket(KEY, "account", 7, [("żółć".encode(), None, None)], keyed_by(KEY))
    assert made.tokens == ids.token(key, "żółć")


def test_one_exchange_for_each_tree_and_one_that_leaves_accounts_once(spark: SparkSession) -> None:
    with leaves_of(documents_of(spark, ["p"]), accounts_of(spark, ["a"]), KEY) as (leaves, _):
        plan = leaves._jdf.queryExecution().executedPlan()
        shuffles = {node.id() for node in nodes(plan) if node.nodeName() == "Exchange"}
    assert len(shuffles) == 3


SPY = """
import sys
from pathlib import Path
from pyspark.sql import functions as F
from corpus.evidence.trees import leaves_of, trees_of
from corpus.session import open_session
from tests.test_trees import KEY, accounts_of, documents_of, some
spark = open_session("spied on", Path("conf/spark/local.conf"), SETTINGS)
with leaves_of(documents_of(spark, some("p", 40)), accounts_of(spark, some("a", 40)), KEY) as (leaves, sizes):
    leaves.explain("extended")
    leaves.explain("formatted")
    trees_of(leaves, sizes)
spark.range(1).withColumn("known", F.lit(bytearray(b"a key that is a literal"))).collect()
spark.stop()
"""


def test_the_key_shows_in_no_plan_and_no_event_log(tmp_path: Path) -> None:
    settings = {
        "spark.master": "local[1]", "spark.driver.memory": "1g", "spark.sql.shuffle.partitions": "2",
        "spark.eventLog.enabled": "true", "spark.eventLog.compress": "false", "spark.eventLog.dir": tmp_path.as_uri(),
        "spark.eventLog.logBlockUpdates.enabled": "true", "spark.eventLog.logStageExecutorMetrics": "true",
    }  # fmt: skip
    script = SPY.replace("SETTINGS", json.dumps(settings))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    logged = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    assert "ArrowEvalPython" in done.stdout
    assert "ArrowEvalPython" in logged
    assert shown(b"a key that is a literal", logged)
    keys = [KEY, *(bucket_key(KEY, kind, index) for kind in KINDS for index in range(4))]
    assert not [form for key in keys for form in shown(key, done.stdout + done.stderr + logged)]


def shown(key: bytes, text: str) -> list[str]:
    """How a key, or its beginning, shows in a text: as hex, base64 or as it is."""
    start = key[:12]
    json_text = json.dumps(start.decode("latin-1"))[1:-1]
    spaced = " ".join(f"{byte:02x}" for byte in start)
    listed = ",".join(str(byte - 256 if byte > 127 else byte) for byte in start)
    packed = base64.b64encode(start).decode()
    forms = [start.hex(), spaced, listed, packed, start.decode("latin-1"), json_text]
    return [form for form in forms if form.lower() in text.lower()]
