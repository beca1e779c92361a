"""A version is built again from its statement alone: the same rows, or exactly those that differ."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from corpus import reproduction
from corpus.build import Built, build
from corpus.cli.using import tell_reproduced
from corpus.errors import AuditFailed, ConfigError, DatasetError, SourceError
from corpus.evidence.store import statement_path
from corpus.pipeline import judge
from corpus.reasons import Reason
from corpus.reproduction import Reproduction, reproduce
from corpus.request import BuildRequest
from tests import sealed_dataset
from tests.small_inputs import request_of, write_inputs


@dataclass(frozen=True)
class Made:
    request: BuildRequest
    built: Built

    @property
    def rows(self) -> int:
        return int(self.built.statement["predicate"]["snapshot"]["rows"])

    def again(self, spark: SparkSession, warehouse: Path | None = None, **options: Any) -> Reproduction:
        asked = {"key_file": self.request.key_file} | options
        return reproduce(spark, warehouse or self.request.warehouse, "uk-social", 1, **asked)


@pytest.fixture(scope="module")
def made(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("reproduced")
    request = request_of(write_inputs(spark, folder / "inputs"), folder / "warehouse", folder / "keys/uk-social.key")
    return Made(request, build(spark, request))


@pytest.fixture
def copied(made: Made, tmp_path: Path) -> Path:
    """A warehouse with a copy of the dataset, to change."""
    return Path(shutil.copytree(made.request.warehouse, tmp_path / "warehouse"))


def restate(warehouse: Path, **changes: Any) -> None:
    sealed_dataset.restate(statement_path(warehouse / "uk-social", 1), **changes)


def everything_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_version_is_built_again_row_for_row_and_the_dataset_is_not_touched(
    spark: SparkSession, made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = everything_in(made.request.folder)
    found = made.again(spark, scratch=tmp_path / "kept")
    assert found.is_identical
    assert found.same_code
    assert found.rebuilt == made.built.statement["subject"][0]["digest"]["sha256"]
    assert found.trees_rebuilt == made.built.statement["predicate"]["trees"]
    found.require_identical()
    assert everything_in(made.request.folder) == before
    tell_reproduced(found)
    assert capsys.readouterr().out.startswith(f"uk-social@1 is reproduced: {made.rows} documents stated")
    texts = spark.read.parquet(str(tmp_path / "kept/verdicts")).where("reasons <> 0 AND text IS NOT NULL")
    assert texts.isEmpty()


def test_a_changed_rule_shows_as_the_posts_that_it_moves(
    spark: SparkSession, made: Made, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    members = DeltaTable(made.request.folder / "members").to_pyarrow_table().to_pylist()
    ledger = DeltaTable(made.request.folder / "exclusions").to_pyarrow_table().to_pylist()
    gone = min(row["post_id"] for row in members)
    come = next(row["post_id"] for row in ledger if row["primary_reason"] == "MINOR_AT_POST")

    def by_another_rule(*arguments: Any) -> DataFrame:
        moved = F.when(F.col("post_id") == gone, F.lit(Reason.DELETED.mask)).when(F.col("post_id") == come, F.lit(0))
        return judge(*arguments).withColumn("reasons", F.coalesce(moved, "reasons"))

    monkeypatch.setattr(reproduction, "judge", by_another_rule)
    found = made.again(spark)
    assert found.differences == {"ONLY_RELEASED": 1, "ONLY_REBUILT": 1, "CHANGED": 0}
    seen = [(each.side, each.post_id, each.reasons) for each in found.examples]
    assert seen == [("ONLY_RELEASED", gone, ["DELETED"]), ("ONLY_REBUILT", come, ["MINOR_AT_POST"])]
    with pytest.raises(AuditFailed, match=r"was not reproduced: 1 in the version, and not when it is built again, 1 "):
        found.require_identical()
    tell_reproduced(found)
    assert gone in capsys.readouterr().out


def test_rows_changed_after_the_release_are_found_though_the_rebuilt_ones_are_as_stated(
    spark: SparkSession, made: Made, copied: Path
) -> None:
    files = DeltaTable(copied / "uk-social/snapshot", version=1).file_uris()
    rows = spark.read.parquet(*files).withColumn("text", F.upper("text")).toArrow()
    for file in files:
        Path(file).with_name(f".{Path(file).name}.crc").unlink(missing_ok=True)
        pq.write_table(rows.slice(0, 0) if file != files[0] else rows, file)
    restate(copied, code={"version": "0.0.9", "digest": "c" * 64})
    found = made.again(spark, copied)
    assert (found.same_code, found.code) == (False, "version 0.0.9, digest cccccccccccc…")
    assert found.rebuilt == found.stated != found.released
    assert found.differences["CHANGED"] == made.rows
    with pytest.raises(AuditFailed, match="the table was changed after its release"):
        found.require_identical()


def test_a_tree_of_other_persons_is_found_though_every_row_is_the_same(
    spark: SparkSession, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_a_coauthor_more(*arguments: Any) -> DataFrame:
        return judge(*arguments).withColumn("coauthor_ids", F.array(F.lit("somebody else")))

    monkeypatch.setattr(reproduction, "judge", with_a_coauthor_more)
    found = made.again(spark)
    assert (found.stated == found.rebuilt == found.released, found.is_identical) == (True, False)
    assert found.trees_rebuilt["documents"] == found.trees_stated["documents"]
    with pytest.raises(AuditFailed, match="rows are the same, but the tree of its persons is another"):
        found.require_identical()


def test_inputs_that_no_longer_open_are_all_named_with_until_when_they_did(
    spark: SparkSession, made: Made, copied: Path
) -> None:
    inputs = [
        stated | {"version": "99", "opens_until": "2026-11-27T00:00:00Z"} if stated["table"] in gone else stated
        for gone in [("posts", "notices")]
        for stated in made.built.statement["predicate"]["inputs"]
    ]
    restate(copied, inputs=inputs)
    with pytest.raises(SourceError) as mistake:
        made.again(spark, copied)
    said = str(mistake.value)
    assert "uk-social@1 cannot be built again. 2 of its inputs do not open any more" in said
    assert "  notices: version 99 of" in said
    assert said.count("was sure to open until 2026-11-27T00:00:00Z") == 2


def test_what_stands_in_the_way_is_named_before_anything_is_read(spark: SparkSession, made: Made, copied: Path) -> None:
    with pytest.raises(ConfigError, match="lies in or around the dataset"):
        made.again(spark, scratch=made.request.folder / "again")
    (copied / "full").mkdir()
    (copied / "full/file").write_text("")
    with pytest.raises(ConfigError, match="is not empty"):
        made.again(spark, scratch=copied / "full")
    other = copied / "other.key"
    other.write_text("ab" * 32)
    other.chmod(0o600)
    with pytest.raises(DatasetError, match="is not that of uk-social"):
        made.again(spark, key_file=other)
    with pytest.raises(DatasetError, match="The key of uk-social is missing"):
        made.again(spark, key_file=copied / "none.key")
    (copied / f"uk-social/evidence/statements/{1:020d}.json").unlink()
    with pytest.raises(DatasetError, match="corpus seal"):
        made.again(spark, copied)
