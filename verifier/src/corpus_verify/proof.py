"""A proof file, checked: that one post or account is, or is not, in a version of a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from corpus_verify.documents import fields, hashes, number, octets, parsed, several, text
from corpus_verify.errors import Refused
from corpus_verify.ids import LEAF_BYTES, TOKEN_BYTES, bucket_leaf, bucket_of, token
from corpus_verify.merkle import EMPTY, leaf_hash, root_from_inclusion
from corpus_verify.notes import Checkpoint, read_checkpoint
from corpus_verify.records import Record, origin_of, read_record

TRIMMED = " \t\n\v\f\r"
"""What no id begins or ends with: builds cut it off."""


@dataclass(frozen=True)
class Claim:
    """What a proof is about."""

    kind: str
    id: str
    is_in: bool


@dataclass(frozen=True)
class Verdict:
    """What a proof has shown: the claim, the version by its record, and the log that holds it."""

    claim: Claim
    record: Record
    log_index: int
    checkpoint: Checkpoint
    key_id: str


@dataclass(frozen=True)
class _Place:
    """A token's leaf and where in its bucket it stands."""

    index: int
    token: bytes


def check(content: bytes, public: bytes) -> Verdict:
    """What a proof file shows, under a public key of Ed25519 (32 bytes). Raises Refused where it shows nothing."""
    claimed, bucket, tokens, path, recorded, log, note = fields(
        {name: value for name, value in parsed(content, "corpus-proof", "proof").items() if name != "format"},
        "proof",
        *("claim", "bucket", "tokens", "path", "record", "log", "checkpoint"),
    )
    claim, record = _claim(claimed), read_record(recorded)
    _check_bucket(claim, record, bucket, tokens, hashes(path, "path"))
    index, checkpoint = _check_log(record, log, text(note, "checkpoint"), public)
    return Verdict(claim, record, index, checkpoint, sha256(public).hexdigest())


def _claim(claimed: Any) -> Claim:
    kind, name, where = fields(claimed, "claim", "kind", "id", "is")
    name = text(name, "id")
    if name != name.strip(TRIMMED):
        raise Refused("the id begins or ends with white space, which no id of a dataset does")
    return Claim(text(kind, "kind", *LEAF_BYTES), name, text(where, "claim", "in", "not in") == "in")


def _check_bucket(claim: Claim, record: Record, bucket: Any, tokens: Any, path: list[bytes]) -> None:
    """The id's own bucket, which the record's tree holds, has its token, or has no room for it."""
    at, secret, held = fields(bucket, "bucket", "index", "key", "count")
    index, count = number(at, "bucket's index"), number(held, "bucket's count")
    key = octets(secret, 32, "bucket's key")
    tree = record.trees[claim.kind]
    if index != bucket_of(claim.kind, claim.id, tree.depth):
        raise Refused(f"bucket {index} is not that of the id")
    root, places = _places(claim, tokens, count)
    leaf = leaf_hash(bucket_leaf(sha256(key).digest(), count, root))
    if root_from_inclusion(leaf, index, 1 << tree.depth, path) != tree.root:
        raise Refused("the bucket (its key, its count or its tokens) is not the one in the record's tree")
    own = token(key, claim.id)
    if claim.is_in:
        _require_token(own, places)
    else:
        _require_gap(own, places, count)


def _places(claim: Claim, tokens: Any, count: int) -> tuple[bytes, list[_Place]]:
    """The root of the bucket's tokens to which all those shown lead, and where they stand."""
    roots, places = {EMPTY} if count == 0 else set(), []
    for one in several(tokens, "tokens"):
        index, held, path = fields(one, "token", "index", "leaf", "path")
        at, leaf = number(index, "token's index"), octets(held, LEAF_BYTES[claim.kind], "token's leaf")
        roots.add(root_from_inclusion(leaf_hash(leaf), at, count, hashes(path, "token's path")))
        places.append(_Place(at, leaf[:TOKEN_BYTES]))
    if len(roots) != 1:
        raise Refused("the tokens do not lead to one root" if roots else "no token is shown of a bucket that has some")
    return roots.pop(), places


def _require_token(own: bytes, places: list[_Place]) -> None:
    if [place.token for place in places] != [own]:
        raise Refused("the token shown is not that of the id")


def _require_gap(own: bytes, places: list[_Place], count: int) -> None:
    """Neighbours with nothing between them, on either side of where the id's token would stand."""
    left = [place for place in places if place.token < own]
    right = [place for place in places if place.token > own]
    after, before = [place.index for place in left], [place.index for place in right]
    if left + right != places or len(left) > 1 or len(right) > 1:
        raise Refused("the tokens shown are not the neighbours of where the id's token would stand")
    if (after[0] + 1 if after else 0) != (before[0] if before else count):
        raise Refused("between the tokens shown there is room for the id's token")


def _check_log(record: Record, log: Any, note: str, public: bytes) -> tuple[int, Checkpoint]:
    """The record's place in the log of its dataset, whose checkpoint the key signed."""
    index, size, path = fields(log, "log", "index", "size", "path")
    checkpoint = read_checkpoint(note, origin_of(record.dataset), public)
    at = number(index, "log's index")
    if number(size, "log's size") != checkpoint.size:
        raise Refused(f"the log's size is {size} in the proof and {checkpoint.size} in its checkpoint")
    if root_from_inclusion(leaf_hash(record.leaf), at, checkpoint.size, hashes(path, "log's path")) != checkpoint.root:
        raise Refused("the record does not stand in the log whose checkpoint was signed")
    return at, checkpoint
