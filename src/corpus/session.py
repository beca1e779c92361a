"""The Spark session: Java found, a quiet start, and the settings without which no verdict is made (UTC and ANSI)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JError
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession

from corpus.cluster import fault_in, require_executors, require_master, require_memory
from corpus.errors import BrokenOff, ConfigError, CorpusError, EnvironmentFault, nearest
from corpus.java import find_java
from corpus.mishaps import full_disk, is_full, scratch_folders

CONTRACT = {"spark.sql.session.timeZone": "UTC", "spark.sql.ansi.enabled": "true"}
_PACKAGES = "spark.jars.packages"


def open_session(name: str, conf: Path, overrides: Mapping[str, str] | None = None) -> SparkSession:
    """A session on this machine, set by a spark-submit properties file; the process's own if it has one.

    What Java prints goes to `log_path()`; the process lives in UTC from here on. Raises ConfigError, EnvironmentFault.
    """
    settings = read_conf(conf) | dict(overrides or {})
    active = SparkSession.getActiveSession()
    return require_contract(active or _started(name, settings))


def submitted_session(name: str) -> SparkSession:
    """The session that spark-submit prepared, set by its properties file alone, on a cluster that can do the work.

    Raises EnvironmentFault.
    """
    _live_in_utc()
    SparkContext._ensure_initialized()  # noqa: SLF001 (Java, but no context yet)
    require_memory(SparkContext._jvm)  # noqa: SLF001
    require_master(SparkConf().get("spark.master") or "")
    try:
        spark = require_contract(SparkSession.builder.appName(name).getOrCreate())
    except (PySparkException, Py4JError) as cannot:
        raise fault_in(str(cannot)) or _not_started(str(cannot), "What Java wrote stands above.") from None
    require_executors(spark)
    return spark


def require_contract(spark: SparkSession) -> SparkSession:
    """This session, if it runs in UTC and ANSI mode. Raises EnvironmentFault otherwise."""
    for key, value in CONTRACT.items():
        found = spark.conf.get(key)
        if found != value:
            raise EnvironmentFault(
                f"This Spark session has {key} = {found}; the contract needs {value}. Start it with "
                f"--properties-file conf/spark/local.conf (or cluster.conf), or with --conf {key}={value}."
            )
    return spark


def read_conf(conf: Path) -> dict[str, str]:
    """The settings in a spark-submit properties file. Raises ConfigError where there is no such file."""
    if not conf.is_file():
        hint = nearest(conf.name, (beside.name for beside in conf.parent.glob("*.conf")))
        raise ConfigError(f"There is no Spark properties file {conf}{hint}.")
    lines = (line.strip() for line in conf.read_text(encoding="utf-8").splitlines())
    pairs = (re.split(r"\s*[=\s]\s*", line, maxsplit=1) for line in lines if line and not line.startswith("#"))
    return {pair[0]: pair[-1] for pair in pairs}


def log_path() -> Path:
    """Where the Java of the newest local session on this account writes; only its owner may read it."""
    return _cache() / "spark.log"


def _java_log() -> str:
    return log_path().read_text(encoding="utf-8", errors="replace") if log_path().exists() else ""


def java_ended(patience: float = 0) -> BrokenOff | None:
    """What to say if the Java of this process's session has ended, or ends within these seconds; None while it runs."""
    if SparkContext._gateway is None:  # noqa: SLF001
        return None
    try:
        SparkContext._gateway.proc.wait(patience)  # noqa: SLF001
    except subprocess.TimeoutExpired:
        return None
    told = [line for line in _java_log().splitlines() if re.match(r"(?!\s*at |\s*#?\s*$)", line)]
    last = told[-1].strip()[:300] if told else "nothing"
    return BrokenOff(
        f"Spark's Java process ended while it worked (killed, out of memory, or crashed); its last words: {last}. "
        "What was not committed was not written: see to the memory, then run the same command again. "
        f"Java's log: {log_path()}"
    )


def _started(name: str, settings: dict[str, str]) -> SparkSession:
    _live_in_utc()
    os.environ["JAVA_HOME"] = str(find_java())
    # Another Spark, or another Python for the workers, would fail later and less clearly.
    os.environ["SPARK_HOME"] = str(Path(str(find_spec("pyspark").origin)).parent)  # type: ignore[union-attr]
    os.environ["PYSPARK_PYTHON"] = sys.executable
    conf = SparkConf(loadDefaults=False).setAll([*_with_known_jars(settings).items()]).setAppName(name)
    require_master(settings.get("spark.master", ""))
    try:
        gateway = SparkContext._gateway or _quiet_gateway(conf)  # noqa: SLF001 (one JVM)
        require_memory(gateway.jvm)
        SparkContext(conf=conf, gateway=gateway)
        spark = SparkSession.builder.getOrCreate()
    except (PySparkException, Py4JError) as cannot:
        raise fault_in(str(cannot)) or _start_fault(settings, cannot) from None
    require_executors(spark)
    _remember_jars(settings, spark)
    return spark


