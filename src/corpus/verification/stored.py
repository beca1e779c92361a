"""The rows of a version as they lie in files: all there, as they were signed, and shown to readers as they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from corpus.audit.engine import IN_ARROW
from corpus.schemas import SNAPSHOT, columns
from corpus.verification.delta_log import Action, live_files, place
from corpus.verification.findings import Failed, Unchecked
from corpus.verification.subject import Subject, is_past, said_of

# ruff: noqa: S608 (the only names in SQL are the contract's own)

COLUMNS = [column.name for column in columns(SNAPSHOT)]
SCHEMA = pa.schema([(column.name, IN_ARROW[column.type]) for column in columns(SNAPSHOT)])
Bounds = tuple[Any, Any, int]
"""The least and the greatest value of a column (None where it has none), and how many are null."""


def files(subject: Subject, version: int) -> str:
    """Whether every file is there, of its size and with as many rows as Delta's log says."""
    live = live_files(subject.delta, version)
    if is_past(subject, version):
        for path in live:
            _there(place(subject.delta, path))
    rows = sum(_whole(place(subject.delta, path), add) for path, add in live.items())
    return f"{len(live)} files, {rows:,} rows"


def statistics(subject: Subject, version: int) -> str:
    """Whether what Delta's log and the files say of the least and greatest values holds for the rows."""
    live = live_files(subject.delta, version)
    stated = 0
    for path, add in live.items():
        bounds = _bounds(_there(place(subject.delta, path)))
        stated += _require_bounds(path, json.loads(add.get("stats") or "{}"), bounds)
    return f"hold for {stated} columns of {len(live)} files"


def rows(subject: Subject, version: int) -> str:
    """Whether the rows have the number and the digest that were signed."""
    said = said_of(subject, version)["snapshot"]
    expected = (int(said["rows"]), said["digest"])
    found = row_digest(subject, version)
    if found != expected:
        raise Failed(
            f"{found[0]:,} rows with the digest {found[1][:16]}…", f"{expected[0]:,} rows with {expected[1][:16]}…"
        )
    return f"{found[0]:,} rows, digest {found[1][:16]}…"


def row_digest(subject: Subject, version: int) -> tuple[int, str]:
    """How many rows a version has, and their digest as docs/dataset.md defines it, by DuckDB."""
    with subject.database.cursor() as opened:
        return digest_of(opened, row_hashes(opened, subject, version))


def digest_of(opened: duckdb.DuckDBPyConnection, hashed: str) -> tuple[int, str]:
    """How many rows this SQL of doc_id, bucket and row_hash gives, and their digest."""
    joined = "string_agg(row_hash, '' ORDER BY doc_id, row_hash)"
    sql = f"SELECT bucket, count(*), sha256({joined}) FROM ({hashed}) GROUP BY bucket ORDER BY bucket"
    buckets = opened.execute(sql).fetchall()
    lines = "".join(f"{bucket}:{digest}\n" for bucket, _, digest in buckets)
    return sum(count for _, count, _ in buckets), sha256(lines.encode()).hexdigest()


def row_hashes(opened: duckdb.DuckDBPyConnection, subject: Subject, version: int) -> str:
    """SQL for doc_id, bucket and the hash of each row of a version, in this database."""
    opened.register("documents", documents(subject, version))
    return f"SELECT doc_id, bucket, {row_hash(COLUMNS)} AS row_hash FROM documents"


def documents(subject: Subject, version: int) -> Any:
    """The rows of a version, as Arrow opens them: to DuckDB some names of files are patterns.

    Raises Unchecked where a file is missing.
    """
    paths = [str(_there(place(subject.delta, path))) for path in live_files(subject.delta, version)]
    return ds.dataset(paths, SCHEMA, format="parquet") if paths else SCHEMA.empty_table()


def row_hash(names: list[str]) -> str:
    """SQL for the hash of a row of these columns."""
    fields = "".join(f"|| coalesce(strlen({name}::VARCHAR) || ':' || {name}::VARCHAR, '-')" for name in names)
    return f"sha256('' {fields})"


def _there(path: Path) -> Path:
    if path.is_file():
        return path
    raise Unchecked(f"its file {path.name} is missing: see opens")


def _whole(path: Path, add: Action) -> int:
    """How many rows a file has."""
    if not path.is_file():
        raise Failed(f"{path.name} is missing", "every file that Delta's log names, while the version opens")
    size = path.stat().st_size
    if size != int(add["size"]):
        raise Failed(f"{path.name} has {size:,} bytes", f"{int(add['size']):,} by Delta's log")
    if add.get("deletionVector"):
        raise Failed(f"{path.name} has a deletion vector, which hides rows", "none: the table's property forbids them")
    count = int(pq.read_metadata(path).num_rows)
    stated = json.loads(add.get("stats") or "{}").get("numRecords", count)
    if count != stated:
        raise Failed(f"{path.name} has {count:,} rows", f"{stated:,} by Delta's log")
    return count


def _bounds(path: Path) -> dict[str, Bounds]:
    """What a file's rows have of each column; the file's own statistics are compared on the way."""
    found: dict[str, Bounds] = dict.fromkeys(COLUMNS, (None, None, 0))
    with pq.ParquetFile(path) as opened:
        for group in range(opened.num_row_groups):
            table = opened.read_row_group(group, columns=COLUMNS)
            for name, stated in _group_statistics(opened.metadata.row_group(group)):
                own = _bounds_of(table[name])
                _require_within(f"{path.name}, row group {group}", name, stated, own)
                found[name] = _joined(found[name], own)
    return found


def _group_statistics(group: Any) -> Iterator[tuple[str, Bounds]]:
    for at in range(group.num_columns):
        column = group.column(at)
        if column.path_in_schema in COLUMNS:
            said = column.statistics
            least, greatest = (said.min, said.max) if said and said.has_min_max else (None, None)
            nulls = said.null_count if said and said.has_null_count else -1
            yield column.path_in_schema, (least, greatest, nulls)


def _bounds_of(values: pa.ChunkedArray) -> Bounds:
    found = pc.min_max(values).as_py()
    return found["min"], found["max"], values.null_count


def _joined(one: Bounds, other: Bounds) -> Bounds:
    least = [value for value in (one[0], other[0]) if value is not None]
    greatest = [value for value in (one[1], other[1]) if value is not None]
    return min(least, default=None), max(greatest, default=None), one[2] + other[2]


def _require_bounds(path: str, stats: Action, found: dict[str, Bounds]) -> int:
    """How many columns Delta's log has statistics of; each holds for the rows."""
    low, high, nulls = (stats.get(name, {}) for name in ("minValues", "maxValues", "nullCount"))
    named = [name for name in COLUMNS if name in low or name in high or name in nulls]
    for name in named:
        own = tuple(str(value) if hasattr(value, "isoformat") else value for value in found[name])
        _require_within(path, name, (low.get(name), high.get(name), nulls.get(name, -1)), own)  # type: ignore[arg-type]
    return len(named)


def _require_within(where: str, name: str, stated: Bounds, own: Bounds) -> None:
    """Statistics may be wider than the values (long texts are cut), and never narrower."""
    least, greatest, nulls = stated
    too_high = least is not None and own[0] is not None and own[0] < least
    too_low = greatest is not None and own[1] is not None and own[1] > greatest
    if too_high or too_low or nulls not in {-1, own[2]}:
        raise Failed(
            f"{where} says of {name}: {least} to {greatest}, {nulls} null",
            f"what the rows have: {own[0]} to {own[1]}, {own[2]} null".replace("\n", " ")[:200],
        )
