"""Random small worlds in the format of the vectors, made to disagree about: nulls, ties, edges of time, odd spellings.

`python -m tests.random_worlds --worlds 2000 --seed 7` judges so many by both paths, tells how far it is, and prints a
world on which they differ as a vector to paste into tests/vectors/eligibility.yaml.
"""

from __future__ import annotations

import argparse
import re
import secrets
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from random import Random
from typing import Any

import pyarrow as pa
import yaml
from pyspark.sql import SparkSession

from corpus.audit.engine import LEDGER, Given, arrow_schema, verdicts_of
from corpus.pipeline import judge
from corpus.policy import Clock, as_policy
from corpus.reasons import reasons_in
from corpus.schemas import INPUTS
from corpus.session import open_session
from corpus.vectors import Batch, World, as_world, inputs_of
from tests.conftest import ROOT, SETTINGS_FOR_TESTS
from tests.vectors import VECTORS

Row = dict[str, Any]
Verdict = tuple[int, str | None]

CLOCKS = [
    datetime(2026, 11, 20, tzinfo=UTC),
    datetime(2026, 7, 10, 23, 30, tzinfo=UTC),
    datetime(2026, 3, 29, 0, 59, 59, 999999, tzinfo=UTC),
    datetime(2026, 10, 25, 0, tzinfo=UTC),
    datetime(2028, 2, 29, 12, tzinfo=UTC),
]
SETTINGS: dict[str, list[Row]] = {
    "age": [{}, {"age_basis": "cutoff"}, {"adult_age": 16}],
    "objections": [
        {},
        {"objections": {"temporal_scope": "after"}},
        {"objections": {"objected_period": "keep"}},
        {"objections": {"linked": "off"}},
        {"objections": {"same_person": False, "temporal_scope": "after"}},
        {"objections": {"rejected_counts": False, "withdrawal_cooling_days": 0}},
        {"objections": {"rulings": ["R-1", "R-2"]}},
    ],
    "third parties": [
        {},
        {"third_parties": {"mentions": "keep", "republished_days": 0}},
        {"third_parties": {"tags": "keep", "private_commenters": "keep"}},
        {"third_parties": {"coauthors": "keep"}},
    ],
    "notice": [
        {},
        {"notice": {"version": 2}},
        {"notice": {"window_days": 0}},
        {"notice": {"outages": [{"from": datetime(2026, 2, 10, tzinfo=UTC), "to": datetime(2026, 2, 12, tzinfo=UTC)}]}},
        {
            "notice": {
                "window_days": 90,
                "outages": [
                    {"from": datetime(2026, 3, 1, tzinfo=UTC), "to": datetime(2026, 4, 28, 23, tzinfo=UTC)},
                    {"from": datetime(2026, 4, 28, 22, tzinfo=UTC)},
                ],
            }
        },
    ],
    "places": [
        {},
        {"countries": ["GB", "NZ"], "per_country": {"NZ": {"timezone": "Pacific/Auckland", "adult_age": 20}}},
        {
            "countries": ["GB", "US"],
            "per_country": {
                "US": {
                    "timezone": "America/Los_Angeles",
                    "notice": {"campaign": "us-2026", "version": 3, "channels": ["email"], "window_days": 30},
                }
            },
        },
    ],
    "rules": [
        {},
        {},
        {"edited_after_cutoff": "latest"},
        {"rules_off": [{"rule": "ACCOUNT_PRIVATE", "because": "for the test"}]},
        {
            "rules_off": [
                {"rule": "OBJECTED", "because": "for the test"},
                {"rule": "DELETED", "because": "for the test"},
            ]
        },
        {"rules_off": [{"rule": "COUNTRY_CHANGED", "because": "for the test"}]},
        {"rules_off": [{"rule": "MINOR_AT_CUTOFF", "because": "for the test"}], "clock_skew_minutes": 0},
    ],
    "copies": [
        {},
        {"objector_copies": {"min_tokens": 2, "min_authors": 2}},
        {"objector_copies": {"min_tokens": 4, "min_authors": 3, "near": 0.7}},
        {"objector_copies": {"exact": False, "near": False}},
    ],
    "likeness": [{}, {}, {"dedup": {"near": False}}, {"dedup": {"near": 0.6}}, {"dedup": {"exact": False}}],
}
ACCOUNTS = ["a1", "a2", "a3", "a4", "a5"]
ODD_ACCOUNTS = ["ghost", None, " a1 ", "a2\t", "A1", "unknown", "N/A", "0", "", "a3\n"]
PLATFORMS = ["facebook", "instagram", "instagram", " Instagram", "FACEBOOK", "threads", None, ""]
LONG = "the queue for the bakery went round the corner twice on saturday morning, well before nine o'clock"
TEXTS = [
    "Rain again in Leeds today!", "rain again, in LEEDS   today", "Ｒａｉｎ again in Leeds today", "tea", "Tea?",
    LONG, LONG.upper(), LONG.replace("saturday", "sunday"), LONG.replace("the queue", "A queue"), f"{LONG} 🥐 sharp",
    LONG.replace("twice on", "on"),
]  # fmt: skip
ODD_TEXTS = [
    "   ",
    "",
    None,
    "🎉🎉",
    "!!!",
    "ß",
    "７",
    "今日はとても",
    "हिन्दी",
    "½",
    "™",
    "²",
    "\u0301",
    "İstanbul",
    "ΟΔΟΣ",
]
STATUSES = ["upheld", "received", "identity_check", "rejected", "rejected", " Rejected", "UPHELD", "zzz", None, ""]


