"""What analysts see of a funnel gives no small number away, not even to somebody who knows how it is hidden."""

from __future__ import annotations

import json
from collections import defaultdict
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from corpus.cli import app
from corpus.funnel_shown import HIDDEN, LEAST, Shown, hidden_beside, shown_funnel
from tests.small_dataset import small_dataset

NAMES = ("OBJECTED", "DELETED", "NOT_PUBLIC", "AGE_UNKNOWN", "TEXT_EMPTY", "NEAR_DUPLICATE")
ANY = st.dictionaries(st.sampled_from(NAMES), st.tuples(st.integers(0, 60), st.integers(0, 30)), min_size=1)


def predicate(first: dict[str, int], more: dict[str, int] | None = None, kept: int = 100) -> dict[str, Any]:
    wherever = {name: str(n + (more or {}).get(name, 0)) for name, n in first.items()}
    out, primary = sum(first.values()), {name: str(n) for name, n in first.items() if n}
    counts = {"posts": str(kept + out), "kept": str(kept), "excluded": str(out)}
    return {"funnel": counts | {"primary": primary, "any": wherever, "capped": "0"}}


def lines(first: dict[str, int], **options: Any) -> dict[str, Shown]:
    return {line.name: line for line in shown_funnel(predicate(first, **options))}


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        ({"OBJECTED": 500, "DELETED": 40}, {"posts": "640", "excluded": "540", "OBJECTED": "500", "DELETED": "40"}),
        ({"OBJECTED": 500, "DELETED": 40, "TEXT_EMPTY": 3, "NOT_PUBLIC": 70},
         {"OBJECTED": "500", "NOT_PUBLIC": "70", "DELETED": HIDDEN, "TEXT_EMPTY": "<10", "excluded": "613"}),
        ({"OBJECTED": 10, "DELETED": 0}, {"OBJECTED": "10", "DELETED": "0"}),
        ({"OBJECTED": 9}, {"OBJECTED": "<10", "excluded": "<10", "posts": HIDDEN, "kept": "100"}),
        ({"OBJECTED": 9, "DELETED": 8}, {"OBJECTED": "<10", "DELETED": "<10", "excluded": HIDDEN, "posts": HIDDEN}),
        ({"OBJECTED": 11, "DELETED": 1}, {"OBJECTED": HIDDEN, "DELETED": "<10", "excluded": HIDDEN, "posts": HIDDEN}),
        ({}, {"posts": "100", "kept": "100", "excluded": "0"}),
    ],
)  # fmt: skip
def test_small_numbers_are_hidden_and_what_would_give_them_away(
    first: dict[str, int], expected: dict[str, str]
) -> None:
    shown = lines(first)
    assert {name: shown[name].first_shown for name in expected} == expected


def test_whoever_knows_the_rule_can_tell_no_small_number() -> None:
    """Of all funnels of three reasons and few posts, with 4 as the least: what looks the same differs in each small."""
    behind: dict[tuple[object, ...], list[set[int]]] = defaultdict(lambda: [set(), set(), set()])
    for counts in product(range(40), repeat=3):
        if sum(counts) >= 40:
            continue  # of these, not all that look the same are among those tried
        named = dict(zip("abc", counts, strict=True))
        hidden, without_total = hidden_beside(named, least=4)
        seen = [HIDDEN if name in hidden else "<" if 0 < n < 4 else n for name, n in named.items()]
        for values, n in zip(behind[*seen, None if without_total else sum(counts)], counts, strict=True):
            values.add(n)
    small = [values for view, sets in behind.items() for seen, values in zip(view, sets, strict=False) if seen == "<"]
    assert len(small) > 500
    assert min(map(len, small)) > 1


@given(ANY)
def test_no_number_under_ten_is_anywhere_in_what_is_shown(counts: dict[str, tuple[int, int]]) -> None:
    first, more = ({name: pair[n] for name, pair in counts.items()} for n in (0, 1))
    for line in shown_funnel(predicate(first, more)):
        assert line.first is None or line.first == 0 or line.first >= LEAST or line.name == "kept"
        assert (line.in_all or 0) % 10 == 0 or line.kind == "total"
        assert (line.first is None) == (line.first_shown in {"<10", HIDDEN})
    rows = [line for line in shown_funnel(predicate(first, more)) if line.kind == "reason"]
    assert [line.name for line in rows if line.first_shown == "<10" and line.in_all is None] == sorted(
        line.name for line in rows if line.first_shown == "<10" and line.in_all is None
    ), "the order tells nothing"


def test_exact_numbers_are_those_of_the_statement() -> None:
    shown = {line.name: line for line in shown_funnel(predicate({"OBJECTED": 3}, {"OBJECTED": 1}), exact=True)}
    assert (shown["OBJECTED"].first, shown["OBJECTED"].in_all, shown["excluded"].first) == (3, 4, 3)


def test_the_command_hides_and_on_demand_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_dataset(tmp_path)
    monkeypatch.setenv("CORPUS_WAREHOUSE", str(tmp_path))

    def said(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["funnel", "uk-social@3", *arguments])
        assert done.exit_code == 0, done.exception
        return " ".join(done.output.split())

    assert "the author objected <10 <10 OBJECTED" in said()
    assert "Numbers under 10 are not shown" in said()
    assert "posts judged 6 kept 4 left out 2" in said("--restricted")
    assert "the author objected 1 1 OBJECTED" in said("--restricted")
    printed = json.loads(said("--json"))
    assert [line["first"] for line in printed["lines"]] == [None, 4, None, 0, None, None]
