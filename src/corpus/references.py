"""Posts that concern other people or other posts: co-authors, mentions, tags and reshares.

Only posts that have some are looked at.
"""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from corpus.policy import Policy
from corpus.posts import account_reasons
from corpus.reasons import Reason
from corpus.rules import in_force, people_reasons
from corpus.staging import sent_where_few, settled
from corpus.verdicts import bitmap, first_objection_only, has_any, is_known_minor, is_objector, or_none

PEOPLE = {
    "coauthor_ids": Reason.COAUTHOR_INELIGIBLE,
    "mentions": Reason.MENTIONS_OBJECTOR,
    "tags": Reason.TAGS_OBJECTOR,
}
DOUBLINGS = 5
"""Chains of reshares are followed for 2^5 = 32 hops."""


def with_people_reasons(posts: DataFrame, accounts: DataFrame, policy: Policy) -> DataFrame:
    """Adds to `reasons` what the accounts that a post names carry for it, and what lists of them are incomplete."""
    applied = bitmap(in_force(policy))
    return posts.transform(_with_more_reasons, _reasons_by_people(posts, accounts, applied)).withColumn(
        "reasons", F.col("reasons").bitwiseOR(_incomplete_lists().bitwiseAND(applied))
    )


def with_reshare_reasons(posts: DataFrame, policy: Policy) -> DataFrame:
    """Adds RESHARE_SOURCE_INELIGIBLE where some post up the chain is missing or left out, or the chain does not end."""
    if not in_force(policy) & Reason.RESHARE_SOURCE_INELIGIBLE.mask:
        return posts
    broken = broken_chains(posts.select("post_id", "reshared_from", "reasons"))
    reason = bitmap(Reason.RESHARE_SOURCE_INELIGIBLE.mask)
    return posts.transform(_with_more_reasons, broken.select("post_id", reason.alias("more_reasons")))


def broken_chains(posts: DataFrame) -> DataFrame:
    """The post_id of each reshare whose chain holds a post that is missing or has a reason, or is longer than 32 hops.

    Pointer doubling: after round k a reshare has seen 2^k posts up its chain, and stands before the next one. Each
    round is one join of the reshares with themselves; it ends when no chain goes on, mostly after the first.
    """
    hops = _first_hops(posts).transform(settled)
    for _ in range(DOUBLINGS):
        if hops.where("next IS NOT NULL").isEmpty():
            break
        hops = hops.transform(_with_doubled_hops).transform(settled)
    return hops.where("is_broken OR next IS NOT NULL").select("post_id")


def _first_hops(posts: DataFrame) -> DataFrame:
    """One row per reshare.

    Whether the post it reshares is missing or left out, and otherwise the `next` one up the chain.
    """
    reshares = posts.where(F.col("reshared_from").isNotNull() & F.col("post_id").isNotNull())
    wanted = reshares.select(F.col("reshared_from").alias("post_id")).distinct()
    sources = (
        posts
        .join(wanted, on="post_id", how="left_semi")
        .groupBy("post_id")
        .agg(
            F.bool_or(has_any(F.col("reasons"), people_reasons())).alias("is_out"),
            F.max("reshared_from").alias("goes_on_to"),
        )
        .select(F.col("post_id").alias("reshared_from"), "is_out", "goes_on_to")
    )
    # one row in, one row out: sources are grouped by post_id
    return (
        reshares
        .join(sources, on="reshared_from", how="left")
        .withColumn("is_broken", F.coalesce("is_out", F.lit(True)))
        .groupBy("post_id")
        .agg(
            F.bool_or("is_broken").alias("is_broken"),
            F.max(F.when(~F.col("is_broken") & F.col("goes_on_to").isNotNull(), F.col("reshared_from"))).alias("next"),
        )
    )


def _with_doubled_hops(hops: DataFrame) -> DataFrame:
    """Each reshare takes over what the one it stands before has seen. One row in, one row out."""
    ahead = hops.select(
        F.col("post_id").alias("next"), F.col("is_broken").alias("is_broken_ahead"), F.col("next").alias("next_ahead")
    )
    return hops.join(ahead, on="next", how="left").select(
        "post_id",
        (F.col("is_broken") | F.coalesce("is_broken_ahead", F.lit(False))).alias("is_broken"),
        F.col("next_ahead").alias("next"),
    )


def _reasons_by_people(posts: DataFrame, accounts: DataFrame, applied: Column) -> DataFrame:
    """One row per post that names people: the reasons that come from them."""
    named = (
        posts
        .where(reduce(Column.__or__, (F.size(column) > 0 for column in PEOPLE)))  # before lists are made of them
        .select("post_id", "platform", "created_at", _people().alias("people"))
        .where(F.size("people") > 0)
    )
    carried = first_objection_only(account_reasons(F.col("platform"), F.col("created_at")).bitwiseAND(applied))
    return (
        named
        .select("post_id", "platform", "created_at", F.explode("people").alias("person"))
        .select("post_id", "platform", "created_at", "person.role", "person.account_id")
        # one row in, one row out
        .join(accounts.drop("is_private"), on="account_id", how="left")
        .withColumn("carried", carried)
        .where(_matters(F.col("role"), F.col("carried")))
        .groupBy("post_id")
        .agg(F.bit_or("role").bitwiseAND(applied).alias("more_reasons"))
    )


def _people() -> Column:
    """Everybody a post names: array<struct<role, account_id>>, the role as the bitmap of the reason it would give."""

    def of(column: str, reason: Reason) -> Column:
        ids = F.array_distinct(F.array_compact(F.coalesce(F.col(column), F.array().cast("array<string>"))))
        return F.transform(
            ids, lambda account: F.struct(bitmap(reason.mask).alias("role"), account.alias("account_id"))
        )

    return F.concat(*(of(column, reason) for column, reason in PEOPLE.items()))


def _matters(role: Column, carried: Column) -> Column:
    """A co-author's any reason; of the mentioned and tagged, whether they object or are known to be under age."""
    as_coauthor = (role == bitmap(Reason.COAUTHOR_INELIGIBLE.mask)) & (carried != 0)
    return as_coauthor | is_objector(carried) | is_known_minor(carried)


def _incomplete_lists() -> Column:
    """The reasons whose list of people is null or holds a null."""

    def of(column: str, reason: Reason) -> Column:
        complete = (F.size(column) == 0) | F.forall(column, lambda account: account.isNotNull())
        return F.when(~F.coalesce(complete, F.lit(False)), bitmap(reason.mask)).otherwise(bitmap(0))

    return reduce(Column.bitwiseOR, (of(column, reason) for column, reason in PEOPLE.items()))


def _with_more_reasons(posts: DataFrame, more: DataFrame) -> DataFrame:
    """Adds `more_reasons` of the posts concerned. One row in, one row out: more is grouped by post_id."""
    return (
        posts
        .join(sent_where_few(more), on="post_id", how="left")
        .withColumn("reasons", F.col("reasons").bitwiseOR(or_none(F.col("more_reasons"))))
        .drop("more_reasons")
    )
