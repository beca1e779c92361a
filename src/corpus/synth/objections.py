"""What people of an invented world ask for: objections, their withdrawals, and requests."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from corpus.inputs import as_contract
from corpus.synth.people import (
    CAMPAIGN,
    ONE_OBJECTS,
    ONE_PERSON,
    decided_at,
    email_hash,
    named,
    objected_at,
    own_platform,
    withdrawn_at,
)  # fmt: skip
from corpus.synth.phrases import below, choice
from corpus.synth.planted import BLOCK, DAY, KIND_AT, World, as_time, days_ago, id_of, in_slot, time_after

CHANNELS = "form|form|form|in_app|in_app|email"
UNRESOLVED_EVERY = 40_000
"""One objection in so many accounts names nobody: less than one in 1,000 objections, where a build still passes."""


def objections(accounts: DataFrame, made: World) -> DataFrame:
    """One row per event: objections by people, their withdrawals, objections to single posts, a few by nobody."""
    spark, account, number = accounts.sparkSession, F.col("account"), F.col("number")
    one_objects = F.col("role").isin(*ONE_OBJECTS) | F.col("is_one_person")
    objecting = (
        accounts
        .withColumn("objected", objected_at(made))
        .withColumn("withdrawn", withdrawn_at(made))
        .where(F.col("objected").isNotNull() & ~(F.col("is_odd") & one_objects))
    )
    withdrawal = _event(made, "w", account, F.col("withdrawn")) | {
        "kind": F.lit("withdraw"),
        "withdraws": id_of("o", account),
        "verified": F.col("role") != "unverified",
    }
    to_post = _event(made, "op", number, time_after(made, "post objected", number)) | {
        "subject_type": F.lit("post"),
        "subject_id": id_of("p", number),
    }
    by_nobody = _event(made, "o", number, days_ago(made, 100, 2, "nobody objected", number))
    nobodies = spark.range(made.accounts // UNRESOLVED_EVERY).select((F.col("id") + 9_000_000_000).alias("number"))
    events = [
        objecting.select(*named(_objection(made))),
        objecting.where(F.col("withdrawn").isNotNull()).select(*named(withdrawal)),
        planted_posts(spark, made, "objected").select(*named(to_post)),
        nobodies.select(*named(by_nobody)),
    ]
    return as_contract(
        reduce(lambda some, more: some.unionByName(more, allowMissingColumns=True), events), "objections"
    )


def requests(accounts: DataFrame, made: World) -> DataFrame:
    """One row per request: about accounts, and about single posts."""
    account, post, seed = F.col("account"), F.col("number"), made.seed
    other = choice("erasure|restriction", seed, "request", account)
    of_accounts = {
        "request_id": id_of("ra", account),
        "kind": F.when(F.col("role") == "reported", "third_party").otherwise(other),
        "account_id": id_of("a", account),
        "received_at": as_time(days_ago(made, 120, 0.1, "requested", account)),
    }
    of_posts = {
        "request_id": id_of("rp", post),
        "kind": choice("third_party|third_party|erasure", seed, "request", post),
        "post_id": id_of("p", post),
        "received_at": as_time(time_after(made, "requested", post)),
    }
    asking = accounts.where(F.col("role").isin("erased", "reported")).select(*named(of_accounts))
    about_posts = planted_posts(accounts.sparkSession, made, "requested").select(*named(of_posts))
    both = asking.unionByName(about_posts, allowMissingColumns=True)
    return as_contract(both.withColumns({"status": F.lit("received"), "recorded_at": F.col("received_at")}), "requests")


def planted_posts(spark: SparkSession, made: World, kind: str) -> DataFrame:
    """One row per post of a kind that needs nothing to refer to: its `number`."""
    slots = KIND_AT.count(kind)
    block, slot = F.floor(F.col("id") / slots), F.col("id") % slots + KIND_AT.index(kind)
    numbers = spark.range((made.all_posts // BLOCK + 1) * slots).select(in_slot(made, block, slot).alias("number"))
    return numbers.where(F.col("number") < made.all_posts)


def _event(made: World, prefix: str, number: Column, at: Column) -> dict[str, Column]:
    """An upheld objection by an account of this number, to all its posts."""
    return {
        "objection_id": id_of(prefix, number),
        "kind": F.lit("object"),
        "subject_type": F.lit("account"),
        "subject_id": id_of("a", number),
        "status": F.lit("upheld"),
        "channel": choice(CHANNELS, made.seed, f"{prefix} channel", number),
        "campaign": F.lit(CAMPAIGN),
        "received_at": as_time(at),
        "recorded_at": as_time(at),
    }


def _objection(made: World) -> dict[str, Column]:
    """What an account sends, as its role says: by account, person or address, for one platform or purpose."""
    role, account, objected = F.col("role"), F.col("account"), F.col("objected")
    by_person, by_email = role.isin(*ONE_PERSON[:2]), role == "objector_email"
    subject = F.when(by_person, id_of("u", F.col("pair") * 2)).when(by_email, email_hash(made))
    waiting = (role == "pending") & decided_at(made).isNull()
    states = choice("received|identity_check|under_review||escalated", made.seed, "undecided", account)
    elsewhere = F.when(F.col("is_odd"), "facebook").otherwise("instagram")
    platform = F.when(role == "objector_here", own_platform()).when(role == "objector_elsewhere", elsewhere)
    begins = below(10, made.seed, "begins", account)
    own = {
        "subject_type": F.when(by_person, "person").when(by_email, "email_hash").otherwise("account"),
        "subject_id": F.coalesce(subject, id_of("a", account)),
        "platform": platform.when(role == "objector_instagram", "instagram"),
        "purpose": F.when(role == "objector_to_ads", "advertising").when(begins < 5, "generative_ai"),
        "status": F.when(role == "rejected", "rejected").when(waiting, states).otherwise("upheld"),
        "ruling_id": F.when(role == "rejected", id_of("r", account)),
        "effective_at": as_time(F.when(begins < 3, objected).when(begins == 3, objected + 30 * DAY)),
        "recorded_at": as_time(F.coalesce(decided_at(made), objected)),
    }
    return _event(made, "o", account, objected) | own
