"""The dataset key in its file, and what comes of it: ids of documents, and the keys and commitments of one version."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from corpus.durable import read_secret, write_secret
from corpus.errors import DatasetError

KEY_BYTES = 32
DOC_ID_DIGITS = 32
BLOCK = 64
INNER_PAD, OUTER_PAD = 0x36, 0x5C
_INNER, _OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (INNER_PAD, OUTER_PAD))


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


def read_own_key(path: Path, dataset: str, expected: str) -> bytes:
    """The key in a file, if it is that of the dataset, whose key id is expected. Raises DatasetError otherwise."""
    if not path.exists():
        raise DatasetError(
            f"The key of {dataset} is missing: expected in {path}. Restore it from your backup, or name its place with "
            "--key; without it documents would get other ids."
        )
    key = read_key(path)
    if key_id(key) != expected:
        raise DatasetError(
            f"The key in {path} ({key_id(key)}) is not that of {dataset} ({expected}). Name the right one with --key."
        )
    return key


def key_id(key: bytes) -> str:
    """What tells one key from another and gives neither away."""
    return hmac.digest(key, b"corpus key id", "sha256").hex()[:32]


def keyed_hash(key: bytes, kind: str, name: str) -> str:
    """HMAC-SHA256 of an id under the key, in hex; `kind` keeps the ids of posts and accounts apart."""
    return hmac.digest(key, f"{kind}\0{name}".encode(), "sha256").hex()


def snapshot_key(key: bytes, dataset: str, build_id: str) -> bytes:
    """The key of the trees of one build; it opens nothing of another."""
    return hmac.digest(key, f"corpus snapshot key v1\0{dataset}\0{build_id}".encode(), "sha256")


def bucket_key(key: bytes, kind: str, index: int) -> bytes:
    """Of a snapshot key: the key of one bucket of ids, which a proof about an id in it reveals."""
    return hmac.digest(key, f"bucket v1\0{kind}\0".encode() + index.to_bytes(8, "big"), "sha256")


def keyed_by(key: bytes) -> Callable[[bytes], bytes]:
    """HMAC-SHA256 under one key that is asked often: its two states are computed once (RFC 2104)."""
    padded = key.ljust(BLOCK, b"\0")
    inner, outer = sha256(padded.translate(_INNER)), sha256(padded.translate(_OUTER))

    def keyed(message: bytes) -> bytes:
        within, without = inner.copy(), outer.copy()
        within.update(message)
        without.update(within.digest())
        return without.digest()

    return keyed
