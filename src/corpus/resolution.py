"""Whom an objection names: its subject looked up among accounts, persons, e-mail hashes and posts."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from corpus.inputs import Inputs
from corpus.staging import settled

SUBJECT_TYPES = ("account", "person", "email_hash", "post")
"""What a subject may be, in the order in which one of unknown type is tried."""

MOST_NAMED = 100
"""So many of the accounts that one subject names are listed; all are counted."""


def resolved_objections(inputs: Inputs) -> DataFrame:
    """One row per objection_id that is no withdrawal: what its subject was `tried` as, and `resolved_as`.

    `resolved_as` is null where nothing was found, in what is pinned now; of an id with several subjects, where nothing
    was found for one of them. `accounts` counts whom it names, `account_ids` holds the first 100, `post_id` a post.
    """
    objections = inputs.objections.where(~is_withdrawal()).select("objection_id", "subject_type", "subject_id")
    subjects = with_lookups(objections.distinct())
    found = _found(subjects.select("lookup", "key").where("key IS NOT NULL").distinct().transform(settled), inputs)
    way = F.struct(_rank(F.col("lookup")).alias("rank"), "lookup", "accounts", "account_ids", "post_id")
    # one row in, one row out: found is grouped by lookup and key
    by_subject = (
        subjects
        .join(found, on=["lookup", "key"], how="left")
        .groupBy("objection_id", "subject_type", "subject_id")
        .agg(
            F.collect_set(F.when(F.col("key").isNotNull(), F.col("lookup"))).alias("tried"),
            F.min(F.when(F.col("accounts").isNotNull(), way)).alias("way"),
        )
    )
    return (
        by_subject
        .groupBy("objection_id")
        .agg(
            F.min("way").alias("way"),
            F.bool_and(F.col("way").isNotNull()).alias("is_resolved"),
            F.array_sort(F.array_distinct(F.flatten(F.collect_set("tried")))).alias("tried"),
        )
        .select(
            "objection_id",
            F.when(F.col("is_resolved"), F.col("way.lookup")).alias("resolved_as"),
            "tried",
            F.coalesce("way.accounts", F.lit(0).cast("bigint")).alias("accounts"),
            F.coalesce("way.account_ids", F.array().cast("array<string>")).alias("account_ids"),
            "way.post_id",
        )
    )


def is_withdrawal() -> Column:
    """Whether an event takes back an objection; an unknown kind is an objection."""
    return F.coalesce(F.col("kind") == "withdraw", F.lit(False))


def with_lookups(objections: DataFrame) -> DataFrame:
    """One row per objection and type that its subject may be: `lookup`, and the `key` to look for."""
    known = F.coalesce(F.col("subject_type").isin(*SUBJECT_TYPES), F.lit(False))
    every = F.array(*map(F.lit, SUBJECT_TYPES))
    key = F.when(F.col("lookup") == "email_hash", F.lower("subject_id")).otherwise(F.col("subject_id"))
    return objections.withColumn(
        "lookup", F.explode(F.when(known, F.array("subject_type")).otherwise(every))
    ).withColumn("key", key)


def names_of(profiles: DataFrame, *lookups: str) -> DataFrame:
    """One row per profile and way to name it: `lookup`, `key`, account_id."""
    columns = {"account": "account_id", "person": "person_id", "email_hash": "email_hash"}
    names = F.array(*(F.struct(F.lit(name).alias("lookup"), F.col(columns[name]).alias("key")) for name in lookups))
    known = profiles.where(F.col("account_id").isNotNull())
    return known.select(F.explode(names).alias("name"), "account_id").select("name.lookup", "name.key", "account_id")


def _found(wanted: DataFrame, inputs: Inputs) -> DataFrame:
    """One row per lookup and key that is known: how many `accounts` it names, the first `account_ids`, its `post_id`.

    The posts are scanned for what the profiles do not know: two narrow columns, of which few rows go on.
    """
    by_profile = names_of(inputs.profiles, *SUBJECT_TYPES[:3]).join(wanted, on=["lookup", "key"], how="left_semi")
    named = by_profile.distinct().transform(settled)
    missing = wanted.join(named.select("lookup", "key").distinct(), on=["lookup", "key"], how="left_anti")
    places = F.array(
        *(
            F.struct(F.lit(lookup).alias("lookup"), F.col(column).alias("key"))
            for lookup, column in (("account", "account_id"), ("post", "post_id"))
        )
    )
    by_post = (
        inputs.posts
        .select(F.explode(places).alias("place"))
        .select("place.lookup", "place.key")
        .join(missing, on=["lookup", "key"], how="left_semi")
        .distinct()
        .withColumn("account_id", F.when(F.col("lookup") == "account", F.col("key")))
    )
    return named.unionByName(by_post).transform(_as_first_named)


def _as_first_named(named: DataFrame) -> DataFrame:
    """One row per lookup and key: a count of the accounts and the first of them; memory is bounded by these."""
    same = Window.partitionBy("lookup", "key")
    every = same.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    first = same.orderBy("account_id").rowsBetween(Window.unboundedPreceding, Window.currentRow)
    return (
        named
        .withColumn("accounts", F.count("account_id").over(every))
        .withColumn("n", F.row_number().over(first))
        .where(F.col("n") <= MOST_NAMED)
        .groupBy("lookup", "key")
        .agg(
            F.max("accounts").alias("accounts"),
            F.array_sort(F.collect_list("account_id")).alias("account_ids"),
            F.max(F.when(F.col("lookup") == "post", F.col("key"))).alias("post_id"),
        )
    )


def _rank(lookup: Column) -> Column:
    return F.array_position(F.array(*map(F.lit, SUBJECT_TYPES)), lookup)
