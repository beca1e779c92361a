"""What each build keeps of the people plane: which objection, notice or request decided, and whom objections name."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from corpus.accounts import People, request_mask
from corpus.inputs import Inputs
from corpus.objections import is_bounded, reach_of_posts
from corpus.policy import Policy
from corpus.reasons import Reason
from corpus.resolution import is_withdrawal
from corpus.rules import in_force
from corpus.verdicts import bitmap, first_objection_only, has_any, or_none, primary_reason


def as_grounds(inputs: Inputs, people: People, policy: Policy) -> DataFrame:
    """One row per account (or post), reason in force and ground: the objection, notice or request that gives it.

    An objection's has the platform and time that it is about, null where they have no bound. Where several give the
    same, the earliest is the ground.
    """
    third_party = bitmap(Reason.THIRD_PARTY_REQUEST.mask)
    found = [
        _by_objections(people.reach.transform(_without_outranked), "account"),
        _by_objections(reach_of_posts(people.standing), "post"),
        _by_requests(inputs.requests, "account", request_mask()),
        _by_requests(inputs.requests, "post", third_party),
        _by_notices(people.accounts),
    ]
    rows = reduce(lambda some, more: some.unionByName(more, allowMissingColumns=True), found)
    return rows.where(has_any(F.col("mask"), in_force(policy))).withColumn("reason", primary_reason(F.col("mask")))


def as_register(inputs: Inputs, resolved: DataFrame) -> DataFrame:
    """One row per objection that has an id: what it says, and whom it was found to name (`resolved`)."""
    first = F.min(F.struct("received_at", "begin", "kind", "status", "subject_type")).alias("first")
    return (
        inputs.objections
        .where(~is_withdrawal() & F.col("objection_id").isNotNull())
        .withColumn("begin", F.least("effective_at", "received_at"))
        .groupBy("objection_id")
        .agg(first)
        .select("objection_id", "first.*")
        .join(resolved, on="objection_id", how="left")  # one row in, one row out: resolved has a row for each
    )


def _by_objections(reach: DataFrame, kind: str) -> DataFrame:
    held = ("platform", "mask", "since", "until")
    return reach.select(*_ground("objection", kind, f"{kind}_id", F.col("objection_id")), *held)


def _by_requests(requests: DataFrame, kind: str, mask: Column) -> DataFrame:
    named = requests.withColumn("mask", mask).where(F.col(f"{kind}_id").isNotNull())
    first = F.min(F.struct("received_at", "request_id")).alias("first")
    asked = named.groupBy(f"{kind}_id", "mask").agg(first)
    return asked.select(*_ground("request", kind, f"{kind}_id", F.col("first.request_id")), "mask")


def _by_notices(accounts: DataFrame) -> DataFrame:
    mask = F.col("account_reasons").bitwiseAND(bitmap(Reason.WINDOW_OPEN.mask | Reason.NOTICE_SUPERSEDED.mask))
    told = accounts.withColumn("mask", mask).where("mask <> 0 AND notice_id IS NOT NULL")
    return told.select(*_ground("notice", "account", "account_id", F.col("notice_id")), "mask")


def _ground(ground: str, kind: str, subject: str, ground_id: Column) -> list[Column]:
    return [
        F.lit(kind).alias("subject_kind"),
        F.col(subject).alias("subject_id"),
        F.lit(ground).alias("ground"),
        ground_id.alias("ground_id"),
    ]


def _without_outranked(reach: DataFrame) -> DataFrame:
    """Drops what no post can carry: OBJECTED_LINKED of an account that is OBJECTED everywhere and always, and so on."""
    whole = Window.partitionBy("account_id").rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    always = or_none(F.bit_or(F.when(~is_bounded(), F.col("mask"))).over(whole))
    carried = first_objection_only(always.bitwiseOR(F.col("mask"))).bitwiseAND(F.col("mask"))
    return reach.withColumn("carried", carried).where("carried <> 0").drop("carried")
