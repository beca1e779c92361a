"""The inputs of a version, opened again at the versions that its statement pins."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.dataset as ds
from deltalake import DeltaTable

from corpus.audit.engine import arrow_schema
from corpus.config import validated
from corpus.errors import DatasetError
from corpus.policy import Policy, as_policy

# ruff: noqa: PLC0415 (Spark is loaded only for tables that it alone can read)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Row = dict[str, Any]
Spark = Callable[[], "AbstractContextManager[SparkSession]"]


def policy_of(said: Row) -> Policy:
    """The policy that a statement gives. Raises DatasetError where it is not the one whose digest stands beside it."""
    values = said["policy"]["values"]
    for part in ("objector_copies", "dedup"):
        near = values[part]["near"]
        values = values | {part: values[part] | {"near": float(near) if isinstance(near, str) else near}}
    policy = as_policy(values, f"in the statement of {said['dataset']}@{said['version']}")
    if policy.digest != said["policy"]["digest"]:
        raise DatasetError(
            f"The policy in the statement of {said['dataset']}@{said['version']} has the digest {policy.digest[:12]}…, "
            f"the statement says {said['policy']['digest'][:12]}…: it was changed, or was written by a version of this "
            "program whose policies have other keys. Use that version."
        )
    return policy


def pinned_tables(said: Row, open_spark: Spark, folder: Path) -> dict[str, ds.Dataset]:
    """Every input at its pinned version; those that only Spark can map are written to `folder` first.

    No JVM starts where each table is Delta in the contract's shape. Raises DatasetError for what no longer opens.
    """
    found = {pin["table"]: _in_place(said, pin) for pin in said["inputs"]}
    to_map = [pin for pin in said["inputs"] if found[pin["table"]] is None]
    if to_map:
        _map_by_spark(said, to_map, open_spark, folder)
    return {table: rows or ds.dataset(folder / table, format="parquet") for table, rows in found.items()}


def _in_place(said: Row, pin: Row) -> ds.Dataset | None:
    """The table itself, if it needs no expressions of its source and has the contract's types."""
    places = said.get("source", {}).get(pin["table"], [])
    if any((place.get("columns") or place.get("where")) and not place.get("files") for place in places):
        return None
    try:
        table = DeltaTable(pin["location"].removeprefix("file:"), version=int(pin["version"]))
        rows = table.to_pyarrow_dataset()
    except Exception as cannot:  # deltalake raises bare Exception for a missing file
        if "unsupported" in str(cannot).lower() or "deletionvectors" in str(cannot).lower():
            return None
        raise _no_longer_opens(pin, str(cannot)) from None
    if table.metadata().id != pin["id"]:
        raise _no_longer_opens(pin, f"it is another table now, with the id {table.metadata().id}")
    return rows if _has_shape(rows, pin["table"]) else None


def _has_shape(rows: ds.Dataset, table: str) -> bool:
    return all(rows.schema.field(c.name).type == c.type for c in arrow_schema(table) if c.name in rows.schema.names)


def _no_longer_opens(pin: Row, why: str) -> DatasetError:
    return DatasetError(
        f"{pin['table']}: version {pin['version']} of {pin['location']} (table {pin['id']}) no longer opens: {why}. "
        f"Its source kept it for certain until {pin['opens_until'] or 'an unknown day'}. Without it no verdict can be "
        "derived again: restore the table from a backup to the same place, or audit a newer version. Longer retention "
        "at the source keeps later versions open."
    )


def _map_by_spark(said: Row, pins: Collection[Row], open_spark: Spark, folder: Path) -> None:
    names = ", ".join(pin["table"] for pin in pins)
    if "source" not in said:
        raise DatasetError(
            f"{names}: not in the contract's shape, and the statement of {said['dataset']}@{said['version']} does not "
            "hold the source's expressions; an older version of this program wrote it. Audit a newer version."
        )
    from corpus.cluster import require_shared
    from corpus.rereading import pin_of
    from corpus.sources import Source, read_table
    from corpus.text_html import register_html_to_text

    source = validated(Source, said["source"], "The source in the statement")
    with open_spark() as spark:
        require_shared(spark, folder)
        register_html_to_text(spark)
        for pin in pins:
            read_table(spark, source, pin_of(pin)).write.parquet(str(folder / pin["table"]))
