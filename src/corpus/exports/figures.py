"""Counts of a version for its descriptions, and how small ones are kept out of what the public reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from corpus.exports.subject import Subject
from corpus.versions import opened, select

# ruff: noqa: S608 (the names in the SQL are our own)

FEWEST = 10
"""A public count is of at least so many posts."""

FEW = f"fewer than {FEWEST}"
OTHERS = "others together"
CHARS_PER_TOKEN = 4
"""A common estimate for English; the template asks for an order of magnitude."""


@dataclass(frozen=True)
class Figures:
    """What the snapshot's own columns say: how much text, from when to when, by platform, surface and language."""

    documents: int
    chars: int
    first: date | None
    last: date | None
    platforms: dict[str, int]
    surfaces: dict[str, int]
    languages: dict[str, int]

    @property
    def tokens(self) -> int:
        """About how many tokens."""
        return self.chars // CHARS_PER_TOKEN


def figures(subject: Subject) -> Figures:
    """Counted over the version's rows, without a JVM. Raises DatasetError where they cannot be read."""
    tables = opened(subject.folder, s=("snapshot", subject.version.number))
    name = subject.folder.name
    (whole,) = select(tables, name, """SELECT count(*) AS documents, coalesce(sum(chars), 0) AS chars,
        min(created_on) AS first, max(created_on) AS last FROM s""")  # fmt: skip
    by = {column: select(tables, name, _counts(column)) for column in ("platform", "surface", "lang")}
    counted = [{row["name"]: row["n"] for row in rows} for rows in by.values()]
    return Figures(**whole, platforms=counted[0], surfaces=counted[1], languages=counted[2])


def _counts(column: str) -> str:
    return f"SELECT coalesce({column}, 'not known') AS name, count(*) AS n FROM s GROUP BY 1 ORDER BY n DESC, name"


def suppressed(counts: dict[str, int]) -> dict[str, str]:
    """Counts that the public may read: small ones are told together, with so many others that none follows.

    Whoever subtracts the others from the total gets the sum of at least two groups and of at least ten posts.

    >>> suppressed({"OBJECTED": 120, "DELETED": 30, "MINOR_AT_POST": 3})
    {'OBJECTED': '120', 'others together': '33'}
    """
    counts = {name: n for name, n in counts.items() if n}
    hidden: dict[str, int] = {}
    for name, n in sorted(counts.items(), key=lambda item: (item[0] != OTHERS, item[1], item[0])):
        if n >= FEWEST and name != OTHERS and (not hidden or _is_safe(hidden)):
            break
        hidden[name] = n
    told = {name: f"{n:,}" for name, n in counts.items() if name not in hidden}
    return told | ({OTHERS: at_least(sum(hidden.values()))} if hidden else {})


def _is_safe(hidden: dict[str, int]) -> bool:
    return len(hidden) > 1 and sum(hidden.values()) >= FEWEST


def at_least(n: int) -> str:
    """A count, or that it is a small one."""
    return f"{n:,}" if n == 0 or n >= FEWEST else FEW
