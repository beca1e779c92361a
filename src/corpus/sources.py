"""Where the input tables are: the source file, the versions a build pins, and what it then reads.

A Delta input is read in place; files are read from the Delta tables that `corpus ingest` made of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from delta.tables import DeltaTable
from pydantic import AfterValidator, BeforeValidator, Field
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from corpus.abreast import abreast
from corpus.catalogs import TABLE, delta_at, detail, parts_of, quoted, why_absent
from corpus.config import Part, read_toml, validated
from corpus.errors import ConfigError, SourceError, nearest
from corpus.inputs import Inputs, absent_columns, as_contract, conformed
from corpus.mapping import mapped, only_excluding, only_where, reading
from corpus.progress import step
from corpus.schemas import INPUTS, input_columns
from corpus.text_html import register_html_to_text

PIN_ROUNDS = (("posts", "feeds"), ("profiles", "links", "notices"), ("objections", "requests"))
"""People after posts, and what people have said last: an objection that comes in between is known, a post is not."""
PIN_ORDER = tuple(table for tables in PIN_ROUNDS for table in tables)

OUR_OPTIONS = ("mode", "columnnameofcorruptrecord", "ignorecorruptfiles", "ignoremissingfiles")
"""Reader options that would make rows or files vanish without a word."""

DELTA_KEEPS = {
    "delta.deletedFileRetentionDuration": "interval 1 week",
    "delta.logRetentionDuration": "interval 30 days",
}
"""How long Delta keeps old versions where a table does not say."""


def _as_list(one_or_more: object) -> object:
    return one_or_more if isinstance(one_or_more, list) else [one_or_more]


def _as_option(value: object) -> object:
    return str(value).lower() if isinstance(value, bool | int) else value


def _absolute(path: str) -> str:
    """The address itself, or a local path from here: Java would start from the folder it was started in."""
    return path if urlsplit(path).scheme else str(Path(path).absolute())


Address = Annotated[str, AfterValidator(_absolute)]


class Place(Part):
    """Where rows of one input table are (exactly one of path, table, files), and how they become the contract's."""

    path: Address | None = None
    table: str | None = None
    files: Annotated[tuple[Address, ...], BeforeValidator(_as_list)] = ()
    format: Literal["csv", "json", "parquet", "xml"] | None = None
    options: dict[str, Annotated[str, BeforeValidator(_as_option)]] = Field(default_factory=dict)
    layout: str | None = Field(default=None, alias="schema")
    where: str | None = None
    columns: dict[str, str] = Field(default_factory=dict)

    @property
    def kinds(self) -> list[str]:
        """Which of path, table and files are said."""
        return [kind for kind in ("path", "table", "files") if getattr(self, kind)]

    @property
    def parts(self) -> list[str]:
        """Its name in a catalog; an old statement may say one without a schema."""
        return parts_of(str(self.table), ("table", *TABLE))

    @property
    def in_sql(self) -> str:
        """The Delta table in this place, as Spark SQL has it."""
        return delta_at(self.path) if self.path else quoted(*self.parts)


Places = Annotated[tuple[Place, ...], BeforeValidator(_as_list)]


class Source(Part):
    """A source file: its tables, and for those made of files the folder `store` where ingest keeps them."""

    name: str
    store: Address | None = None
    archive: Literal["people"] | None = None
    retention_days: int = Field(default=3650, ge=7)
    posts: Places
    profiles: Places
    objections: Places
    links: Places = ()
    notices: Places = ()
    requests: Places = ()
    feeds: Places = ()

    def places(self, table: str) -> tuple[Place, ...]:
        """Where the rows of a table are; nothing if the source does not have it."""
        found: tuple[Place, ...] = getattr(self, table)
        return found

    def is_files(self, table: str) -> bool:
        """Whether the table is made of files, by ingest."""
        return any(place.files for place in self.places(table))

    @property
    def tables(self) -> list[str]:
        """The contract's tables that this source has, in the order in which they are pinned."""
        return [table for table in PIN_ORDER if self.places(table)]


@dataclass(frozen=True)
class Pin:
    """One version of one input table: all that a build reads of it.

    The newest version of a table opens at any age; once another follows, Delta refuses it from `opens_until` on
    (commit + the shorter of the table's two retentions), whether or not VACUUM ran. So it surely opens until then.
    """

    table: str
    location: str
    table_id: str
    version: int
    schema_digest: str
    rows: int
    committed_at: datetime
    opens_until: datetime | None


