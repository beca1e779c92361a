"""A dataset registered in Spark: the tables that analysts have, and for the privacy team those that name people."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from corpus.errors import ConfigError, DatasetError
from corpus.funnel_shown import shown_funnel
from corpus.java import find_java
from corpus.query import show
from corpus.reader import register
from corpus.sql.catalog import database, statements, text
from tests.pages import ROOT, blocks
from tests.small_dataset import build, empty, small_dataset
from tests.test_jobs import BIN, SMALL


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("it's a `warehouse`")
    small_dataset(folder)
    return folder


@pytest.fixture
def name(spark: SparkSession, warehouse: Path) -> Iterator[str]:
    name = register(spark, warehouse, "uk-social", restricted=True)
    yield name
    spark.sql(f"DROP DATABASE {name} CASCADE")
    spark.sql(f"DROP DATABASE {name}_restricted CASCADE")


def test_versions_and_rows_and_reasons_are_tables(spark: SparkSession, warehouse: Path, name: str) -> None:
    assert register(spark, warehouse, "uk-social", restricted=True) == name == "uk_social"
    row = spark.sql(f"""
        SELECT (SELECT count(*) FROM {name}.snapshot VERSION AS OF 3) AS third,
               (SELECT count(*) FROM {name}.snapshot) AS newest,
               (SELECT sort_array(collect_list(struct(number, kind, rows, CAST(cutoff AS STRING), policy)))
                FROM {name}.versions) AS versions,
               (SELECT sort_array(collect_list(struct(reason, meaning, first, anywhere)))
                FROM {name}.funnel WHERE version = 3) AS funnel,
               (SELECT sort_array(collect_list(post_id)) FROM {name}_restricted.exclusions WHERE version = 4) AS out,
               (SELECT count(*) FROM {name}_restricted.members) AS members
    """).first()
    assert row is not None
    assert (row["third"], row["newest"]) == (4, 1)
    assert [tuple(version) for version in row["versions"]] == [
        (number, "build", rows, f"2026-11-{number:02d} 00:00:00", "uk-social")
        for number, rows in ((1, 4), (3, 4), (4, 3))
    ]
    expected = shown_funnel(show(warehouse, "uk-social", 3).predicate)
    reasons = sorted((line.name, line.meaning, line.first, line.in_all) for line in expected if line.kind == "reason")
    assert [tuple(line) for line in row["funnel"]] == reasons
    assert row["out"] == ["p1", "p2", "p6"]
    assert row["members"] == 11, "those of build 5, which has no statement, are not read"


def test_versions_never_grow_old(spark: SparkSession, warehouse: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(warehouse / "uk-social", tmp_path / "later")).parent
    name = register(spark, own, "later")
    build(own / "later", {"p1": "rain"}, {})
    assert {row["number"] for row in spark.sql(f"SELECT number FROM {name}.versions").collect()} == {1, 3, 4, 6}
    spark.sql(f"DROP DATABASE {name} CASCADE")


def test_the_page_for_analysts_holds_spark_that_runs(spark: SparkSession, warehouse: Path, name: str) -> None:
    (block,) = blocks(ROOT / "docs/analysts.md", "python")
    exec(block.code.replace('"demo/warehouse"', "warehouse"), {"spark": spark, "warehouse": warehouse})


def test_spark_sql_reads_what_the_statements_registered(warehouse: Path, tmp_path: Path) -> None:
    registering = "".join(f"{statement};\n" for statement in statements(warehouse, "uk-social"))
    (tmp_path / "uk-social.sql").write_text(registering, encoding="utf-8")
    (tmp_path / "ask.sql").write_text("""
        SELECT count(*) FROM uk_social.snapshot VERSION AS OF 3;
        SELECT number, rows FROM uk_social.versions ORDER BY number;
        SELECT reason FROM uk_social.funnel WHERE version = 3 ORDER BY reason;
    """)
    command = [str(BIN / "spark-sql"), "--properties-file", str(ROOT / "conf/spark/local.conf"), *SMALL]
    command += ["--conf", f"spark.sql.warehouse.dir={tmp_path}/spark", "-i", "uk-social.sql", "-f", "ask.sql"]
    environment = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "JAVA_HOME": str(find_java())}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    reasons = ["DELETED", "OBJECTED", "OBJECTED_LINKED"]
    assert done.stdout.split() == ["4", "1", "4", "3", "4", "4", "3", *reasons]


def test_a_database_of_another_dataset_is_refused(spark: SparkSession, name: str, tmp_path: Path) -> None:
    small_dataset(tmp_path)
    with pytest.raises(ConfigError, match="the snapshot of another dataset"):
        register(spark, tmp_path, "uk-social")


def test_analysts_get_no_table_that_names_people(warehouse: Path) -> None:
    shown = "\n".join(statements(warehouse, "uk-social"))
    assert not any(table in shown for table in ("members", "exclusions", "grounds", "objections"))


def test_before_the_first_build_there_is_nothing_to_register(tmp_path: Path) -> None:
    empty(tmp_path / "new")
    with pytest.raises(DatasetError, match="nothing was built yet"):
        statements(tmp_path, "new")


def test_names_and_strings_are_written_as_spark_reads_them() -> None:
    assert database("our.uk-social_2") == "our_uk_social_2"
    assert text("it's \\ 100%") == r"'it\'s \\ 100%'"
    assert text(None) == "NULL"
