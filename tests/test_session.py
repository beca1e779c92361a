"""The session starts quietly, tells the truth about time, and says what is missing where it cannot start."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest
from pyspark.sql import SparkSession

from corpus import java
from corpus.errors import BrokenOff, ConfigError, EnvironmentFault
from corpus.session import open_session, read_conf, require_contract

ROOT = Path(__file__).parent.parent
LOCAL = ROOT / "conf/spark/local.conf"
OPEN = f"""
    import sys
    from pathlib import Path
    from corpus.errors import CorpusError
    from corpus.session import open_session
    small = {{"spark.master": "local[1]", "spark.driver.memory": "1g"}}
    def opened(**more):
        try:
            return open_session("t", Path({str(LOCAL)!r}), small | more)
        except CorpusError as mistake:
            print(mistake, file=sys.stderr)
            sys.exit(mistake.exit_code)
"""


def run(script: str, cache: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """A Python of its own, with a cache of its own."""
    environment = os.environ | {"XDG_CACHE_HOME": str(cache)} | env
    environment.pop("PYSPARK_GATEWAY_PORT", None)
    code = dedent(OPEN) + dedent(script)
    asked = [sys.executable, "-c", code]
    return subprocess.run(asked, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture
def only_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A machine whose only Java is the one in this folder; there is none yet."""
    monkeypatch.setattr(java, "JAVA_FOLDERS", (str(tmp_path / "jvm"),))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
    java.find_java.cache_clear()
    yield tmp_path / "home"
    java.find_java.cache_clear()


def pretend_java(home: Path, version: str) -> None:
    """A program that says of itself what a Java of this version says."""
    (home / "bin").mkdir(parents=True)
    said = f"    java.home = {home}\\n    java.specification.version = {version}\\n"
    (home / "bin/java").write_text(f"#!/bin/sh\nprintf '{said}' >&2\n")
    (home / "bin/java").chmod(0o755)


def test_without_java_the_message_says_what_to_install(only_java: Path) -> None:
    with pytest.raises(EnvironmentFault, match=r"Java 17 or 21.*found no Java at all.*apt-get install openjdk-17"):
        java.find_java()


@pytest.mark.parametrize(("version", "told"), [("11", "Java 11"), ("1.8", "Java 8"), ("25", "Java 25")])
def test_an_unsupported_java_is_named_and_refused(only_java: Path, version: str, told: str) -> None:
    pretend_java(only_java, version)
    with pytest.raises(EnvironmentFault, match=f"found {told} in {only_java}"):
        java.find_java()


@pytest.mark.parametrize("version", ["17", "21"])
def test_an_unsupported_java_home_gives_way_to_a_supported_one(only_java: Path, version: str) -> None:
    pretend_java(only_java, "11")
    pretend_java(only_java.parent / "jvm/b", version)
    assert java.find_java() == only_java.parent / "jvm/b"


def test_a_command_without_java_ends_without_a_traceback(tmp_path: Path) -> None:
    script = "import corpus.java; corpus.java.JAVA_FOLDERS = (); opened()"
    ended = run(script, tmp_path, PATH="", JAVA_HOME="")
    assert ended.returncode == EnvironmentFault.exit_code
    assert "Spark needs Java 17 or 21" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_driver_with_too_little_memory_is_refused_before_anything_is_begun(tmp_path: Path) -> None:
    ended = run("""opened(**{"spark.driver.memory": "600m"})""", tmp_path)
    assert ended.returncode == EnvironmentFault.exit_code
    assert "The driver may take 600 MiB of memory; it needs 1024 MiB at the least" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_jars_that_no_repository_gives_are_a_clear_error(tmp_path: Path) -> None:
    nowhere = "-Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=9 -Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=9"
    script = f"opened(**{{'spark.jars.ivy': {str(tmp_path / 'ivy')!r}}})"
    ended = run(script, tmp_path, JAVA_TOOL_OPTIONS=f"{nowhere} -Duser.home={tmp_path}")
    assert ended.returncode == EnvironmentFault.exit_code
    assert ended.stderr.startswith("The jars of io.delta:delta-spark_4.2_2.13:4.4.0 could not be found")
    assert "Traceback" not in ended.stderr


