"""What came and went between two versions: each document has one cause, and the causes add up."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus.causes import CAUSES, Between, Move, Proof, cause_of
from corpus.changes import Diff, diff
from corpus.cli import main
from corpus.errors import DatasetError
from corpus.evidence.store import statement_path
from corpus.lookups import lookups
from corpus.reasons import Reason
from corpus.versions import build_at, versions
from tests.small_dataset import HOSTILE_ID, Out, Said, build, empty
from tests.statements import restate

R = Reason
POLICY = Between(ways={"DELETED": {"stricter"}, "OBJECTED": {"laxer"}, "WINDOW_OPEN": {"different"}})
SAME = Between(same_inputs=True, cutoff="same")


def posts_by_cause(found: Diff) -> dict[tuple[str, str, str | None], list[str]]:
    return {(c.side, c.cause, c.reason): sorted(sample["post_id"] for sample in c.samples) for c in found.changes}


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ((1, 3), {
            ("removed", "NEW_OBJECTION", "OBJECTED"): ["p1"],
            ("removed", "UNDATED_OBJECTION", "OBJECTED_LINKED"): [HOSTILE_ID],
            ("removed", "POST_GONE", None): ["p3"],
            ("added", "ANOTHER_COPY", "EXACT_DUPLICATE"): ["p4"],
            ("added", "VISIBILITY_CHANGE", "NOT_PUBLIC"): ["p5"],
            ("added", "NEW_POST", None): ["p6"],
        }),
        ((3, 4), {
            ("removed", "POST_CHANGED", "EXACT_DUPLICATE"): ["p2"],
            ("removed", "ANOTHER_COPY", "EXACT_DUPLICATE"): ["p6"],
            ("added", "NEW_POST", None): ["p7"],
        }),
        ((4, 3), {
            ("removed", "NEW_POST", None): ["p7"],
            ("added", "POST_CHANGED", "EXACT_DUPLICATE"): ["p2"],
            ("added", "ANOTHER_COPY", "EXACT_DUPLICATE"): ["p6"],
        }),
        ((3, 3), {}),
        ((4, 5), {("removed", "POST_GONE", None): ["p4", "p5"]}),
    ],
)  # fmt: skip
def test_each_document_that_came_or_went_has_its_cause(
    warehouse: Path, span: tuple[int, int], expected: dict[tuple[str, str, str | None], list[str]]
) -> None:
    found = diff(warehouse, "uk-social", span, shown=("post_id",))
    assert posts_by_cause(found) == expected
    assert found.rows_before - found.total("removed") + found.total("added") == found.rows_after
    assert found.is_backwards == (span[0] > span[1])


def test_a_cause_counts_all_its_documents_and_shows_a_few_without_their_posts(warehouse: Path) -> None:
    (change,) = diff(warehouse, "uk-social", (4, 5), samples=1).changes
    assert (change.documents, len(change.samples), [*change.samples[0]]) == (2, 1, ["doc_id"])


def test_posts_are_named_to_who_is_registered_for_it(
    own_warehouse: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CORPUS_WAREHOUSE", str(own_warehouse))
    for more in ([], ["--restricted", "--purpose", "complaint 7"]):
        monkeypatch.setattr("sys.argv", ["corpus", "diff", "uk-social@1..3", *more])
        with pytest.raises(SystemExit, match="0"):
            main()
        assert ("p1" in capsys.readouterr().out.split()) == bool(more)
    (lookup,) = lookups(own_warehouse / "uk-social", ("post", "uk-social@1..3")).lookups
    assert (lookup["verb"], lookup["purpose"]) == ("diff", "complaint 7")


def test_text_is_shown_on_request_only(warehouse: Path) -> None:
    (change,) = diff(warehouse, "uk-social", (4, 5), samples=1, shown=("doc_id", "text")).changes
    assert change.samples[0]["text"] in {"queue", "bus"}


def test_a_difference_that_does_not_add_up_is_refused(own_warehouse: Path) -> None:
    members = own_warehouse / "uk-social/members"
    write_deltalake(members, DeltaTable(members).to_pyarrow_table(), mode="append")
    with pytest.raises(DatasetError, match="do not add up"):
        diff(own_warehouse, "uk-social", (1, 3))


@pytest.mark.parametrize("table", ["grounds", "objections"])
def test_an_older_dataset_without_grounds_cannot_tell_which_objections_are_new(own_warehouse: Path, table: str) -> None:
    shutil.rmtree(own_warehouse / "uk-social" / table)
    causes = {c.reason: c.cause for c in diff(own_warehouse, "uk-social", (1, 3)).changes}
    assert causes["OBJECTED"] == ("UNDATED_OBJECTION" if table == "grounds" else "NEW_OBJECTION")


@pytest.mark.parametrize(
    ("move", "reason", "proof", "between", "expected"),
    [
        ("gone", "OBJECTED", "strange", Between(), "NEW_OBJECTION"),
        ("gone", "OBJECTED", "listed", Between(), "OBJECTION_REACH"),
        ("gone", "OBJECTED_LINKED", "active", Between(), "OBJECTION_REACH"),
        ("gone", "OBJECTED", "none", Between(), "UNDATED_OBJECTION"),
        ("come", "OBJECTED", "strange", Between(), "OBJECTION_MISSING"),
        ("come", "OBJECTED", "listed", Between(), "OBJECTION_WITHDRAWN"),
        ("come", "OBJECTED_LINKED", "active", Between(), "OBJECTION_REACH"),
        ("gone", "ERASURE_REQUESTED", "strange", Between(), "NEW_REQUEST"),
        ("come", "THIRD_PARTY_REQUEST", "strange", Between(), "REQUEST_ENDED"),
        ("gone", "DELETED", "none", Between(), "DELETION"),
        ("come", "DELETED", "none", Between(), "RESTORED"),
        ("come", "MINOR_AT_CUTOFF", "none", Between(), "BIRTHDAY"),
        ("come", "MINOR_AT_CUTOFF", "none", Between(cutoff="same"), "PROFILE_CHANGE"),
        ("gone", "MINOR_AT_CUTOFF", "none", Between(cutoff="earlier"), "CUTOFF_MOVED"),
        ("come", "WINDOW_OPEN", "none", Between(), "WINDOW_CLOSED"),
        ("come", "WINDOW_OPEN", "none", POLICY, "POLICY_CHANGE"),
        ("come", "OBJECTION_WITHDRAWN_COOLING", "active", Between(), "WAIT_ENDED"),
        ("gone", "EXACT_DUPLICATE", "copy", POLICY, "ANOTHER_COPY"),
        ("gone", "MENTIONS_OBJECTOR", "none", Between(), "THROUGH_OTHERS"),
        # a policy that leans the other way explains nothing, and one that does yields to a new objection
        ("gone", "DELETED", "none", POLICY, "POLICY_CHANGE"),
        ("come", "DELETED", "none", POLICY, "RESTORED"),
        ("come", "OBJECTED", "listed", POLICY, "POLICY_CHANGE"),
        ("come", "OBJECTED", "strange", POLICY, "OBJECTION_MISSING"),
        # nothing but the policy or the code can have changed: no fact is claimed
        ("gone", "OBJECTED", "strange", SAME, "UNEXPLAINED"),
        ("come", None, "absent", Between(same_inputs=True, cutoff="same", same_code=False), "CODE_CHANGE"),
        ("gone", "DELETED", "none", Between(ways={"AGE_UNKNOWN": {"laxer"}}, same_inputs=True, cutoff="same"),
         "POLICY_CHANGE"),
        ("gone", "A_REASON_OF_TOMORROW", "none", Between(same_code=False), "CODE_CHANGE"),
        ("gone", "A_REASON_OF_TOMORROW", "none", Between(), "UNEXPLAINED"),
        ("gone", None, "unrecorded", SAME, "UNRECORDED"),
        ("come", None, "absent", Between(), "NEW_POST"),
        ("gone", None, "absent", Between(), "POST_GONE"),
    ],
)  # fmt: skip
def test_the_first_cause_that_the_records_bear_out_is_told(
    move: Move, reason: str | None, proof: Proof, between: Between, expected: str
) -> None:
    assert cause_of(move, reason, proof, between) == expected


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
@pytest.mark.parametrize("move", ["gone", "come"])
def test_every_reason_has_a_fact_that_can_bring_it_about_and_end_it(reason: Reason, move: Move) -> None:
    for proof in ("none", "strange", "listed", "active"):
        assert cause_of(move, reason.name, proof, Between()) in CAUSES.keys() - {"UNEXPLAINED", "CODE_CHANGE"}


def test_objections_are_new_withdrawn_or_missing_by_the_two_registers(tmp_path: Path) -> None:
    folder = tmp_path / "uk-social"
    empty(folder)
    out, now = Out((R.OBJECTED,)), datetime(2026, 11, 1, tzinfo=UTC)
    named = {post: Said(now, (f"account of {post}",)) for post in ("new", "withdrawn", "lost")}
    first = {"o-withdrawn": named["withdrawn"], "o-lost": named["lost"]}
    build(folder, {"new": "a"}, {"withdrawn": out, "lost": out}, said=first)
    second = {"o-new": named["new"], "o-withdrawn": Said(now, ())}
    build(folder, {"withdrawn": "b", "lost": "c"}, {"new": out}, said=second)
    assert posts_by_cause(diff(tmp_path, "uk-social", (1, 2), shown=("post_id",))) == {
        ("removed", "NEW_OBJECTION", "OBJECTED"): ["new"],
        ("added", "OBJECTION_WITHDRAWN", "OBJECTED"): ["withdrawn"],
        ("added", "OBJECTION_MISSING", "OBJECTED"): ["lost"],
    }


@pytest.mark.parametrize(
    ("change", "ways"),
    [
        (lambda values: values.update(adult_age="21"), {"MINOR_AT_CUTOFF": {"stricter"}, "AGE_UNKNOWN": {"stricter"}}),
        (lambda values: values.update(dedup={"near": False}), {"NEAR_DUPLICATE": {"laxer"}}),
        (lambda values: values.update(rules_off=[]), {"ACCOUNT_PRIVATE": {"stricter"}}),
        (lambda values: values.update(per_country={"DE": {"adult_age": "16"}}), {"MINOR_AT_CUTOFF": {"different"}}),
        (lambda values: values.update(governance={"approved_by": "C. Babbage"}, key_of_tomorrow="1"), {}),
    ],
    ids=["stricter", "off", "rule", "country", "none"],
)
def test_the_statements_say_which_reasons_the_policy_changed_about(
    own_warehouse: Path, change: Callable[[Any], object], ways: dict[str, set[str]]
) -> None:
    folder = own_warehouse / "uk-social"
    restate(
        statement_path(folder, 1), lambda said: said["policy"]["values"].update(adult_age="18", dedup={"near": "0.8"})
    )
    restate(
        statement_path(folder, 3), lambda said: said["policy"]["values"].update(adult_age="18", dedup={"near": "0.8"})
    )
    restate(statement_path(folder, 3), lambda said: change(said["policy"]["values"]))
    known = versions(own_warehouse, "uk-social")
    found = Between.of(build_at(known, 1), build_at(known, 3)).ways
    assert {name: found.get(name) for name in ways} == ways
    assert bool(found) == bool(ways) == bool(diff(own_warehouse, "uk-social", (3, 1)).policy_keys)


FATES = st.lists(
    st.one_of(st.none(), st.just("in"), st.sampled_from([R.OBJECTED, R.DELETED, R.EXACT_DUPLICATE, R.WINDOW_OPEN])),
    min_size=6,
    max_size=6,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=FATES, after=FATES)
def test_every_move_is_counted_once_whatever_became_of_the_posts(
    tmp_path_factory: pytest.TempPathFactory, before: list[Any], after: list[Any]
) -> None:
    warehouse = tmp_path_factory.mktemp("random")
    empty(warehouse / "uk-social")
    for fates in (before, after):
        kept = {f"p{n}": f"text {n}" for n, fate in enumerate(fates) if fate == "in"}
        out = {f"p{n}": Out((fate,), "p0") for n, fate in enumerate(fates) if isinstance(fate, Reason)}
        build(warehouse / "uk-social", kept, out)
    for span, (one, other) in {(1, 2): (before, after), (2, 1): (after, before)}.items():
        found = diff(warehouse, "uk-social", span, samples=10, shown=("post_id",))
        moved = Counter({
            "removed": sum(a == "in" != b for a, b in zip(one, other, strict=True)),
            "added": sum(b == "in" != a for a, b in zip(one, other, strict=True)),
        })
        assert {side: found.total(side) for side in ("removed", "added")} == dict(moved)
        named = [sample["post_id"] for change in found.changes for sample in change.samples]
        assert len(named) == len(set(named)) == moved.total()


def test_the_page_lists_every_cause_as_the_command_tells_it() -> None:
    page = (Path(__file__).parent.parent / "docs/changes.md").read_text(encoding="utf-8")
    assert dict(re.findall(r"^\| `([A-Z_]+)` \| (.*) \|$", page, re.MULTILINE)) == CAUSES