def read_source(path: Path) -> Source:
    """The source in a TOML file. Raises ConfigError with the file, the key, what was found and what was expected."""
    source = validated(Source, read_toml(path, "source"), f"The source {path}")
    for table in source.tables:
        for place in source.places(table):
            _check(source, table, place, f"The source {path}, [{table}]")
            parts_of(place.table or "no.table", what=f"The source {path}, [{table}]: ")
    return source


def pin(spark: SparkSession, source: Source) -> dict[str, Pin]:
    """The newest version of every table now, posts first and what people have said last. Raises SourceError."""
    pinned = partial(_pinned, spark, source)
    with step("pinning the inputs' versions"):
        rounds = [abreast(pinned, [t for t in tables if source.places(t)]) for tables in PIN_ROUNDS]
    return {table: found for pins in rounds for table, found in pins.items()}


def retention_warnings(pins: dict[str, Pin], retention_days: int) -> list[str]:
    """A sentence for each pinned version that may stop opening sooner after its commit than the policy wants."""
    wanted = timedelta(days=retention_days)
    return [
        f"{p.table}: version {p.version} of {p.location} is sure to open only until {p.opens_until:%Y-%m-%d}, "
        f"{(p.opens_until - p.committed_at).days} days after its commit, where the policy wants {retention_days}: its "
        "verdicts cannot be re-derived after that. Raise delta.deletedFileRetentionDuration and "
        'delta.logRetentionDuration at the source, or set archive = "people".'
        for p in pins.values()
        if p.opens_until and p.opens_until - p.committed_at < wanted
    ]


def read_inputs(spark: SparkSession, source: Source, pins: dict[str, Pin]) -> Inputs:
    """The pinned versions of all tables in the contract's shape, strings made comparable. Raises SourceError."""
    register_html_to_text(spark)
    found = abreast(lambda table: read_table(spark, source, pins[table]), source.tables)
    absent = {(table, "*") for table in INPUTS if table not in found}
    absent |= {column for table, rows in found.items() for column in absent_columns(rows, table)}
    whole = {table: found.get(table) or spark.createDataFrame([], INPUTS[table]) for table in INPUTS}
    return Inputs(
        **{table: conformed(as_contract(rows, table), table) for table, rows in whole.items()}, absent=frozenset(absent)
    )


def committed_at(spark: SparkSession, source: Source, pinned: Pin) -> datetime:
    """When the newest version of a pinned table now was committed. Raises SourceError, also where it was replaced."""
    with _reading_delta(source, pinned.table) as place:
        if _there(spark, source, pinned.table, place)["id"] != pinned.table_id:
            raise _replaced(source, pinned)
        return _newest(spark, place)[1]


def delta_place(source: Source, table: str) -> Place:
    """The Delta table that a build reads: the input itself, or the one that ingest makes of files."""
    if source.is_files(table):
        return Place(path=f"{source.store}/{table}")
    return source.places(table)[0]


def find_delta(spark: SparkSession, place: Place) -> DeltaTable | None:
    """The Delta table at this path, if there is one."""
    return DeltaTable.forPath(spark, str(place.path)) if detail(spark, place.in_sql) else None


def _check(source: Source, table: str, place: Place, what: str) -> None:
    if len(place.kinds) != 1:
        found = " and ".join(place.kinds) or "none of them"
        raise ConfigError(f"{what} must say exactly one of path (Delta), table (catalog) and files; found {found}.")
    if len(source.places(table)) > 1 and not place.files:
        raise ConfigError(f"{what}: only files may come from several places; found `{place.kinds[0]}` in one of them.")
    if bool(place.files) != bool(place.format):
        raise ConfigError(f"{what}: `files` needs a `format` (csv, json, parquet or xml), and only files have one.")
    if place.files and not source.store:
        raise ConfigError(
            f"{what} is made of files, so the source needs `store`: the folder where ingest keeps its tables."
        )
    if place.layout and (place.format == "parquet" or not place.files):
        raise ConfigError(f"{what}: Parquet and Delta know their own `schema`; leave it out.")
    for option in place.options:
        if option.casefold() in OUR_OPTIONS:
            raise ConfigError(f"{what}: the option '{option}' is not for a source to set: no row may vanish unseen.")
    known = [column.name for column in input_columns(table)]
    for column in place.columns:
        if column not in known:
            raise ConfigError(
                f"{what}: '{column}' is not a column of {table}{nearest(column, known)}; they are: {', '.join(known)}."
            )


