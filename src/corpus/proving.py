"""Proofs made: one file about one post or account, for somebody who holds neither the data nor a secret."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from corpus import render
from corpus.dataset_key import bucket_key, read_own_key, snapshot_key
from corpus.errors import ConfigError, DatasetError, EnvironmentFault
from corpus.evidence import log
from corpus.evidence.buckets import CHUNK
from corpus.evidence.journal import entries, of_kind
from corpus.evidence.proofs import Logged, Opened, as_proof, bucket_path, split_leaves
from corpus.evidence.store import canonical, log_folder, read_document, trees_path
from corpus.versions import Version, build_at, literal, opened, select, table_property, versions
from corpus_verify.errors import Refused
from corpus_verify.ids import TREES, bucket_of, depth_for
from corpus_verify.keys import read_public
from corpus_verify.merkle import root_of
from corpus_verify.proof import TRIMMED, Verdict, check

# ruff: noqa: S608 (whatever comes from outside stands in the SQL as a literal)


@dataclass(frozen=True)
class Proof:
    """A proof file's content, and what it shows: it was checked as its reader will check it."""

    content: bytes
    verdict: Verdict
    neighbours: int
    """How many tokens of other ids it shows."""


def prove(warehouse: Path, version: tuple[str, int], about: tuple[str, str], key_file: Path) -> Proof:
    """The proof that a post or an account (its kind, its id) is in a version, or is not; an unknown id is not.

    Raises DatasetError where the version is not sealed, the key is another's, or the evidence was changed.
    """
    dataset, number = version
    kind, name, folder = about[0], _id(about[1]), warehouse / dataset
    stated = build_at(versions(warehouse, dataset), number)
    logged = _logged(folder, stated)
    own = read_own_key(key_file, dataset, table_property(folder, "corpus.keyId"))
    key = snapshot_key(own, dataset, stated.build_id or "")
    index = bucket_of(kind, name, depth_for(int(logged.record[TREES[kind]]["ids"])))
    bucket = _bucket(folder, stated, kind, index, bucket_key(key, kind, index))
    path = bucket_path(index, *_hashes_above(folder, stated, kind, index, logged))
    document = as_proof(kind, name, bucket, path, logged)
    content = canonical(document)
    verdict = _checked(content, folder, stated)
    return Proof(content, verdict, len(document["tokens"]) - verdict.claim.is_in)


def write_proof(proof: Proof, place: Path | None) -> Path:
    """Writes the file, under a name that tells nobody the id where none was given; returns its place."""
    place = place or Path(file_name(proof.verdict))
    try:
        place.write_bytes(proof.content)
    except OSError as cannot:
        raise EnvironmentFault(f"The proof {place} cannot be written: {cannot.strerror}.") from None
    return place


def summary(proof: Proof, place: Path) -> dict[str, Any]:
    """What a proof shows, in a few values."""
    claim, record = proof.verdict.claim, proof.verdict.record
    return {
        "file": str(place),
        "bytes": len(proof.content),
        "kind": claim.kind,
        "id": claim.id,
        "is_in": claim.is_in,
        "version": f"{record.dataset}@{record.version}",
        "signed_by": proof.verdict.key_id,
    }


def tell(proof: Proof, place: Path, warehouse: Path) -> None:
    """What the proof shows, how it is checked, and what it gives away."""
    claim, record = proof.verdict.claim, proof.verdict.record
    said, tree = ("is" if claim.is_in else "is not"), record.trees[claim.kind]
    among = {"post": "posts kept", "account": "authors and co-authors"}[claim.kind]
    render.say(f"The {claim.kind} {claim.id} {said} in {record.dataset}@{record.version}", style="bold")
    render.say(
        f"It {said} one of the {tree.ids:,} {among} to which the signed record of the version commits (cutoff "
        f"{record.cutoff}, released {record.released_at})."
    )
    render.tell(("", ""), [
        ("proof", f"{place} ({len(proof.content):,} bytes)"),
        ("signed by", proof.verdict.key_id),
        ("check it by", f"corpus-verify {place} --key {warehouse / record.dataset / 'evidence/public.pem'}"),
    ])  # fmt: skip
    render.say(
        f"It opens one bucket of about 16 ids: it shows {proof.neighbours} token(s) of others in it, and whoever has "
        "the file can test guesses of ids that fall into that bucket. Give it to whom it is about."
    )


