"""The trees of a version: their leaves give the roots; with the dataset's key, its ids and rows give the leaves."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import Any

import duckdb

from corpus.dataset_key import DOC_ID_DIGITS, keyed_by, keyed_hash, snapshot_key
from corpus.evidence.buckets import CHUNK, Member, as_bucket
from corpus.evidence.leaves import require_trees
from corpus.evidence.proofs import split_leaves
from corpus.evidence.store import read_document, trees_path
from corpus.verification.findings import Failed, Unchecked
from corpus.verification.stored import row_hashes
from corpus.verification.subject import Subject, said_of, with_rows
from corpus_verify.ids import TOKEN_BYTES, TREES, bucket_of, depth_for
from corpus_verify.merkle import root_of

# ruff: noqa: S608 (the only names in SQL are our own)

NO_KEY = "needs the dataset's key: --key"
Row = tuple[int, int, bytes, bytes]
"""A bucket's index, how many ids it holds, its token leaves and the hash of its own leaf."""


def leaves(subject: Subject, version: int) -> str:
    """Whether the buckets in leaves/ give the roots that were signed, and their tokens stand in order, once each."""
    said = said_of(subject, version)
    build_id, trees = said["build_id"], said["trees"]
    require_trees(subject.folder, build_id, trees)
    kept = read_document(trees_path(subject.folder, build_id))
    for kind, tree in TREES.items():
        hashes = []
        for index, _, tokens, leaf in _buckets(subject, build_id, tree):
            own = [token[:TOKEN_BYTES] for token in split_leaves(kind, tokens)]
            if any(one >= other for one, other in pairwise(own)):
                raise Failed(f"the tokens of bucket {index} of {tree} are not in order", "sorted, each once")
            hashes.append(leaf)
        chunks = [root_of(hashes[at : at + CHUNK]).hex() for at in range(0, len(hashes), CHUNK)]
        if kept is None or kept.get(tree) != trees[tree] | {"chunks": chunks} or kept.get("build_id") != build_id:
            raise Failed(f"evidence/trees/{build_id}.json is missing or says another {tree}", "what leaves/ give")
    return ", ".join(f"{trees[tree]['ids']} {tree} in {trees[tree]['buckets']} buckets" for tree in TREES.values())


def tokens(subject: Subject, version: int) -> str:
    """Whether the ids of members/ and the rows give the buckets in leaves/, under the dataset's key."""
    said = said_of(subject, version)
    if subject.key is None:
        raise Unchecked(NO_KEY)
    key, build_id = snapshot_key(subject.key, subject.name, said["build_id"]), said["build_id"]
    sources = {"post": _posts(subject, version, build_id), "account": _accounts(subject, build_id)}
    for kind, members in sources.items():
        depth = depth_for(int(said["trees"][TREES[kind]]["ids"]))
        held = groupby(members, key=lambda member: bucket_of(kind, member[0].decode(), depth))
        _compare(key, kind, _filled(held, 1 << depth), _buckets(subject, build_id, TREES[kind]))
    return "those of members/ and the rows, under the dataset's key"


def document_ids(subject: Subject, version: int) -> str:
    """Whether each doc_id of members/ is that of its post under the dataset's key."""
    said = said_of(subject, version)
    if subject.key is None:
        raise Unchecked(NO_KEY)
    rows = _query(subject, said["build_id"], "SELECT DISTINCT post_id, doc_id FROM side WHERE role = 'author'")
    count = 0
    for post_id, doc_id in rows:
        count += 1
        if keyed_hash(subject.key, "post", post_id)[:DOC_ID_DIGITS] != doc_id:
            raise Failed(f"the document {doc_id} is said to be made of post {post_id}", "the doc_id of that post")
    return f"{count:,} documents, each of its post"


def _compare(key: bytes, kind: str, held: Iterator[tuple[int, list[Member]]], found: Iterator[Row]) -> None:
    """Raises Failed at the first bucket that is not what its members give."""
    row_key = keyed_by(key)
    for (index, members), row in zip(held, found, strict=True):
        own = as_bucket(key, kind, index, members, row_key)
        where = f"bucket {index} of {TREES[kind]}"
        if (index, own.count) != row[:2]:
            raise Failed(f"{where} holds {row[1]} ids (as bucket {row[0]})", f"{own.count} by members/")
        if own.tokens != row[2]:
            ours, theirs = (set(split_leaves(kind, each)) for each in (own.tokens, row[2]))
            raise Failed(
                f"{where} has {len(theirs - ours)} tokens or commitments that nothing gives",
                "those of members/ and the rows",
            )
        if own.leaf != row[3]:
            raise Failed(
                f"{where} has a leaf that commits to another bucket key", "the leaf of this key and these tokens"
            )


def _filled(held: Iterator[tuple[int, Iterator[Member]]], buckets: int) -> Iterator[tuple[int, list[Member]]]:
    """Every bucket with its members, in order; those without any too."""
    at = 0
    for index, members in held:
        yield from ((empty, []) for empty in range(at, index))
        yield index, list(members)
        at = index + 1
    yield from ((empty, []) for empty in range(at, buckets))


def _posts(subject: Subject, version: int, build_id: str) -> Iterator[Member]:
    """The kept posts with their rows' hashes, in the order of their buckets."""
    with with_rows(subject, "members", build_id) as opened:
        hashed, order = row_hashes(opened, subject, version), _public_hash("post", "m.post_id")
        rows = opened.execute(f"""SELECT m.post_id, m.doc_id, r.row_hash FROM side m LEFT JOIN ({hashed}) r
            USING (doc_id) WHERE role = 'author' ORDER BY {order}""")  # fmt: skip
        for post_id, doc_id, row_hash in _fetched(rows, 10_000):
            if row_hash is None:
                raise Failed(
                    f"members/ names the document {doc_id}, which the version does not hold", "documents of it"
                )
            yield post_id.encode(), doc_id.encode(), bytes.fromhex(row_hash)


def _accounts(subject: Subject, build_id: str) -> Iterator[Member]:
    """The accounts of the version, each once, in the order of their buckets."""
    hashed = _public_hash("account", "account_id")
    sql = f"SELECT account_id FROM (SELECT DISTINCT account_id FROM side) ORDER BY {hashed}"
    for (account_id,) in _query(subject, build_id, sql):
        yield account_id.encode(), None, None


def _public_hash(kind: str, column: str) -> str:
    return f"sha256('corpus bucket v1' || chr(0) || '{kind}' || chr(0) || {column})"


def _query(subject: Subject, build_id: str, sql: str) -> Iterator[tuple[Any, ...]]:
    """The rows of a query on a build's members, as `side`."""
    with with_rows(subject, "members", build_id) as opened:
        yield from _fetched(opened.execute(sql), 10_000)


def _buckets(subject: Subject, build_id: str, tree: str) -> Iterator[Row]:
    sql = """SELECT "index", "count", tokens, leaf FROM side WHERE tree = ? ORDER BY "index" """
    with with_rows(subject, "leaves", build_id) as opened:
        yield from _fetched(opened.execute(sql, [tree]), 1_000)


def _fetched(rows: duckdb.DuckDBPyConnection, at_once: int) -> Iterator[Any]:
    while some_rows := rows.fetchmany(at_once):
        yield from some_rows
