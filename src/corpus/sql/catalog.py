"""A dataset's tables as Spark SQL knows them: the statements that register them in a catalog."""

from __future__ import annotations

import re
from pathlib import Path

from corpus.catalogs import SCHEMA, parts_of, quoted
from corpus.errors import ConfigError
from corpus.evidence.store import dataset_names, statement_path
from corpus.sql.tables import VERSIONS, funnel_sql
from corpus.versions import newest, versions

# ruff: noqa: S608 (names and values are quoted)

RESTRICTED = ("exclusions", "members", "grounds", "objections")

_FIELDS = {
    "number": "version", "build_id": "build_id", "cutoff": "cutoff", "released_at": "released_at",
    "rows": "snapshot.rows", "policy": "policy.name", "policy_digest": "policy.digest",
}  # fmt: skip
"""Where a statement's predicate says what stands in a column."""


def database(dataset: str) -> str:
    """The name that a dataset has in SQL.

    >>> database("uk-social")
    'uk_social'
    """
    return re.sub(r"[.-]", "_", dataset)


def schema_of(warehouse: Path, dataset: str, schema: str | None = None) -> list[str]:
    """The schema that a dataset's tables are to stand in. Raises ConfigError where another dataset has it too."""
    if schema:
        return parts_of(schema, SCHEMA)
    own = database(dataset)
    if twins := [other for other in dataset_names(warehouse) if database(other) == own and other != dataset]:
        raise ConfigError(
            f"{' and '.join([dataset, *twins])} would both be {own} in SQL: name a schema of its own by --schema, as "
            f"{own}_2."
        )
    return [own]


def restricted_beside(schema: list[str]) -> list[str]:
    """The schema of what names people, so that each of the two has its own readers."""
    return [*schema[:-1], f"{schema[-1]}_restricted"]


def statements(warehouse: Path, dataset: str, restricted: bool = False, schema: str | None = None) -> list[str]:
    """The statements that register a dataset; run twice they change nothing. Raises DatasetError before a first build.

    `versions` reads the signed statements themselves, and so never grows old. `funnel` holds what could be shown when
    this was called: what must be hidden is no matter of one row, and so none for a view.
    """
    known = versions(warehouse, dataset)
    newest(known)
    parts, folder = schema_of(warehouse, dataset, schema), (warehouse / dataset).absolute()
    name, beside = quoted(*parts), quoted(*restricted_beside(parts))
    tables = [table for table in RESTRICTED if restricted and (folder / table).is_dir()]
    makes_beside = [f"CREATE DATABASE IF NOT EXISTS {beside}"] if restricted else []
    return [
        f"CREATE DATABASE IF NOT EXISTS {name}",
        f"CREATE TABLE IF NOT EXISTS {name}.snapshot USING delta LOCATION {text(str(folder / 'snapshot'))}",
        f"CREATE OR REPLACE VIEW {name}.versions AS {_versions(folder)}",
        f"CREATE OR REPLACE VIEW {name}.funnel AS {funnel_sql(known, text)}",
        *makes_beside,
        *(f"CREATE OR REPLACE VIEW {beside}.{table} AS {_of_builds(folder, name, table)}" for table in tables),
    ]


def _versions(folder: Path) -> str:
    """The versions that have a statement, out of the statements."""
    said = "decode(unbase64(get_json_object(value, '$.payload')), 'UTF-8')"
    fields = [f"CAST({_field(name)} AS {kind}) AS {name}" for name, kind in VERSIONS.items()]
    files = quoted(str(statement_path(folder, 0).parent))
    return f"SELECT {', '.join(fields)} FROM (SELECT {said} AS said FROM text.{files})"


def _field(name: str) -> str:
    return f"get_json_object(said, '$.predicate.{_FIELDS[name]}')" if name in _FIELDS else "'build'"


def _of_builds(folder: Path, name: str, table: str) -> str:
    """A table beside the snapshot, with the number of the version; rows of a build that made none are not read."""
    own = f"SELECT number, build_id AS id FROM {name}.versions"
    rows = f"delta.{quoted(str(folder / table))}"
    return f"SELECT v.number AS version, t.* FROM {rows} AS t INNER JOIN ({own}) AS v ON t.build_id = v.id"


def text(value: str | None) -> str:
    """A string as Spark SQL has it, where a backslash begins an escape."""
    escaped = (value or "").replace("\\", "\\\\").replace("'", "\\'")
    return "NULL" if value is None else f"'{escaped}'"
