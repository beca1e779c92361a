"""One Spark session for all tests: real Spark, real Delta, small shuffles."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from corpus.session import open_session
from tests.small_dataset import small_dataset

ROOT = Path(__file__).parent.parent
CORPUS = [sys.executable, "-c", "from corpus.cli import main; main()"]
"""Starts the command line as a process of its own."""
SETTINGS_FOR_TESTS = {
    "spark.master": "local[2]",
    "spark.driver.memory": "3g",
    # Tests run most code once: the quick compiler alone saves a fifth of their time.
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=400m -Duser.timezone=UTC",
    # Compiling a plan takes longer than running it on so few rows; the submitted jobs and the demo do compile.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    # Nor is there anything to learn from them for the next stage: one job an action rather than one a stage.
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
}


def pytest_configure() -> None:
    """Where tests run in two processes, each has a cache, and so a log of Spark, of its own; known jars stay known."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        own = Path(tempfile.mkdtemp(prefix="corpus-tests-"))
        known = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "corpus"
        if known.is_dir():
            shutil.copytree(known, own / "corpus", ignore=shutil.ignore_patterns("*.log"))
        os.environ["XDG_CACHE_HOME"] = str(own)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """The session that all tests share."""
    overrides = SETTINGS_FOR_TESTS | {"spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("warehouse"))}
    session = open_session("corpus tests", ROOT / "conf/spark/local.conf", overrides)
    yield session
    session.stop()


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with the small dataset, for tests that only read; a module with another has a fixture of its own."""
    folder = tmp_path_factory.mktemp("warehouse")
    small_dataset(folder)
    return folder


@pytest.fixture
def own_warehouse(warehouse: Path, tmp_path: Path) -> Path:
    """A copy of the module's warehouse that a test may break."""
    return Path(shutil.copytree(warehouse, tmp_path / "own"))
