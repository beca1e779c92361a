"""The eligibility vectors: each small world yields exactly the posts, reasons and refusals that the contract says."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from corpus.vectors import World, read_worlds, run
from tests.vectors import VECTORS

WORLDS = read_worlds(VECTORS)


@pytest.fixture(scope="module")
def found(spark: SparkSession) -> dict[str, list[str]]:
    """By world: what came out otherwise than it must."""
    return {world.name: wrong for world, wrong in run(spark, WORLDS)}


@pytest.mark.parametrize("world", WORLDS, ids=[world.name for world in WORLDS])
def test_world_comes_out_as_the_contract_says(world: World, found: dict[str, list[str]]) -> None:
    assert found[world.name] == []
