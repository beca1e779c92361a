"""The people plane: one row per account with its reasons, settled before any post is looked at.

What only a post can decide travels with the account: `adult_from` and the `spans` of its objections.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from corpus.inputs import Inputs
from corpus.keys import repeated
from corpus.local_time import Local, by_country, local_date, start_of_day
from corpus.notices import notice_rules, with_notice
from corpus.objections import as_reach_of, reach_of_accounts, standing_objections
from corpus.policy import Clock, Policy
from corpus.reasons import Reason
from corpus.rules import in_force
from corpus.staging import settled
from corpus.verdicts import bitmap, flagged, or_none

SENTINEL_BIRTHS = ("1900-01-01", "1970-01-01")
OLDEST_YEARS = 120


@dataclass(frozen=True)
class People:
    """The people plane of one build, settled: what objections keep out, whom they reach, and a verdict per account."""

    standing: DataFrame
    reach: DataFrame
    accounts: DataFrame


def judged_people(inputs: Inputs, policy: Policy, clock: Clock) -> People:
    """All that the posts of a build need to know of people."""
    standing = standing_objections(inputs, policy, clock).transform(settled)
    reach = reach_of_accounts(standing, inputs).transform(settled)
    return People(standing, reach, judged_accounts(inputs, reach, policy, clock).transform(settled))


def judged_accounts(inputs: Inputs, reach: DataFrame, policy: Policy, clock: Clock) -> DataFrame:
    """One row per account that has a profile, an objection or a request.

    Columns: account_id, account_reasons (bitmap of what holds for all its posts), spans, adult_from, is_private, and
    the notice_id that WINDOW_OPEN or NOTICE_SUPERSEDED is about.
    """
    found = reach.transform(as_reach_of, "account_id").transform(with_requests, inputs.requests).transform(settled)
    return (
        with_one_profile_each(inputs.profiles)
        .transform(with_age, policy, clock)
        .transform(with_notice, inputs.notices, policy)
        .transform(with_profile_reasons, policy, clock)
        .transform(with_reach, found)
        .transform(with_accounts_unprofiled, found, inputs.profiles)
        .select(
            "account_id",
            F.col("account_reasons").bitwiseAND(bitmap(in_force(policy))).alias("account_reasons"),
            "spans",
            "adult_from",
            "is_private",
            "notice_id",
        )
    )


def with_one_profile_each(profiles: DataFrame) -> DataFrame:
    """One row per account: its only profile, or, where it has several, none of their facts but `is_conflict`."""
    known = profiles.where(F.col("account_id").isNotNull()).select(*_FACTS)
    several = F.broadcast(repeated(known, "account_id"))
    single = known.join(several, on="account_id", how="left_anti")
    conflicts = (
        known
        .join(several, on="account_id", how="left_semi")
        .groupBy("account_id")
        .agg(F.array_sort(F.collect_set("platform")).alias("platforms"))
    )
    return (
        single
        .withColumn("platforms", F.array("platform"))
        .drop("platform")
        .withColumn("is_conflict", F.lit(False))
        .unionByName(conflicts.withColumn("is_conflict", F.lit(True)), allowMissingColumns=True)
    )


def with_age(profiles: DataFrame, policy: Policy, clock: Clock) -> DataFrame:
    """Replaces the birth date by `adult_from`.

    The instant from which the person is known to be of age, null if unknown.
    """
    today = by_country(policy, lambda local: local_date(F.lit(clock.cutoff), local.timezone))
    of_age = by_country(policy, lambda local: start_of_day(_coming_of_age(local), local.timezone))
    return (
        profiles
        .withColumn("adult_from", F.when(_is_believable(F.col("birth_date"), today), of_age))
        .withColumn("is_young_by_estimate", F.coalesce(by_country(policy, _is_young_by_estimate), F.lit(False)))
        .drop("birth_date", "birth_precision", "age_estimate")
    )


def with_profile_reasons(profiles: DataFrame, policy: Policy, clock: Clock) -> DataFrame:
    """Adds `account_reasons` by what the profile and the notices say; leaves `adult_from` to adults."""
    rules = age_rules(clock) | profile_rules(policy, clock) | notice_rules(policy, clock)
    conflict = bitmap(Reason.PROFILE_CONFLICT.mask)
    return (
        profiles
        .withColumn("account_reasons", F.when(F.col("is_conflict"), conflict).otherwise(flagged(rules)))
        .withColumn("is_private", ~F.col("is_conflict") & ~_held("visibility", "public", "visibility_since", clock))
        .withColumn("adult_from", F.when(F.col("adult_from") <= F.lit(clock.cutoff), F.col("adult_from")))
        .withColumn("notice_id", F.coalesce("told.notice_id", "told_by_older.notice_id"))
        .select("account_id", "platforms", "account_reasons", "adult_from", "is_private", "notice_id")
    )


def age_rules(clock: Clock) -> dict[Reason, Column]:
    """Whether the person is an adult at the cutoff, as conditions on `adult_from`."""
    known, of_age = F.col("adult_from").isNotNull(), F.col("adult_from") <= F.lit(clock.cutoff)
    return {
        Reason.AGE_UNKNOWN: ~known,
        Reason.MINOR_AT_CUTOFF: known & ~of_age,
        Reason.AGE_CONFLICT: known & of_age & F.col("is_young_by_estimate"),
    }


def profile_rules(policy: Policy, clock: Clock) -> dict[Reason, Column]:
    """Whether the account is one that the dataset is made for, as conditions on the profile."""
    country = F.col("country")
    return {
        Reason.COUNTRY_UNKNOWN: country.isNull(),
        Reason.COUNTRY_OUT_OF_SCOPE: country.isNotNull() & ~country.isin(*policy.countries),
        Reason.ACCOUNT_NOT_ACTIVE: ~_held("status", "active", "status_since", clock),
        Reason.ACCOUNT_TYPE_UNSUPPORTED: ~F.coalesce(F.col("account_type").isin(*policy.account_types), F.lit(False)),
        Reason.ACCOUNT_PRIVATE: ~_held("visibility", "public", "visibility_since", clock),
    }


def with_requests(found: DataFrame, requests: DataFrame) -> DataFrame:
    """Adds the accounts that a request names: third-party requests and, by any other kind, erasure."""
    named = requests.where(F.col("account_id").isNotNull())
    by_account = named.groupBy("account_id").agg(F.bit_or(request_mask()).alias("requested"))
    # full: an account may object, ask, or both
    return found.join(by_account, on="account_id", how="full").select(
        "account_id",
        or_none(F.col("objection_reasons")).bitwiseOR(or_none(F.col("requested"))).alias("found_reasons"),
        F.col("spans").alias("found_spans"),
    )


def request_mask() -> Column:
    """The reason that a request on an account gives, as a bitmap."""
    third_party = F.coalesce(F.col("kind") == "third_party", F.lit(False))
    return F.when(third_party, bitmap(Reason.THIRD_PARTY_REQUEST.mask)).otherwise(bitmap(Reason.ERASURE_REQUESTED.mask))


def with_reach(accounts: DataFrame, found: DataFrame) -> DataFrame:
    """Adds what was found about an account to its reasons.

    A span on a platform that is the account's own holds on all.
    """

    def everywhere_if_own(span: Column) -> Column:
        own = F.array_contains(F.col("platforms"), span["platform"])
        return span.withField("platform", F.when(~F.coalesce(own, F.lit(False)), span["platform"]))

    # one row in, one row out: found is grouped by account
    return accounts.join(found, on="account_id", how="left").select(
        "account_id",
        F.col("account_reasons").bitwiseOR(or_none(F.col("found_reasons"))).alias("account_reasons"),
        F.transform("found_spans", everywhere_if_own).alias("spans"),
        "adult_from",
        "is_private",
        "notice_id",
    )


def with_accounts_unprofiled(accounts: DataFrame, found: DataFrame, profiles: DataFrame) -> DataFrame:
    """Adds a row for each account that objected or asked and has no profile."""
    # few rows each: found is small, and of the profiles only those in it remain
    profiled = profiles.select("account_id").join(found.select("account_id"), on="account_id", how="left_semi")
    missing = bitmap(Reason.PROFILE_MISSING.mask)
    unprofiled = found.join(profiled, on="account_id", how="left_anti").select(
        "account_id",
        F.col("found_reasons").bitwiseOR(missing).alias("account_reasons"),
        F.col("found_spans").alias("spans"),
        F.lit(False).alias("is_private"),
    )
    return accounts.unionByName(unprofiled, allowMissingColumns=True)


_FACTS = (
    "account_id", "platform", "account_type", "status", "status_since", "visibility", "visibility_since", "birth_date",
    "birth_precision", "age_estimate", "country", "country_since",
)  # fmt: skip


def _held(state: str, wanted: str, since: str, clock: Clock) -> Column:
    """Whether the state is the wanted one and was so at the cutoff; a null since means always."""
    at_cutoff = F.coalesce(F.col(since) <= F.lit(clock.cutoff), F.lit(True))
    return F.coalesce(F.col(state) == wanted, F.lit(False)) & at_cutoff


def _is_believable(birth: Column, today: Column) -> Column:
    sentinel = birth.isin(*(F.lit(day).cast("date") for day in SENTINEL_BIRTHS))
    living = (birth <= today) & (birth >= F.add_months(today, -12 * OLDEST_YEARS))
    precise = F.col("birth_precision").isin("day", "month", "year")
    return F.coalesce(~sentinel & living & precise, F.lit(False))


def _coming_of_age(local: Local) -> Column:
    """The date on which the person comes of age.

    The last day that an imprecise birth date allows; 29 February on 1 March, in leap years too.
    """
    birth = F.col("birth_date")
    latest = (
        F
        .when(F.col("birth_precision") == "year", F.make_date(F.year(birth), F.lit(12), F.lit(31)))
        .when(F.col("birth_precision") == "month", F.last_day(birth))
        .otherwise(birth)
    )
    is_leap_day = (F.month(latest) == 2) & (F.dayofmonth(latest) == 29)
    first_of_march = F.make_date(F.year(latest) + F.lit(local.adult_age), F.lit(3), F.lit(1))
    return F.when(is_leap_day, first_of_march).otherwise(F.add_months(latest, 12 * local.adult_age))


def _is_young_by_estimate(local: Local) -> Column:
    return F.col("age_estimate") < local.adult_age
