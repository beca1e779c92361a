"""Makes proofs of a small world that stands in memory: by plain Python, as docs/proofs.md has it."""

from __future__ import annotations

import hmac
import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

KINDS = {"post": "documents", "account": "persons"}
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = PRIVATE.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
SNAPSHOT_KEY = sha256(b"a snapshot's key").digest()


def digest(*parts: bytes) -> bytes:
    return sha256(b"".join(parts)).digest()


def root(leaves: list[bytes]) -> bytes:
    if len(leaves) < 2:
        return digest(b"\0", leaves[0]) if leaves else digest()
    half = split(len(leaves))
    return digest(b"\1", root(leaves[:half]), root(leaves[half:]))


def path(index: int, leaves: list[bytes]) -> list[str]:
    if len(leaves) < 2:
        return []
    half = split(len(leaves))
    if index < half:
        return [*path(index, leaves[:half]), root(leaves[half:]).hex()]
    return [*path(index - half, leaves[half:]), root(leaves[:half]).hex()]


def split(count: int) -> int:
    half = 1
    while 2 * half < count:
        half *= 2
    return half


def depth_of(ids: int) -> int:
    depth = 0
    while 16 << depth < ids:
        depth += 1
    return depth


@dataclass(frozen=True)
class Bucket:
    key: bytes
    leaves: list[bytes]

    @property
    def leaf(self) -> bytes:
        return digest(self.key) + len(self.leaves).to_bytes(8, "big") + root(self.leaves)


def bucket_of(kind: str, name: str, depth: int) -> int:
    bits = f"{int(digest(b'corpus bucket v1', bytes(1), kind.encode(), bytes(1), name.encode()).hex(), 16):0256b}"
    return int(bits[:depth] or "0", 2)


def tree_of(kind: str, ids: list[str], arranged: Callable[[list[bytes]], list[bytes]] = sorted) -> list[Bucket]:
    """The buckets of some ids; `arranged` may lie about the order within."""
    depth = depth_of(len(ids))
    keys = [
        hmac.digest(SNAPSHOT_KEY, b"bucket v1\0" + kind.encode() + b"\0" + n.to_bytes(8, "big"), "sha256")
        for n in range(2**depth)
    ]
    held: list[list[bytes]] = [[] for _ in keys]
    for name in ids:
        at = bucket_of(kind, name, depth)
        commitment = digest(b"a row of ", name.encode()) if kind == "post" else b""
        held[at].append(hmac.digest(keys[at], name.encode(), "sha256") + commitment)
    return [Bucket(key, arranged(leaves)) for key, leaves in zip(keys, held, strict=True)]


@dataclass(frozen=True)
class World:
    """One version with its trees, as entry 2 of a log of 5."""

    dataset: str
    trees: dict[str, list[Bucket]]
    record: dict[str, Any]
    log: list[bytes]


def canonical(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


@cache
def world(posts: int, accounts: int, dataset: str = "uk-social") -> World:
    return world_of([f"p-{n}" for n in range(posts)], [f"a-{n}" for n in range(accounts)], dataset)


def world_of(
    posts: list[str],
    accounts: list[str],
    dataset: str = "uk-social",
    arranged: Callable[[list[bytes]], list[bytes]] = sorted,
) -> World:
    trees = {"post": tree_of("post", posts, arranged), "account": tree_of("account", accounts, arranged)}
    sizes = {"post": len(posts), "account": len(accounts)}
    record = {
        "kind": "version",
        "format": "corpus-record/v1",
        "dataset": dataset,
        "version": "3",
        "cutoff": "2026-11-20T00:00:00Z",
        "released_at": "2026-11-20T04:05:06.123456Z",
        "rows": str(len(posts)),
        **{KINDS[kind]: committed(trees[kind], sizes[kind]) for kind in KINDS},
        "statement": digest(b"a statement").hex(),
        "previous": "",
    }
    log = [b'{"kind":"use"}', b'{"kind":"version"}', canonical(record), b'{"kind":"recall"}', b"last"]
    return World(dataset, trees, record, log)


def committed(buckets: list[Bucket], ids: int) -> dict[str, str]:
    return {"root": root([b.leaf for b in buckets]).hex(), "ids": str(ids), "buckets": str(len(buckets))}


def prove(of: World, kind: str, name: str, says: str | None = None) -> dict[str, Any]:
    """The proof about an id; `says` may claim what is not so."""
    buckets = of.trees[kind]
    at = bucket_of(kind, name, len(buckets).bit_length() - 1)
    bucket = buckets[at]
    own = hmac.digest(bucket.key, name.encode(), "sha256")
    tokens = [leaf[:32] for leaf in bucket.leaves]
    says = says or ("in" if own in tokens else "not in")
    place = sum(token < own for token in tokens)
    shown = [tokens.index(own)] if says == "in" and own in tokens else neighbours(place, len(tokens))
    return {
        "format": "corpus-proof/v1",
        "claim": {"kind": kind, "id": name, "is": says},
        "bucket": {"index": str(at), "key": bucket.key.hex(), "count": str(len(tokens))},
        "tokens": [shown_token(n, bucket.leaves) for n in shown],
        "path": path(at, [b.leaf for b in buckets]),
        "record": of.record,
        "log": {"index": "2", "size": str(len(of.log)), "path": path(2, of.log)},
        "checkpoint": checkpoint(of.dataset, of.log),
    }


def neighbours(place: int, count: int) -> list[int]:
    return [n for n in (place - 1, place) if 0 <= n < count]


def shown_token(index: int, leaves: list[bytes]) -> dict[str, Any]:
    return {"index": str(index), "leaf": leaves[index].hex(), "path": path(index, leaves)}


def checkpoint(dataset: str, log: list[bytes], private: Ed25519PrivateKey = PRIVATE) -> str:
    origin = f"corpus/{dataset}"
    text = f"{origin}\n{len(log)}\n{b64encode(root(log)).decode()}\n"
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    signature = digest(origin.encode(), b"\n\x01", public)[:4] + private.sign(text.encode())
    return f"{text}\n— {origin} {b64encode(signature).decode()}\n"
