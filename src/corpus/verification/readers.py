"""What Delta's readers are shown of a version by what they trust beside its commits: checkpoints, checksums, and so on.

Spark takes columns and files from a version's checksum (`.crc`), and a compaction in place of the commits it covers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable

from corpus.verification.delta_log import Action, live_files, metadata, place
from corpus.verification.findings import Failed, some
from corpus.verification.stored import COLUMNS
from corpus.verification.subject import Subject

STATED = {"minValues": "min", "maxValues": "max", "nullCount": "null_count"}
"""Statistics as commits call them, and as deltalake does."""


def reader(subject: Subject, version: int) -> str:
    """Whether a Delta reader sees the files, statistics, columns and properties that the commits give."""
    expected, said = live_files(subject.delta, version), metadata(subject.delta, version)
    log = subject.delta.table / "_delta_log"
    if compactions := sorted(path.name for path in log.glob("*.compacted.json")):
        raise Failed(f"readers may read {some(compactions)} in place of commits", "commits and checkpoints alone")
    table = DeltaTable(subject.delta.table, version=version)
    _require_files(subject, [Path(unquote(uri.removeprefix("file://"))) for uri in table.file_uris()], expected)
    _require_statistics(table, expected)
    if table.metadata().configuration != said.get("configuration", {}):
        raise Failed("readers see other table properties than the commits set", "those of the commits")
    names = [field.name for field in table.schema().fields]
    if names != COLUMNS:
        raise Failed(f"readers see the columns {', '.join(names)}", ", ".join(COLUMNS))
    checksum = log / f"{version:020d}.crc"
    if checksum.exists():
        _require_checksum(json.loads(checksum.read_text(encoding="utf-8")), expected, said)
    return f"sees the {len(expected)} files of the commits"


def _require_files(subject: Subject, shown: list[Path], expected: dict[str, Action]) -> None:
    found, committed = [path.resolve() for path in shown], [place(subject.delta, path).resolve() for path in expected]
    if sorted(found) != sorted(committed):
        odd = sorted(path.name for path in {*found} ^ {*committed})
        raise Failed(
            f"readers see {len(found)} files; {some(odd)} on one side only", f"the {len(committed)} of commits"
        )


def _require_statistics(table: DeltaTable, expected: dict[str, Action]) -> None:
    """Narrower ones in a checkpoint make readers skip rows."""
    for row in pa.table(table.get_add_actions(flatten=True)).to_pylist():
        stats = _stats(expected.get(row["path"], {}))
        own = {
            f"{short}.{name}": value for kind, short in STATED.items() for name, value in stats.get(kind, {}).items()
        }
        own["num_records"] = stats.get("numRecords")
        shown = {name: row[name] for name in row if name == "num_records" or name.split(".")[0] in STATED.values()}
        wrong = [name for name, value in shown.items() if str(value) != str(own.get(name))]
        if wrong:
            raise Failed(
                f"readers see other statistics of {row['path']} than its commit gives: {some(wrong)}", "the same"
            )


def _require_checksum(checksum: Action, expected: dict[str, Action], said: Action) -> None:
    listed = checksum.get("allFiles")
    ours = [(path, int(add["size"]), _stats(add)) for path, add in sorted(expected.items())]
    if listed is not None:
        theirs = sorted(((add["path"], int(add["size"]), _stats(add)) for add in listed), key=lambda file: file[0])
        if theirs != ours or any(add.get("deletionVector") for add in listed):
            raise Failed(
                "the checksum beside the commit (.crc) lists other files or statistics", "those of the commits"
            )
    shown = checksum.get("metadata") or said
    same = all(
        shown.get(name) == said.get(name) for name in ("id", "schemaString", "partitionColumns", "configuration")
    )
    protocol = checksum.get("protocol") or {"minReaderVersion": 1}
    if not same or protocol["minReaderVersion"] != 1 or int(checksum.get("numFiles", len(ours))) != len(ours):
        raise Failed("the checksum beside the commit (.crc) says other columns or properties", "those of the commits")


def _stats(add: Action) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(add.get("stats") or "{}")
    return found
