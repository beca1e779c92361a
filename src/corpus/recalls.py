"""Versions called back: those that hold what the newest version leaves out because somebody objected since."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from corpus.errors import DatasetError
from corpus.evidence.journal import RECALL_FORMAT, Entry, append, entries, moment, of_kind
from corpus.evidence.keys import signer_of
from corpus.evidence.lease import lease
from corpus.evidence.store import digest_of
from corpus.progress import step
from corpus.reasons import OBJECTION_REASONS, Reason, mask_of
from corpus.versions import Row, Version, literal, opened, select, versions

# ruff: noqa: S608 (whatever comes from outside stands in the SQL as a literal)

REGISTER = pa.schema([
    ("version", pa.int64()), ("objection_id", pa.string()), ("subject_kind", pa.string()),
    ("subject_id", pa.string()), ("post_id", pa.string()), ("doc_id", pa.string()), ("held", pa.string()),
    ("known_by", pa.int64()), ("digest", pa.string()),
])  # fmt: skip
"""The restricted list, `recalls/`: which objection concerns which document of which version, and how it is held there.

`held`: as an author's or co-author's own, or `through` another post, whose words resemble those of `post_id`.
"""


@dataclass(frozen=True)
class Recalled:
    """A version that holds what objections since leave out, and the runs that used it; `is_new` if that is news."""

    version: str
    objections: int
    documents: int
    runs: list[str]
    is_new: bool


@dataclass(frozen=True)
class Recall:
    """What a look at a dataset found: by what the version `known_by` knows, which was the state at `as_of`."""

    known_by: str
    as_of: str
    recalled: list[Recalled]


def affected(warehouse: Path, dataset: str) -> tuple[Version, dict[int, list[Row]]]:
    """The newest version, and by each earlier one the rows of what it holds and the newest leaves out for an objection.

    Raises DatasetError where no version is sealed, or the restricted tables cannot be read.
    """
    sealed = [version for version in versions(warehouse, dataset) if version.statement]
    if not sealed:
        raise DatasetError(f"{dataset} has no sealed version: there is nothing to recall.")
    *earlier, newest = sealed
    found = {}
    for version in earlier:
        with step(f"looking in {version.name} for what {newest.name} leaves out"):
            found[version.number] = _affected(warehouse / dataset, version, newest)
    return newest, {number: rows for number, rows in found.items() if rows}


def recall(warehouse: Path, dataset: str, signing_key: Path | str, now: datetime, wait: float = 600) -> Recall:
    """Records which versions are recalled: their list in `recalls/`, then an entry of the log; what is there stays."""
    newest, found = affected(warehouse, dataset)
    folder = (warehouse / dataset).absolute()
    if not found:
        return Recall(newest.name, newest.predicate["now"], [])
    signer = signer_of(folder, signing_key)
    with lease(folder, "corpus recall", wait):
        known = entries(folder)
        recalled = [_as_recalled(dataset, number, rows, known) for number, rows in sorted(found.items())]
        for each, (number, rows) in zip(recalled, sorted(found.items()), strict=True):
            if each.is_new:  # the list first: an entry names the digest of one that is there
                _write_list(folder / "recalls", number, rows)
                append(folder, _entry(dataset, number, rows, now), signer)
    return Recall(newest.name, newest.predicate["now"], recalled)


def preview(warehouse: Path, dataset: str) -> Recall:
    """What `recall` would record, without doing so."""
    newest, found = affected(warehouse, dataset)
    known = entries(warehouse / dataset)
    recalled = [_as_recalled(dataset, number, rows, known) for number, rows in sorted(found.items())]
    return Recall(newest.name, newest.predicate["now"], recalled)


def _entry(dataset: str, number: int, rows: list[Row], now: datetime) -> Entry:
    said = {"dataset": dataset, "version": str(number), "at": moment(now), "digest": _digest(number, rows)}
    objections = str(len({row["objection_id"] for row in rows}))
    return {"kind": "recall", "format": RECALL_FORMAT, "objections": objections, **said}


def _as_recalled(dataset: str, number: int, rows: list[Row], known: list[Entry]) -> Recalled:
    runs = sorted({entry["run"] for entry in of_kind(known, "use", number)})
    digests = {entry["digest"] for entry in of_kind(known, "recall", number)}
    objections, documents = (len({row[name] for row in rows}) for name in ("objection_id", "doc_id"))
    return Recalled(f"{dataset}@{number}", objections, documents, runs, is_new=_digest(number, rows) not in digests)


def _digest(number: int, rows: list[Row]) -> str:
    """SHA-256 of a version's list, in canonical JSON; the documents' keyed names keep it from being guessed."""
    names = ("objection_id", "subject_kind", "subject_id", "post_id", "doc_id", "held")
    listed = [{name: row[name] for name in names} for row in rows]
    return digest_of({"version": str(number), "list": listed})


def _write_list(table: Path, number: int, rows: list[Row]) -> None:
    """Keeps a list under its digest; a second try writes the same in its place. Statistics tell the version alone."""
    if not DeltaTable.is_deltatable(str(table)):
        own = {"delta.dataSkippingStatsColumns": "version,known_by"}
        DeltaTable.create(table, REGISTER, partition_by=["digest"], configuration=own)
    digest = _digest(number, rows)
    listed = pa.Table.from_pylist([row | {"version": number, "digest": digest} for row in rows], REGISTER)
    write_deltalake(table, listed, mode="overwrite", predicate=f"digest = '{digest}'")


def _affected(folder: Path, version: Version, newest: Version) -> list[Row]:
    """One row per objection and document, in order: what the version holds and the newest leaves out for it."""
    tables = opened(folder, m="members", x="exclusions", g="grounds", s=("snapshot", version.number))
    then, now = literal(version.build_id), literal(newest.build_id)
    rows = select(tables, folder.name, f"""
        WITH g AS (SELECT * FROM g WHERE build_id = {now} AND ground = 'objection'),
        members AS (SELECT * FROM m WHERE build_id = {then}),
        kept_now AS (SELECT post_id FROM m WHERE build_id = {now} AND role = 'author'),
        out_now AS (SELECT post_id, reasons FROM x WHERE build_id = {now}),
        held AS ({" UNION ALL ".join(_holdings(then))})
        SELECT DISTINCT h.ground_id AS objection_id, h.subject_kind, h.subject_id, h.post_id, h.doc_id, h.held
        FROM held h LEFT ANTI JOIN kept_now k ON k.post_id = h.post_id
        LEFT JOIN out_now o ON o.post_id = h.post_id LEFT JOIN s ON s.doc_id = h.doc_id
        WHERE {_COVERED} ORDER BY objection_id, subject_id, post_id, doc_id, held""")  # fmt: skip
    return [row | {"known_by": newest.number} for row in rows]


_HELD_BY = "g.ground_id, g.subject_kind, g.subject_id, g.platform, g.since, g.until"
_OF_ACCOUNT = "g.subject_kind = 'account' AND g.subject_id = {}.account_id"
_OF_POST = "g.subject_kind = 'post' AND g.subject_id = {}.post_id"


def _holdings(build_id: str) -> Iterator[str]:
    """How a version may hold what a ground is about: as a document, or by another post kept instead."""
    own = f"SELECT {_HELD_BY}, m.post_id, m.doc_id, m.role AS held FROM members m JOIN g ON"
    yield f"{own} {_OF_ACCOUNT.format('m')}"
    yield f"{own} {_OF_POST.format('m')} WHERE m.role = 'author'"
    for match in (_OF_ACCOUNT, _OF_POST):
        yield f"""SELECT {_HELD_BY}, x.post_id, kept.doc_id, 'through' AS held FROM x JOIN g ON {match.format("x")}
            JOIN members kept ON kept.post_id = x.kept_instead AND kept.role = 'author'
            WHERE x.build_id = {build_id}"""


_OBJECTED = mask_of([*OBJECTION_REASONS, Reason.POST_OBJECTED])
_INSIDE = """coalesce(h.platform = s.platform, true) AND coalesce(s.created_on >= CAST(h.since AS DATE), true)
    AND coalesce(s.created_on <= CAST(h.until AS DATE), true)"""
_COVERED = f"""CASE WHEN h.held <> 'coauthor' AND o.post_id IS NOT NULL THEN (o.reasons & {_OBJECTED}) <> 0
    WHEN h.held = 'through' THEN true ELSE {_INSIDE} END"""
"""Whether the objection covers the post: as the newest version judged it; else, by its platform and days.

A post that is in no input any more, and a co-author's part in one, have no verdict of their own; on its first and last
day an objection is taken to cover all.
"""