@cache
def book() -> Row:
    """The vectors' defaults, `always`, policy and clock."""
    found: Row = yaml.safe_load(VECTORS.read_text(encoding="utf-8"))
    return found


class Maker:
    """Makes one world after another from a seed; rows hold only what differs from the vectors' defaults."""

    def __init__(self, rng: Random, cutoff: datetime, countries: list[str]) -> None:
        self.rng = rng
        self.cutoff = cutoff
        self.countries = countries

    def seldom(self, share: float = 0.05) -> bool:
        return self.rng.random() < share

    def instant(self) -> datetime:
        """An instant that some rule may trip over."""
        days = self.rng.choice([0, 0, 1, 14, 14, 30, 30, 42, 43, 90, 200, 300, -1])
        near = [
            self.cutoff - timedelta(days=days),
            datetime(2026, 10, 1, 10, tzinfo=UTC),
            datetime(2026, 1, 10, 12, tzinfo=UTC),
            datetime(2026, 2, 1, 9, tzinfo=UTC),
            datetime(2007, 1, 1, tzinfo=UTC),
            datetime(2026, self.rng.randint(1, 12), self.rng.randint(1, 28), self.rng.randint(0, 23), tzinfo=UTC),
        ]
        if self.seldom(0.02):
            return self.rng.choice([datetime(9999, 1, 1, tzinfo=UTC), datetime(1850, 1, 1, tzinfo=UTC)])
        micros = self.rng.choice([0, 0, 0, 1, -1, 1_000_000, 3_600_000_000, -3_600_000_000, 300_000_000])
        return self.rng.choice(near) + timedelta(microseconds=micros)

    def maybe_instant(self) -> datetime | None:
        return None if self.seldom(0.2) else self.instant()

    def account(self) -> str | None:
        return self.rng.choice(ODD_ACCOUNTS if self.seldom() else ACCOUNTS)

    def people(self) -> list[str | None] | None:
        if self.seldom(0.04):
            return None
        return [self.account() for _ in range(self.rng.choice([0, 0, 0, 1, 2]))] + ([None] if self.seldom(0.02) else [])

    def changed(self, row: Row, pools: dict[str, Any], share: float = 0.04) -> Row:
        """The row with a few of its columns from these pools; a callable pool makes its value."""
        for name, pool in pools.items():
            if self.seldom(share):
                row[name] = pool() if callable(pool) else self.rng.choice(pool)
        return row

    def world(self, name: str) -> Row:
        """A case as the vector file would have it, without expectations."""
        case = {
            "name": name,
            "profiles": (profiles := [row for account in ACCOUNTS for row in self.profiles(account)]),
            "notices": [row for profile in profiles for row in self.notices(profile)],
            "objections": self.objections(),
            "links": self.links(),
            "requests": self.requests(),
            "posts": self.chain() if self.seldom(0.015) else self.posts(),
        }
        return {table: rows for table, rows in case.items() if rows}

    def profiles(self, account: str) -> list[Row]:
        count = self.rng.choices([0, 1, 2], [5, 90, 5])[0]
        pools = {
            "account_id": [f" {account}", f"{account}\t"], "platform": PLATFORMS,
            "account_type": ["page", "Person ", None],
            "status": ["deactivated", "ACTIVE", None, "active2", "", "active\n"],
            "status_since": self.maybe_instant, "visibility": ["private", " Public", None, ""],
            "visibility_since": self.maybe_instant, "birth_date": self.birth_date,
            "birth_precision": ["month", "year", "Day ", None, "decade"], "age_estimate": [15, 17.9, 18, 16, 20, None],
            "country": ["gb ", "NZ", "US", "US", "NZ", "JE", None, "", "unknown"], "country_since": self.maybe_instant,
            "email_hash": ["sha256(a@example.org)", "sha256(b@example.org)"],
        }  # fmt: skip
        rows = []
        for _ in range(count):
            row: Row = {"account_id": account}
            if self.seldom(0.4):
                row["person_id"] = self.rng.choice(["q1", "q1", "q2", " q1", None, "unknown"])
            if self.seldom(0.2):
                row |= {"birth_date": self.birth_date(), "birth_precision": self.rng.choice(["day", "month", "year"])}
            if self.seldom(0.3):
                row["country"] = self.rng.choice([*self.countries, *self.countries, "NZ", "US"])
            rows.append(self.changed(row, pools, 0.02))
        return rows

    def birth_date(self) -> date | None:
        year = self.cutoff.year - self.rng.choice([15, 16, 17, 18, 18, 18, 19, 20, 20, 40, 120, 121])
        days = [date(self.cutoff.year, self.cutoff.month, 1) + timedelta(days=n) for n in range(28)]
        odd = [None, date(1970, 1, 1), date(1900, 1, 1), date(1890, 6, 1), date(2008, 2, 29), date(2010, 2, 1)]
        odd += [date(2008, 2, 1), (self.cutoff + timedelta(days=1)).date(), self.cutoff.date(), date(2004, 2, 29)]
        day = self.rng.choice(days) if self.seldom(0.5) else self.cutoff.date() + timedelta(self.rng.randint(-2, 2))
        return self.rng.choice(odd) if self.seldom(0.35) else date(year, day.month, min(day.day, 28))

    def notices(self, profile: Row) -> list[Row]:
        rows, account = [], profile["account_id"].strip()
        for n in range(self.rng.choices([0, 1, 2], [4, 76, 20])[0]):
            row: Row = {"notice_id": f"n{n}-{account}", "account_id": account}
            if profile.get("country") == "US" and self.seldom(0.9):
                row |= {"campaign": "us-2026", "notice_version": 3, "channel": "email"}
            pools = {
                "notice_id": ["n-same", None, "0"], "account_id": [None, f" {account} "],
                "campaign": ["UK-2026", "other", None, " us-2026"], "notice_version": [2, 0, None, 3],
                "channel": ["Email ", "sms", None], "delivered_at": self.maybe_instant,
                "bounced_at": self.maybe_instant,
            }  # fmt: skip
            rows.append(self.changed(row, pools, 0.05))
        return rows

    def objections(self) -> list[Row]:
        rows = [self.objection(f"o{n}") for n in range(self.rng.choices([0, 1, 2, 3], [25, 40, 20, 15])[0])]
        for n, row in enumerate(list(rows)):
            rows += [self.withdrawal(f"x{n}{m}", row) for m in range(self.rng.choices([0, 1, 2], [60, 30, 10])[0])]
            if self.seldom():
                rows.append(self.changed(dict(row), {"status": STATUSES, "effective_at": self.maybe_instant}, 0.5))
        return rows

    def objection(self, objection_id: str) -> Row:
        kind, subject = self.rng.choices(
            [("account", self.account()), ("person", self.rng.choice(["q1", "q2", " q1", None])), ("post", "p1"),
             ("email_hash", "sha256(a@example.org)"), (self.rng.choice([None, "phone", " Account", "E-mail"]),
             self.rng.choice([self.account(), "q1", "p2", "sha256(b@example.org)"]))],
            [50, 20, 10, 8, 8],
        )[0]  # fmt: skip
        row: Row = {"objection_id": objection_id, "subject_type": kind, "subject_id": subject}
        if self.seldom(0.5):
            row["status"] = self.rng.choice(STATUSES)
        if self.seldom(0.4):
            row |= {"received_at": self.maybe_instant(), "effective_at": self.maybe_instant()}
        pools = {
            "objection_id": [None], "kind": ["zzz", None, " Object"], "platform": PLATFORMS,
            "purpose": ["advertising", "Generative_AI ", None, ""], "ruling_id": ["R-1", " R-1", "R-2", "r-1", None],
        }  # fmt: skip
        return self.changed(row, pools, 0.12)

    def withdrawal(self, objection_id: str, of: Row) -> Row:
        begin = of.get("received_at") or datetime(2026, 10, 1, 10, tzinfo=UTC)
        ago = self.cutoff - timedelta(days=14)
        at = [
            begin,
            begin + timedelta(microseconds=1),
            begin + timedelta(days=30),
            ago,
            ago - timedelta(microseconds=1),
        ]
        row: Row = {
            "objection_id": objection_id, "kind": self.rng.choice(["withdraw", "withdraw", "withdraw", " WITHDRAW"]),
            "withdraws": of["objection_id"], "subject_id": "a1", "received_at": self.rng.choice(at),
        }  # fmt: skip
        pools = {
            "verified": [False, None], "withdraws": [None, "o0", f" {of['objection_id']}"], "status": STATUSES,
            "received_at": self.maybe_instant, "effective_at": self.maybe_instant, "objection_id": ["x00", None, "o0"],
        }  # fmt: skip
        return self.changed(row, pools, 0.1)

    def links(self) -> list[Row]:
        rows = []
        for n in range(self.rng.choices([0, 2, 3, 4], [40, 30, 20, 10])[0]):
            row: Row = {"account_id": ACCOUNTS[n % 5], "link_group_id": self.rng.choice(["g1", "g1", "g2"])}
            at = datetime(2026, 10, 1, 10, tzinfo=UTC) + timedelta(microseconds=self.rng.choice([-1, 0, 1]))
            pools = {
                "account_id": self.account, "link_group_id": [None, " g1", "0"], "linked_at": self.maybe_instant,
                "unlinked_at": lambda at=at: at if self.seldom(0.5) else self.maybe_instant(),
            }  # fmt: skip
            rows.append(self.changed(row, pools, 0.2))
        return rows

    def requests(self) -> list[Row]:
        rows = []
        for n in range(self.rng.choices([0, 1, 2], [75, 20, 5])[0]):
            row: Row = {"request_id": f"r{n}", "kind": self.rng.choice(["erasure", "restriction", "third_party", None])}
            row[self.rng.choice(["post_id", "account_id"])] = self.rng.choice(["p1", "a1", "a2", "p2", " a1 "])
            pools = {"kind": [" Third_Party", "zzz", ""], "account_id": self.account, "request_id": ["r0", None]}
            rows.append(self.changed(row, pools, 0.1))
        return rows

    def posts(self) -> list[Row]:
        return [self.post(f"p{n}") for n in range(1, self.rng.randint(2, 7))]

    def post(self, post_id: str) -> Row:
        row: Row = {"post_id": post_id, "account_id": self.account()}
        if self.seldom(0.5):
            made = self.instant()
            row |= {"created_at": made, "public_since": made}
            row["recorded_at"] = made + timedelta(seconds=5)
        if self.seldom(0.6):
            row["text"] = self.rng.choice(TEXTS)
        pools = {
            "post_id": ["p1", " p1", None], "platform": PLATFORMS, "visibility": ["friends", "Public ", None, ""],
            "surface": ["comment", "COMMENT", "story", None, "message"], "public_since": self.maybe_instant,
            "container_visibility": ["public", " PUBLIC", "private", ""], "created_at": self.maybe_instant,
            "edited_at": self.maybe_instant, "deleted_at": self.maybe_instant, "moderated_at": self.maybe_instant,
            "recorded_at": self.maybe_instant, "flags": [None, ["minor_depicted"], [None], ["zzz"], [""]],
            "text": ODD_TEXTS, "reshared_from": ["p1", "p2", "p3", "gone", " p1", "", "unknown", "null"],
        }  # fmt: skip
        if self.seldom(0.1):
            row["surface"] = "comment"
        row = self.changed(row, pools, 0.02)
        whom = {"coauthor_ids": self.people, "mentions": self.people, "tags": self.people}
        return self.changed(row, whom, 0.15)

    def chain(self) -> list[Row]:
        """Reshares of reshares, as long as may be or one too many, or in a ring, or of something bad."""
        length, is_ring = self.rng.choice([31, 32, 33, 34, 36]), self.seldom(0.3)
        last = {"reshared_from": f"c{length}"} if is_ring else self.rng.choice([{}, {}, {"visibility": "friends"}])
        posts: list[Row] = [{"post_id": "c0", "account_id": "a1"} | last]
        posts += [{"post_id": f"c{n}", "account_id": "a1", "reshared_from": f"c{n - 1}"} for n in range(1, length + 1)]
        self.rng.shuffle(posts)
        return posts


