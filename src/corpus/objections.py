"""Objections: from the events to the accounts and posts they reach, and for which platforms and times.

A row of *reach* is where an objection holds: `platform`, `since`, `until` (null in one of them has no bound), the
`mask` of the reason that it gives, and which one it is: `objection_id`, with its `begin`.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from corpus.inputs import Inputs
from corpus.policy import Clock, Policy
from corpus.reasons import Reason
from corpus.resolution import SUBJECT_TYPES, is_withdrawal, names_of, with_lookups
from corpus.staging import settled
from corpus.verdicts import bitmap, or_none

MOST_SPANS = 100
"""So many times apart are told from one another for one subject, group or account, on one platform for one reason."""

MOST_OWN = 6
"""An account is named by so many subjects: its id, person and address, each under its own type or an unknown one."""

_REACH = ("platform", "mask", "since", "until", "begin", "objection_id")
_NO_TIME = "CAST(NULL AS TIMESTAMP)"
_NO_END = "timestamp_micros(9223372036854775807)"


def standing_objections(inputs: Inputs, policy: Policy, clock: Clock) -> DataFrame:
    """The reach of every subject that an objection for the policy's purpose names and still keeps out."""
    counts = F.coalesce(F.col("purpose") == policy.purpose, F.lit(True)) & ~_is_overruled(policy)
    known = F.col("subject_type").isin(*SUBJECT_TYPES)
    return (
        inputs.objections
        .where(~is_withdrawal() & counts & F.col("subject_id").isNotNull())
        .withColumn("subject_type", F.when(known, F.col("subject_type")).otherwise("any"))
        .withColumn("begin", F.least("effective_at", "received_at"))
        # one row in, one row out: withdrawals are grouped by what they withdraw
        .join(_withdrawals(inputs.objections.where(is_withdrawal())), on="objection_id", how="left")
        .withColumn("withdrawn_at", F.expr("IF(begin IS NULL OR withdrawn_at > begin, withdrawn_at, NULL)"))
        .withColumn("span", F.explode(_spans(policy, clock)))
        .groupBy("subject_type", "subject_id", "platform", "span")
        .agg(F.min(F.struct("begin", "objection_id")).alias("first"))
        .select("subject_type", "subject_id", "platform", "span.*", "first.*")
        .transform(without_covered, "subject_type", "subject_id")
    )


def reach_of_accounts(standing: DataFrame, inputs: Inputs) -> DataFrame:
    """The reach of every account that an objection names, or reaches through a link or as the same person's."""
    named = _named_accounts(standing, inputs.profiles).transform(settled)
    related = _related_accounts(named, _memberships(inputs))
    return named.drop("subject_type", "subject_id").unionByName(related).transform(without_covered, "account_id")


def reach_of_posts(standing: DataFrame) -> DataFrame:
    """The reach of every post that an objection names by its id."""
    return (
        standing
        .transform(with_lookups)
        .where(F.col("lookup") == "post")
        .select(F.col("key").alias("post_id"), *_REACH)
        .withColumn("mask", bitmap(Reason.POST_OBJECTED.mask))
        .transform(without_covered, "post_id")
    )


def as_reach_of(reach: DataFrame, key: str) -> DataFrame:
    """One row per account (or post): `objection_reasons` that hold everywhere and always, `spans` for the others."""
    span = F.struct("platform", "since", "until", "mask")
    return reach.groupBy(key).agg(
        or_none(F.bit_or(F.when(~is_bounded(), F.col("mask")))).alias("objection_reasons"),
        F.collect_set(F.when(is_bounded(), span)).alias("spans"),
    )


def is_bounded() -> Column:
    """Whether reach is for some platform or time only."""
    return F.col("platform").isNotNull() | F.col("since").isNotNull() | F.col("until").isNotNull()


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


