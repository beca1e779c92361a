"""The record of a version: the few public facts that stand in the log and that every proof carries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from corpus.evidence.formats import RECORD_FORMAT, require_version
from corpus.evidence.journal import entries, of_kind
from corpus.evidence.store import digest_of

Record = dict[str, Any]


def as_record(statement: dict[str, Any], previous: str) -> Record:
    """The record of the version that a statement states; `previous` is the digest of the record before it."""
    said = statement["predicate"]
    return {
        "kind": "version",
        "format": RECORD_FORMAT,
        "dataset": said["dataset"],
        "version": said["version"],
        "cutoff": said["cutoff"],
        "released_at": said["released_at"],
        "rows": said["snapshot"]["rows"],
        "documents": said["trees"]["documents"],
        "persons": said["trees"]["persons"],
        "statement": digest_of(statement),
        "previous": previous,
    }


def records(dataset: Path) -> list[Record]:
    """The records of a dataset's sealed versions, in the order in which they were sealed. Raises DatasetError."""
    found = of_kind(entries(dataset), "version")
    for record in found:
        require_version(record["format"], RECORD_FORMAT)
    return found


def digest_of_record(record: Record) -> str:
    """What the next record calls this one."""
    return digest_of(record)
