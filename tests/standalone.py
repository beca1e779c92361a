"""A standalone cluster of Spark's own on 127.0.0.1: a master and workers as processes, stopped as they were started.

with standalone_cluster(workers=2, cores=1, memory="1g") as cluster:
    cluster.master       # spark://127.0.0.1:PORT
    cluster.workers      # process ids, in order
    cluster.executors()  # process ids of the Java processes that run tasks now
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from corpus.errors import EnvironmentFault
from corpus.java import find_java

SPARK_HOME = Path(str(find_spec("pyspark").origin)).parent  # type: ignore[union-attr]
BARE_PYTHON = Path(sys.base_prefix) / f"bin/python{sys.version_info[0]}.{sys.version_info[1]}"
"""The Python under this environment, without its packages: what an executor finds on another machine."""
PATIENCE = 120
"""Seconds for a process to be ready, or to be gone."""


@dataclass(frozen=True)
class Cluster:
    """A running cluster: its address, its processes, and the folder that holds their logs and their work."""

    master: str
    master_pid: int
    workers: tuple[int, ...]
    folder: Path

    def executors(self) -> list[int]:
        """The Java processes that the workers have started and that run."""
        parents = _parents()
        return [pid for pid, parent in parents.items() if parent in self.workers]

    def processes(self) -> set[int]:
        """The cluster's own processes and all under them."""
        return _with_descendants({self.master_pid, *self.workers})


@contextmanager
def standalone_cluster(
    workers: int = 2, cores: int = 1, memory: str = "1g", worker_env: Mapping[str, str] | None = None
) -> Iterator[Cluster]:
    """A cluster for as long as this lasts; afterwards none of its processes is left, whatever happened inside.

    Each worker has so many cores and so much memory to give to executors. `worker_env` is added to what workers, and so
    executors, find in their environment. Raises EnvironmentFault where a process does not start or does not end.
    """
    with ExitStack() as started:
        folder = Path(started.enter_context(TemporaryDirectory(prefix="corpus-cluster-", ignore_cleanup_errors=True)))
        env = _environment(folder)
        master = started.enter_context(_daemon("master.Master", [], folder / "master.log", env))
        address = _said(master, folder / "master.log", r"Starting Spark master at (\S+)")
        running = []
        for number in range(1, workers + 1):
            log, work = folder / f"worker-{number}.log", folder / f"worker-{number}"
            asked = ["--cores", str(cores), "--memory", memory, "--work-dir", str(work), address]
            worker = started.enter_context(_daemon("worker.Worker", asked, log, env | dict(worker_env or {})))
            running.append((worker, log))
        for worker, log in running:
            _said(worker, log, r"(Successfully registered) with master")
        yield Cluster(address, master.pid, tuple(worker.pid for worker, _ in running), folder)


@contextmanager
def stopped_at_the_end(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """The process for as long as this lasts: then it and all under it end, by force if they must."""
    try:
        yield process
    finally:
        under = _with_descendants({process.pid})
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE / 6)
        _end(under)
        process.wait()


def _environment(folder: Path) -> dict[str, str]:
    """What the daemons find: nothing of a Spark or Python environment of the one who starts them."""
    own = {name: value for name, value in os.environ.items() if not re.match(r"(PY)?SPARK_|PYTHON|VIRTUAL_ENV", name)}
    java = find_java()
    return own | {
        "JAVA_HOME": str(java),
        "PATH": os.pathsep.join((f"{java}/bin", "/usr/local/bin", "/usr/bin", "/bin")),
        "SPARK_HOME": str(SPARK_HOME),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(folder / "local"),
        "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_DAEMON_JAVA_OPTS": "-Dspark.master.rest.enabled=false -XX:+UseSerialGC",
        "SPARK_NO_DAEMONIZE": "1",
    }


@contextmanager
def _daemon(name: str, arguments: list[str], log: Path, env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A master or worker on a port that the system chooses, in a group of its own: Ctrl-C reaches its starter alone."""
    command = [str(SPARK_HOME / "bin/spark-class"), f"org.apache.spark.deploy.{name}"]
    command += ["--host", "127.0.0.1", "--port", "0", "--webui-port", "0", *arguments]
    with log.open("w", encoding="utf-8") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env, cwd=log.parent, text=True,
            start_new_session=True,
        )  # fmt: skip
    with stopped_at_the_end(process):
        yield process


def _said(process: subprocess.Popen[str], log: Path, words: str) -> str:
    """What a daemon says in its log when it is ready."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        if found := re.search(words, log.read_text(encoding="utf-8", errors="replace")):
            return found[1]
        time.sleep(0.1)
    last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-1:] or ["nothing"]
    raise EnvironmentFault(
        f"The cluster's {log.stem} was not ready within {PATIENCE} s; its last words: {last[0][:300]}. It needs Java, "
        "ports on 127.0.0.1, and memory beside what else runs here. See to that, and start it again."
    )


def _end(pids: set[int]) -> None:
    """Waits a little for these processes to be gone, then ends them by force."""
    until = time.monotonic() + PATIENCE / 12
    while time.monotonic() < until and alive(pids):
        time.sleep(0.1)
    for pid in alive(pids):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def alive(pids: set[int]) -> set[int]:
    """Those of these processes that run; what has ended and was not waited for does not."""
    return pids & _parents().keys()


def _with_descendants(pids: set[int]) -> set[int]:
    parents = _parents()
    while more := {pid for pid, parent in parents.items() if parent in pids} - pids:
        pids = pids | more
    return pids


def _parents() -> dict[int, int]:
    """Every running process and its parent."""
    listed = subprocess.run(["ps", "-axo", "pid=,ppid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = (line.split() for line in listed.splitlines())
    return {int(pid): int(parent) for pid, parent, state, *_ in rows if not state.startswith("Z")}
