"""The second path by itself: it judges the contract's vectors as the contract says, without Spark."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest

from corpus.audit.engine import LEDGER, Given, verdicts_of
from corpus.reasons import Reason, reasons_in
from corpus.vectors import World, batches, read_worlds
from tests.random_worlds import Row, arrow_tables, batch_of
from tests.vectors import VECTORS

JUDGED = [world for world in read_worlds(VECTORS) if "refused" not in world.case]


def alike(a: str, b: str) -> float:
    """Jaccard over pairs of words, for texts of plain words."""
    pairs = [set(pairwise(re.findall(r"[a-z0-9]+", text.lower()))) for text in (a, b)]
    return len(pairs[0] & pairs[1]) / len(pairs[0] | pairs[1])


def near_ledger(worlds: list[World]) -> pa.Table:
    """The ledger's rows of the near-duplicates that these worlds expect."""
    rows = []
    for world in worlds:
        texts = {post["post_id"]: post.get("text") for post in world.case["posts"]}
        for post, kept in world.case.get("kept_instead", {}).items():
            if world.case["out"][post] == ["NEAR_DUPLICATE"]:
                rows.append(near_row(world.tag + post, world.tag + kept, alike(texts[post], texts[kept])))
    return pa.Table.from_pylist(rows, LEDGER)


def near_row(post_id: str, kept: str, similarity: float) -> dict[str, Any]:
    return {
        "post_id": post_id, "reasons": Reason.NEAR_DUPLICATE.mask, "kept_instead": kept, "similarity": similarity,
    }  # fmt: skip


@pytest.fixture(scope="module")
def verdicts() -> dict[str, tuple[set[str], str | None]]:
    found: dict[str, Any] = {}
    for batch in batches(JUDGED):
        given = Given(arrow_tables(batch.worlds), batch.policy, batch.clock.cutoff, ledger=near_ledger(batch.worlds))
        for row in verdicts_of(given).to_pylist():
            found[row["post_id"]] = ({r.name for r in reasons_in(row["reasons"])}, row["kept_instead"])
    return found


@pytest.mark.parametrize("world", JUDGED, ids=[world.name for world in JUDGED])
def test_second_path_judges_the_world_as_the_contract_says(
    world: World, verdicts: dict[str, tuple[set[str], str | None]]
) -> None:
    found = {post["post_id"]: verdicts[world.tag + post["post_id"]] for post in world.case["posts"]}
    for post, reasons in world.case.get("out_includes", {}).items():
        assert set(reasons) <= found.pop(post)[0]
    assert {post for post, (reasons, _) in found.items() if not reasons} == set(world.case.get("kept", []))
    assert {post: reasons for post, (reasons, _) in found.items() if reasons} == {
        post: set(reasons) for post, reasons in world.case.get("out", {}).items()
    }
    for post, instead in world.case.get("kept_instead", {}).items():
        assert found[post][1] == world.tag + instead


# --- near-duplicates: every pair of the ledger is compared again ---

WORDS = [f"word{n:02d}" for n in range(40)]
ALMOST = [*WORDS[:-1], "other"]
LATER = {"created_at": datetime(2026, 3, 1, tzinfo=UTC), "recorded_at": datetime(2026, 3, 1, tzinfo=UTC)}
# 61 words with those that keep worlds apart, so 60 shingles, of which the last word changes two
CLAIMS: dict[str, tuple[Row, Row, float, bool]] = {
    "a true pair": ({}, {}, 58 / 62, True),
    "another similarity": ({}, {}, 0.9, False),
    "too little alike": ({}, {"text": " ".join(WORDS[:30])}, 45 / 60, False),
    "the same text, which is an exact duplicate": ({}, {"text": " ".join(WORDS)}, 1.0, False),
    "the kept post is not in": ({"visibility": "friends"}, {}, 58 / 62, False),
    "the kept post is the later": (LATER, {"created_at": datetime(2026, 2, 1, tzinfo=UTC)}, 58 / 62, False),
}
"""What the kept post says otherwise, what the dropped one, the similarity in the ledger, and whether it holds."""


def test_a_near_duplicate_counts_only_if_its_pair_holds() -> None:
    cases, ledger = [], []
    for n, (name, (kept, dropped, similarity, _)) in enumerate(CLAIMS.items()):
        posts = [
            {"post_id": "p1", "text": " ".join(WORDS)} | kept,
            {"post_id": "p2", "text": " ".join(ALMOST)} | LATER | dropped,
        ]
        cases.append({"name": name, "posts": posts, "policy": {"objector_copies": {"exact": False, "near": False}}})
        ledger.append(near_row(f"w{n:03d}-p2", f"w{n:03d}-p1", similarity))
    found = {row["post_id"]: row for row in judged(cases, ledger)}
    holds = [found[f"w{n:03d}-p2"]["reasons"] == Reason.NEAR_DUPLICATE.mask for n in range(len(cases))]
    assert dict(zip(CLAIMS, holds, strict=True)) == {name: holds for name, (_, _, _, holds) in CLAIMS.items()}
    assert found["w000-p2"]["kept_instead"] == "w000-p1"
    assert found["w003-p2"]["reasons"] == Reason.EXACT_DUPLICATE.mask


