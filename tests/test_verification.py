"""The parts of `corpus verify`: the row digest by its definition, whatever rows, files and folders are like."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from corpus.audit.engine import database
from corpus.errors import DatasetError
from corpus.snapshot import documents_at
from corpus.snapshot import row_digest as by_spark
from corpus.verification import delta_log, stored
from corpus.verification.findings import CHECKS, Failed, Unchecked, finding
from corpus.verification.subject import Subject
from corpus.verification.whole import OF_VERSION, verify
from corpus.versions import versions
from tests.small_dataset import SNAPSHOT
from tests.whole_dataset import NAME, digest_of_rows, whole_dataset

ROOT = Path(__file__).parent.parent
ODD = st.text(st.sampled_from("a:1-,'\"\\\0\n\r\té€😀\u200b\ufeff\U0010ffff"), max_size=6)
ROW = st.fixed_dictionaries({
    "text": ODD | st.none(), "platform": ODD | st.none(), "surface": ODD, "lang": ODD | st.none(),
    "created_on": st.dates(date(1583, 1, 1), date(9999, 12, 31)) | st.none(),
    "chars": st.integers(0, 2**31 - 1) | st.none(), "copies": st.integers(0, 2**63 - 1), "bucket": st.integers(0, 300),
})  # fmt: skip


def digest(folder: Path, version: int) -> tuple[int, str]:
    log = delta_log.read_log(folder / "snapshot")
    with database() as opened:
        subject = Subject(folder, bytes(32), log, {}, None, None, datetime.now(UTC), opened)
        return stored.row_digest(subject, version)


def named(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"doc_id": f"{n * 7919 % 9973:032x}"} | row for n, row in enumerate(rows)]


@settings(deadline=None)
@given(rows=st.lists(ROW, max_size=40))
def test_the_row_digest_is_that_of_its_definition(tmp_path_factory: pytest.TempPathFactory, rows: list[Any]) -> None:
    folder, made = tmp_path_factory.mktemp("digest"), named(rows)
    write_deltalake(folder / "snapshot", pa.Table.from_pylist(made, SNAPSHOT))
    assert digest(folder, 0) == (len(made), digest_of_rows(made))


@pytest.mark.parametrize("name", ["it's a b ć", "x?y#z"])
def test_a_dataset_is_checked_whatever_its_folder_is_called(tmp_path: Path, name: str) -> None:
    made = whole_dataset(tmp_path / "made")
    warehouse = made.warehouse.rename(tmp_path / name)
    verify(warehouse, NAME, None, datetime.now(UTC)).require_none_failed()
    if "?" in name:
        with pytest.raises(DatasetError, match="Give the warehouse a plainer path"):
            versions(warehouse, NAME)


ROWS = named([
    {"text": text, "platform": None, "surface": "post", "lang": "", "created_on": date(2026, 5, 1 + n), "chars": n,
     "copies": 2**40 + n, "bucket": n % 3}
    for n, text in enumerate(["", "a\0b", "12:x", "-", "żółć 😀", "\u2028\ufeff", "line\r\nline", None])
])  # fmt: skip


def test_it_is_the_digest_that_a_build_makes(spark: SparkSession, tmp_path: Path) -> None:
    write_deltalake(tmp_path / "snapshot", pa.Table.from_pylist(ROWS, SNAPSHOT))
    assert digest(tmp_path, 0)[1] == by_spark(documents_at(spark, tmp_path, 0)) == digest_of_rows(ROWS)


def test_names_of_files_and_folders_are_no_patterns(tmp_path: Path) -> None:
    """`*.parquet` is one file, and `bucket=9` in a folder's name is no column."""
    folder = tmp_path / "bucket=9"
    write_deltalake(folder / "snapshot", pa.Table.from_pylist(ROWS, SNAPSHOT))
    commit = folder / "snapshot/_delta_log" / f"{0:020d}.json"
    (path,) = (folder / "snapshot").glob("*.parquet")
    commit.write_text(re.sub(r'"path":"[^"]*"', '"path":"*.parquet"', commit.read_text()))
    pq.write_table(pa.Table.from_pylist(ROWS[:3], SNAPSHOT), path.with_name("*.parquet"))
    assert digest(folder, 0) == (3, digest_of_rows(ROWS[:3]))


def test_a_file_with_another_kind_of_column_is_no_pass(tmp_path: Path) -> None:
    write_deltalake(tmp_path / "snapshot", pa.Table.from_pylist(ROWS, SNAPSHOT))
    (path,) = (tmp_path / "snapshot").glob("*.parquet")
    table = pq.read_table(path)
    pq.write_table(table.set_column(6, "chars", table["chars"].cast(pa.string())), path)
    found = finding("rows", "x", lambda: str(digest(tmp_path, 0)))
    assert found.outcome == "FAILED" or digest(tmp_path, 0)[1] == digest_of_rows(ROWS)


def test_files_are_followed_through_commits_as_delta_does(tmp_path: Path) -> None:
    for rows in (ROWS[:2], ROWS[2:5]):
        write_deltalake(tmp_path / "snapshot", pa.Table.from_pylist(rows, SNAPSHOT), mode="append")
    write_deltalake(tmp_path / "snapshot", pa.Table.from_pylist(ROWS[5:], SNAPSHOT), mode="overwrite")
    assert [digest(tmp_path, n)[0] for n in (0, 1, 2)] == [2, 5, 3]
    (tmp_path / "snapshot/_delta_log" / f"{1:020d}.json").unlink()
    log = delta_log.read_log(tmp_path / "snapshot")
    assert (log.missing, log.newest) == ([1], 2)
    with pytest.raises(Unchecked, match="the commits of versions 1 are missing"):
        digest(tmp_path, 2)


class PanicException(BaseException):
    """As Rust's panics come to Python."""


def test_whatever_a_check_comes_upon_is_no_pass() -> None:
    def breaks(error: BaseException) -> str:
        raise error

    outcomes = [
        finding("rows", "x", lambda error=error: breaks(error)).outcome  # type: ignore[misc]
        for error in (
            Failed("a", "b"),
            Unchecked("why"),
            KeyError("x"),
            MemoryError(),
            RecursionError(),
            PanicException(),
        )
    ]
    assert outcomes == ["FAILED", "not checked", "FAILED", "FAILED", "FAILED", "FAILED"]


def test_every_check_is_explained_and_the_page_lists_them_all() -> None:
    assert set(OF_VERSION) < set(CHECKS)
    page = (ROOT / "docs/verify.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([a-z ]+)` \| (.*?) \|$", page, re.MULTILINE)
    assert listed == [(name, check.looks_at) for name, check in CHECKS.items()]
