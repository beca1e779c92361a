"""How a shard is written: rows in, one file out, the same bytes each time."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.errors import ConfigError, DatasetError

ROWS_IN_GROUP = 8192
"""Rows that are written at once; in Parquet a row group, so that a loader may begin in the middle."""

FEW_VALUES = ["platform", "surface", "lang", "created_on"]
MOST_BYTES_MDS = 2**32 - 1
ENDS_A_LINE = re.compile("[\x85\u2028\u2029]")
"""What JSON may hold and some readers of lines stop at."""


class Form(StrEnum):
    """What shards are written as."""

    PARQUET = "parquet"
    JSONL = "jsonl.zst"
    MDS = "mds"


@dataclass(frozen=True)
class Shard:
    """A file to write: its rows in pieces, how many they are, and their columns."""

    path: Path
    rows: Iterable[pa.Table]
    count: int
    schema: pa.Schema


def as_written(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """The columns of a shard, of their types, in their order."""
    return rows.select(schema.names).cast(schema)


def write_parquet(shard: Shard) -> None:
    """Parquet with zstd and no metadata of its own; dictionaries only where values repeat."""
    few = [name for name in FEW_VALUES if name in shard.schema.names]
    with pq.ParquetWriter(
        shard.path, shard.schema, compression="zstd", compression_level=3, use_dictionary=few, version="2.6",
        data_page_version="1.0", store_schema=False,
    ) as writer:  # fmt: skip
        for rows in shard.rows:
            writer.write_table(rows, row_group_size=ROWS_IN_GROUP)


def write_jsonl(shard: Shard) -> None:
    """One JSON object a line in UTF-8, in one zstd frame of Arrow's level."""
    names = (f"{json.dumps(name)}:%s" for name in shard.schema.names)
    line = "{" + ",".join(names) + "}\n"
    with shard.path.open("wb") as file, pa.CompressedOutputStream(pa.PythonFile(file, "w"), "zstd") as packed:
        for rows in shard.rows:
            columns = (_as_json(rows[name]) for name in rows.column_names)
            text = "".join(map(line.__mod__, zip(*columns, strict=True)))
            packed.write(ENDS_A_LINE.sub(_escaped, text).encode())


def write_mds(shard: Shard) -> None:
    """A shard of MosaicML streaming: how many samples, where each begins, what columns are, the samples."""
    head = json.dumps(mds_config(shard.schema), sort_keys=True).encode()
    begins = 4 + 4 * (shard.count + 1) + len(head)
    ends = [np.array([begins], np.uint64)]
    with shard.path.open("wb") as file:
        file.seek(begins)
        for rows in shard.rows:
            samples = list(_samples(rows))
            ends.append(np.cumsum([len(sample) for sample in samples], dtype=np.uint64) + ends[-1][-1])
            file.write(b"".join(samples))
        if ends[-1][-1] > MOST_BYTES_MDS:
            raise ConfigError(f"A shard of mds holds 4 GiB; {shard.path.name} would have {ends[-1][-1]:,} bytes. "
                              "Ask for more --shards, in a new folder.")  # fmt: skip
        file.seek(0)
        file.write(np.uint32(shard.count).tobytes() + np.concatenate(ends).astype("<u4").tobytes() + head)


def mds_config(schema: pa.Schema) -> dict[str, Any]:
    """What the format says of its columns, in the order of their names."""
    names = sorted(schema.names)
    encodings = [_mds_encoding(schema.field(name)) for name in names]
    return {
        "version": 2, "format": "mds", "compression": None, "hashes": ["sha256"], "size_limit": None,
        "column_names": names, "column_encodings": encodings,
        "column_sizes": [8 if encoding == "int" else None for encoding in encodings],
    }  # fmt: skip


def mds_index(schema: pa.Schema, shards: list[dict[str, Any]]) -> dict[str, Any]:
    """What streaming reads first: all shards by name, with rows and bytes."""
    return {"version": 2, "shards": [mds_config(schema) | _mds_entry(shard) for shard in shards]}


def _mds_entry(shard: dict[str, Any]) -> dict[str, Any]:
    file = {"basename": shard["name"], "bytes": shard["bytes"], "hashes": {"sha256": shard["sha256"]}}
    return {"raw_data": file, "zip_data": None, "samples": shard["rows"]}


def _mds_encoding(field: pa.Field) -> str:
    """Text as it is; what may be null as JSON, since the format knows no null."""
    if field.name in {"doc_id", "text"}:
        return "str"
    return "int" if pa.types.is_integer(field.type) else "json"


def _samples(rows: pa.Table) -> Iterator[bytes]:
    """Each row as the format has it: the lengths of what has no fixed one, then every column's bytes."""
    encodings = {name: _mds_encoding(rows.schema.field(name)) for name in sorted(rows.column_names)}
    columns = [_as_bytes(rows[name], name, encoding) for name, encoding in encodings.items()]
    loose = [column for column, encoding in zip(columns, encodings.values(), strict=True) if encoding != "int"]
    lengths = np.array([[len(value) for value in column] for column in loose], "<u4").T.tobytes()
    width = 4 * len(loose)
    heads = (lengths[at * width : (at + 1) * width] for at in range(rows.num_rows))
    return map(b"".join, zip(heads, *columns, strict=True))


def _as_bytes(values: pa.ChunkedArray, name: str, encoding: str) -> list[bytes]:
    if encoding == "json":
        return [value.encode() for value in _as_json(values)]
    if values.null_count:
        raise DatasetError(f"A document has no {name}, which the format mds cannot say. Export as parquet.")
    if encoding == "str":
        return [value.encode() for value in values.to_pylist()]
    return [value.to_bytes(8, "little", signed=True) for value in values.to_pylist()]


def _as_json(values: pa.ChunkedArray) -> list[str]:
    if pa.types.is_integer(values.type):
        return ["null" if value is None else str(value) for value in values.to_pylist()]
    texts = values.cast(pa.string()).to_pylist()
    return ["null" if value is None else encode_basestring(value) for value in texts]


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


WRITERS: dict[Form, Callable[[Shard], None]] = {
    Form.PARQUET: write_parquet,
    Form.JSONL: write_jsonl,
    Form.MDS: write_mds,
}
