"""What a job needs of its driver and of a cluster, looked at before work begins: a fault is one sentence.

Executors are asked by small jobs of Spark's own, as many tasks as there are cores: it offers these to all of them.
"""

from __future__ import annotations

import re
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import arrow_udf

from corpus.errors import EnvironmentFault
from corpus.java import JAVA_VERSIONS
from corpus.progress import step

MEBIBYTE = 1 << 20
DRIVER_MEMORY = 1024
"""MiB, the least: the driver holds plans, what is sent to all executors, and what tasks report."""
OF_WHICH_SEEN = 0.9
"""Java counts a part of its heap out of what it says that it may take."""
PATIENCE = 120
"""Seconds that a standalone master gets to start an executor; queues of other resource managers have no limit here."""
SENT = ("corpus.text", "corpus.text_html", "corpus.minhash", "corpus_verify.merkle", "deltalake")
"""What the Arrow functions of a build import where they run."""
TALKATIVE = ("scheduler.TaskSetManager", "sql.execution.datasources.FileFormatWriter")
"""What of Spark logs a failed task with its trace."""
WORDS = [
    (r"UnsupportedClassVersionError|class file version", "Java"),
    (r"All masters are unresponsive|Invalid master URL", "master"),
    (r"Master removed our application|Application has been killed|SparkContext was (?:shut down|stopped)", "removed"),
]


def require_memory(jvm: Any) -> None:
    """Raises EnvironmentFault where the driver's Java may take less than any build needs."""
    most = int(jvm.java.lang.Runtime.getRuntime().maxMemory()) // MEBIBYTE
    if most < DRIVER_MEMORY * OF_WHICH_SEEN:
        raise EnvironmentFault(
            f"The driver may take {most} MiB of memory; it needs {DRIVER_MEMORY} MiB at the least. "
            "conf/spark/cluster.conf gives it 2g, and local.conf, where it does all the work, 4g. Nothing was begun. "
            "Say how much before Java starts: spark-submit --driver-memory 2g, or spark.driver.memory in the file."
        )


def require_master(master: str) -> None:
    """Raises EnvironmentFault where nothing listens at the address of a standalone master; Spark would try a minute."""
    if not master.startswith("spark://"):
        return
    addresses = master.removeprefix("spark://").split(",")
    why = [_unreachable(address) for address in addresses]
    if all(why):
        raise EnvironmentFault(
            f"No Spark master answers at {master}: {why[0]}. Expected is spark://HOST:PORT as the master's own page "
            "and the first lines of its log give it (7077 unless set; not the port of the page). Nothing was begun. "
            "Check the address, and that this machine may reach it."
        )


def require_executors(spark: SparkSession) -> None:
    """Raises EnvironmentFault where executors lack what the driver has: its Java, its Python, this package.

    Looks at those that have come by now. On one machine there is nothing to look at.
    """
    if is_local(spark):
        return
    with step("looking at the executors"):
        _await_executors(spark)
        with _without_traces(spark), told_plainly():
            _require_java(spark)
            _require_package(spark)


def require_shared(spark: SparkSession, folder: Path | str) -> None:
    """Raises EnvironmentFault where what executors write to this folder is not what the driver finds there.

    An address such as s3a://… means the same everywhere; on one machine there is nothing to look at.
    """
    local = re.sub("^file:(//)?", "", str(folder))
    if is_local(spark) or re.match("[a-z0-9]+:", local):
        return
    place = Path(local).absolute() / f".probe-{uuid4().hex}"
    try:
        with _without_traces(spark), told_plainly(_not_shared(place.parent, "executors cannot write there")):
            _one_row_a_core(spark).select(F.col("id").cast("string")).write.text(f"file:{place}")
        asked, found = spark.sparkContext.defaultParallelism, len([*place.glob("part-*")])
    finally:
        shutil.rmtree(place, ignore_errors=True)
    if found < asked:
        raise _not_shared(place.parent, f"of {asked} files that executors wrote there the driver finds {found}")


@contextmanager
def told_plainly(instead: EnvironmentFault | None = None) -> Iterator[None]:
    """Within this, a fault of the cluster that Spark reports is one sentence; any other is `instead`, if given."""
    try:
        yield
    except (PySparkException, Py4JError) as reported:
        if fault := fault_in(str(reported)) or instead:
            raise fault from None
        raise


def is_local(spark: SparkSession) -> bool:
    """Whether driver and executor are one process."""
    return re.fullmatch(r"local(\[.*\])?", _master(spark)) is not None


def fault_in(said: str) -> EnvironmentFault | None:
    """The fault of the cluster in what Spark reports, if it is one: Java, Python, packages, master, executors gone."""
    if python := _fault_of_python(said):
        return python
    kind = next((kind for words, kind in WORDS if re.search(words, said)), "")
    return EnvironmentFault(_SENTENCES[kind]) if kind else None


def _fault_of_python(said: str) -> EnvironmentFault | None:
    if other := re.search(r"different version:? \(?([\d.]+)\)? than that in driver:? \(?([\d.]+)", said):
        return EnvironmentFault(
            f"Executors run Python {other[1]}; the driver runs Python {other[2]}, and both must be the same to the "
            "second number. Nothing was begun. Name the driver's by a path that holds on every machine: "
            "PYSPARK_PYTHON=/path/to/python3.11, or --conf spark.pyspark.python=…"
        )
    if absent := re.search(r'Cannot run program "([^"]+)"', said):
        return EnvironmentFault(
            f"Executors cannot start the Python {absent[1]}: it is not on their machines. Nothing was begun. Name one "
            "that is, of the driver's version: PYSPARK_PYTHON=/path/to/python3.11, or --conf spark.pyspark.python=…"
        )
    if lacking := re.search(r"No module named '([\w.]+)'", said):
        return EnvironmentFault(
            f"Executors lack the Python package '{lacking[1]}'. Nothing was begun. Send ours and its libraries along: "
            "`make dist`, then spark-submit --py-files dist/corpus.zip --archives dist/corpus-deps.tar.gz#deps with "
            "spark.executorEnv.PYTHONPATH deps, as conf/spark/cluster.conf has it."
        )
    return None


