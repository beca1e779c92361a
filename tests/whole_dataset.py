"""A dataset with all of its evidence, as builds leave it: three versions, by deltalake and the code that signs.

Every hash that a version states is worked out here anew, by plain Python from docs/dataset.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake

from corpus.dataset_key import key_id, keyed_hash, make_key
from corpus.evidence.commits import commits
from corpus.evidence.envelope import INTENT, STATEMENT, sealed
from corpus.evidence.journal import append
from corpus.evidence.keys import SIGNER_PROPERTY, Signer, make_signer, public_path, write_public
from corpus.evidence.record import as_record, digest_of_record, records
from corpus.evidence.statement import as_statement, instant, texts
from corpus.evidence.store import digest_of, intent_path, statement_path, write_document
from corpus.policy import read_policy
from corpus.reasons import Reason
from corpus.recalls import recall
from corpus.uses import Asked, hand_out
from tests.small_dataset import (
    EXCLUSIONS,
    GROUNDS,
    MEMBERS,
    REGISTER,
    SNAPSHOT,
    Out,
    exclusion,
    ground,
    statement,
)
from tests.small_trees import write_trees

NAME = "uk-social"
POLICY = read_policy(Path(__file__).parent.parent / "conf/policies/uk-social.toml")
SIDES = {"members": MEMBERS, "exclusions": EXCLUSIONS, "grounds": GROUNDS, "objections": REGISTER}
PLAIN = WriterProperties(compression="UNCOMPRESSED")
BITS = 2


@dataclass(frozen=True)
class Whole:
    """A sealed dataset with its keys, and what was kept elsewhere after each version: everything, and a checkpoint."""

    warehouse: Path
    keys: Path

    @property
    def folder(self) -> Path:
        return self.warehouse / NAME

    @property
    def key_file(self) -> Path:
        return self.keys / f"{NAME}.key"

    @property
    def signing_key(self) -> Path:
        return self.keys / f"{NAME}.ed25519.pem"


def whole_dataset(root: Path, tree_key: bytes | None = None, after: Callable[[int], object] | None = None) -> Whole:
    """Three versions of 60 posts or so, one use of version 1, one of version 3, and version 1 called back.

    tree_key: another key for the trees than the dataset's. after: what to do when a version is sealed.
    """
    whole = Whole(root / "warehouse", root / "keys")
    key, signer = make_key(whole.key_file), make_signer(whole.signing_key)
    _create(whole.folder, key, signer)
    texts_of = {f"p{n}": f"text {n:04d} żółć" for n in range(60)}
    said: dict[str, tuple[str, ...]] = {"o-1": ("account of p1",)}
    plan: list[tuple[dict[str, str], dict[str, Out]]] = [
        (texts_of, {"p90": Out((Reason.DELETED, Reason.EXACT_DUPLICATE), "p3"), "p91": Out((Reason.TEXT_EMPTY,))}),
        (
            {p: t for p, t in texts_of.items() if p != "p1"},
            {"p1": Out((Reason.OBJECTED,)), "p91": Out((Reason.TEXT_EMPTY,))},
        ),
        ({p: f"{t}!" for p, t in texts_of.items() if p != "p1"} | {"p70": "tea"}, {"p1": Out((Reason.OBJECTED,))}),
    ]
    for number, (kept, out) in enumerate(plan, 1):
        _build(whole.folder, number, (key, tree_key or key), signer, kept, out, said if number > 1 else {})
        if number == 1:
            _use(whole, 1)
        if after:
            after(number)
    recall(whole.warehouse, NAME, whole.signing_key, _now())
    _use(whole, 3)
    return whole


def canonical_row_hash(row: dict[str, Any]) -> bytes:
    """As docs/dataset.md has it."""
    fields = [None if row[name] is None else str(row[name]) for name in SNAPSHOT.names]
    written = "".join("-" if field is None else f"{len(field.encode())}:{field}" for field in fields)
    return sha256(written.encode()).digest()


def digest_of_rows(rows: list[dict[str, Any]]) -> str:
    """As docs/dataset.md has it."""
    lines = ""
    for bucket in sorted({row["bucket"] for row in rows}):
        own = sorted((row for row in rows if row["bucket"] == bucket), key=lambda row: row["doc_id"])
        joined = "".join(canonical_row_hash(row).hex() for row in own)
        lines += f"{bucket}:{sha256(joined.encode()).hexdigest()}\n"
    return sha256(lines.encode()).hexdigest()


def document(key: bytes, post: str, text: str) -> dict[str, Any]:
    """A row of the snapshot."""
    bucket = int(keyed_hash(key, "account", f"account of {post}")[:4], 16) >> 16 - BITS
    said = {"platform": "facebook", "surface": "post", "lang": None, "created_on": date(2026, 5, 1 + len(text) % 3)}
    return {
        "doc_id": keyed_hash(key, "post", post)[:32],
        "text": text,
        "chars": len(text),
        "copies": 1,
        "bucket": bucket,
    } | said


def _create(folder: Path, key: bytes, signer: Signer) -> None:
    write_public(public_path(folder), signer.public)
    properties = {
        "delta.enableDeletionVectors": "false", "delta.enableExpiredLogCleanup": "false",
        "delta.dataSkippingStatsColumns": "bucket,platform,surface,created_on",
        "delta.deletedFileRetentionDuration": "interval 3650 days", "delta.logRetentionDuration": "interval 3650 days",
        "corpus.bucketBits": str(BITS), "corpus.keyId": key_id(key), SIGNER_PROPERTY: signer.id,
    }  # fmt: skip
    DeltaTable.create(folder / "snapshot", SNAPSHOT, configuration=properties, raise_if_key_not_exists=False)
    _with_in_commit_time(folder, 0)
    for table, schema in SIDES.items():
        DeltaTable.create(folder / table, schema, partition_by=["build_id"])


def _build(  # noqa: PLR0917
    folder: Path, number: int, keys: tuple[bytes, bytes], signer: Signer, kept: dict[str, str], out: dict[str, Out],
    said: dict[str, tuple[str, ...]],
) -> None:  # fmt: skip
    build_id = f"build-{number}"
    rows = {post: document(keys[0], post, text) for post, text in kept.items()}
    members = [_member(rows[post], post, f"account of {post}", "author", build_id) for post in kept]
    members += [_member(rows[post], post, "account of p2", "coauthor", build_id) for post in list(kept)[10:14]]
    grounds = [ground(account, one, build_id) for one, accounts in said.items() for account in accounts]
    for table, each in (
        ("members", members),
        ("grounds", grounds),
        ("exclusions", [exclusion(p, o, build_id) for p, o in out.items()]),
    ):
        write_deltalake(folder / table, pa.Table.from_pylist(each, SIDES[table]), mode="append")
    ids = {"post": list(kept), "account": sorted({row["account_id"] for row in members})}
    hashes = {post: (row["doc_id"], canonical_row_hash(row)) for post, row in rows.items()}
    trees = write_trees(folder, build_id, keys[1], ids, rows=hashes)
    intent = _intent(number, build_id, list(rows.values()), out, trees)
    write_document(intent_path(folder, build_id), sealed(intent, INTENT, signer))
    _commit(folder, number, build_id, digest_of(intent), list(rows.values()))
    seal_version(folder, number, intent, signer)


def _intent(number: int, build_id: str, rows: list[dict[str, Any]], out: dict[str, Out], trees: Any) -> dict[str, Any]:
    said: dict[str, Any] = statement(NAME, number, build_id, len(rows), out)["predicate"]
    for name in ("version", "released_at", "intent"):
        del said[name]
    own = {"name": POLICY.name, "digest": POLICY.digest, "values": texts(POLICY.as_json())}
    pinned = {pin["table"]: [pin["id"], pin["version"]] for pin in said["inputs"]}
    clock = instant(_now().replace(microsecond=0))
    later = instant(_now().replace(microsecond=0) + timedelta(days=30))
    inputs = [pin | {"opens_until": later} for pin in said["inputs"]]
    snapshot = {"rows": str(len(rows)), "digest": digest_of_rows(rows), "bucket_bits": str(BITS)}
    changed = {"policy": own, "policy_digest": POLICY.digest, "pinned": pinned, "inputs": inputs, "now": clock}
    return said | changed | {"snapshot": snapshot, "trees": trees}


def _commit(folder: Path, number: int, build_id: str, intent: str, rows: list[dict[str, Any]]) -> None:
    """The one commit of a build. deltalake does not write to tables with in-commit times: they are put in after it."""
    _with_in_commit_time(folder, 0, is_on=False)
    metadata = {"userMetadata": json.dumps({"build_id": build_id, "intent": intent}, sort_keys=True)}
    properties = CommitProperties(custom_metadata=metadata, app_transactions=[Transaction(build_id, 1)])
    table = pa.Table.from_pylist(rows, SNAPSHOT)
    write_deltalake(folder / "snapshot", table, mode="overwrite", commit_properties=properties, writer_properties=PLAIN)
    for each in (0, number):
        _with_in_commit_time(folder, each)


def seal_version(folder: Path, number: int, intent: dict[str, Any], signer: Signer) -> None:
    """The statement and the record of a version."""
    released_at = next(one.released_at for one in commits(folder) if one.version == number)
    stated = as_statement(intent, number, released_at)
    write_document(statement_path(folder, number), sealed(stated, STATEMENT, signer))
    before = records(folder) if number > 1 else []
    append(folder, as_record(stated, digest_of_record(before[-1]) if before else ""), signer)


def _with_in_commit_time(folder: Path, version: int, is_on: bool = True) -> None:
    def change(action: dict[str, Any]) -> None:
        if "metaData" in action:
            action["metaData"]["configuration"].pop("delta.enableInCommitTimestamps", None)
            action["metaData"]["configuration"] |= {"delta.enableInCommitTimestamps": "true"} if is_on else {}
        if "commitInfo" in action:
            action["commitInfo"]["inCommitTimestamp"] = action["commitInfo"]["timestamp"]

    edit_commit(folder, version, change)


def edit_commit(folder: Path, version: int, change: Callable[[dict[str, Any]], object]) -> None:
    """Changes the actions of a commit in place; one for which `change` returns False goes."""
    path = folder / "snapshot/_delta_log" / f"{version:020d}.json"
    actions = [json.loads(line) for line in path.read_text().splitlines()]
    kept = [action for action in actions if change(action) is not False]
    path.write_text("".join(json.dumps(action) + "\n" for action in kept))


def _member(row: dict[str, Any], post: str, account: str, role: str, build_id: str) -> dict[str, Any]:
    return {
        "doc_id": row["doc_id"],
        "post_id": post,
        "account_id": account,
        "role": role,
        "bucket": 0,
        "build_id": build_id,
    }


def _use(whole: Whole, number: int) -> None:
    asked = Asked(f"tram-{number}b", "pretraining", "A. Lovelace")
    hand_out(whole.warehouse, NAME, number, asked, whole.signing_key, _now())


def _now() -> datetime:
    return datetime.now(UTC)
