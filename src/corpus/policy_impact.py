"""How many posts of a version a change of policy would move: its pinned inputs, judged again under each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from corpus.inputs import Inputs
from corpus.mapping import reading
from corpus.pipeline import judge
from corpus.policy import Clock, Policy
from corpus.policy_changes import Change, applied
from corpus.progress import step
from corpus.rereading import inputs_of_version
from corpus.schemas import INPUTS
from corpus.staging import settled


@dataclass(frozen=True)
class Moved:
    """How many posts would come in, and how many go out."""

    comes_in: int = 0
    goes_out: int = 0


@dataclass(frozen=True)
class Impact:
    """Of how many kept posts each change, alone and by key, would move how many; and all changes together."""

    kept: int
    alone: dict[str, Moved]
    together: Moved


def impact(
    spark: SparkSession, statement: dict[str, Any], before: Policy, after: Policy, found: list[Change]
) -> Impact:
    """What these changes would do to a version's posts, by its own cutoff and clock. Raises SourceError, DatasetError.

    The inputs are read and settled once; each change that can move a post is judged once, and only ids are kept of it.
    """
    said = statement["predicate"]
    clock = Clock.model_validate({"cutoff": said["cutoff"], "now": said["now"]})
    with step("reading the version's inputs again"), reading(f"An input of {said['dataset']}@{said['version']}"):
        inputs = _settled(inputs_of_version(spark, statement))
        kept = _kept(inputs, before, clock)
    movers = [change for change in found if change.moves]
    alone = {}
    for change in movers:
        with step(f"judging with {change.key} changed"):
            alone[change.key] = _moved(kept, _kept(inputs, applied(before, after, change), clock))
    with step("judging with all changes"):
        together = _moved(kept, _kept(inputs, after, clock)) if movers else Moved()
    return Impact(kept.count(), alone, together)


def _settled(inputs: Inputs) -> Inputs:
    tables: dict[str, Any] = {table: settled(getattr(inputs, table)) for table in INPUTS}
    return replace(inputs, **tables)


def _kept(inputs: Inputs, policy: Policy, clock: Clock) -> DataFrame:
    """The ids of the posts that a policy keeps, settled; what judging persisted is given back."""
    kept = judge(inputs, policy, clock).where(F.col("reasons") == 0).select("post_id").transform(settled)
    kept.sparkSession.catalog.clearCache()
    return kept


def _moved(before: DataFrame, after: DataFrame) -> Moved:
    """How many ids are in one frame alone: one exchange of both."""
    sides = before.withColumn("side", F.lit(-1)).unionByName(after.withColumn("side", F.lit(1)))
    moved = sides.groupBy("post_id").agg(F.sum("side").alias("side"))
    counts = moved.agg(F.count_if(F.col("side") > 0), F.count_if(F.col("side") < 0)).collect()  # one row
    return Moved(*counts[0])
