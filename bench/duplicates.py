"""Times the search for duplicates against datatrove's MinHash and against a plain copy, and measures what it finds.

Driver and executors are processes of their own (two executors of one core and 2 GiB, a driver of 2 GiB). Everything is
kept in .build/bench-duplicates; datatrove comes into an environment of its own there.

Example: python bench/duplicates.py --posts 50000 --growth 25000 50000
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from processes import below

ROOT = Path(__file__).parent.parent
WORK = ROOT / ".build/bench-duplicates"
PEER = WORK / "peer"
TWEETS = Path(os.environ.get("CORPUS_TWEETS", ROOT.parent / "shared/data/tweets/tweets.txt.gz"))
SETTINGS = {
    "spark.master": "local-cluster[2,1,2048]",
    "spark.driver.memory": "2g",
    "spark.executor.memory": "2g",
    "spark.sql.shuffle.partitions": "8",
}
NEAR, SIZE = 0.8, 2
LATE = "we are sorry that the service number {n} to Leeds city station is late again this morning and thank everybody "
HOT = {
    "unlike of a template": (1, "the {n} to Leeds leaves from stand {m} at {n} today"),
    "alike of a template": (1, LATE + "who waits for it on the platform with us for their patience"),
    "of one text": (2, "happy new year to everyone in Leeds and to all who cannot be with us tonight"),
}
MOST_HOT = 3
"""So many times the time of ordinary posts may those of one bucket take."""


def main() -> int:
    """Runs what was asked for; fails where a measure misses what the issue asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=1_000_000, help="for the speed against datatrove and the floor")
    parser.add_argument("--growth", type=int, nargs="*", default=[500_000, 1_000_000, 2_000_000, 4_000_000])
    parser.add_argument("--tweets", type=int, default=20_000, help="for the quality; 0 leaves it out")
    parser.add_argument("--hot", type=int, default=500_000, help="posts of one template; twice so many of one text")
    parser.add_argument("--no-peer", action="store_true", help="without datatrove")
    parser.add_argument("--step", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.step:
        return run_step(*asked.step)
    WORK.mkdir(parents=True, exist_ok=True)
    if not asked.no_peer:
        install_peer()
    met = [speed(asked.posts, asked.no_peer)] if asked.posts else []
    met += [growth(asked.growth)] if asked.growth else []
    met += [hot(asked.hot)] if asked.hot else []
    met += [quality(asked.tweets, asked.no_peer)] if asked.tweets and TWEETS.exists() else []
    return int(not all(met))


def speed(posts: int, no_peer: bool) -> bool:
    """Ours, the floor and the peer on the same posts."""
    table = made_posts(posts)
    ours, floor = measured("duplicates", table), measured("floor", table)
    rate = posts / ours["seconds"]
    print(
        f"speed   ours {rate:,.0f} posts/s ({ours['seconds']:.1f} s, session start {ours['start']:.1f} s apart), "
        f"floor {floor['seconds']:.1f} s, ratio {ours['seconds'] / floor['seconds']:.1f}"
    )
    if no_peer:
        return True
    seconds, _ = peer(table)
    print(f"speed   ours {rate:,.0f} posts/s, datatrove {posts / seconds:,.0f}, ratio {seconds / ours['seconds']:.1f}")
    return seconds / ours["seconds"] >= 10


def growth(sizes: list[int]) -> bool:
    """Time per post and peak memory as the posts grow."""
    per_post = {}
    for posts in sizes:
        found = measured("duplicates", made_posts(posts))
        per_post[posts] = found["seconds"] / posts
        each = f"{found['seconds']:.1f} s, {per_post[posts] * 1e6:.1f} µs a post"
        print(f"growth  {posts:>9,} posts: {each}; peak {memory_of(found)}")
    base, most = per_post.get(1_000_000), per_post.get(4_000_000)
    return not (base and most) or most <= 1.15 * base


def hot(number: int) -> bool:
    """Posts of one template with other numbers, alike or not, and one text over and over, beside ordinary posts."""
    is_met = True
    for kind, (times, template) in HOT.items():
        posts = number * times
        draw = np.random.Generator(np.random.PCG64(2)).integers(10_000_000, size=(posts, 2))
        rows = [(f"p{at:09d}", template.format(n=n, m=m)) for at, (n, m) in enumerate(draw)]
        found = measured("duplicates", write_posts(rows, WORK / f"hot-{kind.replace(' ', '-')}-{posts}"))
        plain = measured("duplicates", made_posts(posts))
        ratio = found["seconds"] / plain["seconds"]
        is_met &= ratio <= MOST_HOT
        print(
            f"hot     {posts:,} {kind}: {found['seconds']:.1f} s, ordinary posts {plain['seconds']:.1f} s, ratio "
            f"{ratio:.2f}; {found['kept']:,} kept, {found['capped']:,} capped; peak {memory_of(found)}"
        )
    return is_met


def memory_of(found: dict[str, Any]) -> str:
    """The peak of each kind of process."""
    return ", ".join(f"{kind} {mb:,.0f} MB" for kind, mb in found["memory"].items())


def quality(number: int, no_peer: bool) -> bool:
    """Recall and precision of pairs, and agreement with the greedy choice, against brute force on shingle sets."""
    posts = edited_tweets(number)
    table = write_posts(posts, WORK / f"tweets-{number}")
    measured("quality", table)
    truth, first = brute_force(posts)
    rows = pq.read_table(f"{table}-pairs").to_pylist()
    found = {(row["early"], row["late"]): row["similarity"] for row in rows}
    is_met = True
    for least, wanted in ((NEAR, 0.99), (0.9, 0.999)):
        pairs = {pair for pair, similarity in truth.items() if similarity >= least}
        recall = len(pairs & found.keys()) / len(pairs)
        is_met &= recall >= wanted
        print(f"quality ours: recall of the {len(pairs):,} pairs at or above {least}: {recall:.5f}")
    precision = sum(truth.get(pair) == similarity for pair, similarity in found.items()) / len(found)
    kept = {row["post_id"] for row in pq.read_table(f"{table}-out").to_pylist()}
    same = 1 - len(kept ^ greedy(truth, first)) / len(posts)
    print(f"quality ours: precision {precision:.5f}; {same:.5f} of {len(posts):,} posts as the greedy oracle")
    if not no_peer:
        _, theirs = peer(table)
        for least in (NEAR, 0.9):
            pairs = {pair for pair, similarity in truth.items() if similarity >= least}
            recall = sum(not pair_kept <= theirs for pair_kept in map(set, pairs)) / len(pairs)
            print(
                f"quality datatrove: recall of the pairs at or above {least}: {recall:.5f} (one of the two is removed)"
            )
    return is_met and precision == 1 and same >= 0.999


def brute_force(posts: list[tuple[str, str]]) -> tuple[dict[tuple[str, str], float], dict[str, str]]:
    """Every pair of different texts at or above the threshold, by their first posts; and each text's first post."""
    from corpus.text import normal_form, words_apart

    first: dict[str, str] = {}
    for post, text in posts:
        first.setdefault(normal_form(text), post)
    sets = []
    for text in first:
        words = words_apart(text).split()
        sets.append({tuple(words[at : at + SIZE]) for at in range(max(len(words) - SIZE + 1, 1))})
    holders: dict[tuple[str, ...], list[int]] = {}
    names, pairs = list(first.values()), {}
    for late, shingles in enumerate(sets):
        lists = [np.array(holders[s]) for s in shingles if s in holders]
        shared = np.bincount(np.concatenate(lists), minlength=1) if lists else np.zeros(1, int)
        for early in np.flatnonzero(shared * (1 + NEAR) >= len(shingles) * NEAR):
            similarity = shared[early] / (len(shingles) + len(sets[early]) - shared[early])
            if similarity >= NEAR:
                pairs[names[early], names[late]] = float(similarity)
        for shingle in shingles:
            holders.setdefault(shingle, []).append(late)
    return pairs, first


def greedy(truth: dict[tuple[str, str], float], first: dict[str, str]) -> set[str]:
    """The posts that the contract keeps: the first of each text that resembles no kept earlier one."""
    earlier: dict[str, list[str]] = {}
    for early, late in truth:
        earlier.setdefault(late, []).append(early)
    kept: set[str] = set()
    for post in first.values():
        if not kept.intersection(earlier.get(post, [])):
            kept.add(post)
    return kept


def edited_tweets(number: int) -> list[tuple[str, str]]:
    """So many tweets with letters in them, and a fifth of them again, edited."""
    from corpus.text import normal_form

    draw = random.Random(1)
    with gzip.open(TWEETS, "rt", encoding="utf-8") as file:
        lines = file.read().splitlines()
    tweets = draw.sample([line for line in lines if normal_form(line)], number)
    vocabulary = sorted({word for tweet in tweets for word in tweet.split()})
    copies = [edited(tweet, draw, vocabulary) for tweet in draw.sample(tweets, number // 5)]
    texts = [text for text in tweets + copies if normal_form(text)]
    return [(f"p{n:09d}", text) for n, text in enumerate(draw.sample(texts, len(texts)))]


def edited(text: str, draw: random.Random, vocabulary: list[str]) -> str:
    """One to three words replaced, put in or left out, in other clothes."""
    words = text.split()
    for _ in range(draw.randint(1, 3)):
        at = draw.randrange(len(words) + 1)
        words[at : at + draw.choice((0, 1, 1))] = draw.choice(([draw.choice(vocabulary)], []))
    return draw.choice((str, str.upper, str.title, "{}!!".format, "“{}”".format))(" ".join(words))


def made_posts(number: int) -> Path:
    """Invented posts of about 112 characters: of a hundred, six repeat an earlier one and four change a word of one."""
    draw = np.random.Generator(np.random.PCG64(1))
    letters = np.array(list("etaoinshrdlucmfwypvbgk"))
    vocabulary = np.array(["".join(draw.choice(letters, size)) for size in draw.integers(2, 9, 30_000)])
    texts: list[str] = []
    for size in draw.integers(14, 26, number):
        texts.append(" ".join(vocabulary[(draw.random(size) ** 2.5 * len(vocabulary)).astype(int)]))
    for at in np.flatnonzero(draw.random(number) < 0.1)[1:]:
        words = texts[draw.integers(at)].split()
        if draw.random() < 0.4:
            words[draw.integers(len(words))] = vocabulary[draw.integers(len(vocabulary))]
        texts[at] = " ".join(words)
    return write_posts([(f"p{n:09d}", text) for n, text in enumerate(texts)], WORK / f"posts-{number}")


def write_posts(posts: list[tuple[str, str]], folder: Path) -> Path:
    """The posts as eight Parquet files, a second between two."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    ids, texts = zip(*posts, strict=True)
    times = pa.array(np.arange(len(posts)) * 1_000_000, pa.timestamp("us", "UTC"))
    table = pa.table({"post_id": ids, "text": texts, "created_at": times})
    step = -(-len(posts) // 8)
    for part in range(8):
        pq.write_table(table.slice(part * step, step), folder / f"{part}.parquet")
    return folder


def measured(step: str, table: Path) -> dict[str, Any]:
    """What a step took, in a process of its own, and the peak memory of its driver, executors and Python workers."""
    report = WORK / f"{step}.json"
    command = [sys.executable, __file__, "--step", step, str(table), str(report)]
    # local-cluster starts executors through Spark's own scripts
    done = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=(WORK / f"{step}.log").open("w"), cwd=ROOT)
    peak: dict[str, float] = {}
    watch = threading.Thread(target=lambda: watched(done, peak))
    watch.start()
    if done.wait():
        sys.exit(f"{step} failed; see {WORK / step}.log")
    watch.join()
    return json.loads(report.read_text()) | {"memory": peak}


def watched(process: subprocess.Popen[bytes], peak: dict[str, float]) -> None:
    """Notes the most memory that each kind of process below this one has held, in MB, until it ends."""
    while process.poll() is None:
        now: dict[str, float] = {}
        for kind, megabytes in memory_below(process.pid):
            now[kind] = now.get(kind, 0) + megabytes
        peak.update({kind: max(peak.get(kind, 0), most) for kind, most in now.items()})
        time.sleep(0.3)


def memory_below(root: int) -> Iterator[tuple[str, float]]:
    """The processes that descend from this one: what they are and their resident memory."""
    for pid, stat in below(root).items():
        try:
            line = Path(f"/proc/{pid}/cmdline").read_text()
        except OSError:
            continue
        if pid != root:
            kind = "executors" if "CoarseGrained" in line else "driver" if "SparkSubmit" in line else "python"
            yield kind, int(stat[21]) * 4096 / 2**20


def run_step(step: str, table: str, report: str) -> int:
    """A step inside its own process; the session's start is timed apart."""
    from pyspark.sql import functions as F

    from corpus.alike import likeness_of
    from corpus.duplicates import with_duplicates
    from corpus.policy import read_policy
    from corpus.posts import with_fingerprint
    from corpus.session import open_session

    began = time.monotonic()
    spark = open_session("bench duplicates", ROOT / "conf/spark/local.conf", SETTINGS)
    spark.range(10).count()
    started = time.monotonic()
    posts, out = spark.read.parquet(table), f"{table}-{'floor' if step == 'floor' else 'out'}"
    shutil.rmtree(out, ignore_errors=True)
    if step != "floor":
        policy = read_policy(ROOT / "conf/policies/uk-social.toml")
        kept = {"objector_copies": policy.objector_copies.model_copy(update={"exact": False, "near": False})}
        policy = policy.model_copy(update=kept)
        posts = posts.withColumn("reasons", F.lit(0).cast("bigint")).transform(with_fingerprint).persist()
        likeness = likeness_of(posts, policy)
        posts = posts.transform(with_duplicates, likeness, policy).where("reasons = 0").drop("fingerprint")
    posts.write.format("parquet" if step == "quality" else "delta").save(out)
    took = {"start": started - began, "seconds": time.monotonic() - started}
    if step == "duplicates":
        written = spark.read.format("delta").load(out)
        took |= {"kept": written.count(), "capped": written.where("is_capped").count()}
    if step == "quality":
        pairs = likeness.alike.select(
            F.col("early.post_id").alias("early"), F.col("late.post_id").alias("late"), "similarity"
        )
        pairs.write.mode("overwrite").parquet(f"{table}-pairs")
    Path(report).write_text(json.dumps(took))
    spark.stop()
    return 0


def install_peer() -> None:
    """The peer in an environment of its own, once."""
    if not (PEER / "bin/python").exists():
        uv = str(Path(sys.executable).parent / "uv")
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(PEER)], check=True)
        # what its readers, writers and English words need; it hands text to xxhash, which version 4 refuses
        others = ("pyarrow", "numpy<3", "spacy", "tokenizers", "xxhash<4", "nltk", "regex", "orjson")
        subprocess.run(
            [uv, "pip", "install", "--quiet", "--python", str(PEER / "bin/python"), "datatrove==0.10.1", *others],
            check=True,
        )


def peer(table: Path) -> tuple[float, set[str]]:
    """How long datatrove takes for its four stages, and the posts that it keeps."""
    work = WORK / "datatrove"
    shutil.rmtree(work, ignore_errors=True)
    began = time.monotonic()
    command = [str(PEER / "bin/python"), str(ROOT / "bench/datatrove_minhash.py"), str(table), str(work), "8"]
    with (WORK / "datatrove.log").open("w") as log:
        subprocess.run(command, check=True, stdout=log, stderr=log)
    return time.monotonic() - began, set((work / "kept.txt").read_text().split())


if __name__ == "__main__":
    sys.exit(main())
