"""Speed on one page: our build against DuckDB by hand, against bare writing, as it grows, and where data are skewed.

Each part runs in processes of its own; session starts are not counted; figures are medians. Ratios stand beside their
goals, by the clock and by processor time, which others on the machine disturb less. All is kept in .build/bench-speed.

Example: python bench/speed.py --only duckdb floor --posts 100000 --runs 1
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pyarrow.dataset as ds
from deltalake import DeltaTable

from agreement import differences
from steps import Ran, measured, middle, place
from worlds import Size, crowded, plain

GOALS = {"duckdb": 2.0, "floor": 1.6, "growth": 1.1, "skew": 1.3}
MOST_OF_A_DRIVER = 2048
MILLION = 1_000_000


def main() -> int:
    """Runs the parts that were asked for; fails where a goal is missed or an answer differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=[*PARTS], metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--posts", type=int, default=3 * MILLION)
    parser.add_argument("--growth", type=int, nargs="+", default=[MILLION, 3 * MILLION, 10 * MILLION])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--exact-only", action="store_true", help="growth without the rules that look for likeness")
    asked = parser.parse_args()
    print(f"speed     {asked.posts:,} posts, {crowded(asked.posts).accounts:,} accounts; medians of {asked.runs}")
    met = [run(asked) for part, run in PARTS.items() if part in asked.only]
    return int(not all(met))


def against_duckdb(asked: argparse.Namespace) -> bool:
    """What both do, and our whole build, beside the opponent's time."""
    source = made(crowded(asked.posts))
    ours = judged_and_written(source, asked.runs)
    in_order = measured("by_hand_in_order", source, asked.runs)
    theirs = measured("by_hand_in_any_order", source, asked.runs)
    found = differences(place("ours") / "built/uk-social", place("by_hand"))
    whole = measured("whole", source, asked.runs, exact_only=True)
    shown("duckdb", "by hand, rows in any order", theirs)
    shown("duckdb", "by hand, rows in the order of our tables", in_order, theirs)
    met = shown("duckdb", "ours: judged, and the three tables written", ours, theirs, GOALS["duckdb"])
    shown("duckdb", "ours: the same, to the opponent in order", ours, in_order)
    shown("duckdb", "ours: the whole build, with gates and evidence", whole, theirs)
    told = ", ".join(f"{table} {number:,}" for table, number in found.items() if number)
    print(f"duckdb    same answer: {'no; rows that only one has: ' + told if told else 'yes'}")
    return met and not told


def against_the_floor(asked: argparse.Namespace) -> bool:
    """Rows of the same number and width written without a thought, as they come and in the order of our tables."""
    source = made(crowded(asked.posts))
    ours = judged_and_written(source, asked.runs)
    bare = measured("floor", source, asked.runs)
    ordered = measured("floor", source, asked.runs, clustered=True)
    shown("floor", "read and written as they come", bare)
    shown("floor", "read and written in the order of our tables", ordered, bare)
    shown("floor", "ours, to the floor as they come", ours, bare)
    return shown("floor", "ours, to the floor in order", ours, ordered, GOALS["floor"])


def growth(asked: argparse.Namespace) -> bool:
    """Time per post and peak memory of whole builds as worlds grow; driver and executor are processes of their own."""
    per_post, met = {}, True
    for posts in asked.growth:
        runs = 1 if posts > 3 * MILLION else asked.runs
        ran = measured("whole", made(plain(posts)), runs, exact_only=asked.exact_only, apart=True)
        per_post[posts] = middle(ran) / posts
        peak = ", ".join(f"{kind} {mb:,.0f} MB" for kind, mb in sorted(ran["peak"].items()))
        print(
            f"growth    {posts:>10,} posts: {middle(ran):7.1f} s, {per_post[posts] * 1e6:6.1f} µs a post, "
            f"processor {middle(ran, 'processor') / posts * 1e6:6.1f} µs; peak {peak}"
        )
        met &= ran["peak"].get("driver", 0) < MOST_OF_A_DRIVER
    ratio = per_post[asked.growth[-1]] / per_post[asked.growth[0]]
    print(f"growth    per post, most to least: {ratio:.2f}, at most {GOALS['growth']}")
    return met and ratio <= GOALS["growth"]


def skew(asked: argparse.Namespace) -> bool:
    """One account with a fifth of all posts, one text in a tenth of them, beside the same world without."""
    source = made(crowded(asked.posts))
    even = judged_and_written(source, asked.runs)
    account, text = busiest_kept()
    shown("skew", "even", even)
    met = True
    for name, share, value in (("account_id", 20, account), ("text", 10, text)):
        ran = measured("ours", skewed(source, name, share, value), asked.runs)
        met &= shown("skew", f"{share} % of all posts have one {name}", ran, even, GOALS["skew"])
    return met


@cache
def judged_and_written(source: Path, runs: int) -> Ran:
    """`ours` on a world that several parts compare with, measured once; what it wrote stays till a skewed one."""
    return measured("ours", source, runs)


def evidence(asked: argparse.Namespace) -> bool:
    """Which part of a whole build is evidence, as bench/evidence.py has it."""
    script = Path(__file__).parent / "evidence.py"
    done = subprocess.run([sys.executable, str(script), "--posts", str(asked.posts)], check=False)
    return done.returncode == 0


PARTS: dict[str, Callable[[argparse.Namespace], bool]] = {
    "duckdb": against_duckdb,
    "floor": against_the_floor,
    "growth": growth,
    "skew": skew,
    "evidence": evidence,
}


def shown(part: str, what: str, ran: Ran, other: Ran | None = None, goal: float | None = None) -> bool:
    """Prints a line: seconds, processor seconds, the first run, and the ratios to another; whether its goal is met."""
    line = f"{part:9} {what:50} {middle(ran):7.1f} s  processor {middle(ran, 'processor'):7.1f} s"
    line += f"  first {ran['seconds'][0]:7.1f} s"
    if other is None:
        print(line)
        return True
    ratio, busy = (middle(ran, kind) / middle(other, kind) for kind in ("seconds", "processor"))
    print(f"{line}  ratio {ratio:5.2f} ({busy:.2f})" + (f", at most {goal}" if goal else ""), flush=True)
    return goal is None or ratio <= goal


def made(size: Size) -> Path:
    """The source file of a world, made in a process of its own where it is not there yet."""
    source = size.folder / "source.toml"
    if not source.exists():
        measured("world", source, 1, posts=size.posts, accounts=size.accounts, objections=size.objections)
    return source


def busiest_kept() -> tuple[str, str]:
    """The account whose posts were kept most often when `ours` ran last, and a text that was kept."""
    tables = place("ours") / "built/uk-social"
    members = DeltaTable(tables / "members").to_pyarrow_dataset().to_table(["account_id"])
    counted = members.group_by("account_id").aggregate([("account_id", "count")])
    account = counted.sort_by([("account_id_count", "descending"), ("account_id", "ascending")])["account_id"][
        0
    ].as_py()
    texts = DeltaTable(tables / "snapshot").to_pyarrow_dataset()
    text = texts.filter(ds.field("chars") > 100).head(1, ["text"])["text"][0].as_py()
    return account, text


def skewed(source: Path, name: str, share: int, value: str) -> Path:
    """The same world where so many of 100 posts have this value; made anew."""
    folder = source.parent.with_name(f"{source.parent.name}-skewed-{name}")
    shutil.rmtree(folder, ignore_errors=True)
    measured("skewed_world", folder / "source.toml", 1, of=str(source), name=name, share=share, value=value)
    return folder / "source.toml"


if __name__ == "__main__":
    sys.exit(main())
