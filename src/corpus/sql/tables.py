"""The tables that analysts ask: one version of the rows, the versions, and why posts were left out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from corpus.query import meaning
from corpus.versions import Version, literal

# ruff: noqa: S608 (values stand in the SQL as literals)

SMALLEST_SHOWN = 10
"""A count below this is not shown: it could point at a person."""

VERSIONS = {
    "number": "BIGINT", "kind": "VARCHAR", "build_id": "VARCHAR", "cutoff": "TIMESTAMP", "released_at": "TIMESTAMP",
    "rows": "BIGINT", "policy": "VARCHAR", "policy_digest": "VARCHAR",
}  # fmt: skip
FUNNEL = {"version": "BIGINT", "reason": "VARCHAR", "meaning": "VARCHAR", "first": "BIGINT", "anywhere": "BIGINT"}
"""The columns of both, with their types."""


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
    return _as_query(FUNNEL, [(v.number, *line) for v in known if v.statement for line in _funnel(v.predicate)])


def _funnel(said: dict[str, Any]) -> Iterable[tuple[str, str, int | None, int | None]]:
    first, wherever = said["funnel"]["primary"], said["funnel"]["any"]
    shown_first, shown_wherever = (_without_small(counts) for counts in (first, wherever))
    return ((name, meaning(name), shown_first.get(name, 0), shown_wherever[name]) for name in sorted(wherever))


def _without_small(counts: dict[str, str]) -> dict[str, int | None]:
    """Counts without those that could point at a person, and without one more where a sum would give one away."""
    numbers = {name: int(count) for name, count in counts.items()}
    hidden = {name for name, number in numbers.items() if 0 < number < SMALLEST_SHOWN}
    if len(hidden) == 1 and len(numbers) > 1:
        hidden.add(min(numbers.keys() - hidden, key=lambda name: (numbers[name], name)))
    return {name: None if name in hidden else number for name, number in numbers.items()}


def _as_query(columns: dict[str, str], rows: list[tuple[Any, ...]]) -> str:
    casts = ", ".join(f"CAST(column{n} AS {kind}) AS {name}" for n, (name, kind) in enumerate(columns.items(), 1))
    values = ", ".join(f"({', '.join(_value(value) for value in row)})" for row in rows)
    nothing = f"({', '.join(['NULL'] * len(columns))})"
    return f"SELECT {casts} FROM (VALUES {values or nothing}){'' if values else ' WHERE false'}"


def _value(value: Any) -> str:
    return str(value) if isinstance(value, int) else literal(value)
