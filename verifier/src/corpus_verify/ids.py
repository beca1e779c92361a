"""Where an id stands in the trees of a version: its bucket, its token, and what a bucket's leaf is made of."""

from __future__ import annotations

import hmac
from hashlib import sha256

TREES = {"post": "documents", "account": "persons"}
"""The tree of a version that holds the ids of a kind."""
LEAF_BYTES = {"post": 64, "account": 32}
"""A token, and behind a post's the commitment to its row."""
TOKEN_BYTES = 32
BUCKET_IDS = 16
"""How many ids a bucket holds on average, at most."""


def depth_for(ids: int) -> int:
    """How many bits of an id's public hash say its bucket: as few as keep 16 ids or less to a bucket on average."""
    return max(0, -(-ids // BUCKET_IDS) - 1).bit_length()


def bucket_of(kind: str, name: str, depth: int) -> int:
    """The bucket of an id: anybody can work it out."""
    hashed = sha256(b"corpus bucket v1\0" + kind.encode() + b"\0" + name.encode()).digest()
    return int.from_bytes(hashed, "big") >> 256 - depth


def token(key: bytes, name: str) -> bytes:
    """What stands for an id in its bucket, under the bucket's key."""
    return hmac.digest(key, name.encode(), "sha256")


def bucket_leaf(key_hash: bytes, count: int, token_root: bytes) -> bytes:
    """The leaf of a bucket in the upper tree: the hash of its key, how many tokens it holds, and their root."""
    return key_hash + count.to_bytes(8, "big") + token_root
