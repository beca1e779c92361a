"""A source of contract Delta tables made from a few worlds of the vectors, and a build request for it."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from corpus.inputs import Inputs, as_contract, conformed
from corpus.request import BuildRequest
from corpus.schemas import INPUTS
from corpus.sources import Source, read_source
from corpus.vectors import World, batches, complete_feeds, inputs_of, read_worlds
from tests.vectors import VECTORS

NAMES = (
    "everything in order",
    "objection still being looked at",
    "a person objects on one platform only",
    "linked account objected and was unlinked later",
    "came of age after posting",
    "no profile",
    "several reasons at once",
    "reshares of an objector",
    "somebody pictured asks for removal",
    "the same post id twice",
    "reshare of a good post",
    "a copy of a copy that was dropped",
)
WORLDS = [world for world in read_worlds(VECTORS) if world.name in NAMES]
"""Worlds of the vectors' own policy and clock: 21 posts, of which some are in."""


def write_inputs(spark: SparkSession, folder: Path, worlds: list[World] | None = None, **top: str) -> Source:
    """The worlds' tables as Delta tables in a folder, and a source that reads them in place."""
    inputs = inputs_of(spark, [as_one(worlds or WORLDS)])
    tables = [field.name for field in fields(Inputs) if field.name != "absent"]
    for table in tables:
        rows: DataFrame = getattr(inputs, table)
        rows.coalesce(1).write.format("delta").mode("overwrite").save(str(folder / table))
    return source_of(folder, tables, **top)


def as_one(worlds: list[World]) -> World:
    """These worlds with one set of feeds for all of them."""
    rows = {table: [row for world in worlds for row in world.rows[table]] for table in worlds[0].rows}
    return replace(worlds[0], rows=rows | {"feeds": complete_feeds(rows, worlds[0].clock["now"])})


def inputs_with(spark: SparkSession, **rows: list[dict[str, Any]] | DataFrame) -> Inputs:
    """These rows of each table as the inputs of one build; a column that they do not have is null."""

    def frame(table: str) -> DataFrame:
        given = rows.get(table, [])
        if isinstance(given, DataFrame):
            return conformed(as_contract(given, table), table)
        return conformed(spark.createDataFrame(as_arrow(table, given)), table)

    frames: dict[str, Any] = {table: frame(table) for table in INPUTS}
    return Inputs(**frames)


def as_arrow(table: str, rows: list[dict[str, Any]]) -> pa.Table:
    """Rows of a table in the contract's types."""
    schema = to_arrow_schema(cast("StructType", StructType.fromDDL(INPUTS[table])), timezone="UTC")
    return pa.Table.from_pylist(rows, schema)


def source_of(folder: Path, tables: list[str], **top: str) -> Source:
    """A source that reads these tables of a folder in place."""
    lines = ['name = "worlds"', *(f'{key} = "{value}"' for key, value in top.items())]
    lines += [f'[{table}]\npath = "{folder / table}"' for table in tables]
    path = folder / "source.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return read_source(path)


def request_of(source: Source, warehouse: Path, key_file: Path, **changes: object) -> BuildRequest:
    """A build of the worlds under the vectors' policy and clock."""
    batch = next(batches(WORLDS))
    request = BuildRequest(
        dataset="uk-social",
        warehouse=warehouse,
        source=source,
        policy=batch.policy,
        cutoff=batch.clock.cutoff,
        now=batch.clock.now,
        key_file=key_file,
        wait_seconds=0,
    )
    known = {field.name: changes.get(field.name, getattr(request, field.name)) for field in fields(BuildRequest)}
    return BuildRequest(**known)  # type: ignore[arg-type]


def at(text: str) -> datetime:
    """An instant from text."""
    return datetime.fromisoformat(text)
