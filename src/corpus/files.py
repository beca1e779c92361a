"""Rows from files: what they say in the contract's terms, and of those that do not fit, why not."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

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
