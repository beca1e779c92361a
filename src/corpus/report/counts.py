"""How counts stand in a report: small ones hidden, with so many others that none can be worked out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TypeVar

from corpus.funnel_shown import LEAST, Shown, hidden_beside

Name = TypeVar("Name")
MOST_TIMES = 36
"""So many bars a picture of times has at most; beyond it they stand for longer times."""

STAGES = {
    "The author: nothing that can be relied on": "PROFILE_MISSING PROFILE_CONFLICT",
    "The author: under age, or age not known": "AGE_UNKNOWN MINOR_AT_CUTOFF MINOR_AT_POST AGE_CONFLICT",
    "The author: country": "COUNTRY_UNKNOWN COUNTRY_OUT_OF_SCOPE",
    "The account: private, inactive, no person": "ACCOUNT_NOT_ACTIVE ACCOUNT_TYPE_UNSUPPORTED ACCOUNT_PRIVATE",
    "Not told, or still in time to object": "COUNTRY_CHANGED NOTICE_NOT_DELIVERED NOTICE_SUPERSEDED WINDOW_OPEN",
    "Objections": "OBJECTED OBJECTION_PENDING OBJECTION_REJECTED OBJECTED_LINKED OBJECTED_SAME_PERSON "
    "OBJECTION_WITHDRAWN_COOLING POST_OBJECTED",
    "Requests for erasure or removal": "ERASURE_REQUESTED THIRD_PARTY_REQUEST",
    "The post: not public, deleted, taken down": "NOT_PUBLIC COMMENT_AUTHOR_PRIVATE DELETED REMOVED_MODERATION "
    "VISIBILITY_CHANGED",
    "The post: out of scope, or unusable": "PLATFORM_OUT_OF_SCOPE SURFACE_NOT_ALLOWED EDITED_AFTER_CUTOFF "
    "TIME_INVALID OUT_OF_WINDOW TEXT_EMPTY POST_CONFLICT",
    "Other people in the post": "COAUTHOR_INELIGIBLE RESHARE_SOURCE_INELIGIBLE MENTIONS_OBJECTOR TAGS_OBJECTOR "
    "FLAGGED_CONTENT",
    "Repeats what an objector wrote": "OBJECTOR_TEXT_COPY",
    "Duplicates": "EXACT_DUPLICATE NEAR_DUPLICATE",
}
"""Reasons as people think of them, by what stands in the way; in the order of precedence, as near as can be."""

REST = "Reasons whose numbers are hidden"


def small(n: int) -> int | None:
    """A count that stands alone; None if it is hidden."""
    return None if 0 < n < LEAST else n


def safe(counts: Mapping[Name, int]) -> dict[Name, int | None]:
    """Counts whose sum is known, or may be; None for each that is hidden."""
    return _hidden(counts, is_whole=_cannot_stand(counts))


def safe_moves(removed: Mapping[str, int], added: Mapping[str, int]) -> tuple[dict[str, int | None], ...]:
    """Counts of what came and what went, of which the difference is known: one side can give the other away."""
    is_whole = _cannot_stand(removed) or _cannot_stand(added)
    return _hidden(removed, is_whole), _hidden(added, is_whole)


def _cannot_stand(counts: Mapping[Name, int]) -> bool:
    return hidden_beside({str(name): n for name, n in counts.items()})[1]


def _hidden(counts: Mapping[Name, int], is_whole: bool) -> dict[Name, int | None]:
    beside, _ = hidden_beside({str(name): n for name, n in counts.items()})
    return {name: None if n and (is_whole or str(name) in beside) else small(n) for name, n in counts.items()}


def by_stage(lines: Sequence[Shown]) -> dict[str, list[Shown]]:
    """The reasons of a funnel under their stages; stages and reasons without a post are left out."""
    reasons = {line.name: line for line in lines if line.kind == "reason"}
    found = {stage: [reasons.pop(name) for name in names.split() if name in reasons] for stage, names in STAGES.items()}
    return {stage: some for stage, some in (found | {"Other reasons": [*reasons.values()]}).items() if some}


def stage_counts(stages: Mapping[str, Sequence[Shown]], excluded: int | None) -> dict[str, int | None]:
    """By stage the sum of the counts that are shown, and what they leave of all posts left out."""
    told = {stage: [line.first for line in some if line.first is not None] for stage, some in stages.items()}
    sums = {stage: sum(counts) if counts else None for stage, counts in told.items()}
    rest = None if excluded is None else excluded - sum(n or 0 for n in sums.values())
    return {stage: n for stage, n in sums.items() if n != 0} | ({} if rest == 0 else {REST: rest})


def over_time(months: Mapping[str, int]) -> dict[str, int]:
    """Counts by month (2026-11) as counts by month, quarter or year, none left out in between."""
    if not months:
        return {}
    whole = {month: months.get(month, 0) for month in _months(min(months), max(months))}
    name = _by_month if len(whole) <= MOST_TIMES else _by_quarter if len(whole) <= 3 * MOST_TIMES else _by_year
    return {time: sum(n for _, n in some) for time, some in groupby(whole.items(), key=lambda each: name(each[0]))}


def merged(times: Mapping[str, int]) -> dict[str, int | None]:
    """Times with their neighbours, so that each count is large enough to be shown; None where all together are few."""
    groups: list[tuple[list[str], int]] = []
    for time, n in times.items():
        if groups and groups[-1][1] < LEAST:
            groups[-1] = ([*groups[-1][0], time], groups[-1][1] + n)
        else:
            groups.append(([time], n))
    if len(groups) > 1 and groups[-1][1] < LEAST:
        last = groups.pop()
        groups[-1] = (groups[-1][0] + last[0], groups[-1][1] + last[1])
    return {some[0] if len(some) == 1 else f"{some[0]} to {some[-1]}": small(n) for some, n in groups}


def _by_month(month: str) -> str:
    return month


def _by_quarter(month: str) -> str:
    return f"{month[:4]} Q{(int(month[5:]) + 2) // 3}"


def _by_year(month: str) -> str:
    return month[:4]


def _months(first: str, last: str) -> list[str]:
    start, end = (int(month[:4]) * 12 + int(month[5:]) - 1 for month in (first, last))
    return [f"{at // 12}-{at % 12 + 1:02d}" for at in range(start, end + 1)]
