"""Small worlds with what must come out of each: many in one build, kept apart by a prefix on every id.

The format is that of the contract's eligibility vectors: `defaults`, rows that every world has (`always`), and cases.
"""

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
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from corpus.arguments import conf_file
from corpus.config import read_toml
from corpus.errors import ConfigError
from corpus.facts import Facts, facts_of
from corpus.gates import early_gates, refusing
from corpus.inputs import Inputs, comparable
from corpus.pipeline import judge
from corpus.policy import Clock, Policy, as_policy
from corpus.progress import step
from corpus.reasons import reasons_in
from corpus.resolution import resolved_objections
from corpus.schemas import IDS, INPUTS, PLACEHOLDER_IDS, input_columns

REFERENCES = IDS | {"reshared_from", "reply_to", "coauthor_ids", "mentions", "tags", "email_hash"}
SUBJECTS = {"profiles": "account_id", "notices": "account_id", "objections": "subject_id"}

Row = dict[str, Any]
Verdict = tuple[list[str], str | None]


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
    """All cases of a vector file. Raises ConfigError where it is no such file."""
    try:
        book = yaml.safe_load(path.read_text(encoding="utf-8"))
        return [as_world(book, case, f"w{at:03d}-") for at, case in enumerate(book["cases"])]
    except OSError as cannot:
        raise ConfigError(f"The vector file {path} cannot be read: {cannot.strerror}.") from None
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as wrong:
        said = "clock, policy, defaults, always and cases, as in the contract's eligibility vectors"
        raise ConfigError(f"{path} is not a file of vectors: {wrong!r}. Expected YAML with {said}.") from None


def as_world(book: Row, case: Row, tag: str) -> World:
    """A case with defaults, `always` and its own rows put together; feeds that it does not give are complete."""
    tables = {table: [filled(book, table, row, tag) for row in case.get(table, [])] for table in INPUTS}
    for table, rows in book["always"].items():
        key = SUBJECTS[table]
        own = {str(row.get(key)).strip() for row in case.get(table, [])}
        tables[table] += [filled(book, table, row, tag) for row in rows if row[key] not in own]
    clock = book["clock"] | case.get("clock", {})
    if "feeds" not in case:
        tables["feeds"] = complete_feeds(tables, clock["now"])
    usual = read_toml(conf_file("policies", "uk-social"), "policy")
    policy = merged(merged(usual, book["policy"]), case.get("policy", {}))
    return World(case["name"], tag, tables, policy, clock, case)


def complete_feeds(tables: dict[str, list[Row]], now: datetime) -> list[Row]:
    """One delivery of every table, as a whole, just now."""
    said = {"channel": "*", "watermark": now, "first_seq": 1, "recorded_at": now, "table_version": None}
    rows = {table: len(rows) for table, rows in tables.items() if table != "feeds"}
    return [{"feed": table, "last_seq": n, "row_count": n, **said} for table, n in rows.items()]


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


def inputs_of(spark: SparkSession, worlds: list[World], *with_tag: str) -> Inputs:
    """The rows of these worlds as the inputs of one build; with "tag", each row says of which world it is."""

    def frame(table: str) -> DataFrame:
        rows = [row | {"tag": world.tag} for world in worlds for row in world.rows[table]]
        shape = cast("StructType", StructType.fromDDL(f"{INPUTS[table]}, tag STRING"))
        found = spark.createDataFrame(pa.Table.from_pylist(rows, to_arrow_schema(shape, timezone="UTC")))
        return found.select(*with_tag, *(comparable(c).alias(c.name) for c in input_columns(table)))

    frames: dict[str, Any] = {table: frame(table) for table in INPUTS}
    return Inputs(**frames)


def run(spark: SparkSession, worlds: list[World]) -> Iterator[tuple[World, list[str]]]:
    """Each world with what came out of it otherwise than it must; nothing where all is right. Few jobs for all."""
    with step(f"checking the gates of {len(worlds)} worlds"):
        refused = refusals(spark, worlds)
    verdicts: dict[str, Verdict] = {}
    together = [*batches([world for world in worlds if not refused[world.tag]])]
    for n, batch in enumerate(together, 1):
        with step(f"judging worlds that share a policy and a clock ({n} of {len(together)})"):
            verdicts |= judged(spark, batch)
    for world in worlds:
        yield world, differences(world, refused[world.tag], verdicts)


def refusals(spark: SparkSession, worlds: list[World]) -> dict[str, list[str]]:
    """By the worlds' tags: the gates that refuse each, in order."""
    inputs = inputs_of(spark, worlds, "tag")
    tag_of_id = F.concat(F.substring_index("objection_id", "-", 1), F.lit("-"))
    resolved = resolved_objections(inputs).withColumn("tag", tag_of_id)
    facts = facts_of(inputs, resolved, by=("tag",))
    return {world.tag: _refusing(world, facts[world.tag,]) for world in worlds}


def _refusing(world: World, facts: Facts) -> list[str]:
    policy = as_policy(world.policy, world.name)
    gates = early_gates(facts, policy, Clock(**world.clock), {})
    return [gate.gate for gate in refusing(gates, {off.gate for off in policy.gates_off})]


def judged(spark: SparkSession, batch: Batch) -> dict[str, Verdict]:
    """By post_id: the names of its reasons and the post kept instead."""
    rows = judge(inputs_of(spark, batch.worlds), batch.policy, batch.clock).select("post_id", "reasons", "kept_instead")
    found = {r.post_id: ([reason.name for reason in reasons_in(r.reasons)], r.kept_instead) for r in rows.collect()}
    spark.catalog.clearCache()
    return found


def differences(world: World, refused: list[str], verdicts: dict[str, Verdict]) -> list[str]:
    """What came out of a world otherwise than its case says, in words."""
    must, came = world.case.get("refused"), refused[0] if refused else None
    if must or came:
        return [] if must == came else [f"refused by {came or 'no gate'}, expected {must or 'none'}"]
    found = {post["post_id"]: verdicts.get(world.tag + str(post["post_id"])) for post in world.case["posts"]}
    return [each for post, verdict in found.items() for each in _post_differences(world, post, verdict)]


def _post_differences(world: World, post: str, verdict: Verdict | None) -> list[str]:
    case, (reasons, instead) = world.case, verdict or (["NO VERDICT"], None)
    if post in case.get("out_includes", {}):
        expected, is_right = case["out_includes"][post], set(case["out_includes"][post]) <= set(reasons)
    else:
        expected = case.get("out", {}).get(post, [])
        is_right = set(expected) == set(reasons) and bool(expected) != (post in case.get("kept", []))
    wrong = [] if is_right else [f"{post}: found {_listed(reasons)}, expected {_listed(expected)}"]
    kept = case.get("kept_instead", {}).get(post)
    if kept and instead != world.tag + kept:
        wrong.append(f"{post}: kept instead {instead}, expected {kept}")
    return wrong


def _listed(reasons: list[str]) -> str:
    return ", ".join(sorted(reasons)) or "kept"
