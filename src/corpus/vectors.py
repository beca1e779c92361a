"""The eligibility vectors as frames: many small worlds in one build, kept apart by a prefix on every id."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import yaml
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from corpus.arguments import conf_file
from corpus.config import read_toml
from corpus.inputs import Inputs, conformed
from corpus.policy import Clock, Policy, as_policy
from corpus.schemas import IDS, INPUTS, PLACEHOLDER_IDS, input_columns

REFERENCES = IDS | {"reshared_from", "reply_to", "coauthor_ids", "mentions", "tags", "email_hash"}
SUBJECTS = {"profiles": "account_id", "notices": "account_id", "objections": "subject_id"}

Row = dict[str, Any]


@dataclass(frozen=True)
class World:
    """One case: its rows by table, its policy and clock, and what must come out."""

    name: str
    tag: str
    rows: dict[str, list[Row]]
    policy: dict[str, Any]
    clock: dict[str, datetime]
    case: Row

    @property
    def words(self) -> set[str]:
        """The words of the texts that the case gives."""
        return {w for post in self.case["posts"] for w in str(post.get("text") or "").lower().split()}


@dataclass
class Batch:
    """Worlds that share a policy and a clock, and no text."""

    policy: Policy
    clock: Clock
    worlds: list[World] = field(default_factory=list)


def read_worlds(path: Path) -> list[World]:
    """All cases of a vector file."""
    book = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [as_world(book, case, f"w{at:03d}-") for at, case in enumerate(book["cases"])]


def as_world(book: Row, case: Row, tag: str) -> World:
    """A case with defaults, `always` and its own rows put together."""
    tables = {table: [filled(book, table, row, tag) for row in case.get(table, [])] for table in INPUTS}
    for table, rows in book["always"].items():
        key = SUBJECTS[table]
        own = {str(row.get(key)).strip() for row in case.get(table, [])}
        tables[table] += [filled(book, table, row, tag) for row in rows if row[key] not in own]
    policy = merged(
        merged(read_toml(conf_file("policies", "uk-social"), "policy"), book["policy"]), case.get("policy", {})
    )
    return World(case["name"], tag, tables, policy, book["clock"] | case.get("clock", {}), case)


def filled(book: Row, table: str, row: Row, tag: str) -> Row:
    """A row with the defaults of its table, its ids inside this world."""
    full = {c.name: None for c in input_columns(table)} | book["defaults"].get(table, {}) | row
    if table == "profiles" and "person_id" not in row:
        full["person_id"] = f"person-of-{row['account_id']}"
    if table == "posts" and "text" not in row:
        full["text"] = " ".join(sha256(f"{tag}{row['post_id']}{n}".encode()).hexdigest()[:7] for n in range(9))
    return {name: value_of(name, value, tag) for name, value in full.items()}


def value_of(name: str, value: Any, tag: str) -> Any:
    """A YAML value as the column wants it."""
    if isinstance(value, list):
        return [value_of(name, element, tag) for element in value]
    if isinstance(value, str) and value.startswith("sha256("):
        value = sha256(value[7:-1].encode()).hexdigest()
    if name in REFERENCES and isinstance(value, str) and value.strip().lower() not in PLACEHOLDER_IDS:
        return re.sub(r"^(\s*)", rf"\1{tag}", value)
    if isinstance(value, date) and not isinstance(value, datetime) and name != "birth_date":
        return datetime.combine(value, datetime.min.time())
    return float(value) if name == "age_estimate" and value is not None else value


def merged(base: Row, patch: Row) -> Row:
    """Maps merge, lists and scalars replace."""
    maps = [key for key in patch if isinstance(patch[key], dict) and isinstance(base.get(key), dict)]
    return base | patch | {key: merged(base[key], patch[key]) for key in maps}


def batches(worlds: list[World]) -> Iterator[Batch]:
    """The worlds in as few builds as their policies, clocks and texts allow."""
    found: dict[str, list[Batch]] = {}
    for world in worlds:
        key = json.dumps([world.policy, world.clock], default=str, sort_keys=True)
        same = found.setdefault(key, [])
        free = next((b for b in same if not any(w.words & world.words for w in b.worlds)), None)
        if free is None:
            free = Batch(as_policy(world.policy, world.name), Clock(**world.clock))
            same.append(free)
        free.worlds.append(world)
    for same in found.values():
        yield from same


def inputs_of(spark: SparkSession, worlds: list[World]) -> Inputs:
    """The rows of these worlds as the inputs of one build."""

    def frame(table: str) -> DataFrame:
        rows = [row for world in worlds for row in world.rows[table]]
        shape = cast("StructType", StructType.fromDDL(INPUTS[table]))
        schema = to_arrow_schema(shape, timezone="UTC")
        return conformed(spark.createDataFrame(pa.Table.from_pylist(rows, schema=schema)), table)

    frames: dict[str, Any] = {table: frame(table) for table in INPUTS}
    return Inputs(**frames)
