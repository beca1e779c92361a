"""A version's rows put in order with little memory: scattered over parts of it on disk, each sorted when needed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from corpus.evidence.store import read_document, write_document
from corpus.export.order import BITS, in_order, places
from corpus.versions import streamed

PART_BYTES = 2**25
"""What a part is meant to hold: memory needed is some six times that, and more only beyond MOST_PARTS parts."""

MOST_PARTS = 1024
UNPACKED = 4
"""How much larger rows are than their Parquet files, roughly."""


@dataclass(frozen=True)
class Parts:
    """Rows on disk in parts that follow one another in the order: how many each has, and the bytes of what is exported.

    A text counts as its UTF-8, a number or a date as 8 bytes.
    """

    folder: Path
    counts: tuple[int, ...]
    bytes: int

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(self.counts)

    def between(self, first: int, end: int) -> Iterator[pa.Table]:
        """The rows from one number to before another, in order, a part at a time."""
        begin = 0
        for part, count in enumerate(self.counts):
            low, high = max(first, begin), min(end, begin + count)
            if low < high:
                yield _sorted(self.folder / str(part)).slice(low - begin, high - low)
            begin += count


def scattered(  # noqa: PLR0913, PLR0917 (which rows, in which order, where to)
    folder: Path, number: int, columns: list[str], seed: int, into: Path, tell: Callable[[int], Any]
) -> Parts:
    """A version's rows in parts, made now or found whole from an earlier try."""
    there = read_document(into / "parts.json")
    if there:
        return Parts(into, tuple(there["counts"]), there["bytes"])
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(mode=0o700)
    bits = _bits(folder, number)
    counts, size = np.zeros(2**bits, np.int64), 0
    for rows in _gathered(folder, number, columns):
        size += sum(_size(rows[name]) for name in columns)
        counts += _scatter(rows.append_column("place", pa.array(places(rows["doc_id"].to_pylist(), seed))), bits, into)
        tell(rows.num_rows)
    write_document(into / "parts.json", {"counts": counts.tolist(), "bytes": size})
    return Parts(into, tuple(counts.tolist()), size)


def _bits(folder: Path, number: int) -> int:
    """So many first bits of a place name its part."""
    sizes = pa.table(DeltaTable(folder / "snapshot", version=number).get_add_actions(flatten=True))["size_bytes"]
    wanted = sum(sizes.to_pylist()) * UNPACKED // PART_BYTES
    return int(min(wanted, MOST_PARTS - 1).bit_length())


def _gathered(folder: Path, number: int, columns: list[str]) -> Iterator[pa.Table]:
    """The rows as the table's files have them, in pieces of about a part's size."""
    names = list(dict.fromkeys(["doc_id", *columns]))
    kept: list[pa.RecordBatch] = []
    for batch in streamed(folder, number, names):
        kept.append(_loose(batch))
        if sum(each.nbytes for each in kept) >= PART_BYTES:
            yield pa.Table.from_batches(kept)
            kept = []
    if kept:
        yield pa.Table.from_batches(kept)


def _loose(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with strings whose lengths may add up to more than 2 GiB."""
    loose = [pa.large_string() if kind == pa.string() else kind for kind in batch.schema.types]
    return batch.cast(pa.schema(list(zip(batch.schema.names, loose, strict=True))))


def _size(values: pa.ChunkedArray) -> int:
    if not pa.types.is_large_string(values.type):
        return 8 * len(values)
    return int(pc.sum(pc.binary_length(values)).as_py() or 0)


def _scatter(rows: pa.Table, bits: int, into: Path) -> Any:
    """Adds each row to its part's file; how many went to which."""
    part = rows["place"].to_numpy() >> np.uint64(BITS - bits) if bits else np.zeros(rows.num_rows, np.uint64)
    rows = rows.take(pa.array(np.argsort(part, kind="stable")))
    counts = np.bincount(part.astype(np.int64), minlength=2**bits)
    first = 0
    for name in np.flatnonzero(counts):
        with (into / str(name)).open("ab") as file, pa.ipc.new_stream(file, rows.schema, options=_PACKED) as stream:
            stream.write_table(rows.slice(first, counts[name]))
        first += counts[name]
    return counts


_PACKED = pa.ipc.IpcWriteOptions(compression="lz4")


@lru_cache(maxsize=1)
def _sorted(path: Path) -> pa.Table:
    """A part in order; the last one asked for is kept, since the next shard begins in it."""
    pieces = []
    with path.open("rb") as file:
        while file.peek(1):
            with pa.ipc.open_stream(file) as stream:
                pieces.append(stream.read_all())
    return in_order(pa.concat_tables(pieces)).drop_columns("place")
