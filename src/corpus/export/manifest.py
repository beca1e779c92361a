"""What an export is: the version, the order, the use, and every file with its digest; signed by the dataset's key."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Any

import pyarrow as pa

from corpus.errors import ConfigError, nearest
from corpus.evidence.journal import Entry
from corpus.evidence.store import digest_of
from corpus.export.formats import Form
from corpus.export.order import RULE
from corpus.schemas import SNAPSHOT, columns
from corpus.versions import Version

Document = dict[str, Any]
MANIFEST, SIGNED = "manifest.json", "manifest.dsse.json"
COLUMNS = [column.name for column in columns(SNAPSHOT)]
TYPES = {"STRING": pa.string(), "DATE": pa.date32(), "INT": pa.int32(), "BIGINT": pa.int64()}


@dataclass(frozen=True)
class Wanted:
    """How a version is to leave: as what, which columns, in which order, in how many shards or of what size."""

    form: Form
    columns: tuple[str, ...]
    seed: int
    shards: int | None
    shard_bytes: int

    @property
    def schema(self) -> pa.Schema:
        """The columns as shards have them."""
        return pa.schema([(c.name, TYPES[c.type]) for c in columns(SNAPSHOT) if c.name in self.columns])


def chosen(names: str | None) -> tuple[str, ...]:
    """The columns in `doc_id,text`, in the table's order; all without names. Raises ConfigError."""
    asked = COLUMNS if names is None else [name.strip() for name in names.split(",")]
    for name in asked:
        if name not in COLUMNS:
            hint = nearest(name, COLUMNS)
            raise ConfigError(f"--columns: there is no '{name}'{hint}; there are: {', '.join(COLUMNS)}.")
    return tuple(name for name in COLUMNS if name in asked)


def plan_of(version: Version, record: str, use: Entry, wanted: Wanted) -> Document:
    """All of a manifest but its files: what decides their bytes, and for whom they are made."""
    said = version.predicate["snapshot"]
    cut = {"shards": wanted.shards} if wanted.shards else {"shard_bytes": wanted.shard_bytes}
    return {
        "format": "corpus-export/v1", "dataset": version.dataset, "version": version.number,
        "statement": digest_of(version.statement or {}), "record": record,
        "rows": int(said["rows"]), "row_digest": said["digest"],
        "as": str(wanted.form), "columns": list(wanted.columns), "seed": wanted.seed, "order": RULE, "cut": cut,
        "use": {name: use[name] for name in ("run", "purpose", "approved_by", "at")} | {"entry": digest_of(use)},
        "made_with": {"pyarrow": pa.__version__},
    }  # fmt: skip


def described(path: Path, rows: int | None = None) -> Document:
    """A file of the export: its name, bytes and digest, and how many rows it has, if it has any."""
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    own = {} if rows is None else {"rows": rows}
    return {"name": path.name, "bytes": path.stat().st_size, "sha256": digest} | own


def as_text(manifest: Document) -> bytes:
    """The manifest for people and loaders."""
    return json.dumps(manifest, indent=1, ensure_ascii=False).encode() + b"\n"
