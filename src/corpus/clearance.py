"""How far the gates let one build go: before its verdicts, after them, and just before its commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from corpus import tables
from corpus.errors import SourceError
from corpus.evidence.envelope import newest_statement
from corpus.facts import Facts, Feed, facts_of
from corpus.gates import Gate, early_gates, exclusion_anomaly, feed_stale, release_lag, require
from corpus.inputs import Inputs
from corpus.request import BuildRequest
from corpus.resolution import resolved_objections
from corpus.schemas import KEYS
from corpus.sources import Pin, committed_at, read_table
from corpus.staging import settled

AT_RELEASE = "RELEASE_LAG"
"""Judged between the intent and the commit; that there is a commit says that it passed or was overridden."""


@dataclass(frozen=True)
class Clearance:
    """What the early gates found and judged by: the facts, whom objections name, and the last version's statement."""

    facts: Facts
    resolved: DataFrame
    outcomes: list[dict[str, Any]]
    last: Mapping[str, Any]


def cleared(spark: SparkSession, request: BuildRequest, inputs: Inputs, pins: dict[str, Pin]) -> Clearance:
    """The build may judge its posts. Raises GateRefused."""
    found, gates = looked_at(spark, request, inputs, pins)
    return replace(found, outcomes=require(gates, request.policy, request.gates_off))


def looked_at(
    spark: SparkSession, request: BuildRequest, inputs: Inputs, pins: dict[str, Pin]
) -> tuple[Clearance, list[Gate]]:
    """What the early gates judge by, without their outcomes, and the gates themselves: none has refused yet."""
    resolved = resolved_objections(inputs).transform(settled)
    facts = facts_of(inputs, resolved.transform(with_what_is_known, request, inputs)).get((), Facts())
    facts.feeds = [_counted(spark, request, pins, feed) for feed in facts.feeds]
    facts.unpinned = [table for table in KEYS if table not in pins and (table, "*") not in inputs.absent]
    statement = newest_statement(request.folder)
    last = statement["predicate"] if statement else {}
    before: dict[str, Any] = next((g["figures"] for g in last.get("gates", []) if g["gate"] == "OBJECTIONS_SHRANK"), {})
    gates = early_gates(facts, request.policy, request.clock, before)
    return Clearance(facts, resolved, [], last), gates


def outcomes(request: BuildRequest, clearance: Clearance, funnel: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every gate for the statement, once the verdicts are counted. Raises GateRefused at an anomaly."""
    before, accepted = clearance.last.get("funnel", {}), request.accepted_anomalies
    anomaly = exclusion_anomaly(funnel, before, request.policy, accepted)
    limit = {"limit_hours": request.policy.gates.release_lag_hours}
    off = next((off for off in (*request.policy.gates_off, *request.gates_off) if off.gate == AT_RELEASE), None)
    said = "at_release" if off is None else "overridden" if off in request.gates_off else "off"
    lag = {"gate": AT_RELEASE, "outcome": said, "figures": limit, "because": off.because if off else None}
    return [*clearance.outcomes, lag, *require([anomaly], request.policy, request.gates_off)]


def require_fresh(spark: SparkSession, request: BuildRequest, pins: dict[str, Pin], facts: Facts) -> None:
    """Raises GateRefused where feeds have gone stale, or objections have come in, since the build began."""
    known = {table: pins[table].committed_at for table in pins if table in ("objections", "requests")}
    newest = {table: committed_at(spark, request.source, pins[table]) for table in known}
    lag, stale = release_lag(known, newest, request.policy), feed_stale(facts, request.policy, request.now_later)
    require([stale, lag], request.policy, request.gates_off, "No version was made; the next build sweeps what is left.")


def with_what_is_known(resolved: DataFrame, request: BuildRequest, inputs: Inputs) -> DataFrame:
    """Counts as resolved what was accepted by id, and what an earlier build knew: a deleted account stays known."""
    accepted = [one.objection_id for one in request.accepted_objections]
    is_accepted = F.col("objection_id").isin(*accepted) if accepted else F.lit(False)
    known = resolved.withColumn("resolved_as", F.when(is_accepted, "accepted").otherwise(F.col("resolved_as")))
    unresolved = known.where(F.col("resolved_as").isNull())
    if not tables.exists(resolved.sparkSession, request.folder) or unresolved.isEmpty():
        return known
    subjects = inputs.objections.join(unresolved, on="objection_id", how="left_semi")
    ids = tables.ids_judged(resolved.sparkSession, request.folder).withColumnRenamed("id", "subject_id")
    earlier = ids.join(F.broadcast(subjects), on="subject_id", how="inner").select("objection_id").distinct()
    # one row in, one row out: earlier is distinct
    return known.join(earlier.withColumn("known", F.lit("earlier")), on="objection_id", how="left").withColumn(
        "resolved_as", F.coalesce("resolved_as", "known")
    )


def _counted(spark: SparkSession, request: BuildRequest, pins: dict[str, Pin], feed: Feed) -> Feed:
    """The feed with the rows found at the version that its total was made for; None if that does not open."""
    pinned, version = pins.get(feed.feed), feed.table_version
    if pinned is None or version in (None, pinned.version):
        return feed
    try:
        rows = read_table(spark, request.source, replace(pinned, version=version))
        if feed.channel != "*" and "channel" in rows.columns:
            rows = rows.where(F.lower(F.trim("channel")) == F.lit(feed.channel))
        return replace(feed, found=rows.count())
    except SourceError:
        return replace(feed, found=None)
