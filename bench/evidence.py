"""Measures what the evidence adds to a build: the same builds with the two trees and their leaves, and without.

The world and what is built of it stand in .build/bench-evidence; the world is kept for the next run.

Example: python bench/evidence.py --posts 50000
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from corpus import build as building
from corpus import snapshot, synth
from corpus.request import BuildRequest, request_from
from corpus.schemas import INPUTS
from corpus.session import open_session

ROOT = Path(__file__).parent.parent
WORK = ROOT / ".build/bench-evidence"
MOST_ADDED = 0.15
MOST_SECONDS = 2.0
NO_TREE = {"root": "", "ids": "0", "buckets": "0"}
GOVERNANCE = """[governance]
dpia = {id = "BENCH", expires = 2036-01-01}
lia = {id = "BENCH"}
approved_by = "Nobody (bench)"
approved_on = 2026-01-01
"""


def main() -> int:
    """Prints the seconds of each build and what the trees add; fails where that is more than 15 %."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=3_000_000)
    parser.add_argument("--rounds", type=int, default=2, help="builds of each kind, by turns, after one that warms up")
    asked = parser.parse_args()
    for built in (WORK / "built", WORK / "keys"):
        shutil.rmtree(built, ignore_errors=True)
    spark = open_session("bench evidence", ROOT / "conf/spark/local.conf")
    source, policy = world(spark, asked.posts), policy_file()
    one_build(spark, source, policy, "warm-up")
    taken: dict[str, list[float]] = {"without": [], "with": []}
    for turn in range(asked.rounds):
        for kind, seconds in taken.items():
            seconds.append(one_build(spark, source, policy, kind, turn))
    spark.stop()
    without, with_trees = (median(taken[kind]) for kind in ("without", "with"))
    added = with_trees / without - 1
    print(
        f"evidence  {asked.posts:,} posts: {without:.1f} s without trees, {with_trees:.1f} s with them: {added:+.1%}"
        f" (all: {', '.join(f'{kind} {[round(s, 1) for s in some]}' for kind, some in taken.items())})"
    )
    return int(added > MOST_ADDED or not proof_is_quick(f"with-{asked.rounds - 1}"))


def one_build(spark: SparkSession, source: Path, policy: Path, kind: str, turn: int = 0) -> float:
    """How long one build takes, into a warehouse of its own."""
    request = request_from(
        "uk-social",
        source=source,
        policy=policy,
        cutoff=(source.parent / "as-of").read_text(encoding="utf-8"),
        warehouse=WORK / "built" / f"{kind}-{turn}",
        key=WORK / f"keys/{kind}-{turn}.key",
        override=["FEED_STALE=a world that is kept grows old"],
    )
    ours = building.digest_and_trees
    try:
        building.digest_and_trees = without_trees if kind == "without" else ours
        began = time.monotonic()
        built = building.build(spark, request)
        took = time.monotonic() - began
    finally:
        building.digest_and_trees = ours
    posts, people = (tree["ids"] for tree in built.statement["predicate"]["trees"].values())
    print(f"evidence  {kind}: {took:.1f} s, {posts} posts and {people} people in the trees")
    return took


def without_trees(
    _: BuildRequest, __: str, verdicts: DataFrame, keyed: tuple[bytes, int, SparkSession]
) -> tuple[str, Any]:
    """What a build did before there were trees."""
    return snapshot.row_digest(snapshot.as_documents(verdicts, *keyed)), {"documents": NO_TREE, "persons": NO_TREE}


def proof_is_quick(built: str) -> bool:
    """Whether a proof takes less than two seconds, Python's start included; what is wrong is said if none is made."""
    program = [str(Path(sys.executable).parent / "corpus"), "prove", "uk-social@1", "--post", "p0000000001"]
    program += [
        "--warehouse",
        str(WORK / "built" / built),
        "--key",
        str(WORK / f"keys/{built}.key"),
        "-o",
        str(WORK / "proof.json"),
    ]
    taken = []
    for _ in range(5):
        began = time.perf_counter()
        done = subprocess.run(program, capture_output=True, text=True, check=False)
        taken.append(time.perf_counter() - began)
        if done.returncode:
            print(f"evidence  no proof: {done.stderr.strip()}")
            return False
    size = (WORK / "proof.json").stat().st_size
    print(f"evidence  a proof: {median(taken):.2f} s (median of {len(taken)}), {size:,} bytes")
    return median(taken) < MOST_SECONDS


def world(spark: SparkSession, posts: int) -> Path:
    """A source of an invented world of this size, made once."""
    folder = WORK / f"world-{posts}"
    source = folder / "source.toml"
    if not source.exists():
        shutil.rmtree(folder, ignore_errors=True)
        as_of = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        frames = synth.world(spark, posts=posts, seed=1, as_of=as_of, in_place=True)
        synth.write_world(frames, folder, format="delta")
        tables = (f'[{table}]\npath = "{folder / table}"\n' for table in INPUTS)
        (folder / "as-of").write_text(as_of.isoformat(), encoding="utf-8")
        source.write_text('name = "bench"\n' + "\n".join(tables), encoding="utf-8")
    return source


def policy_file() -> Path:
    """The policy of the UK with its governance filled in."""
    rules, _, _ = (ROOT / "conf/policies/uk-social.toml").read_text(encoding="utf-8").partition("\n[governance]")
    path = WORK / "uk-social.toml"
    path.write_text(f"{rules}\n{GOVERNANCE}", encoding="utf-8")
    return path


if __name__ == "__main__":
    sys.exit(main())
