"""Keyed hashes: the dataset key in its file, and HMAC-SHA256 as native columns whose key stands in no plan."""

from __future__ import annotations

import hmac
import secrets
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from corpus.durable import read_secret, write_secret
from corpus.errors import DatasetError

KEY_BYTES = 32
_BLOCK = 64
_INNER, _OUTER = "_key_inner", "_key_outer"


def make_key(path: Path) -> bytes:
    """A new random key in a file that only its owner may read. Raises FileExistsError rather than replace one."""
    key = secrets.token_bytes(KEY_BYTES)
    write_secret(path, f"{key.hex()}\n".encode())
    return key


def read_key(path: Path) -> bytes:
    """The key in a file. Raises DatasetError if others may read it, or if it holds something else."""
    text = read_secret(path, "key")
    try:
        key = bytes.fromhex(text.decode(errors="replace").strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise DatasetError(f"The key file {path} does not hold a dataset key of {2 * KEY_BYTES} hex digits.")
    return key


def key_id(key: bytes) -> str:
    """What tells one key from another and gives neither away."""
    return hmac.digest(key, b"corpus key id", "sha256").hex()[:32]


def keyed_hash(key: bytes, kind: str, name: str) -> str:
    """HMAC-SHA256 of an id under the key, in hex; `kind` keeps the ids of posts and accounts apart."""
    return hmac.digest(key, f"{kind}\0{name}".encode(), "sha256").hex()


def with_key(rows: DataFrame, key: bytes, spark: SparkSession) -> DataFrame:
    """Adds the key as columns for `keyed`, from a broadcast one-row frame.

    As data it shows in no plan and no event log.
    """
    padded = key.ljust(_BLOCK, b"\0")
    pads = (bytes(b ^ 0x36 for b in padded), bytes(b ^ 0x5C for b in padded))
    one = spark.createDataFrame(spark.sparkContext.parallelize([pads], 1), f"{_INNER} BINARY, {_OUTER} BINARY")
    return rows.join(F.broadcast(one), how="cross")  # one row in, one row out


def without_key(rows: DataFrame) -> DataFrame:
    """Drops the key's columns."""
    return rows.drop(_INNER, _OUTER)


def keyed(kind: str, name: Column) -> Column:
    """`keyed_hash` of a column, on a frame that went through `with_key`; null for null (RFC 2104)."""
    message = F.concat(F.lit(f"{kind}\0"), name).cast("binary")
    inner = F.unhex(F.sha2(F.concat(F.col(_INNER), message), 256))
    return F.sha2(F.concat(F.col(_OUTER), inner), 256)
