"""Measures which part of a build is evidence: digest, trees, leaves, intent, the committed rows read again, the seal.

What is built stands in .build/bench-evidence; the world is that of the other benches, and kept.

Example: python bench/evidence.py --posts 50000
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from pyspark.sql import SparkSession

from corpus import build as building
from corpus.session import open_session
from worlds import ROOT, plain, request_of, source_of

WORK = ROOT / ".build/bench-evidence"
MOST_OF_A_BUILD = 0.15
MOST_SECONDS = 2.0
STEPS = ("digest_and_trees", "write_intent", "require_content", "seal_version")
"""What a build does for evidence alone, by the names that it calls them by."""


def main() -> int:
    """Prints how long a build takes and which part of it is evidence; fails where that is more than 15 %."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=3_000_000)
    asked = parser.parse_args()
    for built in (WORK / "built", WORK / "keys"):
        shutil.rmtree(built, ignore_errors=True)
    spark = open_session("bench evidence", ROOT / "conf/spark/local.conf")
    whole, parts = one_build(spark, source_of(spark, plain(asked.posts)))
    spark.stop()
    share = sum(parts.values()) / whole
    each = ", ".join(f"{what} {took:.1f}" for what, took in parts.items())
    print(f"evidence  {asked.posts:,} posts: {whole:.1f} s, of which evidence {share:.1%} ({each})")
    return int(share > MOST_OF_A_BUILD or not proof_is_quick())


def one_build(spark: SparkSession, source: Path) -> tuple[float, dict[str, float]]:
    """The seconds of one build, and of each step in it that is there for evidence alone."""
    request = request_of(source, WORK)
    parts: dict[str, float] = {}
    for name in STEPS:
        setattr(building, name, timed(getattr(building, name), name, parts))
    began = time.monotonic()
    built = building.build(spark, request)
    took = time.monotonic() - began
    posts, people = (tree["ids"] for tree in built.statement["predicate"]["trees"].values())
    print(f"evidence  {posts} posts and {people} people in the trees")
    return took, parts


def timed(step: Callable[..., Any], name: str, parts: dict[str, float]) -> Callable[..., Any]:
    """The step, with its seconds noted."""

    def noted(*arguments: Any) -> Any:
        began = time.monotonic()
        try:
            return step(*arguments)
        finally:
            parts[name] = time.monotonic() - began

    return noted


def proof_is_quick() -> bool:
    """Whether a proof takes less than two seconds, Python's start included; what is wrong is said if none is made."""
    program = [str(Path(sys.executable).parent / "corpus"), "prove", "uk-social@1", "--post", "p0000000001"]
    program += [
        "--warehouse",
        str(WORK / "built"),
        "--key",
        str(WORK / "keys/uk-social.key"),
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


if __name__ == "__main__":
    sys.exit(main())
