"""What became of objections: how soon a version honoured each, which found nobody, and a receipt for one person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from corpus import render
from corpus.errors import DatasetError
from corpus.query import show
from corpus.uses import uses
from corpus.versions import Row, Version, literal, opened, select, versions

# ruff: noqa: S608 (whatever comes from outside stands in the SQL as a literal)


@dataclass(frozen=True)
class Objections:
    """How soon the objections known to a version were honoured: hours from receipt to the first version that knew them.

    `late` and `unresolved` hold the first few of `late_count` and `unresolved_count`.
    """

    version: str
    count: int
    timed: int
    p50: float | None
    p95: float | None
    max: float | None
    limit_hours: float
    late_count: int
    late: list[Row]
    unresolved_count: int
    unresolved: list[Row]


@dataclass(frozen=True)
class Receipt:
    """What a person gets: whom their objection was found to name, since when it is honoured, what held their posts."""

    objection: Row
    honoured_since: str
    hours: float | None
    held: list[Row]
    uses: list[str]


def objections(warehouse: Path, dataset: str, number: int | None, most: int = 20) -> Objections:
    """The objections known to a version, timed over the versions up to it. Raises DatasetError."""
    asked = show(warehouse, dataset, number)
    until = [version for version in versions(warehouse, dataset) if version.build_id and version.number <= asked.number]
    tables, limit = opened(warehouse / dataset, o="objections"), float(_honour_within(asked))
    ranked = "SELECT *, row_number() OVER (ORDER BY hours) AS n, count(hours) OVER () AS t FROM timed"
    timed, late = f"WITH {as_timed(until)}, ranked AS ({ranked})", f"FROM ranked WHERE hours > {limit}"
    (figures,) = select(tables, dataset, f"""{timed}
        SELECT count(*) AS count, count(hours) AS timed, min(CASE WHEN n >= 0.5 * t THEN hours END) AS p50,
            min(CASE WHEN n >= 0.95 * t THEN hours END) AS p95, max(hours) AS max,
            count(CASE WHEN hours > {limit} THEN 1 END) AS late_count FROM ranked""")  # fmt: skip
    lost = f"FROM o WHERE build_id = {literal(asked.build_id)} AND resolved_as IS NULL"
    slowest = f"{timed} SELECT objection_id, received_at, version, hours {late} ORDER BY n DESC LIMIT {most:d}"
    (lost_count,) = select(tables, dataset, f"SELECT count(*) AS n {lost}")
    names = f"SELECT objection_id, subject_type, tried {lost} ORDER BY objection_id LIMIT {most:d}"
    return Objections(
        asked.name,
        **figures,
        limit_hours=limit,
        late=select(tables, dataset, slowest),
        unresolved_count=lost_count["n"],
        unresolved=select(tables, dataset, names),
    )


def receipt(warehouse: Path, dataset: str, objection_id: str) -> Receipt:
    """What the versions of a dataset made of one objection. Raises DatasetError if no version knew it."""
    builds = [version for version in versions(warehouse, dataset) if version.build_id]
    tables, wanted = (
        opened(warehouse / dataset, o="objections", g="grounds", m="members"),
        literal(objection_id.strip()),
    )
    sql = f"""WITH {as_timed(builds)}
        SELECT o.*, t.version AS since, t.hours FROM o JOIN b ON b.build_id = o.build_id
        JOIN timed t ON t.objection_id = o.objection_id
        WHERE o.objection_id = {wanted} ORDER BY b.number DESC LIMIT 1"""
    found = select(tables, dataset, sql) if builds else []
    if not found:
        raise DatasetError(
            f"No version of {dataset} knows the objection '{objection_id}'. One that came in after the newest version "
            "is honoured by the next build; check the id."
        )
    hidden = ("build_id", "bucket", "since", "hours")
    said = {key: value for key, value in found[0].items() if key not in hidden}
    held = _held(tables, dataset, builds, said)
    used = _uses(warehouse, dataset, {version["version"] for version in held})
    return Receipt(said, f"{dataset}@{found[0]['since']}", found[0]["hours"], held, used)


def _uses(warehouse: Path, dataset: str, held: set[str]) -> list[str]:
    """Which training runs used these versions, by the log."""
    logged = [use for use in uses(warehouse, dataset) if use.version in held]
    return [f"{use.run} used {use.version} on {use.at[:10]}" for use in logged]


def _held(tables: Any, dataset: str, builds: list[Version], said: Row) -> list[Row]:
    """The versions with documents of the post or accounts that an objection names, or reached by its own."""
    wanted, named = literal(said["objection_id"]), [*map(literal, said["account_ids"] or []), "NULL"]
    return select(tables, dataset, f"""WITH {_numbered(builds)}, reached AS (
            SELECT subject_id FROM g WHERE subject_kind = 'account' AND ground = 'objection' AND ground_id = {wanted})
        SELECT '{dataset}@' || b.number AS version, count(DISTINCT m.doc_id) AS documents
        FROM m JOIN b ON b.build_id = m.build_id WHERE m.post_id = {literal(said["post_id"])}
            OR m.account_id IN ({", ".join(named)}) OR m.account_id IN (SELECT subject_id FROM reached)
        GROUP BY b.number ORDER BY b.number""")  # fmt: skip


def _honour_within(version: Version) -> Any:
    return version.predicate["policy"]["values"].get("honour_within_hours", 72)


def _numbered(builds: list[Version]) -> str:
    """The builds as a table of SQL: build_id, number, and when the version was released in seconds."""
    rows = ", ".join(f"({literal(v.build_id)}, {v.number:d}, {_released(v):f})" for v in builds)
    return f"b AS (SELECT column1 AS build_id, column2 AS number, column3 AS released FROM (VALUES {rows}))"


def _released(version: Version) -> float:
    return datetime.fromisoformat(version.predicate.get("released_at", version.released_at)).timestamp()


def as_timed(builds: list[Version]) -> str:
    """One row per objection: the first version whose build knew it, and how many hours after its receipt that was."""
    return f"""{_numbered(builds)},
        first AS (SELECT objection_id, min(received_at) AS received_at, min(number) AS version, min(released) AS at
                  FROM o JOIN b ON b.build_id = o.build_id GROUP BY objection_id),
        timed AS (SELECT *, (at - date_part('epoch', received_at)) / 3600 AS hours FROM first)"""


def tell_objections(found: Objections) -> None:
    """The times, those beyond the limit, and those that found nobody."""
    render.say(f"{found.version}: {found.count:,} objections known, {found.timed:,} of them with a time of receipt")
    render.tell(("from receipt to the first version that honours it", "hours"),
                [("half of them within", _hours(found.p50)), ("95 of 100 within", _hours(found.p95)),
                 ("the longest", _hours(found.max)), ("the policy's limit", _hours(found.limit_hours))],
                numbers=("hours",))  # fmt: skip
    if found.late:
        render.say()
        rows = [(o["objection_id"], str(o["received_at"])[:16], o["version"], _hours(o["hours"])) for o in found.late]
        render.tell((f"beyond the limit: {found.late_count:,}", "received, UTC", "version", "hours"), rows, ("hours",))
    if found.unresolved:
        render.say()
        lost = [(o["objection_id"], o["subject_type"], ", ".join(o["tried"]) or "nothing: no subject")
                for o in found.unresolved]  # fmt: skip
        render.tell((f"found nobody: {found.unresolved_count:,}", "subject type", "tried as"), lost)


def tell_receipt(found: Receipt) -> None:
    """The receipt in sentences."""
    said = found.objection
    who = {"post": f"the post {said['post_id']}", None: f"nobody (tried as {', '.join(said['tried']) or 'nothing'})"}
    named = who.get(said["resolved_as"], f"{said['accounts']:,} account(s), by {said['resolved_as']}")
    after = f", {_hours(found.hours)} hours after its receipt" if found.hours is not None else ""
    render.say(f"Objection {said['objection_id']}", style="bold")
    since = "honoured since" if said["resolved_as"] else "known since"
    received = str(said["received_at"] or "not known")[:19]
    rows = [("received", received), ("status", said["status"]), ("names", named), (since, found.honoured_since + after)]
    render.tell(("", ""), rows)
    for account in said["account_ids"] or []:
        render.say(f"  account {account}")
    render.say()
    if found.held:
        render.tell(("versions with posts of whom it reaches", "documents"),
                    [(held["version"], held["documents"]) for held in found.held], numbers=("documents",))  # fmt: skip
    else:
        render.say("No version holds a post of whom it reaches.")
    for used in found.uses or ["No training run used a version with their posts, as far as the log says."]:
        render.say(used)


def _hours(hours: float | None) -> str:
    return "" if hours is None else f"{hours:,.1f}"
