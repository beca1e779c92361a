"""Times an export in each format against pyarrow's own writing of the same rows, unshuffled, and their peak memory.

`python bench/export.py [--posts 200000]`: each in a process of its own; the rows are invented.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable, write_deltalake

from corpus.export.formats import ROWS_IN_GROUP, WRITERS, Form, Shard, as_written
from corpus.export.manifest import COLUMNS, Wanted, described
from corpus.export.order import cuts, in_groups
from corpus.export.parts import scattered

PLAIN = "pyarrow"
SHARDS = 8
ALL = Wanted(Form.PARQUET, tuple(COLUMNS), 0, SHARDS, 0)
WORDS = [sha256(str(n).encode()).hexdigest()[: 2 + n % 9] for n in range(20_000)]


def main(arguments: argparse.Namespace) -> int:
    """Prints what each way took, its ratio to pyarrow's by processor time, which others do not disturb, and memory."""
    with tempfile.TemporaryDirectory(prefix="corpus-bench-") as made:
        folder = Path(made)
        write_deltalake(folder / "snapshot", pa.RecordBatchReader.from_batches(ALL.schema, posts(arguments.posts)))
        print(f"{'':10}{'seconds':>9}{'processor':>11}{'rows/s':>11}{'ratio':>7}{'MB at most':>12}")
        least: float | None = None
        for how in (PLAIN, *Form):
            seconds, busy, peak = in_a_process(folder, how)
            least = least or busy
            rate, ratio = arguments.posts / seconds, busy / least
            print(f"{how:10}{seconds:9.2f}{busy:11.2f}{rate:11,.0f}{ratio:7.2f}{peak:12,.0f}")
    return 0


def posts(rows: int) -> Iterator[pa.RecordBatch]:
    """Rows like a snapshot's, of 5 to 100 words."""
    drawn = random.Random(7)
    for first in range(0, rows, 10_000):
        numbers = range(first, min(rows, first + 10_000))
        texts = [" ".join(drawn.choices(WORDS, k=drawn.randint(5, 100))) for _ in numbers]
        yield pa.RecordBatch.from_pydict({
            "doc_id": [sha256(str(n).encode()).hexdigest()[:32] for n in numbers], "text": texts,
            "platform": ["facebook"] * len(texts), "surface": ["post"] * len(texts), "lang": ["en"] * len(texts),
            "created_on": [date(2026, 1, 1 + n % 28) for n in numbers], "chars": [len(text) for text in texts],
            "copies": [1] * len(texts), "bucket": [n % 4096 for n in numbers],
        }, ALL.schema)  # fmt: skip


def in_a_process(folder: Path, how: str) -> list[float]:
    """Seconds, seconds of the processor and megabytes of one way."""
    done = subprocess.run([sys.executable, __file__, "--in", folder, "--as", how], check=True, capture_output=True)
    found: list[float] = json.loads(done.stdout)
    return found


def one(folder: Path, how: str) -> None:
    """Writes the rows one way, and prints what it took."""
    started, before = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory(dir=folder) as made:
        plain(folder, Path(made)) if how == PLAIN else shards(folder, Path(made), Form(how))
        seconds, busy = time.perf_counter() - started, time.process_time() - before
    print(json.dumps([seconds, busy, peak_megabytes()]))


def peak_megabytes() -> float:
    """The most memory that this process had, by Linux (getrusage counts what started it, too)."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1000


def plain(folder: Path, into: Path) -> None:
    """The rows as they lie, by pyarrow."""
    rows = ds.dataset(DeltaTable(folder / "snapshot").file_uris(), format="parquet")
    options = ds.ParquetFileFormat().make_write_options(compression="zstd", compression_level=3)
    ds.write_dataset(rows, into, format="parquet", file_options=options)


def shards(folder: Path, into: Path, form: Form) -> None:
    """What `corpus export` does with rows."""
    parts = scattered(folder, 0, COLUMNS, 0, into / "parts", lambda _: None)
    for number, (first, end) in enumerate(cuts(parts.rows, SHARDS)):
        rows = (as_written(each, ALL.schema) for each in in_groups(parts.between(first, end), ROWS_IN_GROUP))
        WRITERS[form](Shard(into / str(number), rows, end - first, ALL.schema))
        described(into / str(number), end - first)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=200_000)
    parser.add_argument("--in", dest="folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--as", dest="how", help=argparse.SUPPRESS)
    given = parser.parse_args()
    sys.exit(one(given.folder, given.how) if given.how else main(given))
