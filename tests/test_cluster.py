"""What is wrong with a cluster is one sentence. On a real one `make cluster ARGS=--faults` shows the same."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from corpus.cluster import fault_in, require_executors, require_master, require_shared
from corpus.errors import EnvironmentFault

OLD_JAVA = (
    "Error: LinkageError occurred while loading main class org.apache.spark.executor.CoarseGrainedExecutorBackend\n"
    "\tjava.lang.UnsupportedClassVersionError: org/apache/spark/executor/CoarseGrainedExecutorBackend has been "
    "compiled by a more recent version of the Java Runtime (class file version 61.0), this version of the Java "
    "Runtime only recognizes class file versions up to 55.0"
)
OTHER_PYTHON = (
    "[PYTHON_VERSION_MISMATCH] Python in worker has different version: 3.12 than that in driver: 3.11, PySpark cannot "
    "run with different minor versions.\nPlease check environment variables PYSPARK_PYTHON and PYSPARK_DRIVER_PYTHON"
)
NO_PYTHON = (
    "org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 1.0 failed 4 times, most "
    'recent failure: java.io.IOException: Cannot run program "/nowhere/python3": error=2, No such file or directory'
)
NO_PACKAGE = "    return cloudpickle.loads(obj, encoding=encoding)\nModuleNotFoundError: No module named 'corpus'\n"
NO_MASTER = "Exiting due to error from cluster scheduler: All masters are unresponsive! Giving up."
STOPPED = "org.apache.spark.SparkException: Job 3 cancelled because SparkContext was shut down"


@pytest.mark.parametrize(
    ("reported", "sentence"),
    [
        (OLD_JAVA, "Java that is older.*needs Java 17 or 21.*JAVA_HOME"),
        (OTHER_PYTHON, "Executors run Python 3.12; the driver runs Python 3.11.*PYSPARK_PYTHON"),
        (NO_PYTHON, "cannot start the Python /nowhere/python3.*PYSPARK_PYTHON"),
        (NO_PACKAGE, "lack the Python package 'corpus'.*make dist.*--py-files"),
        (NO_MASTER, "No Spark master answers.*spark://HOST:PORT"),
        (STOPPED, "The cluster ended this application.*run the same command again"),
    ],
    ids=["old Java", "other Python", "no Python", "no package", "no master", "stopped"],
)
def test_what_spark_reports_of_a_cluster_becomes_a_sentence(reported: str, sentence: str) -> None:
    with pytest.raises(EnvironmentFault, match=sentence) as told:
        raise fault_in(reported) or AssertionError
    assert "\n" not in str(told.value)


def test_what_is_no_fault_of_the_cluster_is_left_to_others() -> None:
    assert fault_in("[DIVIDE_BY_ZERO] Division by zero. No module was asked.") is None


@pytest.mark.parametrize(
    ("master", "why"),
    [
        ("spark://127.0.0.1:9", "Connection refused"),
        ("spark://127.0.0.1", "not HOST:PORT"),
        ("spark://nowhere.invalid:7077", "known|resolution"),
        ("spark://127.0.0.1:9,127.0.0.1:10", "Connection refused"),
    ],
)
def test_a_wrong_master_address_is_told_at_once(master: str, why: str) -> None:
    with pytest.raises(EnvironmentFault, match=f"No Spark master answers at {master}: .*({why})"):
        require_master(master)


def test_one_master_of_several_is_enough_and_others_than_standalone_are_not_asked() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        require_master(f"spark://127.0.0.1:9,127.0.0.1:{listening.getsockname()[1]}")
    for master in ("local[2]", "yarn", "k8s://https://127.0.0.1:9"):
        require_master(master)


def test_on_one_machine_nothing_is_probed(spark: SparkSession, tmp_path: Path) -> None:
    require_executors(spark)
    require_shared(spark, tmp_path / "absent")
    assert not [*tmp_path.iterdir()]
