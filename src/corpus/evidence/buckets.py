"""One bucket of ids: what its row in `leaves` is made of. `corpus_verify` has the definitions; the keys stay here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256

from corpus.dataset_key import bucket_key, keyed_by
from corpus.errors import DatasetError
from corpus_verify.ids import TOKEN_BYTES, bucket_leaf
from corpus_verify.merkle import leaf_hash, root_of

CHUNK_BITS = 12
CHUNK = 1 << CHUNK_BITS
"""So many bucket leaves have one root in evidence/trees/."""
Keyed = Callable[[bytes], bytes]
Member = tuple[bytes, bytes | None, bytes | None]
"""An id in UTF-8; of a post also its doc_id and the SHA-256 of its row."""


@dataclass(frozen=True)
class Bucket:
    """A row of `leaves`: how many token leaves, these one after the other in order, and the hash of the bucket leaf."""

    count: int
    tokens: bytes
    leaf: bytes


def as_bucket(key: bytes, kind: str, index: int, members: Iterable[Member], row_key: Keyed) -> Bucket:
    """The bucket of these members under a snapshot key; `row_key` is HMAC under that key.

    Raises DatasetError where an id is there twice.
    """
    own = bucket_key(key, kind, index)
    token = keyed_by(own)
    leaves = sorted(token(name) + commitment(row_key, doc, row) for name, doc, row in members)
    if len({leaf[:TOKEN_BYTES] for leaf in leaves}) < len(leaves):
        raise DatasetError(f"An id of bucket {index} ({kind}) is there twice; a version holds each id once.")
    return Bucket(len(leaves), b"".join(leaves), hash_of_bucket(own, leaves))


def commitment(row_key: Keyed, doc_id: bytes | None, row_hash: bytes | None) -> bytes:
    """What a post's token leaf says of its row, under a key for this row alone; nothing for an account."""
    if doc_id is None or row_hash is None:
        return b""
    return keyed_by(row_key(b"row v1\0" + doc_id))(row_hash)


def hash_of_bucket(key: bytes, leaves: Iterable[bytes]) -> bytes:
    """The hash of a bucket's leaf in the upper tree, from the bucket's key and its token leaves in order."""
    hashes = [leaf_hash(leaf) for leaf in leaves]
    return leaf_hash(bucket_leaf(sha256(key).digest(), len(hashes), root_of(hashes)))
