"""SQL over a dataset, without a JVM, and the statements that give Spark the same tables."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from corpus.cli.options import HERE, Json, Schema, Warehouse, app
from corpus.errors import ConfigError

# ruff: noqa: PLC0415 (each command imports what it needs)

if TYPE_CHECKING:
    from corpus.sql.answers import Answer


@app.command()
def sql(  # noqa: PLR0913, PLR0917 (what, where, how)
    version: Annotated[str, typer.Argument(metavar="DATASET[@N]")],
    query: Annotated[str | None, typer.Argument(help="One SELECT. [default: asked for, or read from a pipe]")] = None,
    warehouse: Warehouse = HERE,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    json: Json = False,
    limit: Annotated[int, typer.Option(min=0, help="How many rows to show; 0 for all.")] = 1000,
    timeout: Annotated[float, typer.Option(min=0.1, max=86400, help="Seconds that a query may take.")] = 60,
    memory: Annotated[float, typer.Option(min=0.5, max=1024, help="Gigabytes that a query may hold.")] = 4,
) -> None:
    r"""Rows by SQL, over the tables snapshot, versions and funnel (\d shows their columns).

    Example: corpus sql uk-social@3 "SELECT surface, count(*) AS documents FROM snapshot GROUP BY surface"
    """
    from corpus.sql import shell
    from corpus.sql.answers import Limits, ask
    from corpus.versions import parse_reference

    if csv and json:
        raise ConfigError("--csv and --json cannot both be had: take one.")
    dataset, number = parse_reference(version)
    limits = Limits(timeout, memory, limit + 1 if limit else 0)
    asking = partial(ask, warehouse, dataset, number, limits=limits)
    run = partial(_answer, asking, limit, "csv" if csv else "json" if json else "table")
    if query is not None:
        shell.obey(query, run)
    elif sys.stdin.isatty():
        from corpus.versions import versions

        versions(warehouse, dataset)  # so that a name that is wrong is told before anything is typed
        shell.converse(version, run)
    else:
        shell.from_pipe(run)


def _answer(asking: Callable[..., AbstractContextManager[Answer]], limit: int, form: str, query: str) -> None:
    with asking(query) as answer:
        from corpus.sql import shown  # while the child is at work

        rows = shown.rows_of(answer)
        tell = {"csv": shown.as_csv, "json": shown.as_json, "table": shown.as_table}[form]
        count = tell(answer.schema, islice(rows, limit or None))
        has_more = next(rows, None) is not None
    _tell_end(count, has_more, form, (answer.schema.metadata or {}).get(b"snapshot", b"").decode())


def _tell_end(count: int, has_more: bool, form: str, version: str) -> None:
    """How many rows there were, and of which version: part of a table, and for CSV and JSON only if some are left."""
    if has_more:
        print(f"there are more rows than these {count:,}: --limit 0 shows all", file=sys.stderr)
    elif form == "table":
        print(f"({count:,} row{'s' * (count != 1)}{f' of {version}' if version else ''})")


@app.command()
def catalog(
    dataset: str,
    warehouse: Warehouse = HERE,
    restricted: Annotated[
        bool, typer.Option("--restricted", help="With the tables that name people, for the privacy team.")
    ] = False,
    schema: Schema = None,
    json: Json = False,
) -> None:
    """The statements that make a dataset's tables known to Spark SQL: a database with snapshot, versions and funnel.

    Example: corpus catalog uk-social > uk-social.sql, then: spark-sql -i uk-social.sql
    """
    from corpus import render
    from corpus.sql.catalog import statements
    from corpus.versions import parse_name

    found = statements(warehouse, parse_name(dataset), restricted, schema)
    render.as_json(found) if json else print("".join(f"{statement};\n" for statement in found), end="")
