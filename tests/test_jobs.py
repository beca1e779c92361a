"""The jobs do with a real spark-submit what the commands do, from the package that `make dist` packs."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from zipfile import ZipFile

import pytest

from corpus.evidence.statement import code_identity
from corpus.evidence.store import payload_of
from corpus.schemas import INPUTS

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
LOG = "-Dlog4j2.configurationFile=conf/log4j2.properties"
SMALL = [
    *("--master", "local[2]", "--driver-memory", "2g", "--conf", "spark.sql.shuffle.partitions=2"),
    *("--conf", f"spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=400m {LOG}"),
]
AS_OF = datetime.now(UTC).strftime("%Y-%m-%dT%H:00:00Z")
"""This hour: feeds older than a day refuse a build."""


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as `make dist` packs it, with one more module: whoever imports it from elsewhere is found out."""
    pack: Path = runpy.run_path(str(ROOT / "tools/dist.py"))["pack_package"](tmp_path_factory.mktemp("dist"))
    with ZipFile(pack, "a") as opened:
        opened.writestr("corpus/only_in_the_pack.py", "")
    return pack


def submit(packed: Path, job: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / "spark-submit"), "--properties-file", "conf/spark/local.conf", *SMALL]
    command += ["--py-files", str(packed), f"jobs/{job}.py", *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYSPARK_")}
    environment["PATH"] = f"{BIN}{os.pathsep}{environment['PATH']}"
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)


def write_source(world: Path, path: Path) -> Path:
    tables = [f'[{table}]\npath = "{world / table}"\n' for table in INPUTS]
    path.write_text('name = "in-place"\n' + "\n".join(tables))
    return path


def write_policy(path: Path) -> Path:
    rules, _, _ = (ROOT / "conf/policies/uk-social.toml").read_text().partition("\n[governance]")
    approved = (
        'dpia = {id = "D-1", expires = 2036-01-01}\nlia = {id = "L-1"}\napproved_by = "A"\napproved_on = 2026-01-01\n'
    )
    path.write_text(f"{rules}\n[governance]\n{approved}")
    return path


def test_a_world_is_made_built_in_place_and_audited_by_spark_submit(packed: Path, tmp_path: Path) -> None:
    made = submit(
        packed, "synth", "--out", str(tmp_path / "world"), "--posts", "500", "--as-of", AS_OF, "--format", "delta"
    )
    assert made.returncode == 0, made.stdout
    source = write_source(tmp_path / "world", tmp_path / "source.toml")
    policy = write_policy(tmp_path / "policy.toml")
    places = ["--warehouse", str(tmp_path / "warehouse"), "--key", str(tmp_path / "key"), "--cutoff", AS_OF]
    told = ["--log-json", str(tmp_path / "log"), "--metrics", str(tmp_path / "figures")]
    built = submit(packed, "build_snapshot", "small", "--source", str(source), "--policy", str(policy), *places, *told)
    assert built.returncode == 0, built.stdout
    answer = json.loads(built.stdout.splitlines()[-1])
    assert (answer["dataset"], answer["version"], answer["was_there"]) == ("small", 1, False)
    assert int(answer["funnel"]["kept"]) + int(answer["funnel"]["excluded"]) == int(answer["funnel"]["posts"]) > 0
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert (lines[-1]["event"], lines[-1]["build_id"], lines[-1]["exit_code"]) == ("end", answer["build_id"], 0)
    assert sum(line["event"] == "stage" for line in lines) == sum(line.get("stages", 0) for line in lines) > 10
    assert 'corpus_version{command="build",dataset="small"} 1.0' in (tmp_path / "figures").read_text()
    statement = next((tmp_path / "warehouse/small/evidence/statements").iterdir())
    assert payload_of(json.loads(statement.read_text()))["predicate"]["code"]["digest"] != code_identity()["digest"]
    audited = submit(packed, "audit_snapshot", "small@1", "--warehouse", str(tmp_path / "warehouse"))
    assert audited.returncode == 0, audited.stdout
    assert json.loads(audited.stdout.splitlines()[-1])["posts"] == int(answer["funnel"]["posts"])


def test_a_mistake_ends_a_job_with_one_message_and_its_exit_code(packed: Path, tmp_path: Path) -> None:
    arguments = ["--policy", "conf/policies/uk-social.toml", "--cutoff", AS_OF]
    arguments += ["--warehouse", str(tmp_path / "warehouse"), "--key", str(tmp_path / "key")]
    arguments += ["--log-json", str(tmp_path / "log")]
    ended = submit(packed, "build_snapshot", "small", "--source", str(tmp_path / "absent.toml"), *arguments)
    assert ended.returncode == 2
    assert (
        "build_snapshot: There is no source file" in ended.stdout
    )  # where spark-submit puts what Python says on stderr
    assert "Traceback" not in ended.stdout
    assert not (tmp_path / "warehouse").exists()
    last = json.loads((tmp_path / "log").read_text().splitlines()[-1])
    assert (last["exit_code"], last["error"], last["retry"]) == (2, "ConfigError", "no")


def test_the_archive_for_a_cluster_holds_what_runs_and_no_spark() -> None:
    libraries = runpy.run_path(str(ROOT / "tools/dist.py"))["locked_libraries"]()
    assert {"deltalake", "delta-spark", "pyarrow", "pydantic", "unicodedata2"} <= set(libraries)
    assert not {"pyspark", "py4j", "pytest"} & set(libraries)
