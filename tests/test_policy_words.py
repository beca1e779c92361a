"""A policy in words: every key, rule and gate has some; each departure is marked; each change is named, and leans."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import reduce
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.config import Part
from corpus.policy import GATES, Local, Notice, Policy, as_policy, read_policy
from corpus.policy_changes import applied, changes
from corpus.policy_explained import Explanation, Mark, explained
from corpus.policy_words import lines, raw, sentence, strict_default, value_of, way
from corpus.reasons import Reason
from tests.test_policy import UK_SOCIAL, changed

UK = read_policy(UK_SOCIAL)
EU = read_policy(UK_SOCIAL.with_name("eu-social.toml"))
FORUM = read_policy(UK_SOCIAL.with_name("forum.toml"))
BECAUSE = "there is a reason"


def leaves(model: type[Part], outer: str = "") -> Iterator[str]:
    """The keys of a policy, with dots."""
    for name, field in model.model_fields.items():
        part = field.annotation
        inner = isinstance(part, type) and issubclass(part, Part)
        yield from leaves(part, f"{outer}{name}.") if inner else [outer + name]  # type: ignore[arg-type]


KEYS = [*leaves(Policy)]

LEANINGS: dict[str, tuple[object, str]] = {
    "name": ("uk-other", "different"),
    "countries": (["GB", "IE"], "laxer"),
    "timezone": ("Europe/Dublin", "different"),
    "platforms": (["facebook"], "stricter"),
    "surfaces": (["post", "message"], "different"),
    "account_types": (["person", "page"], "laxer"),
    "purpose": ("advertising", "different"),
    "window_start": ("2010-01-01T00:00:00Z", "stricter"),
    "adult_age": (16, "laxer"),
    "age_basis": ("cutoff", "laxer"),
    "notice.campaign": ("uk-2027", "different"),
    "notice.version": (2, "different"),
    "notice.channels": (["email"], "stricter"),
    "notice.window_days": (60, "stricter"),
    "notice.outages": ([{"from": "2026-10-10T00:00:00Z"}], "stricter"),
    "objections.temporal_scope": ("after", "laxer"),
    "objections.linked": ("off", "laxer"),
    "objections.same_person": (False, "laxer"),
    "objections.rejected_counts": (False, "laxer"),
    "objections.rulings": (["R-1"], "laxer"),
    "objections.withdrawal_cooling_days": (1, "laxer"),
    "objections.objected_period": ("keep", "laxer"),
    "third_parties.mentions": ("keep", "laxer"),
    "third_parties.tags": ("keep", "laxer"),
    "third_parties.coauthors": ("keep", "laxer"),
    "third_parties.private_commenters": ("keep", "laxer"),
    "third_parties.republished_days": (0, "laxer"),
    "objector_copies.exact": (False, "laxer"),
    "objector_copies.near": (False, "laxer"),
    "objector_copies.min_tokens": (4, "stricter"),
    "objector_copies.min_authors": (2, "laxer"),
    "edited_after_cutoff": ("latest", "laxer"),
    "clock_skew_minutes": (0, "stricter"),
    "dedup.exact": (False, "laxer"),
    "dedup.near": (0.7, "stricter"),
    "dedup.shingle_words": (3, "different"),
    "dedup.seed": (7, "different"),
    "gates.max_age_hours": ({"objections": 24, "posts": 24}, "different"),
    "gates.unresolved_share": (0, "stricter"),
    "gates.key_conflict_share": (0.5, "laxer"),
    "gates.exclusion_swing": (0.1, "stricter"),
    "gates.release_lag_hours": (48, "laxer"),
    "governance.dpia.id": ("DPIA-7", "different"),
    "governance.dpia.expires": ("2027-06-30", "different"),
    "governance.lia.id": ("LIA-3", "different"),
    "governance.approved_by": ("dpo", "different"),
    "governance.approved_on": ("2026-01-05", "different"),
    "retention_days": (100, "different"),
    "honour_within_hours": (24, "stricter"),
    "use.stale_hours": (48, "laxer"),
    "use.expires_days": (30, "stricter"),
    "per_country": ({"IE": {"timezone": "Europe/Dublin"}}, "different"),
    "rules_off": ([{"rule": "DELETED", "because": BECAUSE}], "laxer"),
    "gates_off": ([{"gate": "FEED_STALE", "because": BECAUSE}], "laxer"),
}
"""For each key another value than that of uk-social, and which way it leans."""


def other(*keys: str) -> Policy:
    """uk-social with other values of these keys."""
    tables = reduce(_merged, (changed(key, LEANINGS[key][0]) | {"": key} for key in keys), changed("adult_age", 18))
    return as_policy({key: value for key, value in tables.items() if key}, "a test")


def _merged(tables: dict[str, Any], one: dict[str, Any]) -> dict[str, Any]:
    *outer, key = str(one[""]).split(".")
    inner, there = tables, one
    for name in outer:
        inner, there = inner[name], there[name]
    inner[key] = there[key]
    return tables


def test_every_key_rule_and_gate_has_words() -> None:
    said = [line.key for line in lines() if line.key]
    assert sorted([*said, "per_country", "rules_off", "gates_off"]) == sorted(KEYS)
    assert {name for line in lines() for name in line.rules} == {reason.name for reason in Reason}
    assert {name for line in lines() for name in line.gates} == set(GATES)
    assert {key for line in lines() for key in line.needs} <= set(KEYS)


def test_every_value_of_a_choice_has_its_own_words() -> None:
    choices = [line for line in lines() if isinstance(line.stricter, list)]
    assert len(choices) > 10
    for line in choices:
        assert len({sentence(line, value) for value in line.stricter}) == len(line.stricter), line.key


@pytest.mark.parametrize("key", KEYS)
def test_a_change_of_one_key_is_named_with_its_leaning_and_can_be_applied_alone(key: str) -> None:
    policy = other(key)
    (change,) = changes(UK, policy)
    assert change.key.startswith(key)
    assert change.way == LEANINGS[key][1]
    assert change.was != change.becomes
    assert "{" not in change.was + change.becomes
    assert applied(UK, policy, change).digest == policy.digest
    (back,) = changes(policy, UK)
    assert {change.way, back.way} in ({"stricter", "laxer"}, {"different"})


@settings(max_examples=60, deadline=None)
@given(st.sets(st.sampled_from(KEYS), max_size=8), st.sets(st.sampled_from(KEYS), max_size=8))
def test_all_changes_together_lead_from_one_policy_to_the_other(ours: set[str], theirs: set[str]) -> None:
    a, b = other(*ours), other(*theirs)
    assert not changes(a, a)
    assert not changes(b, reduce(lambda policy, change: applied(policy, b, change), changes(a, b), a))
    found, made = ({key.split(".")[0] for key in keys} for keys in ([c.key for c in changes(a, b)], ours ^ theirs))
    assert found <= made <= found | {"per_country"}


@pytest.mark.parametrize("pair", [(UK, EU), (EU, UK), (UK, FORUM), (FORUM, EU)], ids=lambda pair: pair[0].name)
def test_the_packs_differ_by_what_leads_from_one_to_the_other(pair: tuple[Policy, Policy]) -> None:
    a, b = pair
    assert not changes(b, reduce(lambda policy, change: applied(policy, b, change), changes(a, b), a))


def test_another_order_is_no_change() -> None:
    assert not changes(UK, as_policy(changed("platforms", ["instagram", "facebook"]), "a"))


def test_a_change_in_countries_is_one_change_however_many_they_are() -> None:
    own = {code: local.model_copy(update={"adult_age": 16}) for code, local in EU.per_country.items() if code != "DE"}
    younger = EU.model_copy(update={"per_country": EU.per_country | own})
    (change,) = changes(EU, younger)
    assert (change.key, change.way) == ("per_country.adult_age", "laxer")
    assert change.was.startswith("In 29 countries: The author is 18 years old or older")
    assert set(change.after) == set(EU.countries) - {"DE"}


def test_what_follows_the_general_settings_is_a_change_of_those_alone() -> None:
    a = UK.model_copy(update={"per_country": {"GB": Local(timezone="Europe/London")}})
    b = a.model_copy(update={"adult_age": 21, "timezone": "UTC"})
    assert [change.key for change in changes(a, b)] == ["adult_age", "timezone"]
    (change,) = changes(a, UK.model_copy(update={"per_country": {"GB": Local(timezone="UTC", adult_age=18)}}))
    assert (change.key, change.before, change.after) == ("per_country.timezone", {"GB": "Europe/London"}, {"GB": "UTC"})


def test_an_own_age_of_a_country_holds_there_also_if_it_is_zero() -> None:
    policy = UK.model_copy(update={"per_country": {"IE": Local(adult_age=0)}})
    assert (policy.in_country("IE").adult_age, policy.in_country("GB").adult_age) == (0, 18)


def marks(found: Explanation) -> list[Mark]:
    return [mark for chapter in found.chapters.values() for said in chapter for mark in said.marks]


@pytest.mark.parametrize("policy", [UK, EU], ids=lambda policy: policy.name)
def test_a_strict_policy_has_no_mark_and_says_that_it_refuses_to_build(policy: Policy) -> None:
    found = explained(policy)
    assert not marks(found)
    assert found.summary[0].startswith("Nobody answers for it yet: governance.dpia.id, ")
    assert found.summary[0].endswith("It refuses to build.")
    assert found.summary[1] == "Departures from the strict default: none."


@pytest.mark.parametrize("key", [line.key for line in lines() if strict_default(line) is not None])
def test_what_is_laxer_than_the_default_is_marked_and_what_is_stricter_is_not(key: str) -> None:
    line = next(line for line in lines() if line.key == key)
    leaning = way(line, strict_default(line), value_of(other(key), key))
    found = marks(explained(other(key)))
    assert [mark.is_laxer for mark in found] == {"laxer": [True], "different": [False], "stricter": []}[leaning]
    assert not any(mark.because for mark in found)


@pytest.mark.parametrize(
    "reason", [reason for reason in Reason if reason.name not in {"PROFILE_MISSING", "POST_CONFLICT"}]
)
def test_a_rule_that_is_off_is_marked_once_with_its_reason(reason: Reason) -> None:
    policy = as_policy(changed("rules_off", [{"rule": reason.name, "because": BECAUSE}]), "a")
    (mark,) = marks(explained(policy))
    assert (mark.is_laxer, mark.because) == (True, BECAUSE)
    assert f"the rule {reason.name} ({reason.meaning}) is off" in mark.says


@pytest.mark.parametrize("gate", GATES)
def test_a_gate_that_is_off_is_marked_once_with_its_reason(gate: str) -> None:
    found = explained(as_policy(changed("gates_off", [{"gate": gate, "because": BECAUSE}]), "a"))
    assert [(mark.says, mark.because) for mark in marks(found)] == [
        (f"departs from the strict default: the gate {gate} is off.", BECAUSE)
    ]
    assert ("It builds all the same" in found.summary[0]) == (gate == "GOVERNANCE_MISSING")


def test_nothing_is_said_to_hold_that_nobody_checks() -> None:
    said = {each.key: each for chapter in explained(FORUM).chapters.values() for each in chapter if each.key}
    assert said["adult_age"].says.startswith("The author is 18 years old or older")
    assert not said["adult_age"].is_checked
    assert said["notice.window_days"].says.endswith("had 42 whole days to object.")
    assert not said["notice.window_days"].is_checked
    assert "notice.channels" not in said
    assert said["countries"].is_checked


def test_settings_of_what_is_off_are_not_explained() -> None:
    near_off = as_policy(changed("dedup.near", False), "a")
    none_off = near_off.model_copy(
        update={"objector_copies": near_off.objector_copies.model_copy(update={"near": False, "exact": False})}
    )
    for policy, there in ((near_off, True), (none_off, False)):
        keys = {said.key for said in explained(policy).chapters["Copies and duplicates"]}
        assert ({"dedup.shingle_words", "objector_copies.min_tokens"} <= keys) == there


def test_countries_with_settings_of_their_own_are_rows_of_one_table() -> None:
    found = explained(EU)
    assert len(found.by_country) == 30
    assert found.by_country[0] == {
        "countries": "Austria",
        "timezone": "Europe/Vienna",
        "notice.campaign": "eu-2026-at",
    }
    assert sum(len(chapter) for chapter in found.chapters.values()) < 80


def test_countries_that_agree_share_a_row_and_their_departures_are_marked() -> None:
    young, short = Local(adult_age=16), Local(notice=Notice(**UK.notice.model_dump() | {"window_days": 7}))
    policy = UK.model_copy(
        update={"countries": ["GB", "IE", "FR"], "per_country": {"IE": young, "FR": short, "MT": young}}
    )
    found = explained(policy)
    assert [row["countries"] for row in found.by_country] == ["Ireland, Malta", "France"]
    said = [each.says for each in found.chapters["Where countries differ"]]
    assert said[0].startswith("In Ireland and Malta: The author is 16 years old")
    assert said[1].startswith("In France: From the notice to the cutoff, the author had 7 whole days")
    assert said[2] == "Of no effect, as nobody there may be in: the settings for Malta."
    assert len(marks(found)) == 2


def test_one_of_something_is_singular() -> None:
    one = as_policy(changed("objections.withdrawal_cooling_days", 1), "a")
    said = [each.says for each in explained(one).chapters["How far an objection reaches"]]
    assert "Whoever withdraws an objection stays out for 1 more day." in said


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([], "none"),
        (datetime(2026, 1, 5, tzinfo=UTC), "2026-01-05"),
        (datetime(2026, 1, 5, 7, 30, tzinfo=UTC), "2026-01-05T07:30:00Z"),
        (False, "false"),
        (0.0001, "0.0001"),
        ({"objections": 24.0, "posts": 48.0}, "objections 24, posts 48"),
    ],
)
def test_a_value_stands_on_one_line(value: object, expected: str) -> None:
    assert raw(value) == expected
