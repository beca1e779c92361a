"""The second path by itself: it judges the contract's vectors as the contract says, without Spark."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest

from corpus.audit.engine import LEDGER, Given, arrow_schema, verdicts_of
from corpus.reasons import Reason, reasons_in
from corpus.schemas import INPUTS
from corpus.vectors import World, batches, read_worlds
from tests.vectors import VECTORS

JUDGED = [world for world in read_worlds(VECTORS) if "refused" not in world.case]


def arrow_tables(worlds: list[World]) -> dict[str, pa.Table]:
    return {
        table: pa.Table.from_pylist([row for world in worlds for row in world.rows[table]], arrow_schema(table))
        for table in INPUTS
    }


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
