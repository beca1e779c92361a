"""The jobs on a cluster of Spark's own on this machine, against the same build without one: `make cluster`.

Starts a master and two workers on 127.0.0.1 as processes, submits the jobs with conf/spark/cluster.conf in client mode,
builds the same inputs in local mode, and compares digests and trees. The build's executors get a Python without our
packages, and what `make dist` packs; those of the other jobs find the environment in its place. Ends with 1 where
anything differs, a job fails or a process is left. ARGS="--keep" leaves the cluster up until Ctrl-C, ARGS="--faults"
then submits to it what cannot work.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import runpy
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from corpus.errors import CorpusError
from corpus.evidence.store import digest_of, payload_of, read_document, statement_path
from corpus.progress import shown_progress, step
from corpus.schemas import INPUTS
from tests.cluster_faults import Fault, Look, Ran, nothing, shown
from tests.standalone import BARE_PYTHON, Cluster, alive, standalone_cluster, stopped_at_the_end
from tests.test_jobs import write_policy

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
SHIPPED = ["--py-files", "dist/corpus.zip", "--archives", "dist/corpus-deps.tar.gz#deps"]
QUICK = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=400m -Duser.timezone=UTC -Xss4m"
"""Processes that live for seconds do not repay the second compiler."""
SMALL = ["--driver-memory", "1g", "--conf", "spark.sql.shuffle.partitions=4"]
SMALL += ["--conf", f"spark.driver.extraJavaOptions={QUICK} -Dlog4j2.configurationFile=conf/log4j2.properties"]
SMALL += ["--conf", f"spark.executor.extraJavaOptions={QUICK}"]
SMALL += ["--conf", "spark.databricks.delta.snapshotPartitions=2", "--conf", "spark.ui.enabled=false"]
DATASET, BUILD_ID = "uk-social", "on-a-cluster-or-not"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=5000)
    parser.add_argument("--keep", action="store_true", help="leave the cluster up until Ctrl-C")
    parser.add_argument("--faults", action="store_true", help="then submit to it what cannot work")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began, processes = time.monotonic(), set[int]()
    try:
        with shown_progress(), TemporaryDirectory(prefix="corpus-on-cluster-", ignore_cleanup_errors=True) as made:
            code = on_cluster(Path(made), given, processes)
    except KeyboardInterrupt:
        print("cluster: stopped", file=sys.stderr)
        code = 130
    except CorpusError as mistake:
        print(f"cluster: {mistake}", file=sys.stderr)
        code = mistake.exit_code
    left = alive(processes)
    print(f"{len(processes)} processes looked for, {len(left)} left. {time.monotonic() - began:.0f} s in all.")
    return code or int(bool(left))


def on_cluster(folder: Path, given: argparse.Namespace, processes: set[int]) -> int:
    """Everything, in a folder of its own; notes the processes that must be gone afterwards. 0 if all is well."""
    with step("packing what executors need (make dist)"):
        pack()
    with standalone_cluster(workers=2, cores=1, memory="1500m") as cluster:

        def look() -> None:
            processes.update(cluster.processes())

        ran = [*jobs(folder, cluster, given.posts, look)]
        code = told(cluster, ran, folder)
        if given.faults:
            place = on(cluster, folder)

            def submit(fault: Fault, asked: list[str]) -> Ran:
                how = [*place, *SHIPPED[: fault.shipped], *fault.settings]
                return submitted(how, "synth", folder, *asked, env=fault.env, look=look)

            code |= shown(submit, folder)
        if given.keep and not code:
            kept_up(cluster)
    return code


def pack() -> None:
    """What `make dist` packs, but for libraries that are packed already: they take longest."""
    dist = runpy.run_path(str(ROOT / "tools/dist.py"))
    dist["DIST"].mkdir(exist_ok=True)
    dist["pack_package"]()
    libraries, installed = dist["DIST"] / "corpus-deps.tar.gz", ROOT / ".venv/.installed"
    if not libraries.exists() or libraries.stat().st_mtime < installed.stat().st_mtime:
        dist["pack_libraries"]()


def jobs(folder: Path, cluster: Cluster, posts: int, look: Look) -> Iterator[Ran]:
    """The jobs one after the other; ends at the first that fails."""
    as_of = datetime.now(UTC).strftime("%Y-%m-%dT%H:00:00Z")
    source, policy = write_source(folder), write_policy(folder / "policy.toml")
    build = [DATASET, "--source", str(source), "--policy", str(policy), "--cutoff", as_of]
    build += ["--build-id", BUILD_ID, "--key", str(folder / "key")]
    there, here = on(cluster, folder), ["--master", "local[2]", "--properties-file", "conf/spark/local.conf"]
    installed = {"PYSPARK_PYTHON": sys.executable}
    for job, place, asked in (
        ("synth", there, ["--out", str(folder / "exports"), "--posts", str(posts), "--as-of", as_of]),
        ("ingest", there, [str(source)]),
        ("build_snapshot", there, [*build, "--warehouse", str(folder / "there")]),
        ("audit_snapshot", there, [f"{DATASET}@1", "--warehouse", str(folder / "there")]),
        ("build_snapshot", here, [*build, "--warehouse", str(folder / "here")]),
    ):
        with step(f"{job} {'on the cluster' if place is there else 'in local mode'}"):
            travels = place is there and job == "build_snapshot"
            how = [*place, *SHIPPED] if travels else place
            ran = submitted(how, job, folder, *asked, env={} if travels else installed, look=look)
        yield ran
        if ran.code:
            return


def on(cluster: Cluster, folder: Path) -> list[str]:
    """What sends a job to this cluster, with an event log in this folder."""
    for name in ("events", "checkpoints"):
        (folder / name).mkdir(exist_ok=True)
    settings = {
        "spark.checkpoint.dir": str(folder / "checkpoints"),
        "spark.eventLog.enabled": "true",
        "spark.eventLog.compress": "false",
        "spark.eventLog.dir": f"file:{folder / 'events'}",
    }
    pairs = [part for key, value in settings.items() for part in ("--conf", f"{key}={value}")]
    address = ["--master", cluster.master, "--properties-file", "conf/spark/cluster.conf", "--executor-memory", "1g"]
    return [*address, *pairs]


def submitted(
    place: list[str], job: str, folder: Path, *asked: str, env: Mapping[str, str] | None = None, look: Look = nothing
) -> Ran:
    """A job given to spark-submit, to its end; while it runs the processes are looked at."""
    command = [str(BIN / "spark-submit"), *SMALL, *place, f"jobs/{job}.py", *asked]
    began, own = time.monotonic(), {path.name for path in (folder / "events").iterdir()}
    with (folder / "said").open("w+") as out, (folder / "log").open("w+") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment() | dict(env or {}),
            stdout=out,
            stderr=log,
            text=True,
            start_new_session=True,
        )
        with stopped_at_the_end(process):
            while process.poll() is None:
                look()
                time.sleep(1)
    log_said = (folder / "log").read_text()
    said = (folder / "said").read_text() or log_said[-2000:]
    traces = len(re.findall(r"^\s+at \S+\(|^Traceback", said + log_said, re.MULTILINE))
    new = [path for path in (folder / "events").iterdir() if path.name not in own]
    where = place[place.index("--master") + 1]
    return Ran(job, where, time.monotonic() - began, process.returncode, said, tasks_in(new), traces)


def tasks_in(logs: list[Path]) -> Counter[str]:
    """How many tasks each executor ended, by Spark's own event logs."""
    files = [file for log in logs for file in (log.glob("events_*") if log.is_dir() else [log])]
    events = (json.loads(line) for file in files for line in file.read_text().splitlines())
    return Counter(event["Task Info"]["Executor ID"] for event in events if event["Event"] == "SparkListenerTaskEnd")