def without_covered(reach: DataFrame, *keys: str) -> DataFrame:
    """Drops, per key, platform and reason, what lies inside a time that began no later: it keeps nothing more out.

    Of more than 100 that remain, one is made that covers them all: it keeps out more than was asked for, never less.
    """
    same = Window.partitionBy(*keys, "platform", "mask")
    in_order = same.orderBy("begin", F.col("until").desc_nulls_first(), "objection_id")
    before = in_order.rowsBetween(Window.unboundedPreceding, -1)
    whole = same.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    end = F.coalesce("until", F.expr(_NO_END))
    few = F.count("*").over(whole) <= MOST_SPANS
    return (
        reach
        .withColumn("is_new", F.coalesce(end > F.max(end).over(before), F.lit(True)))
        .where("is_new")
        .withColumn("own", F.when(few, F.struct("begin", "until", "objection_id")))
        .groupBy(*keys, "platform", "mask", "own")
        .agg(
            F.min(F.struct("since")).alias("from"),
            F.max(end).alias("until"),
            F.min(F.struct("begin", "objection_id")).alias("first"),
        )
        .select(*keys, "platform", "mask", "from.since", F.nullif("until", F.expr(_NO_END)).alias("until"), "first.*")
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
    return F.struct(since.alias("since"), until.alias("until"), mask.alias("mask"))


def _named_accounts(standing: DataFrame, profiles: DataFrame) -> DataFrame:
    """The reach of every account that a subject names itself, with a profile or without; a row for each subject."""
    subjects = standing.transform(with_lookups)
    by_id = subjects.where(F.col("lookup") == "account").withColumn("account_id", F.col("key"))
    # a row per account of the person, or of the address
    by_name = subjects.join(names_of(profiles, "person", "email_hash"), on=["lookup", "key"], how="inner")
    return by_id.unionByName(by_name).select("account_id", "subject_type", "subject_id", *_REACH)


def _memberships(inputs: Inputs) -> DataFrame:
    """One row per account and group that an objection spreads through, with the reason that it then gives."""
    linked, same_person = bitmap(Reason.OBJECTED_LINKED.mask), bitmap(Reason.OBJECTED_SAME_PERSON.mask)
    links = inputs.links.select("account_id", F.col("link_group_id").alias("group_id"), "unlinked_at")
    persons = inputs.profiles.select(
        "account_id", F.col("person_id").alias("group_id"), F.expr(_NO_TIME).alias("unlinked_at")
    )
    return links.withColumn("mask", linked).unionByName(persons.withColumn("mask", same_person))


def _related_accounts(named: DataFrame, members: DataFrame) -> DataFrame:
    """The reach of every account in a group with one that is named, both there at or after the objection's beginning.

    A group's reach is settled before its members are looked at. Where it ends, it does not matter whose it was: within
    the same time its own account is OBJECTED, which ranks higher. Where it lasts, the earliest decides that does not
    name the member itself: one of the few earliest by different subjects.
    """
    lasting = F.coalesce(F.col("unlinked_at") >= F.col("begin"), F.lit(True))
    lasts = F.col("until").isNull()
    by_subject = [F.when(lasts, F.col(name)).alias(name) for name in ("subject_type", "subject_id")]
    earliest = Window.partitionBy("mask", "group_id", "platform", lasts).orderBy("begin", "objection_id")
    groups = (
        named
        .drop("mask")
        .join(members, on="account_id", how="inner")  # a row per group of the named account
        .where(lasting)
        .select("group_id", *by_subject, *_REACH)
        .transform(without_covered, "group_id", "subject_type", "subject_id")
        .withColumn("n", F.row_number().over(earliest.rowsBetween(Window.unboundedPreceding, Window.currentRow)))
        .where(~lasts | (F.col("n") <= MOST_OWN + 1))
    )
    own = named.select("account_id", "subject_type", "subject_id").distinct()
    return (
        groups
        .join(members, on=["mask", "group_id"], how="inner")  # a row per member and row of its group's reach
        .where(lasting)
        .join(own, on=["account_id", "subject_type", "subject_id"], how="left_anti")
        .select("account_id", *_REACH)
    )
