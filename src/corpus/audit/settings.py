"""The policy as tables, so that its values are data to the SQL and never part of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from corpus.policy import Notice, Policy
from corpus.reasons import Reason


def settings_of(policy: Policy, cutoff: datetime, absent: Iterable[tuple[str, str]]) -> dict[str, pa.Table]:
    """The tables `policy`, `place` (the default and each country of its own), `outage`, `rules_off` and so on."""
    places = [(None, policy.timezone, policy.adult_age, policy.notice)] + [
        (code, own.timezone or policy.timezone, _or(own.adult_age, policy.adult_age), own.notice or policy.notice)
        for code, own in policy.per_country.items()
    ]
    return {
        "policy": pa.Table.from_pylist([_policy_row(policy, cutoff)], POLICY),
        "place": pa.Table.from_pylist([_place_row(n, *place) for n, place in enumerate(places)], PLACE),
        "outage": pa.Table.from_pylist(
            [
                {"place_id": n, "began": outage.from_, "ended": outage.to}
                for n, place in enumerate(places)
                for outage in place[3].outages
            ],
            OUTAGE,
        ),
        "rules_off": pa.table({"rule": pa.array([off.rule for off in policy.rules_off], pa.string())}),
        "absent": pa.Table.from_pylist([{"tbl": t, "col": c} for t, c in sorted(absent)], ABSENT),
        "reason": pa.table({"name": [r.name for r in Reason], "bit": [r.bit for r in Reason]}),
    }


def _or(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value


def _place_row(place_id: int, country: str | None, zone: str, adult_age: int, notice: Notice) -> dict[str, Any]:
    told = {"campaign": notice.campaign, "version": notice.version, "channels": notice.channels}
    place = {"place_id": place_id, "country": country, "zone": zone, "adult_age": adult_age}
    return place | told | {"window_days": notice.window_days}


def _policy_row(policy: Policy, cutoff: datetime) -> dict[str, Any]:
    objections, third, copies, dedup = policy.objections, policy.third_parties, policy.objector_copies, policy.dedup
    return {
        **policy.model_dump(include=set(POLICY.names)),
        **objections.model_dump(),
        **third.model_dump(),
        "cutoff": cutoff,
        "cooling_days": objections.withdrawal_cooling_days,
        "rulings": [ruling.strip() for ruling in objections.rulings],
        "clock_skew": timedelta(minutes=policy.clock_skew_minutes),
        "copies_exact": copies.exact,
        "copies_near": copies.near or None,
        "min_tokens": copies.min_tokens,
        "min_authors": copies.min_authors,
        "dedup_exact": dedup.exact,
        "dedup_near": dedup.near or None,
        "shingle_words": dedup.shingle_words,
    }


_INSTANT, _WORDS = pa.timestamp("us", "UTC"), pa.list_(pa.string())
POLICY = pa.schema([
    ("cutoff", _INSTANT), ("countries", _WORDS), ("platforms", _WORDS), ("surfaces", _WORDS), ("account_types", _WORDS),
    ("purpose", pa.string()), ("window_start", _INSTANT), ("age_basis", pa.string()),
    ("temporal_scope", pa.string()), ("linked", pa.string()), ("same_person", pa.bool_()),
    ("rejected_counts", pa.bool_()), ("rulings", _WORDS), ("cooling_days", pa.int64()),
    ("objected_period", pa.string()), ("mentions", pa.string()), ("tags", pa.string()), ("coauthors", pa.string()),
    ("private_commenters", pa.string()),
    ("republished_days", pa.int64()), ("edited_after_cutoff", pa.string()), ("clock_skew", pa.duration("us")),
    ("copies_exact", pa.bool_()), ("copies_near", pa.float64()), ("min_tokens", pa.int64()),
    ("min_authors", pa.int64()), ("dedup_exact", pa.bool_()), ("dedup_near", pa.float64()),
    ("shingle_words", pa.int64()),
])  # fmt: skip
PLACE = pa.schema([
    ("place_id", pa.int64()), ("country", pa.string()), ("zone", pa.string()), ("adult_age", pa.int32()),
    ("campaign", pa.string()), ("version", pa.int64()), ("channels", _WORDS), ("window_days", pa.int64()),
])  # fmt: skip
OUTAGE = pa.schema([("place_id", pa.int64()), ("began", _INSTANT), ("ended", _INSTANT)])
ABSENT = pa.schema([("tbl", pa.string()), ("col", pa.string())])