def random_batches(seed: int, worlds: int, size: int) -> Iterator[Batch]:
    """So many worlds, in batches that share a policy and a clock."""
    for start in range(0, worlds, size):
        rng = Random(f"{seed}-{start}")
        cutoff = rng.choice(CLOCKS)
        patch: Row = {}
        for choices in SETTINGS.values():
            patch |= rng.choice(choices)
        clock = {"cutoff": cutoff, "now": cutoff + timedelta(hours=6)}
        maker = Maker(rng, cutoff, patch.get("countries", ["GB"]))
        cases = [
            maker.world(f"random {seed}/{n}") | {"policy": patch, "clock": clock}
            for n in range(start, min(start + size, worlds))
        ]
        yield batch_of(cases)


def batch_of(cases: list[Row]) -> Batch:
    """These cases, which share a policy and a clock, as one batch; their texts are kept apart by a word."""
    worlds = [as_world(book(), apart(case, f"w{n:03d}"), f"w{n:03d}-") for n, case in enumerate(cases)]
    return Batch(as_policy(worlds[0].policy, cases[0]["name"]), Clock(**worlds[0].clock), worlds)


def apart(case: Row, word: str) -> Row:
    """The case with this word all through every text that has words: none is like one of another world."""
    said = [
        post | {"text": f"{word} " + re.sub(r"(\S+\s+\S+)", rf"\1 {word}", post["text"])}
        if any(map(str.isalnum, post.get("text") or ""))
        else post
        for post in case["posts"]
    ]
    return case | {"posts": said}


