"""A version's inputs, read again years later: its statement says where they are, and which versions were pinned."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pyspark.sql import SparkSession

from corpus.config import validated
from corpus.errors import DatasetError, SourceError
from corpus.inputs import Inputs
from corpus.sources import Pin, Source, read_inputs


def inputs_of_version(spark: SparkSession, statement: dict[str, Any]) -> Inputs:
    """What the build of a version read, in the contract's shape.

    Raises DatasetError where the statement does not say its source, SourceError where a pinned version no longer opens.
    """
    said = statement["predicate"]
    name = f"{said['dataset']}@{said['version']}"
    if "source" not in said:
        raise DatasetError(
            f"The statement of {name} does not say how its inputs were read: an earlier version of this program built "
            "it. Name a version that was built since, or build one."
        )
    source = validated(Source, said["source"], f"The source in the statement of {name}")
    try:
        return read_inputs(spark, source, {stated["table"]: pin_of(stated) for stated in said["inputs"]})
    except SourceError as gone:
        raise SourceError(
            f"The inputs of {name} do not open any more. {gone} A version opens only as long as its owner keeps it; "
            f"`corpus show {name}` says until when that was sure."
        ) from None


def pin_of(stated: dict[str, Any]) -> Pin:
    """A pin from what a statement says of an input."""
    until = stated["opens_until"]
    return Pin(
        table=stated["table"],
        location=stated["location"],
        table_id=stated["id"],
        version=int(stated["version"]),
        schema_digest=stated["schema_digest"],
        rows=int(stated["rows"]),
        committed_at=datetime.fromisoformat(stated["committed_at"]),
        opens_until=datetime.fromisoformat(until) if until else None,
    )
