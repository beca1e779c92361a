"""The people plane of an invented world: who they are, what became of them, and what they were told."""

from __future__ import annotations

from datetime import timedelta

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from corpus.inputs import as_contract
from corpus.reasons import Reason
from corpus.synth import planted
from corpus.synth.phrases import below, choice, entry, share
from corpus.synth.planted import DAY, HOUR, World, as_time, days_ago, id_of, micros, wave_time

CAMPAIGN = "uk-2026"
ONE_PERSON = ("objector_person", "objector_instagram", "same_person")
ONE_OBJECTS = (*ONE_PERSON, "objector_email", "linked", "unlinked")
"""Roles in which only the Facebook account of a pair sends an objection."""
BOTH_OBJECT = ("objector", "objector_here", "objector_elsewhere", "objector_to_ads", "pending", "rejected")
WITHDRAWING = ("cooling", "cooled", "unverified")


def numbered_accounts(spark: SparkSession, made: World) -> DataFrame:
    """One row per account number, with what that account is."""
    return with_role(spark.range(made.accounts).withColumnRenamed("id", "account"), made)


def with_role(rows: DataFrame, made: World) -> DataFrame:
    """Adds what the account with the number `account` is: role, pair, is_odd (the Instagram one) and is_one_person."""
    account, pair = F.col("account"), F.shiftright("account", 1)
    by_chance = (F.col("role") == "plain") & (share(made.seed, "person", F.col("pair")) < 0.35)
    return (
        rows
        .withColumns({"pair": pair, "is_odd": account % 2 == 1, "role_slot": planted.role_slot(made, account)})
        .withColumn("role", planted.role_at(F.col("role_slot")))
        .withColumn("is_one_person", F.col("role").isin(*ONE_PERSON) | by_chance)
    )


def account_outcome(made: World) -> Column:
    """The reason that an account's ordinary posts carry, or `eligible`; null where it depends on the post."""
    is_odd, objected, half = F.col("is_odd"), Reason.OBJECTED.name, F.col("role_slot") * 2 + F.col("account") % 2
    reached = F.when(is_odd & F.col("is_one_person"), Reason.OBJECTED_SAME_PERSON.name).otherwise(objected)
    lapsed = F.when(is_odd, Reason.ACCOUNT_PRIVATE.name).otherwise(Reason.ACCOUNT_NOT_ACTIVE.name)
    relented = (F.col("role") == "objector") & withdrawn_at(made).isNotNull()
    return (
        F
        .when((F.col("role") == "plain") & objected_at(made).isNotNull(), reached)
        .when(lapsed_at(made).isNotNull(), lapsed)
        .when(decided_at(made).isNotNull(), objected)
        .when(relented, Reason.OBJECTION_WITHDRAWN_COOLING.name)
        .otherwise(entry(planted.ROLE_OUTCOMES, half))
    )


def objected_at(made: World) -> Column:
    """When a pair objected, in microseconds; null for never. Each wave brings objections of some 3 % of accounts."""
    role, pair = F.col("role"), F.col("pair")
    recency = share(made.seed, "objected", pair)
    lately = F.lit(micros(made.as_of) - HOUR) - (recency * recency * (180 * DAY)).cast("bigint")
    return (
        F
        .when(role == "plain", wave_time(made, 14, "objects", pair))
        .when(role == "cooled", days_ago(made, 400, 200, "objected", pair))
        .when(role.isin(*WITHDRAWING), days_ago(made, 180, 20, "objected", pair))
        .when(role.isin(*BOTH_OBJECT, *ONE_OBJECTS), lately)
    )


def withdrawn_at(made: World) -> Column:
    """When the objection was withdrawn, in microseconds; null for never."""
    role, pair = F.col("role"), F.col("pair")
    return (
        F
        .when(role == "cooled", days_ago(made, 150, 40, "withdrew", pair))
        .when(role.isin(*WITHDRAWING), days_ago(made, 9, 1, "withdrew", pair))
        .when(role == "objector", wave_time(made, 5, "relents", pair))
    )


def decided_at(made: World) -> Column:
    """When a pending objection was upheld, in microseconds; null if it still is pending."""
    return F.when(F.col("role") == "pending", wave_time(made, 8, "decided", F.col("pair")))


def lapsed_at(made: World) -> Column:
    """When an ordinary account was deactivated (Facebook) or made private (Instagram); null for never."""
    return F.when(F.col("role") == "plain", wave_time(made, 300, "lapses", F.col("pair")))


