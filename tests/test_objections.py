"""Whom objections reach, and when: as a slow, pairwise reading of the contract says, at any number, with odd input."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Literal

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from corpus.arguments import conf_file
from corpus.inputs import Inputs
from corpus.objections import MOST_SPANS, as_reach_of, reach_of_accounts, standing_objections
from corpus.pipeline import judge
from corpus.policy import Clock, Policy, read_policy
from corpus.reasons import Reason, reasons_in
from corpus.staging import settled
from tests.small_inputs import inputs_with

T0 = datetime(2026, 10, 1, tzinfo=UTC)
CLOCK = Clock(cutoff=T0 + timedelta(days=50), now=T0 + timedelta(days=50))
UK = read_policy(conf_file("policies", "uk-social"))
RANKED = (Reason.OBJECTED, Reason.OBJECTED_LINKED, Reason.OBJECTED_SAME_PERSON)
WORLDS = 120


def day(number: float) -> datetime:
    return T0 + timedelta(days=number)


def scoped(scope: Literal["all", "after"]) -> Policy:
    return UK.model_copy(update={"objections": UK.objections.model_copy(update={"temporal_scope": scope})})


def reach(inputs: Inputs, policy: Policy = UK) -> DataFrame:
    return reach_of_accounts(standing_objections(inputs, policy, CLOCK).transform(settled), inputs)


def world(tag: str, random: Random) -> dict[str, list[dict[str, Any]]]:
    """A few accounts, persons and groups, and objections on few days, so that ties and overlaps are many."""
    accounts, groups = [f"{tag}a{n}" for n in range(5)], [f"{tag}g{n}" for n in range(2)]
    days = [None, *range(0, 48, 6)]

    def when() -> datetime | None:
        number = random.choice(days)
        return None if number is None else day(number)

    profiles = [
        {"account_id": a, "person_id": random.choice([f"{tag}q0", f"{tag}q1", None]),
         "email_hash": random.choice([f"{tag}e", None])} for a in accounts[:4]
    ]  # fmt: skip
    links = [{"account_id": random.choice(accounts), "link_group_id": random.choice(groups), "unlinked_at": when()}
             for _ in range(random.randrange(6))]  # fmt: skip
    objections: list[dict[str, Any]] = []
    for n in range(random.randrange(1, 6)):
        kind, subject = random.choice([
            ("account", random.choice(accounts)), ("person", f"{tag}q0"), ("email_hash", f"{tag}E"), (None, f"{tag}q1"),
        ])  # fmt: skip
        objections.append({
            "objection_id": f"{tag}o{n}", "kind": "object", "subject_type": kind, "subject_id": subject,
            "platform": random.choice([None, None, "facebook"]), "received_at": when(),
            "status": random.choice(["upheld", "received", "rejected"]),
        })  # fmt: skip
        if random.random() < 0.5:
            objections.append({"objection_id": f"{tag}w{n}", "kind": "withdraw", "withdraws": f"{tag}o{n}",
                               "verified": random.random() < 0.9, "received_at": when()})  # fmt: skip
    return {"profiles": profiles, "links": links, "objections": objections}


def spans_of(objection: dict[str, Any], rows: list[dict[str, Any]], scope: str) -> Iterator[tuple[Any, Any, Reason]]:
    """since, until and reason of one objection, by the contract."""
    begin = objection["received_at"]
    named = [w["received_at"] for w in rows if w.get("withdraws") == objection["objection_id"] and w["verified"]]
    ends = [end for end in named if end is not None]
    end = max(ends) if ends and (begin is None or max(ends) > begin) else None
    reasons = {"upheld": Reason.OBJECTED, "received": Reason.OBJECTION_PENDING, "rejected": Reason.OBJECTION_REJECTED}
    now = reasons[objection["status"]] if end is None else Reason.OBJECTION_WITHDRAWN_COOLING
    if end is None or end >= CLOCK.cutoff - timedelta(days=14):
        yield (begin if scope == "after" else None), None, now
    if end is not None:
        yield begin, end, Reason.OBJECTED


def expected(rows: dict[str, list[dict[str, Any]]], scope: str, platform: str, at: datetime) -> dict[str, set[Reason]]:
    """The reasons of each account for a post: every objection against every pair of accounts."""
    people: dict[str, dict[str, Any]] = {p["account_id"]: p for p in rows["profiles"]}
    found: dict[str, set[Reason]] = {}
    for objection in (o for o in rows["objections"] if o["kind"] == "object"):
        kind, subject, begin = objection["subject_type"], objection["subject_id"], objection["received_at"]
        named = {a for a, p in people.items() if kind in {None, "person"} and p["person_id"] == subject}
        named |= {a for a, p in people.items() if kind == "email_hash" and p["email_hash"] == subject.lower()}
        named |= {subject} if kind in {None, "account"} else set()

        def lasts(link: dict[str, Any], begin: datetime | None = begin) -> bool:
            return link["unlinked_at"] is None or begin is None or link["unlinked_at"] >= begin

        groups = {x["link_group_id"] for x in rows["links"] if x["account_id"] in named and lasts(x)}
        linked = {x["account_id"] for x in rows["links"] if x["link_group_id"] in groups and lasts(x)} - named
        persons = {people[a]["person_id"] for a in named if a in people} - {None}
        same = {a for a, p in people.items() if p["person_id"] in persons} - named
        for since, until, reason in spans_of(objection, rows["objections"], scope):
            on = objection["platform"] in {None, platform}
            if on and (since is None or at >= since) and (until is None or at <= until):
                ways = ((named, reason), (linked, Reason.OBJECTED_LINKED), (same, Reason.OBJECTED_SAME_PERSON))
                for accounts, way in ways:
                    for account in accounts:
                        found.setdefault(account, set()).add(way)
    return {account: first_only(reasons) for account, reasons in found.items()}


def first_only(reasons: set[Reason]) -> set[Reason]:
    """Of the three that rank, the first."""
    ranked = [reason for reason in RANKED if reason in reasons]
    return reasons - set(ranked[1:])


def carried(rows: list[Row], platform: str, at: datetime) -> dict[str, set[Reason]]:
    """The reasons of each account for a post, from rows of reach."""
    found: dict[str, set[Reason]] = {}
    for row in rows:
        since, until = (row[key] and row[key].replace(tzinfo=UTC) for key in ("since", "until"))
        holds = (
            row["platform"] in {None, platform} and (since is None or at >= since) and (until is None or at <= until)
        )
        if holds:
            found.setdefault(row["account_id"], set()).update(reasons_in(row["mask"]))
    return {account: first_only(reasons) for account, reasons in found.items()}


@pytest.mark.parametrize("scope", ["all", "after"])
def test_reach_is_what_every_pair_of_accounts_would_give(spark: SparkSession, scope: Literal["all", "after"]) -> None:
    worlds = [world(f"w{n:03d}", Random(n)) for n in range(WORLDS)]
    whole = {table: [row for rows in worlds for row in rows[table]] for table in worlds[0]}
    rows = reach(inputs_with(spark, **whole), scoped(scope)).collect()
    assert {reason.name for row in rows for reason in reasons_in(row["mask"])} >= {reason.name for reason in RANKED}
    for platform in ("facebook", "instagram"):
        for at in [day(n / 2) for n in range(-2, 100, 3)]:
            found = carried(rows, platform, at)
            for number, each in enumerate(worlds):
                own = {account: reasons for account, reasons in found.items() if account.startswith(f"w{number:03d}")}
                assert own == expected(each, scope, platform, at), (scope, platform, at, each)


def objecting(**changed: Any) -> dict[str, Any]:
    return {"kind": "object", "subject_type": "account", "status": "upheld", "received_at": day(1)} | changed


def test_odd_objections_keep_out_whom_they_should(spark: SparkSession) -> None:
    far, early = datetime(9999, 12, 31, tzinfo=UTC), datetime(1850, 1, 1, tzinfo=UTC)
    cases: dict[str, tuple[list[dict[str, Any]], bool]] = {
        "unknown type": ([objecting(subject_type="profile")], True),
        "no type": ([objecting(subject_type=None)], True),
        "type in odd case": ([objecting(subject_type=" ACCOUNT ")], True),
        "purpose in odd case": ([objecting(purpose=" Generative_AI ")], True),
        "no purpose but spaces": ([objecting(purpose="  ")], True),
        "another purpose": ([objecting(purpose="advertising")], False),
        "far future": ([objecting(received_at=far)], True),
        "long ago": ([objecting(received_at=early)], True),
        "withdrawn in the far future": (
            [objecting(objection_id="f"), {"kind": "withdraw", "withdraws": "f", "verified": True, "received_at": far}],
            True,
        ),
        "the same id twice": ([objecting(objection_id="d"), objecting(objection_id="d", status=None)], True),
        "unknown kind": ([objecting(kind="complain")], True),
        "kind in odd case": ([objecting(kind=" WITHDRAW ")], False),
    }
    objections = [
        {"objection_id": f"o of {name}", "subject_id": name} | row for name, (rows, _) in cases.items() for row in rows
    ]
    objections += [
        objecting(objection_id=f"n{n}", subject_id=nobody) for n, nobody in enumerate(["n/a", "", "0", None])
    ]
    reached = reach(inputs_with(spark, objections=objections)).where("until IS NULL").select("account_id").distinct()
    assert {row["account_id"] for row in reached.collect()} == {name for name, (_, is_out) in cases.items() if is_out}


def test_many_objections_by_one_person_and_a_great_link_group_are_few_rows(spark: SparkSession) -> None:
    """Paired, these would be 5 billion rows; the earliest decides, and for its own account the next one."""
    received = F.timestamp_seconds(F.col("id") + F.lit(1_780_000_000))
    said = [F.lit("object").alias("kind"), F.lit("received").alias("status"), received.alias("received_at")]
    one = spark.range(100_000).select(
        F.format_string("p%06d", "id").alias("objection_id"), F.lit("person").alias("subject_type"),
        F.lit("q").alias("subject_id"), *said,
    )  # fmt: skip
    group = spark.range(50_000).select(
        F.format_string("g%06d", "id").alias("objection_id"), F.lit("account").alias("subject_type"),
        F.format_string("m%06d", "id").alias("subject_id"), *said,
    )  # fmt: skip
    links = spark.range(100_000).select(
        F.format_string("m%06d", "id").alias("account_id"), F.lit("g").alias("link_group_id")
    )
    profiles = [{"account_id": "a1", "person_id": "q"}, {"account_id": "a2", "person_id": "q"}]
    rows = reach(inputs_with(spark, objections=one.unionByName(group), links=links, profiles=profiles))
    linked = F.col("mask") == Reason.OBJECTED_LINKED.mask
    of_first = F.when(linked & (F.col("account_id") == "m000000"), F.col("objection_id"))
    counted = rows.agg(
        F.count_if(linked), F.count_if(~linked), F.max(of_first),
        F.count_if(linked & (F.col("objection_id") == "g000000")),
        F.count_if(F.col("account_id").isin("a1", "a2") & (F.col("objection_id") == "p000000")),
    )  # fmt: skip
    assert tuple(counted.collect()[0]) == (100_000, 50_002, "g000001", 99_999, 2)


def test_more_times_apart_than_are_told_apart_become_one_that_covers_them(spark: SparkSession) -> None:
    """A subject that objected and withdrew again and again; one time less is still told exactly."""
    objections: list[dict[str, Any]] = []
    for account, times in (("few", MOST_SPANS), ("many", MOST_SPANS + 1)):
        for n in range(times):
            name, hours = f"{account}{n}", timedelta(hours=4 * n)
            begun = T0 - timedelta(days=60) + hours
            objections.append(objecting(objection_id=name, subject_id=account, received_at=begun))
            ended = {"received_at": begun + timedelta(hours=1)}
            objections.append(
                {"objection_id": f"w{name}", "kind": "withdraw", "withdraws": name, "verified": True} | ended
            )
    rows = reach(inputs_with(spark, objections=objections)).collect()
    found = {name: [row for row in rows if row["account_id"] == name] for name in ("few", "many")}
    assert len(found["few"]) == MOST_SPANS
    (one,) = found["many"]
    assert (one["since"].replace(tzinfo=UTC), one["objection_id"]) == (T0 - timedelta(days=60), "many0")
    assert one["until"] - one["since"] == timedelta(hours=4 * MOST_SPANS + 1)


def test_empty_tables_give_no_rows_and_no_error(spark: SparkSession) -> None:
    assert judge(inputs_with(spark), UK, CLOCK).collect() == []
    (alone,) = judge(
        inputs_with(spark, posts=[{"post_id": "p", "account_id": "a", "text": "tea"}]), UK, CLOCK
    ).collect()
    assert Reason.PROFILE_MISSING in reasons_in(alone["reasons"])
    spark.catalog.clearCache()


def test_reach_of_an_account_is_one_row(spark: SparkSession) -> None:
    objections = [
        objecting(objection_id="o1", subject_id="a"),
        objecting(objection_id="o2", subject_id="a", platform="x"),
    ]
    (row,) = reach(inputs_with(spark, objections=objections)).transform(as_reach_of, "account_id").collect()
    assert reasons_in(row["objection_reasons"]) == [Reason.OBJECTED]
    assert [span["platform"] for span in row["spans"]] == ["x"]
