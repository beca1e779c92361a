"""Which SQL is run: one query that reads the tables of a dataset, and nothing else of the language.

The text is parsed, every part of it must be of a kind listed here, and what is run is the tree written out again: the
engine never sees what somebody typed, so that no comment, quote or statement can hide in it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import sqlglot
from sqlglot import exp, generator, parser
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError, SqlglotError

from corpus.errors import ConfigError, nearest

TABLES = ("snapshot", "versions", "funnel")
RESTRICTED = ("members", "exclusions", "grounds", "objections", "recalls", "leaves", "archive")
LONGEST = 1_000_000
"""Characters of a query."""

_KINDS = """
    Select SetOperation Union Except Intersect Subquery CTE With Table TableAlias Alias Aliases Values Version
    From Join Where Group Having Order Ordered Limit Offset Distinct Qualify Window WindowSpec Filter WithinGroup
    GroupingSets Rollup Cube Tuple Paren Star Column Identifier Var Literal Null Boolean National Interval IntervalSpan
    And Or Xor Not EQ NEQ NullSafeEQ NullSafeNEQ LT LTE GT GTE Is In Between Like ILike Escape Any All Exists
    Add Sub Mul Div IntDiv Mod Neg DPipe BitwiseAnd BitwiseOr BitwiseXor BitwiseNot BitwiseLeftShift BitwiseRightShift
    Case If Cast TryCast DataType DataTypeParam Extract Substring Trim AtTimeZone Anonymous Array Bracket Dot
    IgnoreNulls RespectNulls CurrentDate CurrentTime CurrentTimestamp