def birth_date(made: World) -> Column:
    """Adults were of age before the first post, but for the young ones."""
    role, today = F.col("role"), made.as_of.date()
    oddities = f"|1900-01-01|1970-01-01|{today + timedelta(400)}|1880-05-05|1960-06-01|1960-06-01"
    adult = F.date_add(F.lit("1930-01-02").cast("date"), _days(made, 20_700))
    return (
        F
        .when(role == "ageless", entry(oddities, _oddity(made)).cast("date"))
        .when(role == "young", F.date_sub(F.lit(today), _days(made, 6200) + 6640))
        .when(role == "minor", F.date_sub(F.lit(today), _days(made, 1700) + 4750))
        .when(adult == F.lit("1970-01-01").cast("date"), F.date_add(adult, 1))
        .otherwise(adult)
    )


def profiles(accounts: DataFrame, made: World) -> DataFrame:
    """One row per account but for those without a profile; both accounts of a pair of twins come under one id."""
    role, account, seed = F.col("role"), F.col("account"), made.seed
    person = F.when(F.col("is_one_person"), F.col("pair") * 2).when(share(seed, "known", account) < 0.95, account)
    columns = {
        "account_id": id_of("a", F.when(role == "twins", F.col("pair") * 2).otherwise(account)),
        "platform": own_platform(),
        "person_id": id_of("u", person),
        "account_type": F.when(role == "page", choice("page|business", seed, "type", account)).otherwise("person"),
        "created_at": as_time(days_ago(made, 7600, 7300, "joined", account)),
        "recorded_at": as_time(F.coalesce(lapsed_at(made), days_ago(made, 300, 2, "recorded", account))),
        "email_hash": email_hash(made),
    }
    described = columns | _status(made) | _visibility(made) | _age(made) | _country(made)
    return as_contract(accounts.where(role != "no_profile").select(*named(described)), "profiles")


def own_platform() -> Column:
    """The platform of the account."""
    return F.when(F.col("is_odd"), "instagram").otherwise("facebook")


def email_hash(made: World) -> Column:
    """SHA-256 of the address that both accounts of a pair give; null for some."""
    address = F.concat(F.lit(f"person{made.seed}."), F.col("pair"), F.lit("@example.org"))
    known = (F.col("role") == "objector_email") | (share(made.seed, "email", F.col("pair")) < 0.9)
    return F.when(known, F.sha2(address, 256))


def notices(accounts: DataFrame, made: World) -> DataFrame:
    """Up to two rows per account: what was sent to it, and, for some, sent again three days later."""
    role, account, is_again, seed = F.col("role"), F.col("account"), F.col("turn") == 1, made.seed
    failure = F.when(role == "untold", below(4, seed, "untold", account))
    sent_again = ~role.isin("untold", "told_before", "just_told", "moved") & (share(seed, "again", account) < 0.3)
    arrived = _told_at(made) + F.col("turn") * (3 * DAY)
    usual = choice("in_app|email", seed, "told by", account)
    columns = {
        "notice_id": F.concat(id_of("n", account), F.lit("-"), F.col("turn")),
        "account_id": id_of("a", account),
        "campaign": F.lit(CAMPAIGN),
        "notice_version": F.when(role == "told_before", 0).otherwise(1),
        "channel": F.when(is_again, "email").when(failure == 2, "letter").otherwise(usual),
        "sent_at": as_time(arrived - 60 * planted.SECOND),
        "delivered_at": as_time(F.when(failure.isNull() | (failure == 2), arrived)),
        "bounced_at": as_time(F.when(failure == 1, arrived)),
        "seen_at": as_time(F.when(failure.isNull() & (share(seed, "seen", account) < 0.6), arrived + 2 * HOUR)),
        "recorded_at": as_time(arrived + 5 * planted.SECOND),
    }
    turns = accounts.withColumn("turn", F.explode(F.array(F.lit(0), F.lit(1))))
    sent = turns.where((failure.isNull() | (failure != 0)) & (~is_again | sent_again))
    return as_contract(sent.select(*named(columns)), "notices")


