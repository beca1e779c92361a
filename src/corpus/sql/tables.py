"""The tables that analysts ask: one version of the rows, the versions, and why posts were left out."""

from __future__ import annotations

from typing import Any

from corpus.funnel_shown import shown_funnel
from corpus.versions import Version, literal

# ruff: noqa: S608 (values stand in the SQL as literals)

VERSIONS = {
    "number": "BIGINT", "kind": "VARCHAR", "build_id": "VARCHAR", "cutoff": "TIMESTAMP", "released_at": "TIMESTAMP",
    "rows": "BIGINT", "policy": "VARCHAR", "policy_digest": "VARCHAR",
}  # fmt: skip
FUNNEL = {"version": "BIGINT", "reason": "VARCHAR", "meaning": "VARCHAR", "first": "BIGINT", "anywhere": "BIGINT"}
"""The columns of both, with their types. Of a funnel, what may be shown to analysts: see funnel_shown."""


def versions_sql(known: list[Version]) -> str:
    """The table `versions` as a query."""
    rows = [
        (
            v.number,
            v.kind,
            v.build_id,
            v.cutoff,
            v.released_at,
            v.rows,
            v.policy,
            v.predicate.get("policy", {}).get("digest"),
        )
        for v in known
    ]
    return _as_query(VERSIONS, rows)


def funnel_sql(known: list[Version]) -> str:
    """The table `funnel` as a query."""
    lines = [(v.number, line) for v in known if v.statement for line in shown_funnel(v.predicate)]
    rows = [(n, line.name, line.meaning, line.first, line.in_all) for n, line in lines if line.kind == "reason"]
    return _as_query(FUNNEL, rows)


def _as_query(columns: dict[str, str], rows: list[tuple[Any, ...]]) -> str:
    casts = ", ".join(f"CAST(column{n} AS {kind}) AS {name}" for n, (name, kind) in enumerate(columns.items(), 1))
    values = ", ".join(f"({', '.join(_value(value) for value in row)})" for row in rows)
    nothing = f"({', '.join(['NULL'] * len(columns))})"
    return f"SELECT {casts} FROM (VALUES {values or nothing}){'' if values else ' WHERE false'}"


def _value(value: Any) -> str:
    return str(value) if isinstance(value, int) else literal(value)
