"""What came and went between two versions of a dataset, by cause: read from its tables, without judging again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from corpus.causes import CAUSES, Between, cause_of
from corpus.errors import DatasetError
from corpus.versions import Row, Version, build_at, literal, opened, parse_one, select, versions

# ruff: noqa: S608 (whatever comes from outside stands in the SQL as a literal)

Side = Literal["removed", "added"]

_ROWS = """SELECT (SELECT count(*) FROM a) AS a, (SELECT count(*) FROM b) AS b,
    (SELECT count(*) FROM a JOIN b ON a.doc_id = b.doc_id) AS stayed"""

_NO_GROUNDS = "SELECT NULL AS subject, NULL AS reason, NULL AS id WHERE false"


@dataclass(frozen=True)
class Change:
    """Documents that came or went for one cause, and a few of them.

    `reason` is the contract's, for which the version that lacks them leaves them out; None where it has no such post.
    """

    side: Side
    cause: str
    reason: str | None
    meaning: str
    documents: int
    samples: list[Row]


@dataclass(frozen=True)
class Diff:
    """What differs between two versions; the changes add up to the difference of their rows."""

    before: str
    after: str
    rows_before: int
    rows_after: int
    changes: list[Change]

    @property
    def is_backwards(self) -> bool:
        """Whether the newer version was asked for first."""
        return parse_one(self.before)[1] > parse_one(self.after)[1]

    def total(self, side: str) -> int:
        """How many documents were removed, or added."""
        return sum(change.documents for change in self.changes if change.side == side)


def diff(
    warehouse: Path, dataset: str, span: tuple[int, int], samples: int = 3, shown: Sequence[str] = ("doc_id",)
) -> Diff:
    """What came and what went between two versions, by cause, with a few documents of each.

    A cause is what happened from the older to the newer, whichever is asked for first.
    shown: what a sample says, of `doc_id`, `text` and, for the privacy team, `post_id`.
    """
    known, folder = versions(warehouse, dataset), warehouse / dataset
    a, b = (build_at(known, number) for number in span)
    older, newer = sorted((a, b), key=lambda version: version.number)
    sides = {name: name for name in ("grounds", "objections") if (folder / name).is_dir()}
    snapshots = {"a": ("snapshot", older.number), "b": ("snapshot", newer.number)}
    tables = opened(folder, members="members", exclusions="exclusions", **sides, **snapshots)
    (rows,) = select(tables, dataset, _ROWS)
    found = select(tables, dataset, _moves(older, newer, samples, "d.text" if "text" in shown else "NULL", set(sides)))
    counts = {older.name: rows["a"], newer.name: rows["b"]}
    changes = _changes(_with_causes(found, Between.of(older, newer), older is a), samples, shown)
    result = Diff(a.name, b.name, counts[a.name], counts[b.name], changes)
    stayed = {result.rows_before - result.total("removed"), result.rows_after - result.total("added"), rows["stayed"]}
    if len(stayed) > 1:
        raise DatasetError(f"{a.name} and {b.name} do not add up: a document is repeated in snapshot/ or members/.")
    return result


def _with_causes(rows: list[Row], between: Between, forwards: bool) -> Iterator[tuple[tuple[Side, str, str], Row]]:
    for row in rows:
        side: Side = "removed" if (row["move"] == "gone") is forwards else "added"
        yield (side, cause_of(row["move"], row["reason"], row["proof"], between), row["reason"] or ""), row


def _changes(caused: Iterable[tuple[tuple[Side, str, str], Row]], samples: int, shown: Sequence[str]) -> list[Change]:
    """One change per side, cause and reason, the largest first; each row says how many documents it stands for."""
    grouped: dict[tuple[Side, str, str], list[Row]] = {}
    for key, row in caused:
        grouped.setdefault(key, []).append(row)
    changes = []
    for (side, cause, reason), rows in grouped.items():
        documents = sum({row["proof"]: row["documents"] for row in rows}.values())
        first = sorted(rows, key=lambda row: str(row["doc_id"]))[: max(samples, 1)]
        some = [{name: row[name] for name in shown} for row in first]
        changes.append(Change(side, cause, reason or None, CAUSES[cause], documents, some))
    return sorted(changes, key=lambda each: (each.side != "removed", -each.documents, each.cause, each.reason or ""))


def _moves(older: Version, newer: Version, samples: int, text: str, sides: set[str]) -> str:
    """The SQL of the documents in one version only, what the other says of them, and how many are alike in that."""
    return f"""
        WITH ma AS ({_authors(older)}), mb AS ({_authors(newer)}), xa AS ({_ledger(older)}), xb AS ({_ledger(newer)}),
        ga AS ({_grounds(older, sides)}), gb AS ({_grounds(newer, sides)}),
        ka AS ({_known(older, sides)}), kb AS ({_known(newer, sides)}), pa AS ({_proofs("a", "b")}),
        pb AS ({_proofs("b", "a")}),
        moved AS ({_only_in("gone", "a", "b", text)} UNION ALL {_only_in("come", "b", "a", text)}),
        counted AS (SELECT *, count(*) OVER (PARTITION BY move, reason, proof) AS documents,
                           row_number() OVER (PARTITION BY move, reason, proof ORDER BY doc_id) AS n FROM moved)
        SELECT * FROM counted WHERE n <= {max(samples, 1):d} ORDER BY n"""


def _authors(version: Version) -> str:
    return f"SELECT doc_id, post_id FROM members WHERE role = 'author' AND build_id = {literal(version.build_id)}"


def _ledger(version: Version) -> str:
    columns = "post_id, account_id, primary_reason, kept_instead"
    return f"SELECT {columns} FROM exclusions WHERE build_id = {literal(version.build_id)}"


def _grounds(version: Version, sides: set[str]) -> str:
    """Of each subject and reason, the objections and requests that gave it; notices prove nothing, as most end."""
    if "grounds" not in sides:
        return _NO_GROUNDS
    return f"""SELECT subject_kind || subject_id AS subject, reason, ground || ground_id AS id FROM grounds
        WHERE build_id = {literal(version.build_id)} AND ground <> 'notice' AND ground_id IS NOT NULL"""


def _known(version: Version, sides: set[str]) -> str:
    """The objections that a build knew, also those that decided nothing."""
    if "objections" not in sides:
        return "SELECT NULL AS id WHERE false"
    known = f"SELECT 'objection' || objection_id AS id FROM objections WHERE build_id = {literal(version.build_id)}"
    return f"SELECT DISTINCT id FROM ({known})"


def _proofs(there: str, here: str) -> str:
    """Of each subject and reason of one version, whether the other knows the objection or request (see Proof).

    One that it does not know outweighs those that it does: the words are ranked by the alphabet.
    """
    return f"""SELECT g.subject, g.reason, max(CASE WHEN active.id IS NOT NULL THEN 'active'
            WHEN k.id IS NOT NULL THEN 'listed' ELSE 'strange' END) AS proof
        FROM g{there} g LEFT JOIN (SELECT DISTINCT id FROM g{here}) active ON active.id = g.id
        LEFT JOIN k{here} k ON k.id = g.id GROUP BY g.subject, g.reason"""


def _only_in(move: str, here: str, there: str, text: str) -> str:
    """Documents of `here` alone. A duplicate whose kept post `here` does not keep means that only the copy changed."""
    return f"""
        SELECT '{move}' AS move, d.doc_id, m.post_id, {text} AS text, x.primary_reason AS reason, CASE
            WHEN m.post_id IS NULL THEN 'unrecorded' WHEN x.post_id IS NULL THEN 'absent'
            WHEN x.primary_reason IN ('EXACT_DUPLICATE', 'NEAR_DUPLICATE') AND kept.post_id IS NULL THEN 'copy'
            ELSE coalesce(post.proof, account.proof, 'none') END AS proof
        FROM {here} d LEFT ANTI JOIN {there} t ON d.doc_id = t.doc_id
        LEFT JOIN m{here} m ON m.doc_id = d.doc_id
        LEFT JOIN x{there} x ON x.post_id = m.post_id
        LEFT JOIN m{here} kept ON kept.post_id = x.kept_instead
        LEFT JOIN p{there} post ON post.subject = 'post' || x.post_id AND post.reason = x.primary_reason
        LEFT JOIN p{there} account ON account.subject = 'account' || x.account_id
            AND account.reason = x.primary_reason"""
