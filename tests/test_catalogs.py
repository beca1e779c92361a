"""Names in the session's catalog, for what a build reads and for what it makes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from corpus.catalogs import SCHEMA, parts_of, quoted
from corpus.errors import ConfigError, SourceError
from corpus.registering import build_registered
from corpus.sources import Source, committed_at, pin, read_source, read_table
from corpus.sql.catalog import statements
from tests.faults.driver import numbered
from tests.faults.world import write_world
from tests.small_dataset import empty, small_dataset

NAMES = {  # what is written, and its parts
    "social.posts": ["social", "posts"],
    "spark_catalog.social.posts": ["spark_catalog", "social", "posts"],
    "`my social`.`a.b`": ["my social", "a.b"],
    "social.`it``s; DROP TABLE x`": ["social", "it`s; DROP TABLE x"],
}
NO_NAMES = [
    "posts", "a.b.c.d", "social.posts; DROP TABLE social.posts", "social.`posts", "social..posts", "social.", "",
    "social.posts -- all", "/lake/posts", "s3a://lake/posts", "delta.`/lake/posts`",
]  # fmt: skip


@pytest.mark.parametrize(("written", "parts"), NAMES.items())
def test_a_name_is_read_and_quoted_part_by_part(written: str, parts: list[str]) -> None:
    assert parts_of(written) == parts
    assert parts_of(quoted(*parts)) == parts


@pytest.mark.parametrize("written", NO_NAMES)
def test_what_is_no_name_is_refused_before_spark_starts(written: str, tmp_path: Path) -> None:
    lines = [f'[{table}]\npath = "x"' for table in ("profiles", "objections")]
    (tmp_path / "source.toml").write_text("\n".join(['name = "s"', f'[posts]\ntable = "{written}"', *lines]))
    with pytest.raises(ConfigError, match=r"is no name in a catalog|must say exactly one of path"):
        read_source(tmp_path / "source.toml")
    with pytest.raises(ConfigError, match=r"write schema or catalog\.schema"):
        parts_of("a.b.c", SCHEMA)


@pytest.fixture(scope="module")
def folder(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The tiny world by name: objections managed by the catalog, the others where they lie; and what is no table."""
    folder = tmp_path_factory.mktemp("it's a catalog")
    write_world(folder / "inputs")
    spark.sql("CREATE SCHEMA world")
    for table in ("posts", "profiles"):
        spark.sql(f'CREATE TABLE world.{table} USING delta LOCATION "{folder}/inputs/{table}"')
    spark.sql(f"CREATE TABLE world.objections USING delta AS SELECT * FROM delta.`{folder}/inputs/objections`")
    spark.sql("CREATE VIEW world.seen AS SELECT * FROM world.posts")
    spark.sql("CREATE TABLE world.flat (a INT) USING parquet")
    shutil.copytree(folder / "inputs/posts", folder / "gone")
    spark.sql(f'CREATE TABLE world.gone USING delta LOCATION "{folder}/gone"')
    shutil.rmtree(folder / "gone")
    yield folder
    spark.sql("DROP SCHEMA world CASCADE")


@pytest.fixture(scope="module")
def named(folder: Path) -> Source:
    return source_of(folder)


def source_of(folder: Path, **names: str) -> Source:
    """A source whose tables are said by name."""
    tables = {table: f"spark_catalog.world.{table}" for table in ("posts", "profiles", "objections")} | names
    path = folder / "named.toml"
    path.write_text("\n".join(['name = "named"', *(f'[{one}]\ntable = "{name}"' for one, name in tables.items())]))
    return read_source(path)


def test_a_schema_that_has_something_else_is_refused_before_anything_is_made(spark: SparkSession, folder: Path) -> None:
    request = replace(numbered(folder, 0, 0), warehouse=folder / "other", schema="world")
    with pytest.raises(ConfigError, match=r"The schema world has tables of something else: .*, or nothing yet"):
        build_registered(spark, request)
    with pytest.raises(ConfigError, match=r"there is no catalog 'spark_catalogue' \(did you mean 'spark_catalog'\?\)"):
        build_registered(spark, replace(request, schema="spark_catalogue.kept"))
    assert not request.warehouse.exists()


ABSENT = {
    "a schema": ("wrold.posts", r"there is no schema 'wrold' \(did you mean 'world'\?\)"),
    "a table": ("spark_catalog.world.post", r"no table 'post' in spark_catalog.world \(did you mean 'posts'\?\)"),
    "a catalog": (
        "spark_catlog.world.posts",
        r"no catalog 'spark_catlog' \(did you mean 'spark_catalog'\?\); spark.sql.catalog.spark_catlog in",
    ),
    "an odd table": ("world.`it``s; DROP TABLE posts`", "no table 'it`s; DROP TABLE posts' in world"),
    "a view": ("world.seen", "world.seen is a view, and no Delta table"),
    "a folder": ("world.gone", r"world.gone cannot be read. .*/gone doesn't exist, or is not a Delta table"),
    "another format": ("world.flat", "world.flat is a table of the format parquet, and no Delta table"),
}


@pytest.mark.parametrize(("name", "message"), ABSENT.values(), ids=ABSENT)
def test_a_name_without_a_delta_table_says_what_is_not_there(
    name: str, message: str, spark: SparkSession, folder: Path
) -> None:
    with pytest.raises(SourceError, match=message):
        pin(spark, source_of(folder, posts=name))


def test_a_path_that_may_be_meant_as_a_name_says_so(spark: SparkSession, folder: Path, named: Source) -> None:
    (place,) = named.posts
    by_path = named.model_copy(update={"posts": (place.model_copy(update={"path": "/x/world.posts", "table": None}),)})
    with pytest.raises(SourceError, match=r"no Delta table at /x/world.posts; a name in a catalog is said by `table`"):
        pin(spark, by_path)


def test_a_pin_means_the_table_and_not_its_name(spark: SparkSession, folder: Path, named: Source) -> None:
    pins = pin(spark, named)
    assert pins["posts"].location == f"file:{folder}/inputs/posts"
    spark.sql("ALTER TABLE world.posts RENAME TO world.moved")
    spark.sql("INSERT INTO world.moved SELECT * FROM world.moved")
    assert read_table(spark, named, pins["posts"]).count() == 25, "the pinned version, where it lay"
    spark.sql("DROP TABLE world.objections")
    spark.sql(f"CREATE TABLE world.objections USING delta AS SELECT * FROM delta.`{folder}/inputs/objections`")
    for reads in (read_table, committed_at):
        with pytest.raises(
            SourceError, match=r"world.objections is no longer the table that was pinned \(id .* replaced"
        ):
            reads(spark, named, pins["objections"])


def test_two_datasets_that_would_have_one_name_in_sql_are_told_apart_by_a_schema(tmp_path: Path) -> None:
    small_dataset(tmp_path)
    empty(tmp_path / "uk.social")
    with pytest.raises(ConfigError, match=r"uk-social and uk\.social would both be uk_social in SQL"):
        statements(tmp_path, "uk-social")
    found = statements(tmp_path, "uk-social", restricted=True, schema="lake.`uk social`")
    assert found[0] == "CREATE DATABASE IF NOT EXISTS `lake`.`uk social`"
    assert "CREATE OR REPLACE VIEW `lake`.`uk social_restricted`.exclusions" in found[-4]