def judged(cases: list[Row], ledger: list[Row] | None = None) -> list[Row]:
    batch = batch_of(cases)
    said = pa.Table.from_pylist(ledger or [], LEDGER)
    rows: list[Row] = verdicts_of(
        Given(arrow_tables(batch.worlds), batch.policy, batch.clock.cutoff, ledger=said)
    ).to_pylist()
    return rows


# --- copies of objectors ---

SCONES = "my grandmother taught me to make scones with buttermilk and patience every single sunday of my long childhood"
COPIES: dict[str, tuple[list[Row], bool]] = {
    "a word changed": ([{"text": SCONES.replace("childhood", "youth")}], True),
    "half of it changed": ([{"text": SCONES[:50] + " and nothing else of what she said is true"}], False),
    "the same words, at the same time": ([{"text": SCONES}], True),
    "the same words, before": ([{"text": SCONES, "created_at": datetime(2025, 12, 1, tzinfo=UTC)}], False),
    "few words": ([{"text": "make scones with buttermilk"}], False),
    "what five say, and the first of them is in": (
        [
            {"account_id": f"b{n}", "text": SCONES, "created_at": datetime(2025, 12, n + 1, tzinfo=UTC)}
            for n in range(5)
        ],
        False,
    ),
    "what five say after the objector": (
        [{"account_id": f"b{n}", "text": SCONES, "created_at": datetime(2026, 3, n + 1, tzinfo=UTC)} for n in range(5)],
        True,
    ),
}
"""What others post beside an objector's scones, and whether the last of it is a copy."""


def test_copies_of_an_objector_are_found_with_every_exception() -> None:
    cases = []
    for name, (posts, _) in COPIES.items():
        accounts = [f"b{n}" for n in range(5)]
        theirs = [
            {"post_id": f"p{n}", "recorded_at": datetime(2026, 6, 1, tzinfo=UTC)} | post for n, post in enumerate(posts)
        ]
        objector = "make scones with buttermilk" if name == "few words" else SCONES
        cases.append({
            "name": name,
            "profiles": [{"account_id": account} for account in accounts],
            "notices": [{"notice_id": f"n-{account}", "account_id": account} for account in accounts],
            "posts": [{"post_id": "objector", "account_id": "zz", "text": objector}, *theirs],
        })
    found = {row["post_id"]: row["reasons"] for row in judged(cases)}
    copies = {
        name: bool(found[f"w{n:03d}-p{len(posts) - 1}"] & Reason.OBJECTOR_TEXT_COPY.mask)
        for n, (name, (posts, _)) in enumerate(COPIES.items())
    }
    assert copies == {name: is_copy for name, (_, is_copy) in COPIES.items()}


# --- absent data ---


@pytest.mark.parametrize(
    ("lacking", "expected"),
    [
        ({"links": ["*"]}, {"OBJECTED_LINKED"}),
        ({"requests": ["*"]}, {"ERASURE_REQUESTED", "THIRD_PARTY_REQUEST"}),
        ({"posts": ["deleted_at", "mentions"]}, {"DELETED", "MENTIONS_OBJECTOR"}),
        ({"profiles": ["person_id", "email_hash", "age_estimate"]}, {"OBJECTED_SAME_PERSON", "AGE_CONFLICT"}),
        ({"posts": ["lang"], "notices": ["seen_at"]}, set()),
    ],
)
def test_a_rule_without_its_data_excludes_unless_it_is_off(lacking: dict[str, list[str]], expected: set[str]) -> None:
    off = [{"rule": rule, "because": "no such data"} for rule in expected]
    for rules_off, reasons in (([], expected), (off, set())):
        batch = batch_of([{"name": "lacking", "posts": [{"post_id": "p1"}], "policy": {"rules_off": rules_off}}])
        tables = arrow_tables(batch.worlds)
        for table, columns in lacking.items():
            tables = {name: rows for name, rows in tables.items() if name != table or columns != ["*"]}
            if table in tables:
                tables[table] = tables[table].drop_columns(columns)
        (row,) = verdicts_of(Given(tables, batch.policy, batch.clock.cutoff)).to_pylist()
        assert {reason.name for reason in reasons_in(row["reasons"])} == reasons
