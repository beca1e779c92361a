"""What a build costs, read from its plan: how often the posts, with their text, change places; and no key in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from corpus import pipeline, snapshot, staging
from corpus.pipeline import judge
from corpus.vectors import batches, inputs_of
from tests.small_inputs import WORLDS


def nodes(plan: Any) -> Iterator[Any]:
    """Every operator of a physical plan, through what adapts while it runs and what is kept in memory."""
    yield plan
    inner = {"AdaptiveSparkPlan": "initialPlan", "InMemoryTableScan": "relation"}.get(plan.nodeName().split(" ")[0])
    if inner == "initialPlan":
        yield from nodes(plan.initialPlan())
    elif inner == "relation":
        yield from nodes(plan.relation().cachedPlan())
    children = plan.children()
    for at in range(children.size()):
        yield from nodes(children.apply(at))


def wide_exchanges(frame: DataFrame) -> list[str]:
    """The exchanges that move the posts' text, by how they place the rows."""
    plan = frame._jdf.queryExecution().executedPlan()
    shuffles = {node.id(): node for node in nodes(plan) if node.nodeName() == "Exchange"}
    wide = [node for node in shuffles.values() if "text#" in node.output().toString()]
    return [re.findall(r"\w+(?=#)", node.outputPartitioning().toString())[0] for node in wide]


@pytest.fixture
def unsettled(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> Iterator[SparkSession]:
    """Nothing is sent whole unless the code says so, and the posts' plan is not cut where they are settled."""
    spark.conf.set("spark.sql.autoBroadcastJoinThreshold", -1)
    monkeypatch.setattr(pipeline, "settled", lambda frame: frame)
    yield spark
    spark.conf.unset("spark.sql.autoBroadcastJoinThreshold")
    spark.catalog.clearCache()


def verdicts_of(spark: SparkSession) -> DataFrame:
    batch = next(batches(WORLDS))
    return judge(inputs_of(spark, batch.worlds), batch.policy, batch.clock)


def test_the_posts_move_once_to_meet_their_authors_and_no_key_stands_in_the_plan(unsettled: SparkSession) -> None:
    """Counted are the exchanges whose rows hold the text; those of ids and hashes are narrow.

    What the rules find about single posts is few, and is sent to where the posts lie.
    """
    verdicts = verdicts_of(unsettled)
    assert wide_exchanges(verdicts) == ["account_id"]
    key = bytes(range(100, 132))
    documents = verdicts.transform(snapshot.with_ids, key, 4, unsettled).transform(snapshot.as_documents)
    plan = documents._jdf.queryExecution().toString().replace(" ", "")
    pads = [bytes(byte ^ pad for byte in key) for pad in (0, 0x36, 0x5C)]
    shown = [form for secret in pads for form in (secret[:6].hex(), secret[:6].decode("latin-1"))]
    assert not [form for form in shown if form.lower() in plan.lower()]


def test_at_worst_they_move_once_more_for_each_id_that_they_are_joined_by(
    unsettled: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where so much is said about single posts that it cannot be sent: by the post's id, and by equal texts.

    Texts are met twice: under the build's own key for copies of objectors, and by their fingerprints for duplicates.
    """
    monkeypatch.setattr(staging, "FEW", -1)
    assert sorted(wide_exchanges(verdicts_of(unsettled))) == ["account_id", "fingerprint", "mark", "post_id"]