def file_name(verdict: Verdict) -> str:
    """A name for a proof's file that tells nobody the id."""
    record, claim = verdict.record, verdict.claim
    return f"{record.dataset}@{record.version}-{claim.kind}-{sha256(claim.id.encode()).hexdigest()[:12]}.proof.json"


def _id(name: str) -> str:
    """The id as builds compare it. Raises ConfigError for what is none."""
    trimmed = name.strip(TRIMMED)
    try:
        trimmed.encode()
    except UnicodeEncodeError:
        raise ConfigError("The id is not text in UTF-8.") from None
    if not trimmed:
        raise ConfigError("An id is empty: name the post by --post, or the account by --account.")
    return trimmed


def _logged(folder: Path, version: Version) -> Logged:
    """The version's record in the log, which is checked whole. Raises DatasetError if it has none."""
    place, unsealed = log_folder(folder), DatasetError(
        f"{version.name} is not sealed: nothing that is signed says what it holds, so nothing can be proved of it. "
        f"Run: corpus seal {folder.name}"
    )  # fmt: skip
    note, known = log.checkpoint(place), entries(folder)
    own = [(at, one) for at, one in enumerate(known) if of_kind([one], "version", version.number)]
    if note is None or not own or version.kind != "build":
        raise unsealed
    index, record = own[-1]
    return Logged(record, index, len(known), log.inclusion(place, index, len(known)), note)


def _bucket(folder: Path, version: Version, kind: str, index: int, key: bytes) -> Opened:
    """The bucket with its key, if that is the one that its leaf commits to. Raises DatasetError."""
    tables = opened(folder, l="leaves")
    rows = select(
        tables, folder.name, f"""SELECT tokens, leaf FROM l WHERE {_of(version, kind)} AND "index" = {index:d}"""
    )
    if len(rows) != 1:
        raise DatasetError(
            f"leaves/ of {folder.name} has {len(rows)} rows for bucket {index} of {TREES[kind]} of {version.name}, and "
            "one was expected: it was changed, or swept. Restore it from a backup."
        )
    bucket = Opened(index, key, split_leaves(kind, rows[0]["tokens"]), rows[0]["leaf"])
    if not bucket.is_own_key:
        raise DatasetError(
            f"Bucket {index} of {TREES[kind]} of {version.name} does not commit to the key and the tokens that it has "
            "now: leaves/ was changed, or the version was built under another key. No proof was made."
        )
    return bucket


def _hashes_above(
    folder: Path, version: Version, kind: str, index: int, logged: Logged
) -> tuple[list[bytes], list[bytes]]:
    """The leaf hashes of the bucket's run, and the roots of all runs.

    Raises DatasetError if they are not the record's.
    """
    first, tree = index - index % CHUNK, logged.record[TREES[kind]]
    run = select(opened(folder, l="leaves"), folder.name, f"""
        SELECT leaf FROM l WHERE {_of(version, kind)} AND "index" >= {first:d} AND "index" < {first + CHUNK:d}
        ORDER BY "index" """)  # fmt: skip
    leaves = [row["leaf"] for row in run]
    kept = read_document(trees_path(folder, str(version.build_id))) or {}
    chunks = [bytes.fromhex(root) for root in kept.get(TREES[kind], {}).get("chunks", [])]
    is_whole = len(leaves) == min(CHUNK, int(tree["buckets"])) and len(chunks) * len(leaves) == int(tree["buckets"])
    if not is_whole or root_of(leaves) != chunks[index // CHUNK] or root_of(chunks).hex() != tree["root"]:
        raise DatasetError(
            f"leaves/ or evidence/trees/{version.build_id}.json of {folder.name} do not give the root of {TREES[kind]} "
            f"that was signed for {version.name}: one of them was changed. Restore both from a backup."
        )
    return leaves, chunks


def _of(version: Version, kind: str) -> str:
    return f"build_id = {literal(version.build_id)} AND tree = {literal(TREES[kind])}"


def _checked(content: bytes, folder: Path, version: Version) -> Verdict:
    """What the proof shows, by the check that its reader makes. Raises DatasetError where it shows nothing."""
    try:
        return check(content, read_public(folder / "evidence" / "public.pem"))
    except Refused as refused:
        raise DatasetError(
            f"No proof of {version.name} can be given: {refused}. The evidence of {folder.name} was changed; restore "
            "it from a backup."
        ) from None