"""
_ALLOWED = {getattr(exp, name) for name in _KINDS.split()}
_CLAUSES = "expressions from_ joins where group having order limit offset distinct windows with_ qualify"
_PARTS: dict[type[exp.Expr], set[str]] = {
    exp.Select: set(_CLAUSES.split()),
    exp.Table: {"this", "alias", "version", "joins", "db", "catalog"},  # a db or catalog is refused in _is_ours
}
"""What of a SELECT and of a table may be there at all: flags are no nodes of the tree."""


class Engine(Dialect):
    """SQL as DataFusion has it: every function keeps the name that was typed, and nulls are the largest values."""

    NULL_ORDERING = "nulls_are_large"

    class Parser(parser.Parser):
        """Knows no function, so that none is written out as another."""

        FUNCTIONS = {}  # noqa: RUF012 (so does sqlglot)
        FUNCTION_PARSERS = {  # noqa: RUF012
            name: parser.Parser.FUNCTION_PARSERS[name] for name in ("CAST", "TRY_CAST", "EXTRACT", "SUBSTRING", "TRIM")
        }

    class Generator(generator.Generator):
        """Writes arrays in brackets."""

        TRANSFORMS = generator.Generator.TRANSFORMS | {
            exp.Array: lambda self, array: f"[{self.expressions(array, flat=True)}]",
        }


@dataclass(frozen=True)
class Query:
    """What somebody asked: its tree, the tables of the dataset that it reads, and the versions that it names."""

    text: str
    tree: exp.Query
    tables: frozenset[str]
    versions: frozenset[int]

    def sql(self, rows: int = 0) -> str:
        """The query as it is run, for so many rows at most; for all with 0."""
        tree = self.tree.limit(rows) if rows and not self.tree.args.get("limit") else self.tree
        return tree.sql(dialect=Engine, comments=False, normalize_functions=False)

    def place_of(self, name: str) -> str:
        """Where the query uses a name first, to be put behind a sentence; nothing where it does not."""
        nodes = self.tree.find_all(exp.Identifier, exp.Anonymous)
        return next((place(node, self.text) for node in nodes if node.name.casefold() == name.casefold()), "")


def read_query(text: str) -> Query:
    """The one query in a text. Raises ConfigError, with the place, for anything else."""
    try:
        query = _read(text)
        query.sql()
    except RecursionError:
        raise ConfigError("The query is nested too deeply to be read.") from None
    return query


def _read(text: str) -> Query:
    tree = _one(_statements(text), text)
    named = {cte.alias.casefold() for cte in tree.find_all(exp.CTE)}
    if clash := named & set(TABLES):
        raise _wrong(f"A WITH query cannot be called {min(clash)}: that is a table of the dataset", tree, text)
    for node in tree.walk():
        _require_allowed(node, text)
    asked = [table for table in tree.find_all(exp.Table) if _is_ours(table, named, text)]
    versions = frozenset(number for table in asked if (number := _version(table, text)) is not None)
    # A table of the dataset keeps its name, but for one that says which version it is: snapshot@3.
    names = frozenset(table.name.casefold() for table in asked)
    return Query(text, tree, names, versions)


def _statements(text: str) -> list[exp.Expr]:
    logging.getLogger("sqlglot").disabled = True  # it would warn of what is refused below
    if len(text) > LONGEST:
        raise ConfigError(f"The query has {len(text):,} characters; {LONGEST:,} is the most.")
    try:
        parsed = sqlglot.parse(text, dialect=Engine)
    except ParseError as wrong:
        raise ConfigError(_first_error(wrong)) from None
    except SqlglotError:
        raise ConfigError("The query cannot be read: a quote or a comment in it is not closed.") from None
    return [tree for tree in parsed if tree is not None and not isinstance(tree, exp.Semicolon)]


def _first_error(wrong: ParseError) -> str:
    found = wrong.errors[0]
    said = "something is missing" if "<class" in found["description"] else found["description"].rstrip(".")
    return (
        f"The query cannot be read near '{found['highlight']}' (line {found['line']}, column {found['col']}): {said}."
    )


def _one(statements: list[exp.Expr], text: str) -> exp.Query:
    """The only statement, if it is a query."""
    if len(statements) != 1:
        raise ConfigError(
            f"One query at a time: there are {len(statements)} statements."
            if statements
            else "There is no query: write SELECT … FROM snapshot."
        )
    tree = statements[0]
    if isinstance(tree, exp.Query) and type(tree) in _ALLOWED and not isinstance(tree, exp.Table | exp.CTE):
        return tree
    word = (text.split() or ["?"])[0].upper()[:20]
    raise ConfigError(f"Only SELECT is run here, and this begins with {word}; \\d lists the tables and their columns.")


def _require_allowed(node: exp.Expr, text: str) -> None:
    kind: type[exp.Expr] = type(node)
    extra = {name for name, value in node.args.items() if value} - _PARTS.get(kind, set(node.args))
    if kind not in _ALLOWED or extra:
        what = ", ".join(sorted(extra)) or node.key.upper()
        raise _wrong(f"{what} is not among what a query here may hold", node, text)
    parts = {exp.CTE: ["this"], exp.Subquery: ["this"], exp.Exists: ["this"]}.get(kind, [])
    parts = ["this", "expression"] if isinstance(node, exp.SetOperation) else parts
    if not all(isinstance(query, exp.Select | exp.SetOperation | exp.Subquery) for query in map(node.args.get, parts)):
        raise _wrong("A query must stand here", node, text)
    if isinstance(node, exp.From | exp.Join) and type(node.this) not in {exp.Table, exp.Subquery, exp.Values}:
        raise _wrong("FROM takes a table or a query in parentheses, no function", node, text)


def _is_ours(table: exp.Table, named: set[str], text: str) -> bool:
    """Whether a table is of the dataset rather than of WITH. Raises ConfigError if it is neither."""
    known, name = [*TABLES, *sorted(named)], table.name.casefold()
    plain = isinstance(table.this, exp.Identifier) and not table.db and not table.catalog
    if plain and name in RESTRICTED and name not in named:
        raise _wrong(
            f"{name} names people: it is for the privacy team, who ask by `corpus why`, `subject` or Spark", table, text
        )
    if not plain or name not in known:
        shown = table.sql(dialect=Engine, comments=False)
        raise _wrong(
            f"There is no table {shown}{nearest(table.name, known)}; there are {', '.join(TABLES)}", table, text
        )
    return name in TABLES


def _version(table: exp.Table, text: str) -> int | None:
    """The version that a table is asked at; the table is renamed to say so."""
    at = table.args.get("version")
    if at is None:
        return None
    number = at.args.get("expression")
    whole = isinstance(number, exp.Literal) and number.is_int and len(number.name) < 19
    if table.name.casefold() != "snapshot" or at.name != "VERSION" or not whole:
        raise _wrong("Only snapshot has versions: write snapshot VERSION AS OF 3", table, text)
    table.set("version", None)
    table.set("alias", table.args.get("alias") or exp.TableAlias(this=exp.to_identifier("snapshot")))
    table.set("this", exp.to_identifier(f"snapshot@{int(number.name)}", quoted=True))
    return int(number.name)


def place(node: exp.Expr, text: str) -> str:
    """Where a part of the tree stands in the text, to be put behind a sentence; nothing where it is not known."""
    start = next((n.meta["start"] for n in _near(node) if "start" in n.meta), None)
    if start is None:
        return ""
    before = text[:start]
    return f" (line {before.count(chr(10)) + 1}, column {start - before.rfind(chr(10))})"


def _near(node: exp.Expr) -> Iterator[exp.Expr]:
    yield from node.walk()
    if node.parent:
        yield from node.parent.walk()


def _wrong(sentence: str, node: exp.Expr, text: str) -> ConfigError:
    return ConfigError(f"{sentence}{place(node, text)}.")
