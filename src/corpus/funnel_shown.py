"""The funnel of a version as analysts may see it: small numbers hidden, and enough others that none can be worked out.

What follows holds against whoever knows this rule too: the numbers that decide how much is hidden are those that can be
worked out anyway. A number of posts is hidden, not one of people: ten posts may be one person's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from corpus.query import meaning
from corpus.versions import Row

LEAST = 10
"""Numbers under it are not shown."""

HIDDEN = "hidden"
TOTALS = {"posts": "posts judged", "kept": "kept", "excluded": "left out"}


@dataclass(frozen=True)
class Shown:
    """A line of a funnel: a total, or a reason as the first of a post and wherever it occurs; None is hidden."""

    kind: Literal["total", "reason"]
    name: str
    meaning: str
    first: int | None
    in_all: int | None
    first_shown: str
    in_all_shown: str


def shown_funnel(predicate: Row, exact: bool = False) -> list[Shown]:
    """The totals, then the reasons, the commonest first, of what a version's statement says; `exact` hides nothing."""
    counts = predicate["funnel"]
    wherever = {name: int(n) for name, n in counts["any"].items()}
    first = {name: int(counts["primary"].get(name, 0)) for name in wherever}
    hidden, without_totals = (set(), False) if exact else hidden_beside(first)
    reasons = [_reason(name, first[name], wherever[name], name in hidden, exact) for name in first]
    return [_total(name, int(counts[name]), without_totals) for name in TOTALS] + sorted(reasons, key=_rank)


def _rank(line: Shown) -> tuple[int, int, str]:
    """The commonest first; of what is hidden the place tells nothing."""
    first = line.first if line.first is not None else LEAST * (line.first_shown == HIDDEN)
    return (-first, -(line.in_all or 0), line.name)


def hidden_beside(counts: dict[str, int], least: int = LEAST) -> tuple[set[str], bool]:
    """Which numbers are hidden beside the small ones so that their sum gives none away, and whether the sum must be.

    Hidden are the next larger ones, until the hidden sum allows each small number to be anything from 1 to least - 1.
    """
    small = [n for n in counts.values() if 0 < n < least]
    rest = {name: n for name, n in counts.items() if n >= least}
    sizes = sorted(set(rest.values()))
    for size, larger in zip(sizes, [*sizes, None][1:], strict=True) if small else ():
        beside = {name: n for name, n in rest.items() if n <= size}  # equal ones together: their order would tell
        total, all_largest = sum(small) + sum(beside.values()), (least - 1) * len(small) + least * len(beside)
        if all_largest <= total and (larger is None or total <= len(small) + (larger - 1) * len(beside)):
            return set(beside), False
    return (set(rest), True) if small else (set(), False)


def _reason(name: str, first: int, in_all: int, is_hidden: bool, exact: bool) -> Shown:
    shown: tuple[int | None, int | None, str, str]
    if exact:
        shown = (first, in_all, f"{first:,}", f"{in_all:,}")
    elif is_hidden:
        shown = (None, None, HIDDEN, HIDDEN)
    else:
        # An exact number in all would bound what is hidden: a post's first reason is that which ranks highest.
        tens = round(in_all, -1)
        shown = (_or_none(first), tens if _or_none(in_all) else None, _or_under(first), _or_under(in_all, tens))
    return Shown("reason", name, meaning(name), *shown)


def _total(name: str, n: int, without: bool) -> Shown:
    """A total; how many were kept is no secret, since whoever reads the version can count them."""
    if not without or name == "kept":
        return Shown("total", name, TOTALS[name], n, n, f"{n:,}", f"{n:,}")
    said = _or_under(n) if n < LEAST and name == "excluded" else HIDDEN
    return Shown("total", name, TOTALS[name], None, None, said, said)


def _or_none(n: int) -> int | None:
    return None if 0 < n < LEAST else n


def _or_under(n: int, shown: int | None = None) -> str:
    return f"<{LEAST}" if 0 < n < LEAST else f"{n:,}" if shown is None else f"about {shown:,}" if n else "0"