def arrow_tables(worlds: list[World]) -> dict[str, pa.Table]:
    """The rows of these worlds as the second path takes them."""
    return {
        table: pa.Table.from_pylist([row for world in worlds for row in world.rows[table]], arrow_schema(table))
        for table in INPUTS
    }


def first_path(spark: SparkSession, batch: Batch) -> list[Row]:
    """The rows of `judge`: post_id, reasons, kept_instead, similarity."""
    judged = judge(inputs_of(spark, batch.worlds), batch.policy, batch.clock)
    rows = judged.select("post_id", "reasons", "kept_instead", "similarity").collect()
    spark.catalog.clearCache()
    return [row.asDict() for row in rows]


def second_path(batch: Batch, ledger: list[Row]) -> list[Row]:
    """The rows of the audit: post_id, reasons, kept_instead."""
    said = pa.Table.from_pylist(ledger, LEDGER)
    given = Given(arrow_tables(batch.worlds), batch.policy, batch.clock.cutoff, ledger=said)
    found: list[Row] = verdicts_of(given).to_pylist()
    return found


def differences(spark: SparkSession, batch: Batch) -> dict[str | None, tuple[Verdict | None, Verdict | None]]:
    """The posts on which the paths differ, with what either says."""
    return compared(batch, first_path(spark, batch))


