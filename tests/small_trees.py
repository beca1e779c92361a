"""The trees and the log of a dataset of a few posts, without Spark: for tests of what is made of them."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from deltalake import write_deltalake

from corpus.dataset_key import keyed_by, snapshot_key
from corpus.evidence import log
from corpus.evidence.buckets import Bucket, Member, as_bucket
from corpus.evidence.store import canonical, log_folder, trees_path, write_document
from corpus_verify.ids import TREES, bucket_of, depth_for
from corpus_verify.merkle import root_of
from tests.small_prover import PRIVATE, PUBLIC

LEAVES = pa.schema([
    ("tree", pa.string()), ("index", pa.int64()), ("count", pa.int32()), ("tokens", pa.binary()),
    ("leaf", pa.binary()), ("build_id", pa.string()),
])  # fmt: skip


Row = tuple[str, bytes]
"""A post's doc_id, and the hash of its row."""


def write_trees(  # noqa: PLR0917
    folder: Path,
    build_id: str,
    key: bytes,
    ids: dict[str, list[str]],
    chunk: int = 4096,
    rows: dict[str, Row] | None = None,
) -> Any:
    """Writes `leaves` and the chunk roots of these ids by kind; what an intent says of them."""
    own = snapshot_key(key, folder.name, build_id)
    known = {name: _some_row(name) for name in ids["post"]} if rows is None else rows
    said, kept = {}, {}
    written: list[dict[str, Any]] = []
    for kind, names in ids.items():
        buckets = _buckets(own, kind, names, known)
        hashes = [bucket.leaf for bucket in buckets]
        written += [{"tree": TREES[kind], "index": at, "build_id": build_id} | vars(b) for at, b in enumerate(buckets)]
        tree = {"root": root_of(hashes).hex(), "ids": str(len(names)), "buckets": str(len(buckets))}
        chunks = [root_of(hashes[at : at + chunk]).hex() for at in range(0, len(hashes), chunk)]
        said[TREES[kind]], kept[TREES[kind]] = tree, tree | {"chunks": chunks}
    place = str(folder / "leaves")
    write_deltalake(place, pa.Table.from_pylist(written, LEAVES), mode="append", partition_by=["build_id"])
    write_document(trees_path(folder, build_id), {"build_id": build_id} | kept)
    return said


def _some_row(name: str) -> Row:
    hashed = sha256(name.encode())
    return hashed.hexdigest()[:32], hashed.digest()


def _buckets(key: bytes, kind: str, names: list[str], rows: dict[str, Row]) -> list[Bucket]:
    depth = depth_for(len(names))
    held: list[list[Member]] = [[] for _ in range(1 << depth)]
    for name in names:
        doc_id, row = rows[name] if kind == "post" else (None, None)
        held[bucket_of(kind, name, depth)].append((name.encode(), None if doc_id is None else doc_id.encode(), row))
    return [as_bucket(key, kind, index, members, keyed_by(key)) for index, members in enumerate(held)]


def seal(folder: Path, number: int, trees: Any) -> None:
    """Puts a version's record into the log, and the public key where it is looked for."""
    record = {
        "kind": "version", "format": "corpus-record/v1", "dataset": folder.name, "version": str(number),
        "cutoff": f"2026-11-{number:02d}T00:00:00Z", "released_at": f"2026-11-{number:02d}T02:00:00Z",
        "rows": trees["documents"]["ids"], **trees, "statement": "5" * 64, "previous": "",
    }  # fmt: skip
    log.append(log_folder(folder), f"corpus/{folder.name}", canonical(record), PRIVATE.sign, PUBLIC)
    pem = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "evidence/public.pem").write_bytes(pem)
