"""Rows from files: what they say in the contract's terms, and of those that do not fit, why not."""

from __future__ import annotations

import re
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from corpus.errors import SourceError
from corpus.inputs import comparable
from corpus.mapping import fitted, mapped, misfits, only_where, reading
from corpus.schemas import KEYS, input_columns
from corpus.sources import Place, Source

MALFORMED = "_corrupt_record"
FILE = "_file"

_BY_RECORD = {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": MALFORMED}
DEFAULTS = {"csv": {"header": "true", "escape": '"'}}
FIXED = {
    # Without enforceSchema off, columns in another order are read wrongly; with pruning on, broken lines are not seen.
    "csv": _BY_RECORD | {"enforceSchema": "false", "columnPruning": "false"},
    "json": _BY_RECORD,
    "parquet": {},
    # At a malformed element Spark gives up the rest of an XML file as one bad record; then rather the whole file.
    "xml": {"mode": "FAILFAST"},
}
PACKED = (".gz", ".bz2", ".zst", ".lz4", ".snappy", ".deflate")
"""How the names of files end whose decompression tells a missing end by itself."""
TAIL = 4096

NOTHING_VANISHES = {"ignoreCorruptFiles": "false", "ignoreMissingFiles": "false"}


def read_table(spark: SparkSession, source: Source, table: str) -> DataFrame:
    """All rows of a table's files: contract columns, `reason` (null = fits), `raw` (JSON, if it does not) and `file`.

    A column that one of several places lacks is left out for all: null there would not mean what it means elsewhere.
    One row in a file, one row out. Raises SourceError.
    """
    parts = [_read_place(spark, source, table, place) for place in source.places(table)]
    shared = [name for name in parts[0].columns if all(name in part.columns for part in parts)]
    return reduce(DataFrame.unionByName, (part.select(*shared) for part in parts))


def _read_place(spark: SparkSession, source: Source, table: str, place: Place) -> DataFrame:
    what = f"The source {source.name}, [{table}]"
    with reading(f"{what}: {', '.join(place.files)}"):
        rows = _read_files(spark, table, place)
        if place.format == "xml":
            _check_ends(spark, rows.inputFiles(), str(place.options.get("rowTag")), what)
    # A malformed record has nothing that a condition could judge; it goes on, to be quarantined.
    malformed = F.col(MALFORMED).isNotNull() if MALFORMED in rows.columns else None
    rows = only_where(rows, place.where, f"{what}: {table}", always=malformed)
    return mapped(rows, table, place.columns, what).transform(_as_rows, table)


def _read_files(spark: SparkSession, table: str, place: Place) -> DataFrame:
    """The files' own columns, with FILE and, where a record can be malformed by itself, MALFORMED."""
    kind = str(place.format)
    reader = spark.read.format(kind).options(**DEFAULTS.get(kind, {}) | place.options | FIXED[kind] | NOTHING_VANISHES)
    layout = text_layout(table) if place.layout == "contract" else place.layout
    if layout:
        reader = reader.schema(layout)
    found = reader.load([*place.files])
    if "columnNameOfCorruptRecord" in FIXED[kind] and MALFORMED not in found.columns:
        found = reader.schema(found.schema.add(MALFORMED, "string")).load([*place.files])
    return found.select("*", F.col("_metadata.file_path").alias(FILE))


def _check_ends(spark: SparkSession, files: list[str], row: str, what: str) -> None:
    """Raises SourceError for an XML file without its last closing tag; Spark leaves a cut element out silently."""
    for file in files:
        tail = _tail(spark, file)
        closed = re.search(rb"</\s*([^<>\s]+)\s*>(\s*<!--[^>]*-->)*$", tail)
        if not file.endswith(PACKED) and (not closed or closed[1].decode(errors="replace") == row):
            ending = tail[-40:].decode(errors="replace")
            raise SourceError(
                f"{what}: The file {file} is half-written: it ends with {ending!r}, where the closing tag of the whole "
                "was expected. Replace it."
            )


def _tail(spark: SparkSession, file: str) -> bytes:
    """The last bytes of a file on whatever file system, without trailing space."""
    java: Any = spark.sparkContext._jvm  # noqa: SLF001 (only Java reaches every file system)
    path = java.org.apache.hadoop.fs.Path(java.java.net.URI(file))
    system = path.getFileSystem(spark._jsparkSession.sessionState().newHadoopConf())  # noqa: SLF001
    stream = system.open(path)
    stream.seek(max(0, system.getFileStatus(path).getLen() - TAIL))
    found = bytes(java.org.apache.commons.io.IOUtils.toByteArray(stream))
    stream.close()
    return found.replace(b"\0", b"").rstrip()


def text_layout(table: str) -> str:
    """The contract's columns as text holds them: strings and lists of strings, whose types are found value by value."""
    return ", ".join(f"{c.name} {c.type if c.type.startswith('ARRAY') else 'STRING'}" for c in input_columns(table))


def _as_rows(values: DataFrame, table: str) -> DataFrame:
    typed = fitted(values, table)
    own = values.schema["source"].dataType.fieldNames()  # type: ignore[attr-defined]
    malformed = F.col(f"source.{MALFORMED}").isNotNull() if MALFORMED in own else F.lit(False)
    facts = values.select(
        *(column.alias(name) for name, column in typed.items()),
        misfits(values, table).alias("lost"),
        malformed.alias("malformed"),
        F.col("source").dropFields(FILE).alias("raw"),
        F.col(f"source.{FILE}").alias("file"),
    )
    comparables = [comparable(c).alias(c.name) for c in input_columns(table) if c.name in typed]
    judged = facts.select(*comparables, "lost", "malformed", "raw", "file").withColumn("reason", _reason(table))
    return judged.select(*typed, "reason", F.when(F.col("reason").isNotNull(), F.to_json("raw")).alias("raw"), "file")


def _reason(table: str) -> Column:
    no_key = [F.when(F.col(key).isNull(), F.lit(f"no {key}")) for key in KEYS[table]]
    lost = F.when(F.size("lost") > 0, F.concat(F.array_join("lost", ", "), F.lit(": not of the contract's type")))
    return F.coalesce(F.when(F.col("malformed"), F.lit("malformed record")), lost, *no_key)
