"""Objections: from the events to the accounts and posts they reach, and for which platforms and times.

A *span* is where an objection holds: struct<platform, since, until, mask>; what is null in it has no bound.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from corpus.inputs import Inputs
from corpus.policy import Clock, Policy
from corpus.reasons import Reason
from corpus.verdicts import bitmap, or_none

SUBJECT_TYPES = ("account", "person", "email_hash", "post")
_NO_TIME = "CAST(NULL AS TIMESTAMP)"


def accounts_objecting(standing: DataFrame, inputs: Inputs) -> DataFrame:
    """One row per account that an objection reaches: `objection_reasons` everywhere and always, `spans` elsewhere."""
    named = _named_accounts(standing, inputs.profiles)
    reached = named.unionByName(_linked_accounts(named, inputs.links)).unionByName(
        _same_person_accounts(named, inputs.profiles)
    )
    return reached.transform(_nearest_reach).transform(as_reach_of, "account_id")


def posts_objected(standing: DataFrame) -> DataFrame:
    """One row per post that an objection names: `objection_reasons` and `spans`, as for accounts."""
    this_post = bitmap(Reason.POST_OBJECTED.mask)
    return (
        standing
        .where(_may_name("post"))
        .withColumn("spans", _with_mask(F.col("spans"), this_post))
        .withColumnRenamed("subject_id", "post_id")
        .where(F.col("post_id").isNotNull())
        .transform(as_reach_of, "post_id")
    )


def standing_objections(inputs: Inputs, policy: Policy, clock: Clock) -> DataFrame:
    """One row per objection for the policy's purpose that still keeps anything out, with its beginning and spans."""
    is_withdrawal = F.coalesce(F.col("kind") == "withdraw", F.lit(False))
    counts = F.coalesce(F.col("purpose") == policy.purpose, F.lit(True)) & ~_is_overruled(policy)
    return (
        inputs.objections
        .where(~is_withdrawal & counts)
        .withColumn("begin", F.least("effective_at", "received_at"))
        # one row in, one row out: withdrawals are grouped by what they withdraw
        .join(_withdrawals(inputs.objections.where(is_withdrawal)), on="objection_id", how="left")
        .withColumn("withdrawn_at", F.expr("IF(begin IS NULL OR withdrawn_at > begin, withdrawn_at, NULL)"))
        .withColumn("spans", _spans(policy, clock))
        .where(F.size("spans") > 0)
        .select("objection_id", "subject_type", "subject_id", "begin", "spans")
    )


def spans_holding(spans: Column, platform: Column, created_at: Column) -> Column:
    """The bitmap of the spans that hold for a post; an unknown platform or time is taken to lie inside."""

    def holds(span: Column) -> Column:
        on_platform = F.coalesce(span["platform"] == platform, F.lit(True))
        begun = F.coalesce(created_at >= span["since"], F.lit(True))
        lasting = F.coalesce(created_at <= span["until"], F.lit(True))
        return on_platform & begun & lasting

    held = F.aggregate(
        spans,
        bitmap(0),
        lambda mask, span: mask.bitwiseOR(F.when(holds(span), span["mask"]).otherwise(bitmap(0))),
    )
    return or_none(held)


def as_reach_of(objections: DataFrame, key: str) -> DataFrame:
    """One row per account (or post): the masks of unbounded spans as one bitmap, the bounded ones as an array."""
    span = F.col("span")
    bounded = F.coalesce(span["platform"].isNotNull() | span["since"].isNotNull() | span["until"].isNotNull())
    return (
        objections
        .select(key, F.explode("spans").alias("span"))
        .groupBy(key)
        .agg(
            or_none(F.bit_or(F.when(~bounded, span["mask"]))).alias("objection_reasons"),
            F.collect_set(F.when(bounded, span)).alias("spans"),
        )
    )


def _is_overruled(policy: Policy) -> Column:
    """Rejected, and by a ruling that the policy lists (or the policy counts no rejected objection)."""
    rejected = F.coalesce(F.col("status") == "rejected", F.lit(False))
    listed = F.coalesce(F.col("ruling_id").isin(*policy.objections.rulings), F.lit(False))
    return rejected & (listed if policy.objections.rejected_counts else F.lit(True))


def _withdrawals(withdrawals: DataFrame) -> DataFrame:
    """One row per objection that a verified withdrawal names.

    `withdrawn_at`, the latest, since it keeps out the longest.
    """
    return (
        withdrawals
        .where(F.coalesce("verified", F.lit(False)) & F.col("withdraws").isNotNull())
        .groupBy(F.col("withdraws").alias("objection_id"))
        .agg(F.max(F.greatest("effective_at", "received_at")).alias("withdrawn_at"))
    )


