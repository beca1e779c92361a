"""Names in catalogs: how they are written, what stands under one, and which part of one a session does not have."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from corpus.errors import ConfigError, nearest

if TYPE_CHECKING:
    from pyspark.sql import Row, SparkSession

TABLE = ("schema.table", "catalog.schema.table")
SCHEMA = ("schema", "catalog.schema")

ABSENT = (
    "DELTA_MISSING_DELTA_TABLE", "TABLE_OR_VIEW_NOT_FOUND", "EXPECT_TABLE_NOT_VIEW", "REQUIRES_SINGLE_PART_NAMESPACE",
    "SCHEMA_NOT_FOUND", "CATALOG_NOT_FOUND", "DELTA_PATH_DOES_NOT_EXIST",
)  # fmt: skip
"""How Spark's names for a name or path without a Delta table begin."""

_PART = r"(?:\w+|`(?:[^`]|``)+`)"
_CONFIGURED = "spark.sql.catalog."


def parts_of(name: str, forms: tuple[str, ...] = TABLE, what: str = "") -> list[str]:
    """The parts of a name, without the backticks that hold an odd one together. Raises ConfigError.

    >>> parts_of("spark_catalog.`my social`.posts")
    ['spark_catalog', 'my social', 'posts']
    """
    parts = re.findall(_PART, name)
    is_name = "/" not in name and re.fullmatch(rf"{_PART}(\.{_PART})*", name)
    if not is_name or len(parts) not in {form.count(".") + 1 for form in forms}:
        hint = "; an address is said by `path`" if "/" in name and forms == TABLE else ""
        raise ConfigError(
            f"{what}'{name}' is no name in a catalog: write {' or '.join(forms)}, each part of letters, digits and _, "
            f"or in backticks{hint}."
        )
    return [part[1:-1].replace("``", "`") if part.startswith("`") else part for part in parts]


def quoted(*parts: str) -> str:
    """A name as Spark SQL has it, whatever its parts hold.

    >>> print(quoted("social", "it`s; DROP TABLE posts"))
    `social`.`it``s; DROP TABLE posts`
    """
    return ".".join(f"`{part.replace('`', '``')}`" for part in parts)


def delta_at(path: Path | str) -> str:
    """The Delta table at a path, as Spark SQL has it."""
    return f"delta.{quoted(str(path))}"


def detail(spark: SparkSession, name: str) -> Row | None:
    """What Delta says of the table that SQL finds under a name; None where there is no Delta table."""
    from pyspark.errors import AnalysisException  # noqa: PLC0415 (names are read without Spark too)

    try:
        found = spark.sql(f"DESCRIBE DETAIL {name}").collect()[0]
    except AnalysisException as absent:
        if str(absent.getCondition()).startswith(ABSENT):
            return None
        raise
    return found if found["format"] == "delta" else None


def why_absent(spark: SparkSession, parts: list[str]) -> str:
    """Why there is no Delta table of this name, with the nearest name that this session's catalogs have."""
    if wrong := lacking(spark, parts):
        return wrong
    said = {row["col_name"]: row["data_type"] for row in spark.sql(f"DESCRIBE EXTENDED {quoted(*parts)}").collect()}
    kind = "a view" if said.get("Type") == "VIEW" else f"a table of the format {said.get('Provider')}"
    return f"{'.'.join(parts)} is {kind}, and no Delta table"


def lacking(spark: SparkSession, parts: list[str], kinds: tuple[str, ...] = ("catalog", "schema", "table")) -> str:
    """The first part of a name that is not there, with the nearest that is; empty where all are there."""
    for depth, kind in enumerate(kinds[-len(parts) :]):
        known, part = _known(spark, kind, parts[:depth]), parts[depth]
        if part.casefold() not in {name.casefold() for name in known}:
            within = f" in {'.'.join(parts[:depth])}" if depth else ""
            hint = f"; {_CONFIGURED}{part} in the session's properties file would make it" if kind == "catalog" else ""
            return f"there is no {kind} '{part}'{within}{nearest(part, known)}{hint}"
    return ""


def tables_in(spark: SparkSession, schema: list[str]) -> list[str]:
    """The tables and views of a schema; none where it is not there."""
    return [] if lacking(spark, schema, ("catalog", "schema")) else _known(spark, "table", schema)


def _known(spark: SparkSession, kind: str, above: list[str]) -> list[str]:
    if kind == "catalog":
        configured = (key.removeprefix(_CONFIGURED) for key in spark.conf.getAll if key.startswith(_CONFIGURED))
        return sorted({"spark_catalog", *(name for name in configured if "." not in name)})
    within = f" IN {quoted(*above)}" if above else ""
    if kind == "schema":
        return [str(row[0]) for row in spark.sql(f"SHOW SCHEMAS{within}").collect()]
    return [row["tableName"] for row in spark.sql(f"SHOW TABLES{within}").collect() if not row["isTemporary"]]