_SENTENCES = {
    "Java": "Executors run a Java that is older than Spark is made for (UnsupportedClassVersionError); it needs Java "
    f"{JAVA_VERSIONS[0]} or {JAVA_VERSIONS[1]}, the same as the driver's. Set JAVA_HOME for the workers, or --conf "
    "spark.executorEnv.JAVA_HOME=/path/on/every/machine.",
    "master": "No Spark master answers at the address that was given, though something listens there. Expected is "
    "spark://HOST:PORT as the master's own page gives it (not the port of the page), of the same version of Spark.",
    "removed": "The cluster ended this application while it worked: the master stopped it, or its executors ended as "
    "soon as they started. Their last words are in the folder work/app-… on the workers (stderr), and on the "
    "master's page. What was not committed was not written: mend it, then run the same command again.",
}


@contextmanager
def _without_traces(spark: SparkSession) -> Iterator[None]:
    """Within this Spark's log is silent on tasks that fail: the sentence says why."""
    log4j = spark.sparkContext._jvm.org.apache.logging.log4j  # type: ignore[union-attr]  # noqa: SLF001
    talkative = [f"org.apache.spark.{name}" for name in TALKATIVE]
    for name in talkative:
        log4j.core.config.Configurator.setLevel(name, log4j.Level.OFF)
    try:
        yield
    finally:
        for name in talkative:
            log4j.core.config.Configurator.setLevel(name, log4j.Level.WARN)


def _unreachable(address: str) -> str:
    """Why nothing can be sent to HOST:PORT; empty if it can."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        return f"'{address}' is not HOST:PORT"
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=10):
            return ""
    except (OSError, OverflowError) as cannot:
        return getattr(cannot, "strerror", None) or str(cannot)


def _await_executors(spark: SparkSession) -> None:
    """Returns when there is an executor. Raises EnvironmentFault where a standalone master gives none in time."""
    context, begun = spark.sparkContext._jsc.sc(), time.monotonic()  # noqa: SLF001 (PySpark counts no executors)
    limit = PATIENCE if _master(spark).startswith("spark:") else float("inf")
    while context.getExecutorMemoryStatus().size() < 2:  # the driver is one
        passed = time.monotonic() - begun
        if context.isStopped() or passed > limit:
            raise _no_executor(spark, passed)
        time.sleep(0.2)


def _no_executor(spark: SparkSession, passed: float) -> EnvironmentFault:
    memory, cores = (
        spark.conf.get(f"spark.executor.{what}", other) for what, other in (("memory", "1g"), ("cores", "all"))
    )
    return EnvironmentFault(
        f"The master at {_master(spark)} gave no executor in {passed:.0f} s. Either no worker is free with {memory} of "
        f"memory and {cores} cores, which were asked for; or executors end as soon as they start, with a Java that is "
        f"not {JAVA_VERSIONS[0]} or {JAVA_VERSIONS[1]} (UnsupportedClassVersionError in work/app-…/stderr on the "
        "workers), or because they do not reach the driver (spark.driver.host). The master's page says which. Nothing "
        "was begun."
    )


def _master(spark: SparkSession) -> str:
    return str(spark.sparkContext.master)


def _require_java(spark: SparkSession) -> None:
    own = spark.sparkContext._jvm.java.lang.System.getProperty("java.specification.version")  # type: ignore[union-attr]  # noqa: SLF001
    java = F.reflect(F.lit("java.lang.System"), F.lit("getProperty"), F.lit("java.specification.version"))
    host = F.reflect(F.lit("org.apache.spark.util.Utils"), F.lit("localHostName"))
    found = {tuple(row) for row in _one_row_a_core(spark).select(java, host).collect()}
    others = [f"Java {version} on {machine}" for version, machine in sorted(found) if version != own]
    if others:
        raise EnvironmentFault(
            f"Executors run {', '.join(others[:3])}; the driver runs Java {own}. Both must be the same, "
            f"{JAVA_VERSIONS[0]} or {JAVA_VERSIONS[1]}: each has its own tables of letters, and one post could be "
            "judged in two ways. Nothing was begun. Set JAVA_HOME alike for the driver and the workers, or --conf "
            "spark.executorEnv.JAVA_HOME=/path/on/every/machine."
        )


def _require_package(spark: SparkSession) -> None:
    imported = arrow_udf(_with_imports, "long")  # type: ignore[call-overload]
    _one_row_a_core(spark).select(imported("id")).collect()


def _with_imports(numbers: pa.Array) -> pa.Array:
    """The numbers as they came, where executors have all that builds import there."""
    for name in SENT:
        import_module(name)
    return numbers


def _one_row_a_core(spark: SparkSession) -> DataFrame:
    cores = spark.sparkContext.defaultParallelism
    return spark.range(0, cores, 1, cores)


def _not_shared(folder: Path, why: str) -> EnvironmentFault:
    return EnvironmentFault(
        f"The folder {folder} is not the same place on every machine of the cluster, or not theirs to write: {why}. "
        "Nothing was begun. Name one on a file system that the driver and all workers share, by the same path, and "
        "let the workers' account write there (a temporary folder goes where TMPDIR says)."
    )
