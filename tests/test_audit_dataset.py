"""An audit of a real build finds nothing; of a falsified one, every falsehood; and it says what no longer opens."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import SparkSession

from corpus.audit.check import Audit, audit
from corpus.build import build
from corpus.errors import AuditFailed, ConfigError, DatasetError
from corpus.reasons import Reason
from corpus.versions import parse_one
from tests import statements
from tests.conftest import CORPUS
from tests.small_inputs import request_of, write_inputs

STATEMENT = "evidence/statements/00000000000000000001.json"


@pytest.fixture(scope="module")
def built(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with inputs and a warehouse of one version."""
    folder = tmp_path_factory.mktemp("audited")
    source = write_inputs(spark, folder / "inputs")
    build(spark, request_of(source, folder / "warehouse", folder / "keys/key"))
    return folder


@pytest.fixture
def dataset(built: Path, tmp_path: Path) -> Path:
    """A copy of the version to falsify; its inputs are the same."""
    return Path(shutil.copytree(built / "warehouse/uk-social", tmp_path / "uk-social"))


def no_spark() -> NoReturn:
    raise AssertionError("this audit needs no JVM")


def audited(dataset: Path) -> Audit:
    return audit(dataset.parent, dataset.name, 1, no_spark)


def restate(dataset: Path, change: Callable[[dict[str, Any]], object]) -> None:
    statements.restate(dataset / STATEMENT, change)


def test_a_real_build_stands_without_a_jvm(built: Path) -> None:
    found = audited(built / "warehouse/uk-social")
    assert (sum(found.differences.values()), found.examples) == (0, [])
    assert 0 < found.kept < found.posts
    found.require_none()


def test_every_falsehood_is_found(dataset: Path) -> None:
    ledger, inside = rows_of(dataset / "exclusions"), rows_of(dataset / "members")
    freed, forgotten, renamed, *others = ledger
    barred, vanished, *authors = inside
    renamed["reasons"] = Reason.DELETED.mask
    invented = [freed | {"post_id": barred["post_id"]}, freed | {"post_id": "nobody's"}]
    rewrite(dataset / "exclusions", [renamed, *others, *invented])
    rewrite(dataset / "members", [*authors, barred | {"post_id": freed["post_id"]}])
    found = audited(dataset)
    posts = {kind: {each.post_id for each in found.examples if each.kind == kind} for kind in found.differences}
    assert posts == {
        "IN_SHOULD_BE_OUT": {freed["post_id"]},
        "OUT_SHOULD_BE_IN": {barred["post_id"]},
        "REASONS_DIFFER": {renamed["post_id"]},
        "NOT_ACCOUNTED_FOR": {forgotten["post_id"], vanished["post_id"]},
        "NOT_IN_THE_INPUTS": {"nobody's"},
        "IN_AND_OUT": set(),
        "DOCUMENT_UNRECORDED": {vanished["doc_id"]},
    }
    with pytest.raises(AuditFailed, match=r"7 differences \(1 in the snapshot, and should be out"):
        found.require_none()


def rows_of(table: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = DeltaTable(table).to_pyarrow_table().to_pylist()
    return rows


def rewrite(table: Path, rows: list[dict[str, Any]]) -> None:
    """The table with these rows alone."""
    shape = DeltaTable(table).to_pyarrow_table().schema
    shutil.rmtree(table)
    write_deltalake(table, pa.Table.from_pylist(rows, shape))


def test_tables_that_their_source_maps_are_read_by_spark(spark: SparkSession, built: Path, dataset: Path) -> None:
    place = {"path": str(built / "inputs/posts"), "columns": {"surface": "lower(surface)"}, "where": "post_id <> 'w'"}
    others = {name: [{"path": str(built / "inputs" / name)}] for name in ("profiles", "objections")}
    restate(dataset, lambda said: said.update(source={"name": "worlds", "posts": [place], **others}))
    found = audit(dataset.parent, dataset.name, 1, lambda: nullcontext(spark))
    assert sum(found.differences.values()) == 0
    restate(dataset, lambda said: said["source"]["posts"][0]["columns"].update(surface="'story'"))
    found = audit(dataset.parent, dataset.name, 1, lambda: nullcontext(spark))
    assert found.kept == 0
    assert found.differences["IN_SHOULD_BE_OUT"] == len(rows_of(dataset / "members"))


def test_an_input_that_no_longer_opens_is_named_with_what_to_do(dataset: Path) -> None:
    restate(dataset, lambda said: said["inputs"][0].update(version="7"))
    with pytest.raises(DatasetError, match=r"posts: version 7 of .*no longer opens.*restore the table from a backup"):
        audited(dataset)
    restate(dataset, lambda said: said["inputs"][0].update(version="0", id="another"))
    with pytest.raises(DatasetError, match=r"posts: version 0 of .*it is another table now"):
        audited(dataset)


def test_a_policy_that_is_not_the_stated_one_is_refused(dataset: Path) -> None:
    restate(dataset, lambda said: said["policy"]["values"].update(adult_age="17"))
    with pytest.raises(DatasetError, match="The policy in the statement of uk-social@1 has the digest"):
        audited(dataset)


def test_the_command_prints_what_differs_and_ends_with_its_own_exit_code(built: Path, dataset: Path) -> None:
    def run(warehouse: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"CORPUS_WAREHOUSE": str(warehouse)}
        return subprocess.run(
            [*CORPUS, "audit", *arguments], capture_output=True, text=True, check=False, env=environment
        )

    honest = run(built / "warehouse", "uk-social@1")
    assert honest.stdout.startswith("uk-social@1: 20 posts judged a second time, 5 of them in\n")
    assert (honest.returncode, honest.stderr) == (0, "")
    rewrite(dataset / "exclusions", [row | {"reasons": 1} for row in rows_of(dataset / "exclusions")])
    false = run(dataset.parent, "uk-social@1", "--json")
    assert json.loads(false.stdout)["differences"]["REASONS_DIFFER"] > 0
    assert (false.returncode, "uk-social@1 is not what its inputs and its policy give" in false.stderr) == (8, True)


def test_an_audit_wants_a_version() -> None:
    with pytest.raises(ConfigError, match="write DATASET@N, as uk-social@7"):
        parse_one("uk-social")
