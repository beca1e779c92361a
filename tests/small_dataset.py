"""A dataset of a few posts, written by real Delta in the layout of docs/dataset.md, for tests of reading."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake

from corpus.evidence.store import statement_path
from corpus.reasons import Reason, mask_of, reasons_in
from tests.statements import write_statement

SNAPSHOT = pa.schema([
    ("doc_id", pa.string()), ("text", pa.string()), ("platform", pa.string()), ("surface", pa.string()),
    ("lang", pa.string()), ("created_on", pa.date32()), ("chars", pa.int32()), ("copies", pa.int64()),
    ("bucket", pa.int32()),
])  # fmt: skip
MEMBERS = pa.schema([
    ("doc_id", pa.string()), ("post_id", pa.string()), ("account_id", pa.string()), ("role", pa.string()),
    ("bucket", pa.int32()), ("build_id", pa.string()),
])  # fmt: skip
EXCLUSIONS = pa.schema([
    ("post_id", pa.string()), ("account_id", pa.string()), ("reasons", pa.int64()), ("primary_reason", pa.string()),
    ("kept_instead", pa.string()), ("similarity", pa.float64()), ("bucket", pa.int32()), ("build_id", pa.string()),
])  # fmt: skip

GROUNDS = pa.schema([
    ("subject_kind", pa.string()), ("subject_id", pa.string()), ("reason", pa.string()), ("ground", pa.string()),
    ("ground_id", pa.string()), ("platform", pa.string()), ("since", pa.timestamp("us", "UTC")),
    ("until", pa.timestamp("us", "UTC")), ("bucket", pa.int32()), ("build_id", pa.string()),
])  # fmt: skip
REGISTER = pa.schema([
    ("objection_id", pa.string()), ("kind", pa.string()), ("status", pa.string()), ("subject_type", pa.string()),
    ("received_at", pa.timestamp("us", "UTC")), ("begin", pa.timestamp("us", "UTC")), ("resolved_as", pa.string()),
    ("tried", pa.list_(pa.string())), ("accounts", pa.int64()), ("account_ids", pa.list_(pa.string())),
    ("post_id", pa.string()), ("bucket", pa.int32()), ("build_id", pa.string()),
])  # fmt: skip


@dataclass(frozen=True)
class Said:
    """An objection: when it came, and the accounts (or the post) that it was found to name."""

    received_at: datetime | None
    accounts: tuple[str, ...] = ()
    post: str | None = None


@dataclass(frozen=True)
class Out:
    """Why a post is left out."""

    reasons: tuple[Reason, ...]
    kept_instead: str | None = None


def doc_id(post_id: str) -> str:
    return sha256(post_id.encode()).hexdigest()[:32]


def empty(folder: Path) -> None:
    """Version 0, and empty side tables."""
    DeltaTable.create(str(folder / "snapshot"), SNAPSHOT)
    tables = {"members": MEMBERS, "exclusions": EXCLUSIONS, "grounds": GROUNDS, "objections": REGISTER}
    for table, schema in tables.items():
        DeltaTable.create(str(folder / table), schema, partition_by=["build_id"])


def build(
    folder: Path, kept: dict[str, str], out: dict[str, Out], sealed: bool = True, said: dict[str, Said] | None = None
) -> int:
    """One more version that keeps these texts, leaves those out and knows these objections; returns its number."""
    number = DeltaTable(folder / "snapshot").version() + 1
    build_id = f"build-{number}"
    documents = [_document(post, text) for post, text in kept.items()]
    authors = [_member(post, build_id) for post in kept]
    _write(folder / "exclusions", EXCLUSIONS, [exclusion(post, o, build_id) for post, o in out.items()], "append")
    _write(folder / "members", MEMBERS, authors, "append")
    known = {} if said is None else said
    _write(folder / "objections", REGISTER, [_objection(one, s, build_id) for one, s in known.items()], "append")
    grounds = [ground(account, one, build_id) for one, s in known.items() for account in s.accounts]
    _write(folder / "grounds", GROUNDS, grounds, "append")
    _write(
        folder / "snapshot", SNAPSHOT, documents, "overwrite", json.dumps({"build_id": build_id, "intent": "0" * 64})
    )
    if sealed:
        write_statement(statement_path(folder, number), statement(folder.name, number, build_id, len(kept), out))
    return number


def maintain(folder: Path) -> int:
    """One more version that no build made."""
    table = DeltaTable(folder / "snapshot")
    table.alter.set_table_properties({"delta.appendOnly": "false"})
    return int(DeltaTable(folder / "snapshot").version())


def _write(path: Path, schema: pa.Schema, rows: list[dict[str, Any]], mode: Any, said: str | None = None) -> None:
    metadata = CommitProperties(custom_metadata={"userMetadata": said}) if said else None
    write_deltalake(str(path), pa.Table.from_pylist(rows, schema), mode=mode, commit_properties=metadata)


def _document(post: str, text: str) -> dict[str, Any]:
    said = {"platform": "facebook", "surface": "post", "lang": "en-GB", "created_on": date(2026, 5, 1)}
    return {"doc_id": doc_id(post), "text": text, "chars": len(text), "copies": 1, "bucket": 0, **said}


def _member(post: str, build_id: str) -> dict[str, Any]:
    who = {"account_id": f"account of {post}", "role": "author", "bucket": 0}
    return {"doc_id": doc_id(post), "post_id": post, "build_id": build_id, **who}


def exclusion(post: str, out: Out, build_id: str) -> dict[str, Any]:
    mask = mask_of(out.reasons)
    said = {"post_id": post, "account_id": f"account of {post}", "similarity": None, "bucket": 0, "build_id": build_id}
    why = {"reasons": mask, "primary_reason": reasons_in(mask)[0].name, "kept_instead": out.kept_instead}
    return said | why


def _objection(objection_id: str, said: Said, build_id: str) -> dict[str, Any]:
    found = "post" if said.post else "account" if said.accounts else None
    row: dict[str, Any] = {
        "objection_id": objection_id,
        "kind": "object",
        "status": "upheld",
        "received_at": said.received_at,
    }
    row |= {"begin": said.received_at, "subject_type": found or "email_hash", "resolved_as": found, "bucket": 0}
    row |= {"tried": [found or "email_hash"], "accounts": len(said.accounts), "account_ids": list(said.accounts)}
    return row | {"post_id": said.post, "build_id": build_id}


def ground(account: str, objection_id: str, build_id: str) -> dict[str, Any]:
    who = {"subject_kind": "account", "subject_id": account, "reason": "OBJECTED", "ground": "objection"}
    return who | {"ground_id": objection_id, "platform": "facebook", "bucket": 0, "build_id": build_id}


def statement(dataset: str, number: int, build_id: str, kept: int, out: dict[str, Out]) -> dict[str, Any]:
    first = Counter(reasons_in(mask_of(each.reasons))[0].name for each in out.values())
    wherever = Counter(reason.name for each in out.values() for reason in each.reasons)
    counts = {"posts": kept + len(out), "kept": kept, "excluded": len(out)}
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": f"{dataset}@{number}", "digest": {"sha256": "d" * 64}}],
        "predicateType": "urn:corpus:training-snapshot:v1",
        "predicate": {
            "dataset": dataset, "version": str(number), "build_id": build_id, "base_version": str(number - 1),
            "cutoff": f"2026-11-{number:02d}T00:00:00Z", "now": f"2026-11-{number:02d}T01:00:00Z",
            "released_at": f"2026-11-{number:02d}T02:00:00Z",
            "policy": {"name": "uk-social", "digest": "a" * 64, "values": {
                "honour_within_hours": "72",
                "rules_off": [{"rule": "ACCOUNT_PRIVATE", "because": "the forum has no private accounts"}],
            }},
            "code": {"version": "0.1.0", "digest": "c" * 64},
            "inputs": [{"table": "posts", "location": "inputs/posts", "id": "t1", "version": "5",
                        "schema_digest": "5" * 64, "rows": "20000", "committed_at": "2026-11-01T00:00:00Z",
                        "opens_until": "2026-11-08T00:00:00Z"}],
            "gates": [
                {"gate": "GOVERNANCE_MISSING", "outcome": "passed", "figures": {}, "because": None},
                {"gate": "FEED_STALE", "outcome": "overridden", "figures": {}, "because": "it is down for repairs"},
            ],
            "without_data": ["ACCOUNT_PRIVATE"],
            "funnel": {key: str(n) for key, n in counts.items()} | {
                "primary": {name: str(n) for name, n in first.items()},
                "any": {name: str(n) for name, n in wherever.items()}, "capped": "1200",
            },
            "snapshot": {"rows": str(kept), "digest": "d" * 64, "bucket_bits": "4"},
            "intent": "0" * 64,
        },
    }  # fmt: skip


HOSTILE_ID = "p'; DROP TABLE m; -- 100% \\ \x1b[31m"
HOSTILE_TEXT = "a tram in Leeds \x1b]0;owned\x07\x1b[2J\u202e \u009b31m [bold]not bold[/bold]\nsecond line"


def at(day: int, hour: int) -> datetime:
    return datetime(2026, 11, day, hour, tzinfo=UTC)


OBJECTIONS = {
    "o-1": Said(at(2, 2), ("account of p1",)),
    "o-2": Said(at(2, 14), ("account of p9",)),
    HOSTILE_ID: Said(at(2, 14), ("account of p9",)),
    "o-lost": Said(at(2, 20)),
}


def small_dataset(warehouse: Path) -> Path:
    """Six versions of `uk-social`: 1, 3 and 4 are builds, 2 is maintenance, 5 has no statement."""
    folder = warehouse / "uk-social"
    empty(folder)
    dup = (Reason.EXACT_DUPLICATE,)
    build(
        folder,
        {"p1": "rain", "p2": "tea", "p3": "queue", HOSTILE_ID: HOSTILE_TEXT},
        {"p4": Out(dup, "p3"), "p5": Out((Reason.NOT_PUBLIC, Reason.DELETED))},
    )
    maintain(folder)
    build(
        folder,
        {"p2": "tea", "p4": "queue", "p5": "bus", "p6": "scone"},
        {"p1": Out((Reason.OBJECTED, Reason.DELETED)), HOSTILE_ID: Out((Reason.OBJECTED_LINKED,))},
        said=OBJECTIONS,
    )
    build(
        folder,
        {"p4": "queue", "p5": "bus", "p7": "scone"},
        {"p2": Out(dup, "p5"), "p6": Out(dup, "p7"), "p1": Out((Reason.OBJECTED,))},
        said=OBJECTIONS
        | {"o-late": Said(at(1, 0) - timedelta(hours=4), post="p3"), "o-undated": Said(None, ("account of p1",))},
    )
    build(folder, {"p7": "scone"}, {}, sealed=False)
    return folder
