"""The content plane: what a post's own columns say, and the one join with its author's account."""

from __future__ import annotations

from datetime import timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from corpus.inputs import Inputs
from corpus.keys import repeated
from corpus.objections import as_reach_of, reach_of_posts, spans_holding
from corpus.policy import Clock, Policy
from corpus.reasons import Reason, mask_of
from corpus.rules import in_force, without_data
from corpus.staging import looked_up, sent_where_few
from corpus.text import fingerprint
from corpus.verdicts import bitmap, first_objection_only, flagged, or_none


def with_fingerprint(posts: DataFrame) -> DataFrame:
    """Adds `fingerprint`, which posts of equal normalised text share; null where the text has no letter or digit."""
    return posts.withColumn("fingerprint", fingerprint(F.col("text")))


def with_author(posts: DataFrame, accounts: DataFrame) -> DataFrame:
    """Adds `reasons`: what the author's account carries for this very post. One row in, one row out."""
    return (
        posts
        .join(accounts.drop("notice_id").transform(looked_up), on="account_id", how="left")
        .withColumn("reasons", account_reasons(F.col("platform"), F.col("created_at")))
        .drop("account_reasons", "spans", "adult_from")
    )


def account_reasons(platform: Column, created_at: Column) -> Column:
    """The reasons that a joined account carries for a post of this platform and time.

    PROFILE_MISSING if none was joined.
    """
    at_post = F.coalesce(created_at < F.col("adult_from"), F.lit(False))
    minor = F.when(at_post, bitmap(Reason.MINOR_AT_POST.mask)).otherwise(bitmap(0))
    always = F.coalesce("account_reasons", bitmap(Reason.PROFILE_MISSING.mask))
    return always.bitwiseOR(minor).bitwiseOR(spans_holding(F.col("spans"), platform, created_at))


def with_post_reasons(posts: DataFrame, inputs: Inputs, standing: DataFrame, policy: Policy, clock: Clock) -> DataFrame:
    """Adds to `reasons` what the post says of itself, and what was said about it by its id. One row in, one row out."""
    said = said_about_posts(inputs, standing).transform(sent_where_few)
    unfed = mask_of(without_data(inputs, policy))
    about = or_none(F.col("said_reasons")).bitwiseOR(
        spans_holding(F.col("spans"), F.col("platform"), F.col("created_at"))
    )
    own = flagged(post_rules(policy, clock)).bitwiseOR(about).bitwiseOR(bitmap(unfed))
    applied = bitmap(in_force(policy))
    return (
        posts
        .join(said, on="post_id", how="left")
        .withColumn("reasons", first_objection_only(F.col("reasons").bitwiseOR(own).bitwiseAND(applied)))
        .drop("said_reasons", "spans", "is_private")
    )


def post_rules(policy: Policy, clock: Clock) -> dict[Reason, Column]:
    """The rules that need nothing but the post's row."""
    return _scope_rules(policy, clock) | _state_rules(policy, clock)


def said_about_posts(inputs: Inputs, standing: DataFrame) -> DataFrame:
    """One row per post that an objection, a request or a repeated id concerns: `said_reasons` and `spans`."""
    requested = inputs.requests.select("post_id", bitmap(Reason.THIRD_PARTY_REQUEST.mask).alias("said_reasons"))
    conflicts = repeated(inputs.posts, "post_id").select(
        "post_id", bitmap(Reason.POST_CONFLICT.mask).alias("said_reasons")
    )
    objected = reach_of_posts(standing).transform(as_reach_of, "post_id")
    return (
        objected
        .withColumnRenamed("objection_reasons", "said_reasons")
        .unionByName(requested.unionByName(conflicts), allowMissingColumns=True)
        .where(F.col("post_id").isNotNull())
        .groupBy("post_id")
        .agg(
            F.bit_or("said_reasons").alias("said_reasons"),
            F.flatten(F.collect_list("spans")).alias("spans"),
        )
    )


def _scope_rules(policy: Policy, clock: Clock) -> dict[Reason, Column]:
    """Whether the post is one that the dataset is made for."""
    created = F.col("created_at")
    in_window = (created >= F.lit(policy.window_start)) & (created < F.lit(clock.cutoff))
    skew = F.lit(timedelta(minutes=policy.clock_skew_minutes))
    in_time = F.coalesce(created <= F.col("recorded_at") + skew, F.lit(False))
    is_comment = F.coalesce(F.col("surface") == "comment", F.lit(False))
    return {
        Reason.PLATFORM_OUT_OF_SCOPE: ~F.coalesce(F.col("platform").isin(*policy.platforms), F.lit(False)),
        Reason.SURFACE_NOT_ALLOWED: ~F.coalesce(F.col("surface").isin(*policy.surfaces), F.lit(False)),
        Reason.COMMENT_AUTHOR_PRIVATE: is_comment & F.coalesce("is_private", F.lit(False)),
        Reason.TIME_INVALID: ~in_time,
        Reason.OUT_OF_WINDOW: ~F.coalesce(in_window, F.lit(False)),
        Reason.TEXT_EMPTY: F.col("fingerprint").isNull(),
        Reason.POST_CONFLICT: F.col("post_id").isNull(),
    }


def _state_rules(policy: Policy, clock: Clock) -> dict[Reason, Column]:
    """What became of the post."""
    lately = F.lit(clock.before(days=policy.third_parties.republished_days))
    republished = (F.col("public_since") > lately) & (F.col("created_at") < lately)
    return {
        Reason.NOT_PUBLIC: ~_was_public(clock),
        Reason.DELETED: F.col("deleted_at").isNotNull(),
        Reason.REMOVED_MODERATION: F.col("moderated_at").isNotNull(),
        Reason.VISIBILITY_CHANGED: F.coalesce(republished, F.lit(False)),
        Reason.EDITED_AFTER_CUTOFF: F.coalesce(F.col("edited_at") >= F.lit(clock.cutoff), F.lit(False)),
        Reason.FLAGGED_CONTENT: ~F.coalesce(F.size("flags") == 0, F.lit(False)),
    }


def _was_public(clock: Clock) -> Column:
    public = F.coalesce(F.col("visibility") == "public", F.lit(False))
    container = F.coalesce(F.col("container_visibility") == "public", F.lit(True))
    at_cutoff = F.coalesce(F.col("public_since") <= F.lit(clock.cutoff), F.lit(True))
    return public & container & at_cutoff
