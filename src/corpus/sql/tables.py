"""The tables that analysts ask: one version of the rows, the versions, and why posts were left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from corpus.funnel_shown import shown_funnel
from corpus.versions import Version, literal

# ruff: noqa: S608 (values stand in the SQL as literals)

VERSIONS = {
    "number": "BIGINT", "kind": "STRING", "build_id": "STRING", "cutoff": "TIMESTAMP", "released_at": "TIMESTAMP",
    "rows": "BIGINT", "policy": "STRING", "policy_digest": "STRING",
}  # fmt: skip
FUNNEL = {"version": "BIGINT", "reason": "STRING", "meaning": "STRING", "first": "BIGINT", "anywhere": "BIGINT"}
"""The columns of both, with their types. Of a funnel, what may be shown to analysts: see funnel_shown."""


def versions_sql(known: list[Version]) -> str:
    """The table `versions` as a query."""
    own = ("number", "kind", "build_id", "cutoff", "released_at", "rows", "policy")
    digests = [v.predicate.get("policy", {}).get("digest") for v in known]
    return as_query(VERSIONS, [(*(getattr(v, name) for name in own), d) for v, d in zip(known, digests, strict=True)])


def funnel_sql(known: list[Version], text: Callable[[str | None], str] = literal) -> str:
    """The table `funnel` as a query, in which `text` writes strings."""
    lines = [(v.number, line) for v in known if v.statement for line in shown_funnel(v.predicate)]
    rows = [(n, line.name, line.meaning, line.first, line.in_all) for n, line in lines if line.kind == "reason"]
    return as_query(FUNNEL, rows, text)


def as_query(columns: dict[str, str], rows: list[tuple[Any, ...]], text: Callable[[str | None], str] = literal) -> str:
    """Rows as a query that needs no table."""
    casts = ", ".join(f"CAST(c{n} AS {kind}) AS {name}" for n, (name, kind) in enumerate(columns.items()))
    values = [f"({', '.join(str(v) if isinstance(v, int) else text(v) for v in row)})" for row in rows]
    nothing = f"({', '.join(['NULL'] * len(columns))})"
    named = ", ".join(f"c{n}" for n in range(len(columns)))
    where = "" if rows else " WHERE false"
    return f"SELECT {casts} FROM (VALUES {', '.join(values or [nothing])}) AS t({named}){where}"
