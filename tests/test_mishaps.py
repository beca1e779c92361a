"""What machines do to a build is told in a sentence that names the file or the disk; our own mistakes stay."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from corpus.errors import BrokenOff, SourceError
from corpus.mishaps import plainly_told


@pytest.fixture
def posts(spark: SparkSession, tmp_path: Path) -> Path:
    """One post in one file, as on an object store: without a checksum beside it."""
    table = tmp_path / "posts"
    rows = spark.createDataFrame([("p1", "tram number 7")], "post_id STRING, text STRING")
    rows.coalesce(1).write.option("compression", "none").parquet(str(table))
    for beside in table.glob(".*.crc"):
        beside.unlink()
    return table


def test_a_letter_changed_in_a_file_is_refused_and_the_file_named(spark: SparkSession, posts: Path) -> None:
    (file,) = posts.glob("*.parquet")
    file.write_bytes(file.read_bytes().replace(b"tram number 7", b"trem number 7", 1))
    with pytest.raises(SourceError, match=rf"input of worlds cannot be read. The file \S+{file.name} is damaged"):
        read(spark, posts)


def test_a_file_that_goes_before_it_is_read_is_said_to_be_gone(spark: SparkSession, posts: Path) -> None:
    (file,) = posts.glob("*.parquet")
    rows = spark.read.parquet(str(posts))
    file.unlink()
    with pytest.raises(SourceError, match=rf"{file.name} is gone: vacuumed or deleted"), plainly_told("worlds", posts):
        rows.collect()


def test_a_full_disk_is_named_with_what_is_free(tmp_path: Path) -> None:
    with (
        pytest.raises(BrokenOff, match=rf"A disk is full: there are \d+ MB free in {tmp_path}, "),
        plainly_told("worlds", tmp_path),
        Path("/dev/full").open("wb", buffering=0) as full,
    ):
        full.write(b"x")


def test_a_file_for_which_there_is_no_room_leaves_nothing(tmp_path: Path) -> None:
    write = f"write_whole(Path({str(tmp_path / 'statement')!r}), bytes(100))"
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))"
    script = f"import resource; from pathlib import Path; from corpus.durable import write_whole; {limit}; {write}"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "File too large" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_mistake_of_ours_is_not_hidden(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), plainly_told("worlds", tmp_path):
        raise ZeroDivisionError


def read(spark: SparkSession, posts: Path) -> None:
    with plainly_told("worlds", posts):
        spark.read.parquet(str(posts)).collect()
