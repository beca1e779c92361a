"""A dataset built every night under Airflow 3, tried again only where its exit code says that this helps.

Put this file into Airflow's folder of DAGs, and set the names below. It calls the command line on the worker that it
runs on; on a cluster, call spark-submit with jobs/*.py in client mode instead: they end with the same codes.
"""

from __future__ import annotations

import subprocess
from datetime import datetime, timedelta
from pathlib import Path

from airflow.sdk import dag, get_current_context, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException

DATASET, SOURCE, POLICY = "uk-social", "uk-social-files", "uk-social"
PROJECT = Path("/srv/corpus")
"""Where the project stands, with conf/ and .venv/."""
PLACES = ("--warehouse", "/srv/lake/warehouse", "--key", "/srv/keys/uk-social.key")
TOLD = ("--log-json", "/var/log/corpus/uk-social.jsonl")
FIGURES = "/var/lib/node_exporter/textfile"
RETRIED = {7, 11, 137, 143}
"""Another builder was faster; the machine broke it off; a signal (9, 15) ended it. docs/operations.md has them all."""


def run(*command: str) -> None:
    """Runs a command; what nobody but a person can mend fails the task at once, whatever its retries."""
    code = subprocess.run(command, cwd=PROJECT if PROJECT.is_dir() else None, check=False).returncode  # noqa: S603
    code = 128 - code if code < 0 else code  # as a shell tells of a signal
    if code in RETRIED:
        raise AirflowException(f"{command[0]} ended with {code}: it is tried again")
    if code:
        raise AirflowFailException(f"{command[0]} ended with {code}: see docs/operations.md, and its last words above")


def corpus(*arguments: str) -> None:
    """Runs a command of this project."""
    run(f"{PROJECT}/.venv/bin/corpus", *arguments)


def build_arguments() -> tuple[str, ...]:
    """What tonight's build is asked for: everything before the midnight (UTC) that has passed."""
    midnight = get_current_context()["dag_run"].run_after.strftime("%Y-%m-%dT00:00:00Z")
    return ("build", DATASET, "--source", SOURCE, "--policy", POLICY, "--cutoff", midnight, *PLACES, *TOLD)


@dag(
    dag_id="corpus_nightly",
    schedule="30 2 * * *",
    start_date=datetime(2026, 11, 1),
    catchup=False,  # a night that was missed is in the next build
    max_active_runs=1,
    default_args={
        "retries": 3,
        "retry_delay": timedelta(minutes=10),
        "retry_exponential_backoff": True,
        "execution_timeout": timedelta(hours=6),
    },
)
def nightly() -> None:
    """Files in, gates asked, a version made, and all that is signed checked."""

    @task
    def ingest() -> None:
        corpus("ingest", SOURCE, *TOLD, "--metrics", f"{FIGURES}/corpus_ingest.prom")

    @task
    def plan() -> None:
        corpus(*build_arguments(), "--plan")

    @task
    def build() -> None:
        corpus(*build_arguments(), "--metrics", f"{FIGURES}/corpus_build.prom")

    @task
    def verify() -> None:
        corpus("verify", DATASET, *PLACES[:2])

    ingest() >> plan() >> build() >> verify()


nightly()