def _spans(policy: Policy, clock: Clock) -> Column:
    """Where the objection holds: while it stands or cools off, and for good in the time between its two ends."""
    settings = policy.objections
    since = F.col("begin") if settings.temporal_scope == "after" else F.expr(_NO_TIME)
    withdrawn = F.col("withdrawn_at").isNotNull()
    cooled_off = F.col("withdrawn_at") < F.lit(clock.before(days=settings.withdrawal_cooling_days))
    standing = F.when(withdrawn, bitmap(Reason.OBJECTION_WITHDRAWN_COOLING.mask)).otherwise(_standing_mask())
    now = F.when(~F.coalesce(cooled_off, F.lit(False)), _span(since, F.expr(_NO_TIME), standing))
    objected = bitmap(Reason.OBJECTED.mask)
    then = F.when(
        withdrawn & F.lit(settings.objected_period == "exclude"),
        _span(F.col("begin"), F.col("withdrawn_at"), objected),
    )
    return F.array_compact(F.array(now, then))


def _standing_mask() -> Column:
    return (
        F
        .when(F.col("status") == "upheld", bitmap(Reason.OBJECTED.mask))
        .when(F.col("status") == "rejected", bitmap(Reason.OBJECTION_REJECTED.mask))
        .otherwise(bitmap(Reason.OBJECTION_PENDING.mask))
    )


def _span(since: Column, until: Column, mask: Column) -> Column:
    return F.struct(F.col("platform"), since.alias("since"), until.alias("until"), mask.alias("mask"))


def _with_mask(spans: Column, mask: Column) -> Column:
    return F.transform(spans, lambda span: span.withField("mask", mask))


def _may_name(subject_type: str) -> Column:
    """Whether the subject is of this type; an unknown type may be any."""
    known = F.coalesce(F.col("subject_type").isin(*SUBJECT_TYPES), F.lit(False))
    return ~known | F.coalesce(F.col("subject_type") == subject_type, F.lit(False))


def _named_accounts(objections: DataFrame, profiles: DataFrame) -> DataFrame:
    """One row per objection and account that it names itself, with a profile or without."""
    persons = profiles.select("account_id", F.col("person_id").alias("subject_id"))
    addresses = profiles.select("account_id", F.col("email_hash").alias("subject_id"))
    by_account = objections.where(_may_name("account")).withColumn("account_id", F.col("subject_id"))
    by_person = objections.where(_may_name("person")).join(persons, on="subject_id", how="inner")
    by_address = (
        objections
        .where(_may_name("email_hash"))
        .withColumn("subject_id", F.lower("subject_id"))
        .join(addresses, on="subject_id", how="inner")
    )
    named = by_account.unionByName(by_person).unionByName(by_address).where(F.col("account_id").isNotNull())
    return named.select("objection_id", "begin", "spans", "account_id", F.lit(0).alias("reach"))


def _linked_accounts(named: DataFrame, links: DataFrame) -> DataFrame:
    """One row per objection and account in a link group with an objecting one, both there at or after its beginning."""
    lasting = F.coalesce(F.col("unlinked_at") >= F.col("begin"), F.lit(True))
    groups = (
        named
        .join(links, on="account_id", how="inner")
        .where(lasting)
        .select(*named.drop("account_id").columns, "link_group_id")
    )
    members = groups.join(links, on="link_group_id", how="inner").where(lasting)
    return members.transform(_reached_as, Reason.OBJECTED_LINKED, 1)


def _same_person_accounts(named: DataFrame, profiles: DataFrame) -> DataFrame:
    """One row per objection and account of the same person as an objecting one."""
    persons = profiles.where(F.col("person_id").isNotNull()).select("account_id", "person_id")
    objectors = named.join(persons, on="account_id", how="inner").drop("account_id").distinct()
    accounts = objectors.join(persons, on="person_id", how="inner")
    return accounts.transform(_reached_as, Reason.OBJECTED_SAME_PERSON, 2)


def _reached_as(reached: DataFrame, reason: Reason, reach: int) -> DataFrame:
    return reached.select(
        "objection_id",
        "begin",
        _with_mask(F.col("spans"), bitmap(reason.mask)).alias("spans"),
        "account_id",
        F.lit(reach).alias("reach"),
    )


def _nearest_reach(reached: DataFrame) -> DataFrame:
    """Each objection reaches an account once, the nearest way: named, linked, same person."""
    return (
        reached
        .groupBy("objection_id", "begin", "account_id", "reach")
        .agg(F.flatten(F.collect_set("spans")).alias("spans"))
        .groupBy("objection_id", "begin", "account_id")
        .agg(F.min_by("spans", "reach").alias("spans"))
    )