def _pinned(spark: SparkSession, source: Source, table: str) -> Pin:
    with _reading_delta(source, table) as place:
        found = _there(spark, source, table, place)
        version, at = _newest(spark, place)
        rows = _read_version(spark, place, version)
        opens_until = at + _kept_for(found["properties"])
        return Pin(table, found["location"], found["id"], version, _schema_digest(rows), rows.count(), at, opens_until)


@contextmanager
def _reading_delta(source: Source, table: str) -> Iterator[Place]:
    place = delta_place(source, table)
    with reading(f"The source {source.name}, [{table}]: {place.path or place.table}"):
        yield place


def _newest(spark: SparkSession, place: Place) -> tuple[int, datetime]:
    """The newest version, and when it was committed."""
    newest = spark.sql(f"DESCRIBE HISTORY {place.in_sql} LIMIT 1").select("version", F.unix_micros("timestamp"))
    version, micros = newest.collect()[0]
    return version, datetime.fromtimestamp(0, UTC) + timedelta(microseconds=micros)


def _there(spark: SparkSession, source: Source, table: str, place: Place) -> Row:
    if found := detail(spark, place.in_sql):
        return found
    if source.is_files(table):
        raise SourceError(
            f"There is no {place.path} yet: the source {source.name} is made of files. Run `corpus ingest` on it first."
        )
    hint = "; a name in a catalog is said by `table`" if place.path and "." in Path(place.path).name else ""
    why = f"there is no Delta table at {place.path}{hint}" if place.path else why_absent(spark, place.parts)
    raise SourceError(
        f"The source {source.name}, [{table}]: {why}. Expected a Delta table with the rows of {table}; "
        "check the name, and that this machine can read it."
    )


def _kept_for(properties: dict[str, str]) -> timedelta:
    """How long a version opens for certain: as long as its files and, where old logs are cleaned, its log are kept."""
    cleans = properties.get("delta.enableExpiredLogCleanup", "true").lower() == "true"
    spans = [properties.get(key, default) for key, default in DELTA_KEEPS.items() if cleans or "log" not in key]
    return min(_duration(span) for span in spans)


def _duration(span: str) -> timedelta:
    """A length of time as Delta writes it: `interval 1 week`, `interval 3650 days`."""
    return timedelta(**{f"{unit}s": int(n) for n, unit in re.findall(r"(\d+) +([a-z]+?)s?\b", span.lower())})


def read_table(spark: SparkSession, source: Source, pinned: Pin) -> DataFrame:
    """A table's rows at its pinned version in contract types, with the columns that the source has.

    Under its name or, where another table has that name now or the session knows none, where it lay: a pin means a
    table, not a name.
    """
    place, what = delta_place(source, pinned.table), f"The source {source.name}, [{pinned.table}]"
    with reading(f"{what}: version {pinned.version} of {pinned.location}"):
        named = _is_pinned(spark, place, pinned) if place.table else True
        there = place if named else Place(path=pinned.location)
        rows = _read_version(spark, there, pinned.version)
        same = _is_pinned(spark, there, pinned)
    if not same or _schema_digest(rows) != pinned.schema_digest:
        raise _replaced(source, pinned)
    kept = only_where(rows, place.where, f"{what}: {pinned.table}")
    return only_excluding(mapped(kept, pinned.table, place.columns, what), pinned.table)


def _is_pinned(spark: SparkSession, place: Place, pinned: Pin) -> bool:
    found = detail(spark, place.in_sql)
    return found is not None and found["id"] == pinned.table_id


def _replaced(source: Source, pinned: Pin) -> SourceError:
    place = delta_place(source, pinned.table).table or pinned.location
    where = f"The source {source.name}, [{pinned.table}]: {place}"
    return SourceError(f"{where} is no longer the table that was pinned (id {pinned.table_id}); it was replaced.")


def _read_version(spark: SparkSession, place: Place, version: int) -> DataFrame:
    reader = spark.read.format("delta").option("versionAsOf", version)
    return reader.load(place.path) if place.path else reader.table(place.in_sql)


def _schema_digest(rows: DataFrame) -> str:
    return sha256(rows.schema.json().encode()).hexdigest()
