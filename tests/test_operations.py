"""A command that is watched tells what it does and how it ended, to whom it was asked to tell, and is not hindered."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from corpus import progress
from corpus.abreast import abreast
from corpus.cli.planning import _tell as tell_plan
from corpus.errors import BrokenOff, Conflict, CorpusError, DatasetError, EnvironmentFault, GateRefused
from corpus.operations.costs import Estimate, estimate
from corpus.operations.plan import Plan
from corpus.operations.watched import Told, watched
from corpus.progress import shown_progress, step, tell
from tests.conftest import ROOT

AIRFLOW = ROOT / ".venv-airflow/bin/python"
DAG = ROOT / "examples/airflow/corpus_nightly.py"
SECRET = "Ada of Marylebone"


def lines_of(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def figures_of(file: Path) -> dict[tuple[str, ...], float]:
    """The figures of a file, by name and labels."""
    return {
        (
            sample.name,
            *(value for label, value in sample.labels.items() if label not in {"command", "dataset"}),
        ): sample.value
        for family in text_string_to_metric_families(file.read_text())
        for sample in family.samples
    }


def test_stages_are_told_under_the_step_that_started_them_also_where_steps_run_abreast(
    spark: SparkSession, tmp_path: Path
) -> None:
    def read(table: str) -> None:
        with step(f"reading {table}"):
            rows = spark.range({"posts": 700, "profiles": 30}[table]).repartition(2)
            rows.selectExpr(f"'{SECRET}' AS who").write.format("noop").mode("overwrite").save()

    with watched("ingest", "d", Told(f"{tmp_path}/log")), step("all"):
        spark.sparkContext.setJobDescription(SECRET)
        spark.range(5).selectExpr("sum(id)").collect()
        abreast(read, ("posts", "profiles"))
    spark.sparkContext.setJobDescription("")
    told = lines_of(tmp_path / "log")
    steps = {line["step"]: line for line in told if line["event"] == "step"}
    assert steps["reading posts"]["shuffle_write_bytes"] > steps["reading profiles"]["shuffle_write_bytes"] > 0
    for name, line in steps.items():
        stages = [stage for stage in told if stage["event"] == "stage" and stage["step"] == name]
        assert line["stages"] == len(stages) > 0
        assert all(stage["ok"] and stage["seconds"] is not None and stage["failed_tasks"] == 0 for stage in stages)
    numbers = [line["stage"] for line in told if line["event"] == "stage"]
    assert len(numbers) == len(set(numbers))
    assert SECRET not in (tmp_path / "log").read_text()


@contextmanager
def failing(folder: Path) -> Iterator[None]:
    with watched("build", "d", Told(f"{folder}/log")), step("judging"):
        yield


def test_a_stage_that_fails_is_told_and_what_it_choked_on_is_not(spark: SparkSession, tmp_path: Path) -> None:
    names = spark.range(3).selectExpr(f"concat('{SECRET}', id) AS name").repartition(2, "name")
    with pytest.raises(PySparkException, match="CAST_INVALID_INPUT"), failing(tmp_path):
        names.selectExpr("sum(cast(name AS int))").collect()
    told = lines_of(tmp_path / "log")
    (failed,) = [line for line in told if line["event"] == "stage" and not line["ok"]]
    assert failed["failed_tasks"] > 0
    (judging,) = [line for line in told if line["event"] == "step"]
    assert (judging["ok"], judging["failed_tasks"]) == (False, failed["failed_tasks"])
    assert SECRET not in (tmp_path / "log").read_text()


ENDINGS: dict[str, tuple[BaseException, dict[str, Any]]] = {
    "a mistake": (DatasetError(SECRET), {"exit_code": 6, "retry": "no", "error": "DatasetError"}),
    "another builder": (Conflict(SECRET), {"exit_code": 7, "retry": "now", "error": "Conflict"}),
    "Java killed": (BrokenOff(SECRET), {"exit_code": 11, "retry": "later", "error": "BrokenOff"}),
    "a gate": (GateRefused(SECRET, ["FEED_STALE"]), {"exit_code": 5, "retry": "no", "refused_by": ["FEED_STALE"]}),
    "the keyboard": (KeyboardInterrupt(), {"exit_code": 130, "retry": "no"}),
    "a fault of ours": (ZeroDivisionError(SECRET), {"exit_code": 1, "retry": "no", "error": "ZeroDivisionError"}),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_last_line_says_how_it_ended_and_whether_to_try_again(tmp_path: Path, ending: str) -> None:
    failed, said = ENDINGS[ending]
    with pytest.raises(type(failed)), watched("build", "d", Told(f"{tmp_path}/log")), step("judging"):
        raise failed
    *_, judged, last = lines_of(tmp_path / "log")
    assert (judged["event"], judged["ok"]) == ("step", False)
    assert {"event": "end", "ok": False, **said}.items() <= last.items()
    assert SECRET not in (tmp_path / "log").read_text()


def test_figures_say_how_the_last_run_ended_and_keep_what_the_last_good_one_made(tmp_path: Path) -> None:
    told = Told(metrics=tmp_path / "corpus.prom")
    with watched("build", 'd"', told), step('a "step"\\n'):
        tell("made", version=3, was_there=False, posts=9, kept=7, excluded=2, gates={"FEED_STALE": "passed"})
    good = figures_of(tmp_path / "corpus.prom")
    assert (good["corpus_last_exit_code",], good["corpus_version",], good["corpus_posts", "kept"]) == (0, 3, 7)
    assert good["corpus_gate", "FEED_STALE", "passed"] == 1
    assert ("corpus_step_seconds", 'a "step"\\n') in good
    with pytest.raises(GateRefused), watched("build", 'd"', told):
        raise GateRefused("no", ["FEED_STALE"])
    bad = figures_of(tmp_path / "corpus.prom")
    assert (bad["corpus_last_exit_code",], bad["corpus_gate", "FEED_STALE", "refused"]) == (5, 1)
    assert bad["corpus_last_run_timestamp_seconds",] > bad["corpus_last_success_timestamp_seconds",]
    for name in (("corpus_last_success_timestamp_seconds",), ("corpus_version",), ("corpus_posts", "excluded")):
        assert bad[name] == good[name]
    assert [path.name for path in tmp_path.iterdir()] == ["corpus.prom"]


def test_a_file_of_figures_that_is_not_ours_or_broken_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "corpus.prom").write_bytes(b'corpus_version{x= \xff "')
    with watched("build", "d", Told(metrics=tmp_path / "corpus.prom")):
        pass
    assert figures_of(tmp_path / "corpus.prom")["corpus_last_exit_code",] == 0


@pytest.mark.parametrize("told", [Told(log_json="/nowhere/log"), Told(metrics=Path("/nowhere/figures"))])
def test_what_cannot_be_written_is_said_before_anything_begins(told: Told) -> None:
    with pytest.raises(EnvironmentFault, match=r"/nowhere/.* cannot be written"), watched("build", "d", told):
        pytest.fail("it began")


def test_a_log_that_cannot_be_written_any_more_costs_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with watched("build", "d", Told(f"{tmp_path}/log")):
        (tmp_path / "log").unlink()
        (tmp_path / "log").mkdir()
    assert "! --log-json was not told everything" in capsys.readouterr().err


def test_on_stderr_the_log_is_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with watched("build", "d", Told("-")), shown_progress(), step("judging"):
        pass
    told = [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()]
    assert told == ["begin", "step", "end"]


def test_nobody_is_told_and_no_spark_is_asked_unless_somebody_wants_to_hear(capsys: pytest.CaptureFixture[str]) -> None:
    with watched("build", "d", Told()), step("judging"):
        assert progress._hears.get() is None
    assert capsys.readouterr() == ("", "")


def test_a_dry_run_is_told_in_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    posts = {"table": "posts", "version": 3, "rows": 20399, "bytes": 1868462, "opens_until": "2036-11-21T13:32:40Z"}
    cost = Estimate((47, 68), 2136678, 1000000, "from what d@1 to 3 took")
    gates = {"FEED_STALE": "refuses", "RELEASE_LAG": "known just before the commit"}
    tell_plan(Plan("d", "b" * 32, 3, None, [posts], gates, "stale", cost, ["version 4"], cost.warnings))
    told = [re.sub(" {2,}", " | ", line) for line in capsys.readouterr().out.splitlines() if line]
    assert told == [
        f"d@4 would be refused (build {'b' * 32})",
        "would read | version | rows | bytes | opens until",
        "posts | 3 | 20,399 | 1,868,462 | 2036-11-21",
        "gate | says",
        "FEED_STALE | refuses",
        "RELEASE_LAG | known just before the commit",
        "cost",
        "time | 47 to 68 s",
        "written | about 2,136,678 bytes",
        "free in the warehouse | 1,000,000 bytes",
        "(from what d@1 to 3 took; what Spark spills while it works is not in it)",
        "would write",
        "version 4",
        "! There are 1,000,000 bytes free, for about 2,136,678.",
    ]
    tell_plan(Plan("d", "b", 3, 2, [posts], {}, None, None, [], []))
    assert "d@2 is this build (b): it would be answered as it is" in capsys.readouterr().out


def test_the_cost_is_what_earlier_versions_took_or_unknown(warehouse: Path) -> None:
    known = estimate(warehouse, "uk-social", 40_000)
    assert known.seconds == (7200, 7200)  # three builds of 20,000 posts in an hour each
    assert "uk-social@1 to 4" in known.said
    nothing = estimate(warehouse, "other", 40_000)
    assert (nothing.seconds, nothing.written_bytes) == (None, None)
    assert "no version of other has been built yet" in nothing.said


def kinds() -> dict[int, type[CorpusError]]:
    return {kind.exit_code: kind for kind in CorpusError.__subclasses__()}


def test_each_kind_of_error_has_a_code_of_its_own_and_pages_say_when_to_try_again() -> None:
    assert len(kinds()) == len(CorpusError.__subclasses__())
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| (\d+) \|[^|]+\| \*{0,2}(no|now|later)\*{0,2} \|", page, re.MULTILINE))
    assert {code: told.get(str(code)) for code in kinds()} == {code: kind.retry for code, kind in kinds().items()}


def test_the_example_retries_what_the_errors_say_and_what_a_signal_ended() -> None:
    (retried,) = [
        ast.literal_eval(node.value)
        for node in ast.parse(DAG.read_text()).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "RETRIED"
    ]
    assert retried == {code for code, kind in kinds().items() if kind.retry != "no"} | {128 + 9, 128 + 15}


LOADED = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
found = DagBag(sys.argv[1])
dag = found.dags.get("corpus_nightly")
after = {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks} if dag else {}
retries = {task.task_id: task.retries for task in dag.tasks} if dag else {}
ended = {}
sys.path.insert(0, sys.argv[1])
import corpus_nightly
for code in (0, 5, 7, 137):
    try:
        corpus_nightly.run("sh", "-c", f"exit {code}")
        ended[code] = "ok"
    except Exception as failed:
        ended[code] = type(failed).__name__
print(json.dumps({"errors": found.import_errors, "after": after, "retries": retries, "ended": ended}))
"""


@pytest.mark.skipif(not AIRFLOW.exists(), reason="make airflow makes the environment that this needs")
def test_airflow_loads_the_example_and_it_gives_up_where_trying_again_does_not_help(tmp_path: Path) -> None:
    own = {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "PATH": "/usr/bin:/bin"}
    command = [str(AIRFLOW), "-c", LOADED, str(DAG.parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=own)
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["errors"] == {}
    assert said["after"] == {"ingest": ["plan"], "plan": ["build"], "build": ["verify"], "verify": []}
    assert min(said["retries"].values()) >= 2
    assert said["ended"] == {
        "0": "ok", "5": "AirflowFailException", "7": "AirflowException", "137": "AirflowException",
    }  # fmt: skip
