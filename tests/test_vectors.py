"""The eligibility vectors: each small world yields exactly the posts and reasons that the contract says."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from corpus.pipeline import judge
from corpus.reasons import reasons_in
from corpus.vectors import World, batches, inputs_of, read_worlds
from tests.vectors import VECTORS

WORLDS = read_worlds(VECTORS)
JUDGED = [world for world in WORLDS if "refused" not in world.case]

Verdict = tuple[list[str], str | None]


@pytest.fixture(scope="module")
def verdicts(spark: SparkSession) -> dict[str, Verdict]:
    """Every post of every world with its reasons and the post kept instead; one build a batch."""
    found: dict[str, Verdict] = {}
    for batch in batches(JUDGED):
        rows = judge(inputs_of(spark, batch.worlds), batch.policy, batch.clock).select(
            "post_id", "reasons", "kept_instead"
        )
        found |= {r.post_id: ([x.name for x in reasons_in(r.reasons)], r.kept_instead) for r in rows.collect()}
        spark.catalog.clearCache()
    return found


@pytest.mark.parametrize("world", JUDGED, ids=[world.name for world in JUDGED])
def test_world_comes_out_as_the_contract_says(world: World, verdicts: dict[str, Verdict]) -> None:
    found = {post["post_id"]: verdicts[world.tag + post["post_id"]] for post in world.case["posts"]}
    kept = sorted(post for post, (reasons, _) in found.items() if not reasons)
    out = {post: sorted(reasons) for post, (reasons, _) in found.items() if reasons}
    if "out_includes" in world.case:
        for post, reasons in world.case["out_includes"].items():
            assert set(reasons) <= set(out[post])
        return
    assert kept == sorted(world.case.get("kept", []))
    assert out == {post: sorted(reasons) for post, reasons in world.case.get("out", {}).items()}
    for post, instead in world.case.get("kept_instead", {}).items():
        assert found[post][1] == world.tag + instead