def test_a_jar_that_hides_behind_a_pom_is_named_with_its_cure(tmp_path: Path) -> None:
    hidden = tmp_path / ".m2/repository/org/nowhere/thing/1.0"
    hidden.mkdir(parents=True)
    (hidden / "thing-1.0.pom").write_text(
        "<project><modelVersion>4.0.0</modelVersion><groupId>org.nowhere</groupId><artifactId>thing</artifactId>"
        "<version>1.0</version></project>"
    )
    script = (
        f"opened(**{{'spark.jars.ivy': {str(tmp_path / 'ivy')!r}, 'spark.jars.packages': 'org.nowhere:thing:1.0'}})"
    )
    ended = run(script, tmp_path, JAVA_TOOL_OPTIONS=f"-Duser.home={tmp_path}")
    assert ended.returncode == EnvironmentFault.exit_code
    assert f"Delete {hidden} and {tmp_path}/ivy/cache/org.nowhere/thing" in ended.stderr


def test_a_session_is_quiet_and_no_machine_time_zone_shows_in_it(tmp_path: Path) -> None:
    script = """
        spark = opened()
        found = spark.sql("SELECT timestamp'2026-11-20 00:30:00' t, cast(timestamp'2026-11-20 00:30:00' AS string) s")
        print(*found.first(), flush=True)
        spark.createDataFrame([(0,)], "x int").selectExpr("sum(x)").collect()
        spark.stop()
    """
    ended = run(script, tmp_path, TZ="Pacific/Auckland")
    assert ended.stdout == "2026-11-20 00:30:00 2026-11-20 00:30:00\n"
    assert not ended.stderr
    assert (tmp_path / "corpus/spark.log").stat().st_mode & 0o077 == 0


def test_a_java_that_ends_under_the_work_is_named_and_the_rerun_said_to_be_safe(tmp_path: Path) -> None:
    script = """
        from corpus.cli.options import spark_session
        try:
            with spark_session("t", "local", is_small=True) as spark:
                spark._sc._gateway.proc.kill()
                spark.range(3).count()
        except CorpusError as mistake:
            print(mistake, file=sys.stderr)
            sys.exit(mistake.exit_code)
    """
    ended = run(script, tmp_path)
    assert ended.returncode == BrokenOff.exit_code
    assert "Spark's Java process ended while it worked" in ended.stderr
    assert "run the same command again" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("key", "wrong"), [("spark.sql.session.timeZone", "Europe/London"), ("spark.sql.ansi.enabled", "false")]
)
def test_a_session_that_is_not_utc_and_ansi_is_refused(spark: SparkSession, key: str, wrong: str) -> None:
    other = spark.newSession()
    other.conf.set(key, wrong)
    with pytest.raises(EnvironmentFault, match=f"has {key} = {wrong}; the contract needs"):
        require_contract(other)


def test_a_process_has_one_session(spark: SparkSession) -> None:
    assert open_session("another", LOCAL) is spark


def test_both_properties_files_keep_the_contract() -> None:
    for name in ("local", "cluster"):
        require = {"spark.sql.session.timeZone": "UTC", "spark.sql.ansi.enabled": "true"}
        assert read_conf(ROOT / f"conf/spark/{name}.conf").items() >= require.items()


def test_a_properties_file_that_is_not_there_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no Spark properties file .*locla\.conf \(did you mean 'local\.conf'\?\)"):
        read_conf(ROOT / "conf/spark/locla.conf")


def test_values_keep_their_equals_signs_and_spaces(tmp_path: Path) -> None:
    conf = tmp_path / "a.conf"
    conf.write_text("# note\nspark.a   -Dx=y -Dz=1\nspark.b=io:c\n\nspark.c = d\n")
    assert read_conf(conf) == {"spark.a": "-Dx=y -Dz=1", "spark.b": "io:c", "spark.c": "d"}
