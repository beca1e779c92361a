"""Each gate by itself, at the edge of its limit: what passes, what refuses, and what a person is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from corpus.arguments import conf_file
from corpus.errors import GateRefused
from corpus.facts import Facts, Feed
from corpus.gates import (
    Gate,
    cutoff_in_future,
    early_gates,
    exclusion_anomaly,
    feed_incomplete,
    feed_stale,
    key_integrity,
    objection_unresolved,
    objections_shrank,
    refusing,
    release_lag,
    require,
)
from corpus.policy import GATES, Clock, GateOff, Policy, RuleOff, read_policy

NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
CLOCK = Clock(cutoff=datetime(2026, 11, 15, tzinfo=UTC), now=NOW)
POLICY = read_policy(conf_file("policies", "forum")).model_copy(
    update={"gates_off": [], "gates": read_policy(conf_file("policies", "uk-social")).gates}
)
TABLES = ("posts", "profiles", "objections", "requests")


def feed(table: str, **said: Any) -> Feed:
    whole: dict[str, Any] = {"channel": "*", "watermark": NOW, "rows": 5, "is_broken": False, "table_version": None}
    return Feed(table, **(whole | {"found": said.get("rows", 5)} | said))


def facts(*feeds: Feed, **said: Any) -> Facts:
    """Four tables of five rows, with complete and fresh feeds but for those given."""
    own = {each.feed for each in feeds}
    whole: dict[str, Any] = {
        "rows": dict.fromkeys(TABLES, 5),
        "channel_rows": {("objections", "form"): 5},
        "objections": {"all": 5},
    }
    return Facts(**(whole | {"feeds": [*feeds, *(feed(table) for table in TABLES if table not in own)]} | said))


def hours(number: float) -> datetime:
    return NOW - timedelta(hours=number)


STALE, INCOMPLETE = "FEED_STALE", "FEED_INCOMPLETE"
A_DAY_AND_A_SECOND = NOW - timedelta(hours=24, seconds=1)
TWO_DELIVERED = feed("posts", watermark=hours(48)), feed("profiles")
STRAY = {("objections", None): 1, ("objections", "form"): 5}
NO_OBJECTION: dict[str, Any] = {"rows": dict.fromkeys(TABLES, 5) | {"objections": 0}, "channel_rows": {}}

PASSING = {
    "watermarks exactly as old as their limits": facts(feed("objections", watermark=hours(24)), TWO_DELIVERED[0]),
    "a table without an age limit that never delivered": facts(),
    "channels that together cover all objections": facts(feed("objections", channel="form")),
    "an objection channel covered by the whole table's delivery": facts(feed("objections", channel="*")),
    "a feed of a table that the source does not have": facts(feed("likes", rows=3, found=0)),
}
REFUSED = {
    "a channel silent for a second too long": (STALE, facts(feed("objections", watermark=A_DAY_AND_A_SECOND))),
    "a silent channel beside a fresh one": (
        STALE,
        facts(feed("objections"), feed("objections", channel="email", watermark=hours(30), rows=0)),
    ),
    "a table with an age limit and no delivery": (STALE, facts(feeds=[feed("objections"), *TWO_DELIVERED])),
    "a delivery missing in between": (INCOMPLETE, facts(feed("profiles", is_broken=True))),
    "a total above the rows": (INCOMPLETE, facts(feed("profiles", rows=6, found=5))),
    "a total below the rows": (INCOMPLETE, facts(feed("profiles", rows=4, found=5))),
    "no total": (INCOMPLETE, facts(feed("profiles", rows=None, found=5))),
    "a total of a version that does not open": (INCOMPLETE, facts(feed("posts", table_version=3, found=None))),
    "a channel that never delivered": (INCOMPLETE, facts(feed("objections", channel="email", rows=0))),
    "objections of no channel": (INCOMPLETE, facts(feed("objections", channel="form"), channel_rows=STRAY)),
    "no objection": ("OBJECTIONS_EMPTY", facts(feed("objections", rows=0), **NO_OBJECTION)),
    "a table that is read at no version": ("INPUT_NOT_PINNED", facts(unpinned=["links"])),
    "a watermark before the cutoff": ("CUTOFF_IN_FUTURE", facts(feed("links", watermark=hours(130)))),
    "an unknown watermark": ("CUTOFF_IN_FUTURE", facts(feed("links", watermark=None))),
    "one repeated key in five": ("KEY_INTEGRITY", facts(bad_keys={"profiles": 2})),
    "an objection that fits nobody": ("OBJECTION_UNRESOLVED", facts(objections={"all": 5, "unresolved": 1})),
}


@pytest.mark.parametrize("case", PASSING)
def test_nothing_refuses(case: str) -> None:
    assert refusing(early_gates(PASSING[case], POLICY, CLOCK, {}), ()) == []


@pytest.mark.parametrize("case", REFUSED)
def test_one_gate_refuses(case: str) -> None:
    gate, found = REFUSED[case]
    assert [each.gate for each in refusing(early_gates(found, POLICY, CLOCK, {}), ())] == [gate]


def test_every_gate_is_judged_somewhere() -> None:
    early = {gate.gate for gate in early_gates(facts(), POLICY, CLOCK, {})}
    assert early | {"RELEASE_LAG", "EXCLUSION_ANOMALY"} == set(GATES)


def test_the_first_gate_by_the_contract_is_told_with_its_figures_and_the_others_beside_it() -> None:
    found = facts(
        feed("profiles", rows=6, found=5), unpinned=["links"], objections={"all": 4, "unresolved": 2, "withdrawn": 0}
    )
    found.unresolved = ["o1", "o2"]
    with pytest.raises(GateRefused) as refused:
        require(early_gates(found, POLICY, CLOCK, {}), POLICY)
    first, *others = str(refused.value).splitlines()
    assert (
        first == "The gate FEED_INCOMPLETE refuses this build: wrong = profiles/*: 6 rows by its total, 5 in the table."
    )
    assert "Also refused by OBJECTION_UNRESOLVED: unresolved = 2, share = 0.5, limit = 0.001, ids = o1, o2." in others
    assert "To go on all the same: --override FEED_INCOMPLETE=REASON." in others
    assert [line for line in others if "INPUT_NOT_PINNED" in line]


def test_a_gate_is_off_by_the_policy_or_overridden_for_one_build_and_the_statement_says_which() -> None:
    found = early_gates(facts(feed("posts", is_broken=True, watermark=hours(99))), POLICY, CLOCK, {})
    by_policy = POLICY.model_copy(update={"gates_off": [GateOff(gate="FEED_STALE", because="a dump has no feed")]})
    cutoff = GateOff(gate="CUTOFF_IN_FUTURE", because="checked by hand")
    overrides = (GateOff(gate="FEED_INCOMPLETE", because="the gap was explained"), cutoff)
    outcomes = {gate["gate"]: gate for gate in require(found, by_policy, overrides)}
    assert (outcomes["FEED_STALE"]["outcome"], outcomes["FEED_STALE"]["because"]) == ("off", "a dump has no feed")
    assert outcomes["FEED_INCOMPLETE"]["outcome"] == "overridden"
    assert outcomes["KEY_INTEGRITY"]["outcome"] == "passed"
    assert [*outcomes] == [gate for gate in GATES if gate in outcomes]


@pytest.mark.parametrize(
    ("all_now", "withdrawn_now", "passes"),
    [(10, 2, True), (11, 2, True), (10, 3, True), (9, 2, False), (9, 3, False), (9, 1, False)],
)
def test_active_objections_fall_by_withdrawals_only(all_now: int, withdrawn_now: int, passes: bool) -> None:
    """Before: ten objections, two of them withdrawn."""
    now = facts(objections={"all": all_now, "withdrawn": withdrawn_now})
    assert objections_shrank(now, {"active": "8", "withdrawn": "2"}).passed == passes
    assert objections_shrank(now, {}).passed


def test_newer_objections_than_the_limit_refuse_the_release() -> None:
    pinned = {"objections": hours(30), "requests": hours(30)}
    assert release_lag(pinned, {"objections": hours(6), "requests": hours(30)}, POLICY).passed
    late = release_lag(pinned, {"objections": hours(30), "requests": hours(5.9)}, POLICY)
    assert not late.passed
    assert late.figures == {"objections_hours": 0.0, "requests_hours": 24.1, "limit_hours": 24}


def funnel(**shares: int) -> dict[str, Any]:
    return {"posts": 1000, "any": shares}


ANOMALIES: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "the first version": ({}, funnel(DELETED=900), True),
    "half as many again": (funnel(DELETED=100), funnel(DELETED=150), True),
    "more than half as many again": (funnel(DELETED=100), funnel(DELETED=151), False),
    "fallen to less than half": (funnel(DELETED=100), funnel(DELETED=49), False),
    "doubled, but by one post in a hundred": (funnel(DELETED=10), funnel(DELETED=20), True),
    "a new reason for two posts in a hundred": (funnel(), funnel(DELETED=20), False),
    "many more objections": (funnel(OBJECTED=20), funnel(OBJECTED=500), True),
    "far fewer objections": (funnel(OBJECTED_LINKED=50), funnel(OBJECTED_LINKED=10), False),
}


@pytest.mark.parametrize("case", ANOMALIES)
def test_a_share_that_jumps_is_an_anomaly(case: str) -> None:
    before, after, passes = ANOMALIES[case]
    assert exclusion_anomaly(after, before, POLICY, ()).passed == passes


def test_an_anomaly_is_accepted_by_name_and_the_others_stay() -> None:
    before, after = funnel(DELETED=100, NOT_PUBLIC=100), funnel(DELETED=300, NOT_PUBLIC=300)
    deleted = RuleOff(rule="DELETED", because="a deletion campaign")
    gate = exclusion_anomaly(after, before, POLICY, [deleted])
    assert (gate.passed, "--accept-anomaly NOT_PUBLIC=REASON" in gate.advice) == (False, True)
    assert "DELETED=" not in gate.advice
    assert exclusion_anomaly(after, before, POLICY, [deleted, RuleOff(rule="NOT_PUBLIC", because="the same")]).passed


def test_figures_are_there_also_where_a_gate_passes() -> None:
    each: list[Gate] = [
        feed_stale(facts(), POLICY, NOW),
        cutoff_in_future(facts(), CLOCK),
        key_integrity(facts(bad_keys={"profiles": 0}), POLICY),
        objection_unresolved(facts(), POLICY),
    ]
    assert all(gate.passed and gate.figures for gate in each)
    assert feed_incomplete(facts()).passed


def test_governance_expires_on_its_last_day_of_the_policys_zone() -> None:
    def expiring(day: int) -> Policy:
        own = POLICY.governance
        dpia = own.dpia.model_copy(update={"expires": datetime(2026, 11, day, tzinfo=UTC).date()})
        return POLICY.model_copy(update={"governance": own.model_copy(update={"dpia": dpia})})

    outcomes = [refusing(early_gates(facts(), expiring(day), CLOCK, {}), ()) for day in (19, 20, 21)]
    assert [[gate.gate for gate in failed] for failed in outcomes] == [["GOVERNANCE_MISSING"]] * 2 + [[]]
