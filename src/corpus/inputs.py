"""What a build reads: the contract's tables, conformed so that rules can compare them, and what of them is absent."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from corpus import schemas
from corpus.schemas import ENUMS, IDS, OPTIONAL_COLUMNS, PLACEHOLDER_IDS, input_columns


@dataclass(frozen=True)
class Inputs:
    """The input tables of one build, conformed; an absent table is an empty frame.

    `absent` names what the source does not have: (table, column), or (table, "*") for a whole table.
    """

    posts: DataFrame
    profiles: DataFrame
    objections: DataFrame
    links: DataFrame
    notices: DataFrame
    requests: DataFrame
    feeds: DataFrame
    absent: frozenset[tuple[str, str]] = frozenset()

    def lacks(self, table: str, column: str) -> bool:
        """Whether the source has no such column, or not even the table."""
        return (table, "*") in self.absent or (table, column) in self.absent


def as_contract(rows: DataFrame, table: str) -> DataFrame:
    """These rows with exactly the contract's columns and types; a column that is not there is null."""
    return rows.select(
        *(
            (F.col(c.name) if c.name in rows.columns else F.lit(None)).cast(c.type).alias(c.name)
            for c in input_columns(table)
        )
    )


def absent_columns(rows: DataFrame, table: str) -> frozenset[tuple[str, str]]:
    """Which columns of the contract these rows do not have, but for the optional ones."""
    missing = {(table, c.name) for c in input_columns(table) if c.name not in rows.columns}
    return frozenset(missing - OPTIONAL_COLUMNS)


def conformed(rows: DataFrame, table: str) -> DataFrame:
    """The table's strings made comparable.

    Ids trimmed, placeholders nulled, enums lower-cased, countries upper-cased.
    """
    return rows.select(*(comparable(c).alias(c.name) for c in input_columns(table)))


def as_id(column: Column) -> Column:
    """An id without stray spaces; a placeholder is null.

    >>> # "  a1 " -> "a1", "N/A" -> null
    """
    trimmed = trim(column)
    return F.when(~F.lower(trimmed).isin(*PLACEHOLDER_IDS), trimmed)


def trim(column: Column) -> Column:
    """A string without white space around it: what a file's line end leaves behind is no part of an id."""
    return F.trim(column, F.lit(" \t\n\v\f\r"))


def comparable(c: schemas.Column) -> Column:
    """This column of the contract as rules compare it."""
    name, column = c.name, F.col(c.name)
    if name in IDS:
        return as_id(column)
    if name == "country":
        return F.upper(as_id(column))
    if name in ENUMS:
        lowered = F.lower(trim(column))
        return lowered if name == "container_visibility" else F.nullif(lowered, F.lit(""))
    if name in ("ruling_id", "campaign", "reshared_from", "reply_to"):
        return trim(column)
    if c.type == "ARRAY<STRING>":
        each = F.transform(column, trim if name == "flags" else as_id)
        return F.when(F.size(column) > 0, each).otherwise(column)  # few posts name anybody, and a loop is slow
    return column