def links(accounts: DataFrame, made: World) -> DataFrame:
    """One row per account whose person manages both accounts of the pair together, or did."""
    role, pair, begun = F.col("role"), F.col("pair"), objected_at(made)
    too_late = F.col("is_odd") & (role == "linked") & (share(made.seed, "unlinks", pair) < 0.4)
    unlinked = F.when(too_late, begun + HOUR // 2).when(F.col("is_odd") & (role == "unlinked"), begun - 30 * DAY)
    columns = {
        "account_id": id_of("a", F.col("account")),
        "link_group_id": id_of("g", pair),
        "linked_at": as_time(days_ago(made, 900, 500, "linked", pair)),
        "unlinked_at": as_time(unlinked),
        "recorded_at": as_time(F.coalesce(unlinked, days_ago(made, 400, 300, "link recorded", pair))),
    }
    return as_contract(accounts.where(role.isin("linked_calm", "linked", "unlinked")).select(*named(columns)), "links")


def named(columns: dict[str, Column]) -> list[Column]:
    """These columns under their names."""
    return [column.alias(name) for name, column in columns.items()]


def _days(made: World, limit: int) -> Column:
    return below(limit, made.seed, "born", F.col("account")).cast("int")


def _oddity(made: World) -> Column:
    """Which of seven ways an age is unknown in: null, two sentinels, the future, too long ago, two bad precisions."""
    return below(7, made.seed, "oddity", F.col("account"))


def _status(made: World) -> dict[str, Column]:
    account, lapsed = F.col("account"), F.when(~F.col("is_odd"), lapsed_at(made))
    ended = choice("deactivated|deactivated|deleted|suspended|memorialised||limited", made.seed, "end", account)
    status = F.when(F.col("role") == "gone", ended).when(lapsed.isNotNull(), "deactivated").otherwise("active")
    return {"status": status, "status_since": _since(made, "status", lapsed)}


def _visibility(made: World) -> dict[str, Column]:
    account, lapsed = F.col("account"), F.when(F.col("is_odd"), lapsed_at(made))
    hidden = choice("private|private|private|private||close_friends", made.seed, "hidden", account)
    shown = choice("public|" * 30 + "Public|public ", made.seed, "shown", account)
    visibility = F.when(F.col("role") == "private", hidden).when(lapsed.isNotNull(), "private").otherwise(shown)
    return {"visibility": visibility, "visibility_since": _since(made, "visibility", lapsed)}


def _since(made: World, state: str, lapsed: Column) -> Column:
    """When a state began: when the account lapsed, else long ago; null (always) for half of them."""
    dated = share(made.seed, f"{state} dated", F.col("account")) < 0.5
    return as_time(F.coalesce(lapsed, F.when(dated, days_ago(made, 2000, 310, state, F.col("account")))))


def _age(made: World) -> dict[str, Column]:
    role, account, seed = F.col("role"), F.col("account"), made.seed
    usual = choice("day|" * 18 + "month|year", seed, "precision", account)
    exact = F.when(role.isin("young", "minor"), "day").otherwise(usual)
    guessed = F.when(share(seed, "guessed", account) < 0.1, below(40, seed, "guess", account) + 21)
    odd = entry("day|day|day|day|day||decade", _oddity(made))
    return {
        "birth_date": birth_date(made),
        "birth_precision": F.when(role == "ageless", odd).otherwise(exact),
        "age_estimate": F.when(role == "looks_young", below(5, seed, "guess", account) + 13).otherwise(guessed),
    }


def _country(made: World) -> dict[str, Column]:
    role, account, seed = F.col("role"), F.col("account"), made.seed
    unknown = choice("||unknown|N/A", seed, "country", account)
    elsewhere = choice("JE|JE|IE|IE|IE|FR|FR|GG|IM|us ", seed, "country", account)
    at_home = choice("GB|" * 48 + "gb |Gb", seed, "country", account)
    moved = F.when(role == "moved", days_ago(made, 80, 10, "moved", account))
    settled = F.when(share(seed, "settled", account) < 0.3, days_ago(made, 4000, 400, "country", account))
    return {
        "country": F.when(role == "nowhere", unknown).when(role == "abroad", elsewhere).otherwise(at_home),
        "country_since": as_time(F.coalesce(moved, settled)),
    }


def _told_at(made: World) -> Column:
    """When the first notice arrived: before a move, too late for the window to have closed, or in good time."""
    role, account = F.col("role"), F.col("account")
    return (
        F
        .when(role == "just_told", days_ago(made, 35, 1, "told", account))
        .when(role == "moved", days_ago(made, 200, 100, "told", account))
        .otherwise(days_ago(made, 200, 60, "told", account))
    )
