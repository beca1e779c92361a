"""From input tables to a verdict on every post, by the SQL files beside this one in the order of their numbers."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from importlib.resources import files
from typing import Any

import duckdb
import pyarrow as pa

from corpus.audit.settings import settings_of
from corpus.audit.texts import read_texts
from corpus.policy import Policy
from corpus.reasons import Reason
from corpus.schemas import INPUTS, OPTIONAL_COLUMNS, input_columns

# ruff: noqa: S608 (the only names pasted into SQL are the contract's own)

Table = Any
"""An Arrow table, or an Arrow dataset that is read column by column."""

STEPS = ("1_words", "2_rules", "3_people", "4_objections", "5_posts", "6_copies", "7_duplicates")
IN_SQL = {"STRING": "VARCHAR", "ARRAY<STRING>": "VARCHAR[]", "TIMESTAMP": "TIMESTAMPTZ", "INT": "INTEGER"}
IN_ARROW = {
    "STRING": pa.string(), "ARRAY<STRING>": pa.list_(pa.string()), "TIMESTAMP": pa.timestamp("us", "UTC"),
    "DATE": pa.date32(), "DOUBLE": pa.float64(), "INT": pa.int32(), "BIGINT": pa.int64(), "BOOLEAN": pa.bool_(),
}  # fmt: skip
LEDGER = pa.schema([
    ("post_id", pa.string()), ("reasons", pa.int64()), ("kept_instead", pa.string()), ("similarity", pa.float64()),
])  # fmt: skip


@dataclass(frozen=True)
class Given:
    """All that verdicts hang on.

    A table or column that `tables` does not have counts as absent, too. `ledger` (LEDGER's columns) names the pairs of
    near-duplicates to compare again; without it there are none.
    """

    tables: Mapping[str, Table]
    policy: Policy
    cutoff: datetime
    absent: Collection[tuple[str, str]] = ()
    ledger: Table = field(default_factory=LEDGER.empty_table)


def verdicts_of(given: Given) -> pa.Table:
    """Every post_id with its `reasons` as a bitmap (0 = in) and the post `kept_instead`; a pure function."""
    with database() as opened:
        judge_all(opened, given)
        return opened.sql("FROM result").to_arrow_table()


@contextmanager
def database(memory: str = "2GB") -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database in memory that puts what is too much into a folder of its own, and fetches nothing."""
    with tempfile.TemporaryDirectory(prefix="corpus-audit-") as folder:
        settings: dict[str, Any] = {"temp_directory": folder, "memory_limit": memory}
        settings |= {"autoinstall_known_extensions": "false", "TimeZone": "UTC"}
        with duckdb.connect(config=settings) as opened:
            yield opened


def judge_all(opened: duckdb.DuckDBPyConnection, given: Given) -> None:
    """Leaves the table `result`, and all that led to it, in this database."""
    missing = set(given.absent)
    for table in INPUTS:
        missing |= _add_input(opened, table, given.tables.get(table))
    for name, rows in settings_of(given.policy, given.cutoff, missing).items():
        opened.register(name, rows)
    opened.register("said", given.ledger)
    near = Reason.NEAR_DUPLICATE.mask
    opened.execute(f"CREATE TABLE ledger AS SELECT *, reasons & {near} <> 0 AS is_near FROM said")
    opened.execute(read_step(STEPS[0]))
    read_texts(opened)
    for step in STEPS[1:]:
        opened.execute(read_step(step))


def arrow_schema(table: str) -> pa.Schema:
    """The contract's columns of an input table, as Arrow has them."""
    return pa.schema([(c.name, IN_ARROW[c.type]) for c in input_columns(table)])


def read_step(name: str) -> str:
    """The SQL of a step."""
    return files("corpus.audit").joinpath(f"{name}.sql").read_text(encoding="utf-8")


def _add_input(opened: duckdb.DuckDBPyConnection, table: str, rows: Table | None) -> set[tuple[str, str]]:
    """A view of the table in the contract's shape; returns what it lacks, but for columns that are optional."""
    has = set() if rows is None else set(rows.schema.names)
    if rows is not None:
        opened.register(f"given_{table}", rows)
    columns = [
        f"CAST({c.name if c.name in has else 'NULL'} AS {IN_SQL.get(c.type, c.type)}) AS {c.name}"
        for c in input_columns(table)
    ]
    source = f"given_{table}" if rows is not None else "(SELECT 1) WHERE false"
    opened.execute(f"CREATE VIEW in_{table} AS SELECT {', '.join(columns)} FROM {source}")
    if rows is None:
        return {(table, "*")}
    return {(table, c.name) for c in input_columns(table) if c.name not in has} - OPTIONAL_COLUMNS
