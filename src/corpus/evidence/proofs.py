"""A proof about one id: that it is in a version, or is not, by the one bucket of the version's tree that could hold it.

Assembled from values; `corpus_verify.proof` checks it and docs/proofs.md describes it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from corpus.evidence.buckets import hash_of_bucket
from corpus_verify.ids import LEAF_BYTES, TOKEN_BYTES, token
from corpus_verify.merkle import inclusion_path, leaf_hash


@dataclass(frozen=True)
class Opened:
    """The bucket of an id as `leaves` has it, with its key: token leaves in order, and the leaf's hash."""

    index: int
    key: bytes
    leaves: list[bytes]
    leaf: bytes

    @property
    def is_own_key(self) -> bool:
        """Whether the leaf commits to this key and these tokens."""
        return hash_of_bucket(self.key, self.leaves) == self.leaf


@dataclass(frozen=True)
class Logged:
    """A version's record and where it stands: its index in the log of this size, the path there, and the checkpoint."""

    record: dict[str, Any]
    index: int
    size: int
    path: list[bytes]
    checkpoint: str


def split_leaves(kind: str, tokens: bytes) -> list[bytes]:
    """The token leaves of a bucket, one by one."""
    size = LEAF_BYTES[kind]
    return [tokens[at : at + size] for at in range(0, len(tokens), size)]


def bucket_path(index: int, run: Sequence[bytes], chunks: Sequence[bytes]) -> list[bytes]:
    """The path of a bucket to its tree's root: through its aligned run of leaf hashes, and through the runs' roots."""
    chunk, within = divmod(index, len(run))
    return inclusion_path(run, within) + inclusion_path(chunks, chunk)


def as_proof(kind: str, name: str, bucket: Opened, path: list[bytes], logged: Logged) -> dict[str, Any]:
    """The proof file about an id whose bucket this is; whether it is in is what the bucket says."""
    is_in, shown = places(token(bucket.key, name), [leaf[:TOKEN_BYTES] for leaf in bucket.leaves])
    hashes = [leaf_hash(leaf) for leaf in bucket.leaves]
    return {
        "format": "corpus-proof/v1",
        "claim": {"kind": kind, "id": name, "is": "in" if is_in else "not in"},
        "bucket": {"index": str(bucket.index), "key": bucket.key.hex(), "count": str(len(hashes))},
        "tokens": [
            {"index": str(at), "leaf": bucket.leaves[at].hex(), "path": _hex(inclusion_path(hashes, at))}
            for at in shown
        ],
        "path": _hex(path),
        "record": logged.record,
        "log": {"index": str(logged.index), "size": str(logged.size), "path": _hex(logged.path)},
        "checkpoint": logged.checkpoint,
    }


def places(own: bytes, tokens: Sequence[bytes]) -> tuple[bool, list[int]]:
    """Whether a token is among these in order, and which show it: itself, or the neighbours of where it would stand.

    >>> places(b"b", [b"a", b"b"]), places(b"b", [b"a", b"c"]), places(b"b", [b"c", b"d"]), places(b"b", [])
    ((True, [1]), (False, [0, 1]), (False, [0]), (False, []))
    """
    at = bisect_left(tokens, own)
    if tokens[at : at + 1] == [own]:
        return True, [at]
    return False, [n for n in (at - 1, at) if 0 <= n < len(tokens)]


def _hex(path: Sequence[bytes]) -> list[str]:
    return [node.hex() for node in path]
