"""An export of a version: its manifest, its files, and its rows read again by code that did not write them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import file_digest
from io import BufferedReader
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.errors import DatasetError
from corpus.evidence.envelope import EXPORT, opened
from corpus.evidence.store import digest_of as digest_of_document
from corpus.evidence.store import read_document
from corpus.verification.findings import Failed, Unchecked, some
from corpus.verification.stored import COLUMNS, SCHEMA, digest_of, documents, row_hash
from corpus.verification.subject import Document, Subject, said_of

# ruff: noqa: S608 (the only names in SQL are the contract's own)

MANIFEST, SIGNED = "manifest.json", "manifest.dsse.json"
ROWS_AT_ONCE = 8192


def export(subject: Subject, version: int, folder: Path) -> str:
    """Whether the manifest is signed, and is of this version and of a use that the log has."""
    manifest, said = _manifest(subject, folder), said_of(subject, version)["snapshot"]
    found = (manifest["dataset"], manifest["version"], manifest["rows"], manifest["row_digest"])
    if found != (subject.name, version, int(said["rows"]), said["digest"]):
        raise Failed(f"it is an export of {found[0]}@{found[1]}, {found[2]:,} rows", f"one of {subject.name}@{version}")
    if read_document(folder / MANIFEST) != manifest:
        raise Failed(f"{MANIFEST} says something else than {SIGNED}, which is signed", "the same")
    use = manifest["use"]
    if use["entry"] not in {digest_of_document(entry) for entry in subject.of_kind("use")}:
        raise Failed(f"the log has no use by {use['run']} at {use['at']}", "the use that the manifest names")
    return f"{len(manifest['shards'])} shards as {manifest['as']}, for {use['run']}"


def files(subject: Subject, version: int, folder: Path) -> str:  # noqa: ARG001 (checks have one form)
    """Whether the files are those of the manifest."""
    manifest = _manifest_or_unchecked(subject, folder)
    stated = {file["name"]: file for file in manifest["shards"] + manifest["others"]}
    there = {path.name for path in folder.iterdir()} - {MANIFEST, SIGNED}
    if odd := sorted(there ^ set(stated)):
        raise Failed(f"{some(odd)}: only in the {'folder' if odd[0] in there else 'manifest'}", "the manifest's files")
    for name, file in stated.items():
        with (folder / name).open("rb") as read:
            digest = file_digest(read, "sha256").hexdigest()
        if digest != file["sha256"]:
            raise Failed(f"{name} has the digest {digest[:16]}…", f"{file['sha256'][:16]}…")
    return f"{len(stated)} files, {sum(file['bytes'] for file in stated.values()):,} bytes"


def rows(subject: Subject, version: int, folder: Path) -> str:
    """Whether the shards' rows are the version's; of an export of some columns, whether these values are."""
    manifest = _manifest_or_unchecked(subject, folder)
    names, counts = manifest["columns"], list[int]()
    schema = pa.schema([SCHEMA.field(name) for name in names])
    found = pa.RecordBatchReader.from_batches(schema, _rows(folder, manifest, schema, counts))
    if names == COLUMNS:
        _require_digest(subject, found, said_of(subject, version)["snapshot"])
    else:
        _require_values(subject, version, found, names)
    wrong = [f["name"] for f, count in zip(manifest["shards"], counts, strict=True) if f["rows"] != count]
    if wrong:
        raise Failed(f"{some(wrong)} with another number of rows", "those of the manifest")
    what = "all columns" if names == COLUMNS else f"of {', '.join(names)}"
    return f"{sum(counts):,} rows, {what}, as released"


def _require_digest(subject: Subject, found: pa.RecordBatchReader, said: Document) -> None:
    with subject.database.cursor() as database:
        database.register("shards", found)
        count, digest = digest_of(database, f"SELECT doc_id, bucket, {row_hash(COLUMNS)} AS row_hash FROM shards")
    if (count, digest) != (int(said["rows"]), said["digest"]):
        raise Failed(f"{count:,} rows with the digest {digest[:16]}…",
                     f"{int(said['rows']):,} rows with {said['digest'][:16]}…")  # fmt: skip


def _require_values(subject: Subject, version: int, found: pa.RecordBatchReader, names: list[str]) -> None:
    with subject.database.cursor() as database:
        database.register("shards", found)
        database.register("released", documents(subject, version))
        for name in ("shards", "released"):
            database.execute(f"CREATE TEMP TABLE {name}_hashed AS SELECT {row_hash(names)} AS h FROM {name}")
        for one, other in (("shards", "released"), ("released", "shards")):
            only = f"SELECT count(*) FROM (FROM {one}_hashed EXCEPT ALL FROM {other}_hashed)"
            (count,) = database.execute(only).fetchone() or (0,)
            if count:
                raise Failed(f"{count:,} rows are only in what was {one}", "the same rows in both")


def _manifest(subject: Subject, folder: Path) -> Document:
    """What the key signed. Raises Failed."""
    envelope = read_document(folder / SIGNED)
    if envelope is None:
        raise Failed(f"{folder} has no {SIGNED}", "a finished export; the same `corpus export` again finishes one")
    return opened(envelope, EXPORT, subject.public)


def _manifest_or_unchecked(subject: Subject, folder: Path) -> Document:
    try:
        return _manifest(subject, folder)
    except (Failed, DatasetError):
        raise Unchecked("no manifest that is signed says what must be there: see export") from None


def _rows(folder: Path, manifest: Document, schema: pa.Schema, counts: list[int]) -> Iterator[pa.RecordBatch]:
    """The rows of every shard, and on the way how many each has."""
    read = {"parquet": _of_parquet, "jsonl.zst": _of_lines, "mds": _of_mds}[manifest["as"]]
    for shard in manifest["shards"]:
        counts.append(0)
        for batch in read(folder / shard["name"], schema):
            counts[-1] += batch.num_rows
            yield batch.select(schema.names).cast(schema)


def _of_parquet(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as opened_file:
        yield from opened_file.iter_batches(ROWS_AT_ONCE, columns=schema.names)


def _of_lines(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    with pa.input_stream(str(path), compression="zstd") as unpacked:
        yield from _batches(map(json.loads, BufferedReader(unpacked)), schema)


def _of_mds(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """As the format's documentation has it: a count, where each sample begins and the last ends, and the samples."""
    with path.open("rb") as file:
        (count,) = np.frombuffer(file.read(4), "<u4")
        begins = np.frombuffer(file.read(4 * (int(count) + 1)), "<u4").astype(int)
        config = json.loads(file.read(begins[0] - file.tell()))
        samples = (file.read(size) for size in np.diff(begins))
        yield from _batches((_sample(raw, config) for raw in samples), schema)


def _sample(raw: bytes, config: Document) -> Document:
    loose = config["column_sizes"].count(None)
    lengths = iter(np.frombuffer(raw[: 4 * loose], "<u4").astype(int))
    at, found = 4 * loose, {}
    kinds = zip(config["column_names"], config["column_encodings"], config["column_sizes"], strict=True)
    for name, encoding, size in kinds:
        end = at + (size or next(lengths))
        found[name] = _value(raw[at:end], encoding)
        at = end
    return found


def _value(raw: bytes, encoding: str) -> str | int | None:
    if encoding == "int":
        return int.from_bytes(raw, "little", signed=True)
    return raw.decode() if encoding == "str" else json.loads(raw)


def _batches(found: Iterator[Document], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The rows in batches; a date is still a text."""
    plain = pa.schema([(f.name, pa.string() if pa.types.is_date(f.type) else f.type) for f in schema])
    kept: list[Document] = []
    for row in found:
        kept.append(row)
        if len(kept) == ROWS_AT_ONCE:
            yield pa.RecordBatch.from_pylist(kept, plain)
            kept = []
    yield pa.RecordBatch.from_pylist(kept, plain)
