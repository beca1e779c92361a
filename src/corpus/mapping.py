"""From a source's columns to the contract's: each by a SQL expression, checked first; no value can stop a build."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from py4j.protocol import Py4JJavaError
from pyspark.errors import AnalysisException, ParseException, PySparkException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, DecimalType, FractionalType, IntegralType

from corpus import schemas
from corpus.errors import SourceError, nearest
from corpus.mishaps import causes, damaged_file, first_line, machine_fault
from corpus.schemas import IDS, KEYS, input_columns

ACCEPTED = {
    "STRING": ("string", "integer"),
    "ARRAY<STRING>": ("array of string", "array of integer", "array of void"),
    "TIMESTAMP": ("timestamp", "timestamp_ntz", "date", "string"),
    "DATE": ("date", "string"),
    "DOUBLE": ("number", "integer", "string"),
    "INT": ("integer", "string"),
    "BIGINT": ("integer", "string"),
    "BOOLEAN": ("boolean", "string"),
}
"""What a contract type is made from. An integer is no time (seconds? milliseconds?) and a timestamp no date (in which
zone?): there the source says it with an expression."""

FULL_DATE = r"^\s*\d{4}-\d{2}-\d{2}"
"""Spark also reads '12:30' as today and '1990' as New Year's Day."""

UNREPEATABLE = re.compile(
    r"(?i)\b(now|rand\w*|uuid|monotonically_increasing_id)\b\s*\(|\b(current_(date|timestamp|timezone)|localtimestamp)\b"
    r"|\(\s*select\b"
)
"""What reads a clock, throws dice, or looks into a table of which no version is pinned."""

ALWAYS_KEPT = IDS | {"subject_type", "email_hash"}
"""Whom a row is about; the rest of a row that does not fit is null."""

BAD_VALUE = ("CAST_", "CANNOT_PARSE", "ARITHMETIC", "DIVIDE", "NUMERIC", "INVALID_ARRAY", "INVALID_FRACTION")
"""How Spark's names for what an expression does with a value that it cannot take begin."""


def mapped(rows: DataFrame, table: str, columns: Mapping[str, str], where: str) -> DataFrame:
    """These rows as the contract's columns that the source has, not cast yet, beside the struct `source` of their own.

    `columns` is contract column → SQL expression; one not listed is the column of the same name, if there is one.
    One row in, one row out. Raises SourceError that names table, column and expression.
    """
    expressions = _expressions(rows, table, columns)
    for name, text in expressions.items():
        with naming(f"{where}: {table}.{name}", text, rows.columns):
            F.expr(text)
    values = {name: F.expr(text).alias(name) for name, text in expressions.items()}
    _check_columns(rows, table, values, expressions, where)
    return rows.select(*values.values(), F.struct("*").alias("source"))


def only_where(rows: DataFrame, where: str | None, what: str, always: Column | None = None) -> DataFrame:
    """The rows for which a source's own condition holds, and those that are `always` wanted. Raises SourceError."""
    if where is None:
        return rows
    with naming(f"{what}.where", where, rows.columns):
        return rows.where(F.expr(where) if always is None else F.expr(where) | always)


def fitted(rows: DataFrame, table: str) -> dict[str, Column]:
    """Each mapped column in its contract type; a value that does not fit is null."""
    return {c.name: _as_type(c, kind) for c, kind in _mapped_columns(rows, table)}


def misfits(rows: DataFrame, table: str) -> Column:
    """The names of the columns whose value does not fit its contract type, as an array; empty if all do."""
    lost = [
        F.when(F.col(c.name).isNotNull() & _as_type(c, kind).isNull(), F.lit(c.name))
        for c, kind in _mapped_columns(rows, table)
        if _may_not_fit(c.type, kind)
    ]
    return F.array_compact(F.array(*lost)) if lost else F.array().cast("ARRAY<STRING>")


def only_excluding(rows: DataFrame, table: str) -> DataFrame:
    """The mapped rows in contract types, where a row with a value that does not fit keeps its ids alone.

    A null `deleted_at` would else let a post in whose deletion could not be read; a row of nulls can only exclude.
    """
    fits = F.size(misfits(rows, table)) == 0
    typed = fitted(rows, table)
    kept = {name: column if name in ALWAYS_KEPT else F.when(fits, column) for name, column in typed.items()}
    return rows.select(*(column.alias(name) for name, column in kept.items()))