def compared(batch: Batch, first: list[Row]) -> dict[str | None, tuple[Verdict | None, Verdict | None]]:
    """The posts on which the second path differs from these rows of the first, with what either says."""
    paths = [
        {r["post_id"]: (r["reasons"], r["kept_instead"]) for r in rows} for rows in (first, second_path(batch, first))
    ]
    one, two = paths
    for path in paths:  # posts without an id are one row, of which only that it is out is agreed
        path.update({None: (1, None)} if path.get(None, (0, None))[0] else {})
    return {post: (one.get(post), two.get(post)) for post in one.keys() | two.keys() if one.get(post) != two.get(post)}


def as_vector(world: World, post_id: str) -> str:
    """The world as an entry of the vector file; what must come out is for a person to say."""
    case = {key: value for key, value in world.case.items() if value}
    return f"# {post_id}\n" + yaml.safe_dump([case], sort_keys=False, width=150, allow_unicode=True)


def told(batch: Batch, found: dict[str | None, tuple[Verdict | None, Verdict | None]]) -> Iterator[str]:
    """Each difference in a line, and once each world that has one."""
    for post, (one, two) in sorted(found.items(), key=str):
        yield f"{post}: first path {said(one)}, second path {said(two)}"
    for world in batch.worlds:
        mine = [post for post in found if post and post.strip().startswith(world.tag)]
        if mine:
            yield as_vector(world, ", ".join(mine))


def said(verdict: Verdict | None) -> str:
    if verdict is None:
        return "nothing"
    names = " ".join(reason.name for reason in reasons_in(verdict[0])) or "in"
    return names + (f" (kept {verdict[1]})" if verdict[1] else "")


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    asked = parser.parse_args(argv)
    print(f"{asked.worlds} worlds, seed {asked.seed}", flush=True)
    session, done, wrong = open_session("corpus fuzz", ROOT / "conf/spark/local.conf", SETTINGS_FOR_TESTS), 0, 0
    for batch in random_batches(asked.seed, asked.worlds, asked.batch):
        found = differences(session, batch)
        done, wrong = done + len(batch.worlds), wrong + len(found)
        print(*told(batch, found), f"{done} of {asked.worlds} worlds, {wrong} disagreements", sep="\n", flush=True)
    session.stop()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
