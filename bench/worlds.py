"""The invented worlds that speed is measured on: made once, kept in .build/bench-speed, as Delta and as Parquet."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from corpus import synth
from corpus.request import BuildRequest, request_from
from corpus.schemas import INPUTS
from corpus.synth.draws import World

ROOT = Path(__file__).parent.parent
WORK = ROOT / ".build/bench-speed"
AS_OF = datetime(2026, 11, 20, tzinfo=UTC)
GOVERNANCE = """[governance]
dpia = {id = "BENCH", expires = 2036-01-01}
lia = {id = "BENCH"}
approved_by = "Nobody (bench)"
approved_on = 2026-01-01
"""
EXACT_ONLY = {
    "exact = true\nnear = 0.85  ": "exact = false\nnear = false ",
    "exact = true\nnear = 0.8  ": "exact = true\nnear = false ",
}
"""What leaves of the rules that look at texts the exact duplicates alone."""


@dataclass(frozen=True)
class Size:
    """How many posts, by how many accounts, of whom so many in 1,000 of the objections remain."""

    posts: int
    accounts: int
    objections: int = 1000

    @property
    def folder(self) -> Path:
        """Where it stands."""
        return WORK / "worlds" / f"{self.posts}-{self.accounts}-{self.objections}"


def plain(posts: int) -> Size:
    """A world as `corpus synth` makes it."""
    return Size(posts, World(posts, 1, AS_OF, 0).accounts)


def crowded(posts: int) -> Size:
    """A third as many accounts as posts, and an objection for each 60 posts: at 3 M posts 1 M and 50,000."""
    return Size(posts, posts // 3, 460)


def source_of(spark: SparkSession, size: Size) -> Path:
    """The source file of a world of this size."""
    folder, source = size.folder, size.folder / "source.toml"
    if not source.exists():
        shutil.rmtree(folder, ignore_errors=True)
        frames = synth.world(spark, posts=size.posts, accounts=size.accounts, seed=1, as_of=AS_OF, in_place=True)
        del frames["truth"]
        made = World(size.posts, 1, AS_OF, 0, size.accounts)
        frames["objections"] = frames["objections"].transform(thinned, size.objections)
        frames["feeds"] = synth.feeds(frames, made, in_place=True)
        synth.write_world(frames, folder, format="delta")
        write_source(folder)
    return source


def skewed_copy(spark: SparkSession, source: Path, folder: Path, name: str, share: int, value: str) -> None:
    """A world like another, but that so many of 100 posts, by a hash of their ids, have one value in this column."""
    posts = spark.read.format("delta").load(str(source.parent / "posts"))
    is_one = F.pmod(F.xxhash64("post_id", F.lit(name)), F.lit(100)) < share
    posts = posts.withColumn(name, F.when(is_one, F.lit(value)).otherwise(F.col(name)))
    posts.write.format("delta").mode("overwrite").save(str(folder / "posts"))
    for table in set(INPUTS) - {"posts"}:
        (folder / table).symlink_to(source.parent / table)
    write_source(folder)


def thinned(objections: DataFrame, share: int) -> DataFrame:
    """So many in 1,000 of those who object, with all that they sent."""
    return objections.where(F.pmod(F.xxhash64("subject_id"), F.lit(1000)) < share)


def write_source(folder: Path) -> None:
    """The source file of the Delta tables in this folder, and the cutoff beside it."""
    tables = (f'[{table}]\npath = "{folder / table}"\n' for table in INPUTS)
    (folder / "as-of").write_text(AS_OF.isoformat(), encoding="utf-8")
    (folder / "source.toml").write_text('name = "bench"\n' + "\n".join(tables), encoding="utf-8")


def request_of(source: Path, work: Path, exact_only: bool = False) -> BuildRequest:
    """A build of this source under the policy of the UK, its governance filled in; with or without likeness."""
    rules, _, _ = (ROOT / "conf/policies/uk-social.toml").read_text(encoding="utf-8").partition("\n[governance]")
    for all_rules, fewer in EXACT_ONLY.items() if exact_only else ():
        assert all_rules in rules, f"uk-social.toml has no {all_rules!r} any more"
        rules = rules.replace(all_rules, fewer)
    work.mkdir(parents=True, exist_ok=True)
    (work / "policy.toml").write_text(f"{rules}\n{GOVERNANCE}", encoding="utf-8")
    return request_from(
        "uk-social",
        source=source,
        policy=work / "policy.toml",
        cutoff=(source.parent / "as-of").read_text(encoding="utf-8").strip(),
        warehouse=work / "built",
        key=work / "keys/uk-social.key",
        override=["FEED_STALE=a world that is kept grows old"],
    )