def environment() -> dict[str, str]:
    """For the driver, this environment; for executors, the Python under it."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYSPARK_", "SPARK_"))}
    return own | {
        "PATH": f"{BIN}{os.pathsep}{own['PATH']}",
        "PYSPARK_PYTHON": str(BARE_PYTHON),
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
    }


def told(cluster: Cluster, ran: list[Ran], folder: Path) -> int:
    """Prints what ran where, and whether both builds are one; 0 if they are."""
    print(f"\n{'job':16}{'where':28}{'seconds':>8}  tasks by executor")
    for one in ran:
        tasks = ", ".join(f"{name}: {many}" for name, many in sorted(one.tasks.items()))
        print(f"{one.job:16}{one.where:28}{one.seconds:8.1f}  {tasks or 'none: in the driver alone'}")
    if ran[-1].code:
        print(f"\n{ran[-1].job} ended with {ran[-1].code}:\n{ran[-1].said}")
        return 1
    there, here = (predicate(folder / name) for name in ("there", "here"))
    funnel = there["funnel"]
    print(f"\n{funnel['posts']} posts, {funnel['kept']} in; the audit, submitted to the cluster, found no difference.")
    same = [line(what, find(there), find(here)) for what, find in COMPARED.items()]
    spread = all(len(one.tasks) > 1 for one in ran if one.job == "build_snapshot" and one.where == cluster.master)
    if not spread:
        print("The build did not run on both executors: nothing was shown. Run it again.")
    return 0 if all(same) and spread else 1


COMPARED: dict[str, Callable[[dict[str, Any]], str]] = {
    "digest of the snapshot": lambda said: said["snapshot"]["digest"],
    "root of the tree of posts": lambda said: said["trees"]["documents"]["root"],
    "root of the tree of people": lambda said: said["trees"]["persons"]["root"],
    "funnel": lambda said: digest_of(said["funnel"]),
}


def line(what: str, there: str, here: str) -> bool:
    """Whether a value is the same in both builds, which is printed."""
    verdict = "the same in local mode" if there == here else f"DIFFERS in local mode: {here[:16]}…"
    print(f"{what:28}{there[:16]}…  {verdict}")
    return there == here


def predicate(warehouse: Path) -> dict[str, Any]:
    """What the statement of the first version says."""
    said: dict[str, Any] = payload_of(read_document(statement_path(warehouse / DATASET, 1)) or {})["predicate"]
    return said


def kept_up(cluster: Cluster) -> None:
    """Says how to use the cluster, and waits for Ctrl-C."""
    own = f"SPARK_LOCAL_IP=127.0.0.1 PYSPARK_PYTHON={BARE_PYTHON} PYSPARK_DRIVER_PYTHON=.venv/bin/python"
    print(
        f"\nThe cluster stays up at {cluster.master}: two workers, each with 1 core and 1500 MB. From this folder:\n\n"
        f"{own} \\\n  .venv/bin/spark-submit --master {cluster.master} --properties-file conf/spark/cluster.conf \\\n"
        f"  --driver-memory 1g --executor-memory 1g --conf spark.sql.shuffle.partitions=8 \\\n"
        f"  {' '.join(SHIPPED)} \\\n  jobs/synth.py --out exports --posts 20000\n\n"
        f"Logs and work: {cluster.folder}. Ctrl-C ends it.",
        flush=True,
    )
    while alive({cluster.master_pid}):
        time.sleep(1)


def write_source(folder: Path) -> Path:
    """A source file for the exports in this folder."""
    lines = ['name = "on-a-cluster"', f'store = "{folder / "inputs"}"']
    for table in INPUTS:
        lines += [f"[{table}]", f'files = "{folder / "exports" / table}"', 'format = "parquet"']
    (folder / "source.toml").write_text("\n".join(lines))
    return folder / "source.toml"


if __name__ == "__main__":
    sys.exit(main())