def _quiet_gateway(conf: SparkConf) -> Any:
    """A new JVM that writes to the log alone: it would inherit the terminal and chat there for life."""
    log_path().unlink(missing_ok=True)
    with os.fdopen(os.open(log_path(), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w") as log:
        return launch_gateway(conf, {"stdout": log, "stderr": log})  # type: ignore[no-untyped-call]


def _live_in_utc() -> None:
    """Makes this process's own time zone UTC: Python would else show and read Spark's timestamps in the machine's."""
    os.environ["TZ"] = "UTC"
    time.tzset()


def _start_fault(settings: dict[str, str], cannot: Exception) -> CorpusError:
    """What a person can do about a JVM or a context that did not start, from what Java wrote."""
    log = _java_log()
    jars, ending = settings.get(_PACKAGES), f"Java's log: {log_path()}"
    if half_known := re.search(r"download failed: ([^#\]]+)#([^;]+);([^!]+)!", log):
        return EnvironmentFault(f"{_half_known_jar(log, *half_known.groups())} {ending}")
    if "unresolved dependency" in log:
        return EnvironmentFault(
            f"The jars of {jars} could not be found: no Maven repository answered, or none has them. Check the "
            "network, or name a proxy (JAVA_TOOL_OPTIONS='-Dhttps.proxyHost=… -Dhttps.proxyPort=…') or a mirror "
            f"(spark.jars.ivySettings in the properties file). Once fetched they are kept. {ending}"
        )
    if is_full(log):
        return full_disk(*scratch_folders(settings.get("spark.local.dir")))
    return _not_started(f"{log}\n{cannot}", ending)


def _not_started(said: str, ending: str) -> EnvironmentFault:
    """The first error in what was said."""
    told = [line for line in said.splitlines() if re.match(r"(?!\s*at ).*(Error|Exception)", line)]
    return EnvironmentFault(f"Spark did not start: {(told or said.split(chr(10)))[0].strip()[:500]} {ending}")


def _half_known_jar(log: str, group: str, artifact: str, version: str) -> str:
    """The cure for a jar that Ivy believes to be in the local Maven repository: both must forget it."""
    ivy = re.search(r"Ivy Default Cache set to: (.+)", log)
    maven = re.search(r"local-m2-cache: tried\s+file:(.+)/[^/]+\.jar", log)
    folders = [maven[1] if maven else f"~/.m2/repository/…/{artifact}/{version}"]
    folders += [f"{ivy[1]}/{group}/{artifact}" if ivy else f"{artifact} in the Ivy cache"]
    return (
        f"The jar of {group}:{artifact}:{version} could not be fetched: the local Maven repository has its description "
        f"(pom) without the jar, and that hides it from the download. Delete {' and '.join(folders)}, and try again."
    )


def _with_known_jars(settings: dict[str, str]) -> dict[str, str]:
    """The settings with the jars that an earlier session resolved for their coordinates: this spares Ivy's seconds."""
    jars = known_jars(settings)
    if not jars:
        return settings
    return {key: value for key, value in settings.items() if key != _PACKAGES} | {"spark.jars": ",".join(jars)}


def known_jars(settings: dict[str, str]) -> list[str]:
    """The jars that an earlier session fetched for these settings; none where one of them is not there any more."""
    listed = _jar_list(settings)
    jars = listed.read_text(encoding="utf-8").split(",") if listed.is_file() else []
    return jars if all(Path(jar.removeprefix("file://")).is_file() for jar in jars) else []


def _remember_jars(settings: dict[str, str], spark: SparkSession) -> None:
    jars = spark.sparkContext.getConf().get("spark.jars", "")
    if settings.get(_PACKAGES) and jars and all(jar.startswith("file:///") for jar in jars.split(",")):
        _jar_list(settings).write_text(jars, encoding="utf-8")


def _jar_list(settings: dict[str, str]) -> Path:
    wanted = [f"{key}={value}" for key, value in sorted(settings.items()) if key.startswith("spark.jars")]
    return _cache() / f"jars-{sha256(chr(10).join(wanted).encode()).hexdigest()[:16]}.txt"


@cache
def _cache() -> Path:
    """A folder of this account's own, in a temporary place where its home cannot be written."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "corpus"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return Path(tempfile.mkdtemp(prefix="corpus-"))
    return folder if os.access(folder, os.W_OK) else Path(tempfile.mkdtemp(prefix="corpus-"))