@contextmanager
def naming(what: str, expression: str, known: Sequence[str]) -> Iterator[None]:
    """Turns Spark's complaint about an expression into a SourceError that says where it stands and what there is."""
    if found := UNREPEATABLE.search(expression):
        found_there = found[0].rstrip("( ")
        raise SourceError(
            f"{what} = `{expression}` uses `{found_there}`, which may give another value at each reading; write a "
            "constant, or a column of the source."
        )
    try:
        yield
    except (ParseException, AnalysisException) as wrong:
        raise SourceError(f"{what} = `{expression}` {_complaint(wrong, known)}") from None


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turns what Spark says of unreadable data into a SourceError that names the file, or the way out."""
    try:
        yield
    except (PySparkException, Py4JJavaError) as broken:
        told = machine_fault(broken) or damaged_file(broken, what)
        raise told or SourceError(f"{what} cannot be read. {plainly(broken)}") from None


def plainly(broken: Exception) -> str:
    """What is wrong and what to do, from an error of Spark and its causes."""
    said = causes(broken)[0]
    codes = re.findall(r"\[([A-Z_]+(?:\.[A-Z_]+)?)\]", said)
    if codes and codes[0].startswith(BAD_VALUE):
        what = f"An expression met a value that it cannot take ({codes[0]})"
        return f"{what}; use try_cast, try_to_timestamp or the like."
    return first_line(said)


def _expressions(rows: DataFrame, table: str, columns: Mapping[str, str]) -> dict[str, str]:
    own = {name.casefold(): f"`{name}`" for name in rows.columns}
    known = {c.name: columns.get(c.name, own.get(c.name)) for c in input_columns(table)}
    for key in KEYS[table]:
        if known[key] is None:
            raise SourceError(
                f"{table} has no {key}, which every row of {table} is known by: map it under [{table}.columns]. "
                f"The source's columns are: {', '.join(rows.columns)}."
            )
    return {name: text for name, text in known.items() if text is not None}


def _check_columns(
    rows: DataFrame, table: str, values: dict[str, Column], expressions: dict[str, str], where: str
) -> None:
    try:
        types = {f.name: f.dataType for f in rows.select(*values.values()).schema}
    except AnalysisException as wrong:
        for name, column in values.items():
            with naming(f"{where}: {table}.{name}", expressions[name], rows.columns):
                rows.select(column)
        told = first_line(str(wrong))
        raise SourceError(f"{where}: the expressions of {table} do not go together: {told}") from None
    for c in input_columns(table):
        if c.name in types and _kind(types[c.name]) not in ("void", *ACCEPTED[c.type]):
            raise SourceError(
                f"{where}: {table}.{c.name} = `{expressions[c.name]}` is {types[c.name].simpleString().upper()}, where "
                f"the contract has {c.type} (made from {' or '.join(ACCEPTED[c.type])}). Say under "
                f"[{table}.columns] by an expression how to make one from the other."
            )


def _complaint(wrong: PySparkException, known: Sequence[str]) -> str:
    code, said = wrong.getCondition() or "", wrong.getMessageParameters() or {}
    if code == "PARSE_SYNTAX_ERROR":
        return f"does not parse: the mistake is at or near {said['error']}."
    if code.startswith("UNRESOLVED_COLUMN"):
        name = said["objectName"].strip("`")
        return f"names `{name}`, which is not there{nearest(name, known)}. The columns are: {', '.join(known)}."
    return f"is not understood: {first_line(str(wrong))}"


def _mapped_columns(rows: DataFrame, table: str) -> list[tuple[schemas.Column, str]]:
    """The contract's columns that these rows have, with the kind of value that each holds."""
    kinds = {f.name: _kind(f.dataType) for f in rows.schema}
    return [(c, kinds[c.name]) for c in input_columns(table) if c.name in kinds]


def _as_type(column: schemas.Column, kind: str) -> Column:
    value = F.col(column.name)
    if column.type in ("TIMESTAMP", "DATE") and kind == "string":
        return F.when(value.rlike(FULL_DATE), value.try_cast(column.type))
    return value.try_cast(column.type)


def _kind(found: DataType) -> str:
    if isinstance(found, ArrayType):
        return f"array of {_kind(found.elementType)}"
    if isinstance(found, IntegralType) or (isinstance(found, DecimalType) and found.scale == 0):
        return "integer"
    return "number" if isinstance(found, FractionalType) else found.typeName()


def _may_not_fit(target: str, kind: str) -> bool:
    """Whether a value of this kind can fail to become the target, not only the kind as a whole."""
    return (kind == "string" and target != "STRING") or (kind == "integer" and target in ("INT", "BIGINT"))
