"""Whom objections name: each subject is found as an account, person, address or post, or said to be lost."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from corpus.resolution import MOST_NAMED, resolved_objections
from tests.small_inputs import inputs_with

ANY = ["account", "email_hash", "person", "post"]
PEOPLE: list[dict[str, Any]] = [
    {"account_id": "a1", "person_id": "q", "email_hash": "AB12"},
    {"account_id": "a2", "person_id": "q"},
    {"account_id": None, "person_id": "nobody"},
]
POSTS = [{"post_id": "p1", "account_id": "author"}, {"post_id": "p2", "account_id": "author"}, {"post_id": "a2"}]
CASES: dict[str, tuple[list[dict[str, Any]], tuple[str | None, list[str], int, list[str], str | None]]] = {
    "an account": ([{"subject_id": " a1 "}], ("account", ["account"], 1, ["a1"], None)),
    "an author without a profile": ([{"subject_id": "author"}], ("account", ["account"], 1, ["author"], None)),
    "a person": ([{"subject_type": "Person", "subject_id": "q"}], ("person", ["person"], 2, ["a1", "a2"], None)),
    "an address": ([{"subject_type": "email_hash", "subject_id": "aB12"}],
                   ("email_hash", ["email_hash"], 1, ["a1"], None)),
    "a post": ([{"subject_type": "post", "subject_id": "p1"}], ("post", ["post"], 0, [], "p1")),
    "no such account": ([{"subject_id": "a9"}], (None, ["account"], 0, [], None)),
    "a person of nobody": ([{"subject_type": "person", "subject_id": "nobody"}], (None, ["person"], 0, [], None)),
    "an account as a person": ([{"subject_type": "person", "subject_id": "a1"}], (None, ["person"], 0, [], None)),
    "a type nobody knows": ([{"subject_type": "profile", "subject_id": "q"}], ("person", ANY, 2, ["a1", "a2"], None)),
    "no type": ([{"subject_type": None, "subject_id": "p2"}], ("post", ANY, 0, [], "p2")),
    "of two meanings the account": ([{"subject_type": "?", "subject_id": "a2"}], ("account", ANY, 1, ["a2"], None)),
    "nobody named": ([{"subject_id": "N/A"}], (None, [], 0, [], None)),
    "the same twice": ([{"subject_id": "a1"}, {"subject_id": "a1"}], ("account", ["account"], 1, ["a1"], None)),
    "twice, once lost": ([{"subject_id": "a1"}, {"subject_id": "a9"}], (None, ["account"], 1, ["a1"], None)),
}  # fmt: skip


@pytest.fixture(scope="module")
def resolved(spark: SparkSession) -> dict[str, Row]:
    objections = [
        {"objection_id": name, "kind": "object", "subject_type": "account"} | row
        for name, (rows, _) in CASES.items() for row in rows
    ]  # fmt: skip
    objections.append({"objection_id": "withdrawn", "kind": " Withdraw", "subject_type": "account", "subject_id": "a1"})
    inputs = inputs_with(spark, posts=POSTS, profiles=PEOPLE, objections=objections)
    return {row["objection_id"]: row for row in resolved_objections(inputs).collect()}


@pytest.mark.parametrize("name", CASES)
def test_a_subject_is_found_or_said_to_be_lost(name: str, resolved: dict[str, Row]) -> None:
    row = resolved[name]
    assert (row["resolved_as"], row["tried"], row["accounts"], row["account_ids"], row["post_id"]) == CASES[name][1]


def test_each_objection_has_one_row_and_withdrawals_have_none(resolved: dict[str, Row]) -> None:
    assert sorted(resolved) == sorted(CASES)


def test_of_many_accounts_the_first_are_listed_and_all_counted(spark: SparkSession) -> None:
    objection = {"objection_id": "o", "subject_type": "person", "subject_id": "q"}
    many = spark.range(5000).select(F.format_string("a%05d", "id").alias("account_id"), F.lit("q").alias("person_id"))
    (row,) = resolved_objections(inputs_with(spark, objections=[objection], profiles=many)).collect()
    assert (row["accounts"], row["account_ids"]) == (5000, [f"a{n:05d}" for n in range(MOST_NAMED)])
