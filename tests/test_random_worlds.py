"""Both paths agree on random worlds, the second finds bugs planted in the first, and the first keeps its promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from corpus import accounts, inputs, notices, objections, pipeline, posts, references
from corpus.pipeline import judge
from corpus.policy import Clock
from corpus.reasons import Group, Reason, mask_of
from corpus.snapshot import as_documents, row_digest, with_ids
from corpus.vectors import Batch, World, batches, inputs_of, read_worlds
from tests.random_worlds import Maker, Row, compared, differences, first_path, random_batches, told
from tests.vectors import VECTORS

WORLDS, BATCH, SEED = 200, 100, 20261124
PEOPLE = mask_of(reason for reason in Reason if reason.group is not Group.DATASET)


@pytest.fixture(scope="module")
def random_batch() -> Batch:
    return next(random_batches(SEED, BATCH, BATCH))


@pytest.fixture(scope="module")
def judged(spark: SparkSession, random_batch: Batch) -> list[Row]:
    """What the first path makes of that batch."""
    return first_path(spark, random_batch)


def reasons_of(rows: list[Row]) -> dict[str | None, int]:
    return {row["post_id"]: row["reasons"] for row in rows}


def kept(rows: list[Row]) -> set[str | None]:
    return {row["post_id"] for row in rows if not row["reasons"]}


def test_both_paths_agree_on_random_worlds(spark: SparkSession, random_batch: Batch, judged: list[Row]) -> None:
    first, *others = random_batches(SEED, WORLDS, BATCH)
    found = [(first, compared(first, judged))] + [(batch, differences(spark, batch)) for batch in others]
    assert not any(wrong for _, wrong in found), "\n".join(line for each in found for line in told(*each))
    assert len(kept(judged)) > BATCH / 2


# --- bugs planted in the first path ---


def counts_any_withdrawal(withdrawals: DataFrame) -> DataFrame:
    at = F.max(F.greatest("effective_at", "received_at")).alias("withdrawn_at")
    return withdrawals.groupBy(F.col("withdraws").alias("objection_id")).agg(at)


def any_birth_date(birth: Column, today: Column) -> Column:
    return F.coalesce(birth <= today, F.lit(False))


SCOPE, STATE, SAID, WINDOW_END = posts._scope_rules, posts._state_rules, posts.said_about_posts, notices._window_end
BUGS: dict[str, tuple[str, str]] = {
    "a private container is forgotten": ("public post in a private group", "p1"),
    "deletions after the cutoff are forgotten": ("deleted after the cutoff", "p1"),
    "the window closes after the cutoff, not before": ("created at the cutoff", "p1"),
    "a post may be recorded long before it was made": ("created after it was recorded", "p1"),
    "1970 counts as a year of birth": ("placeholder birth date", "p1"),
    "the time to object is a day too short": ("window ends a day after the cutoff", "p1"),
    "a notice counts on any channel": ("notified on a channel that does not count", "p1"),
    "co-authors are forgotten": ("co-author objected", "p1"),
    "a missing list is an empty one": ("a list of mentions that is missing", "p1"),
    "reshares are forgotten": ("reshares of an objector", "p3"),
    "a withdrawal counts though nobody verified it": ("withdrawal nobody verified", "p1"),
    "requests about a post are forgotten": ("somebody pictured asks for removal", "p1"),
    "ids are not trimmed": ("subject id with stray spaces", "p1"),
}
"""What is wrong, and the world and post that show it."""


def plant(patch: pytest.MonkeyPatch) -> None:
    """All the bugs at once: each shows in a world of its own."""

    def state_rules(policy: Any, clock: Clock) -> dict[Reason, Column]:
        forgotten = F.coalesce(F.col("deleted_at") <= F.lit(clock.cutoff), F.lit(False))
        public = F.coalesce(F.col("visibility") == "public", F.lit(False))
        on_time = F.coalesce(F.col("public_since") <= F.lit(clock.cutoff), F.lit(True))
        return STATE(policy, clock) | {Reason.DELETED: forgotten, Reason.NOT_PUBLIC: ~(public & on_time)}

    def scope_rules(policy: Any, clock: Clock) -> dict[Reason, Column]:
        inside = F.col("created_at").between(F.lit(policy.window_start), F.lit(clock.cutoff))
        known = F.col("created_at").isNotNull() & F.col("recorded_at").isNotNull()
        outside = ~F.coalesce(inside, F.lit(False))
        return SCOPE(policy, clock) | {Reason.OUT_OF_WINDOW: outside, Reason.TIME_INVALID: ~known}

    def said_about_posts(given: Any, standing: DataFrame) -> DataFrame:
        return SAID(replace(given, requests=given.requests.limit(0)), standing)

    patch.setattr(posts, "_state_rules", state_rules)
    patch.setattr(posts, "_scope_rules", scope_rules)
    patch.setattr(posts, "said_about_posts", said_about_posts)
    patch.setattr(accounts, "_is_believable", any_birth_date)
    patch.setattr(notices, "_window_end", lambda *how: WINDOW_END(*how) - F.expr("INTERVAL 1 DAY"))
    patch.setattr(notices, "_of_campaign", lambda notice: F.lower("campaign") == notice.campaign)
    patch.setattr(references, "_matters", lambda *_: F.lit(False))
    patch.setattr(references, "_incomplete_lists", lambda: F.lit(0).cast("bigint"))
    patch.setattr(pipeline, "with_reshare_reasons", lambda rows, _: rows)
    patch.setattr(objections, "_withdrawals", counts_any_withdrawal)
    patch.setattr(inputs, "trim", lambda column: column)


@pytest.fixture(scope="module")
def found_with_bugs(spark: SparkSession) -> tuple[list[World], set[str | None]]:
    wanted = {name for name, _ in BUGS.values()}
    (batch,) = batches([world for world in read_worlds(VECTORS) if world.name in wanted])
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        wrong = first_path(spark, batch)
    return batch.worlds, set(compared(batch, wrong))


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_planted_in_the_first_path_is_found(
    bug: str, found_with_bugs: tuple[list[World], set[str | None]]
) -> None:
    name, post = BUGS[bug]
    worlds, found = found_with_bugs
    (world,) = (world for world in worlds if world.name == name)
    assert world.tag + post in found


# --- promises that hold whatever the world ---


def changed(batch: Batch, change: Callable[[World], dict[str, list[Row]]]) -> Batch:
    """The batch with other rows in each world."""
    return Batch(batch.policy, batch.clock, [replace(world, rows=world.rows | change(world)) for world in batch.worlds])


def test_one_more_objection_frees_no_post(spark: SparkSession, random_batch: Batch, judged: list[Row]) -> None:
    maker = Maker(Random(SEED), random_batch.clock.cutoff, ["GB"])

    def with_one_more(world: World) -> dict[str, list[Row]]:
        usual = world.rows["objections"][-1]
        more = usual | maker.objection("one-more") | {"objection_id": f"{world.tag}one-more"}
        subject = str(more["subject_id"] or "").strip()
        return {"objections": [*world.rows["objections"], more | {"subject_id": f"{world.tag}{subject}"}]}

    after = reasons_of(first_path(spark, changed(random_batch, with_one_more)))
    before = reasons_of(judged)
    freed = {post for post, reasons in before.items() if reasons & PEOPLE and not after[post] & PEOPLE}
    assert not freed
    assert before != after


def test_posts_of_excluded_authors_may_as_well_not_be_there(
    spark: SparkSession, random_batch: Batch, judged: list[Row]
) -> None:
    account = mask_of(reason for reason in Reason if reason.group is Group.ACCOUNT)
    is_out = {post for post, reasons in reasons_of(judged).items() if reasons & account}
    repeated = {post for post, reasons in reasons_of(judged).items() if reasons & Reason.POST_CONFLICT.mask}

    def without_them(world: World) -> dict[str, list[Row]]:
        def author(row: Row) -> str:
            return str(row["account_id"]).strip()

        def post(row: Row) -> str | None:
            return inputs_id(row["post_id"])

        rows = world.rows["posts"]
        free = {author(row) for row in rows if post(row) not in is_out}
        return {"posts": [row for row in rows if author(row) in free and post(row) not in repeated]}

    assert not random_batch.policy.objector_copies.exact | bool(random_batch.policy.objector_copies.near)
    assert kept(first_path(spark, changed(random_batch, without_them))) == kept(judged)


def inputs_id(value: str | None) -> str | None:
    return value.strip() if value else None


def test_an_earlier_cutoff_admits_no_later_post(spark: SparkSession, random_batch: Batch) -> None:
    cutoff = random_batch.clock.cutoff - timedelta(days=30)
    made = {
        row["post_id"].strip(): row["created_at"]
        for w in random_batch.worlds
        for row in w.rows["posts"]
        if row["post_id"]
    }
    earlier = Batch(random_batch.policy, Clock(cutoff=cutoff, now=random_batch.clock.now), random_batch.worlds)
    admitted = kept(first_path(spark, earlier))
    assert admitted
    assert all(made[str(post)] < cutoff for post in admitted)


def test_the_digest_knows_no_files_partitions_or_order(spark: SparkSession, random_batch: Batch) -> None:
    def digest(partitions: int, seed: int) -> str:
        given = inputs_of(spark, random_batch.worlds)
        moved = {
            table: getattr(given, table)
            .orderBy(F.xxhash64(F.lit(seed), *getattr(given, table).columns))
            .repartition(partitions)
            for table in ("posts", "profiles", "objections", "links", "notices", "requests")
        }
        verdicts = judge(replace(given, **moved), random_batch.policy, random_batch.clock)
        found = row_digest(as_documents(with_ids(verdicts, b"k" * 32, 2, spark)))
        spark.catalog.clearCache()
        return found

    assert digest(1, seed=1) == digest(7, seed=2)
