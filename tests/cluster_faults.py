"""What cannot work on a cluster, submitted to a real one: each must end with 3 and one sentence, never a trace."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from corpus.errors import EnvironmentFault
from corpus.java import find_java
from corpus.progress import step

Look = Callable[[], None]


@dataclass(frozen=True)
class Ran:
    """A job that ended: where it ran, its seconds from start to end, its exit code, what it said, tasks by executor."""

    job: str
    where: str
    seconds: float
    code: int
    said: str
    tasks: Counter[str] = field(default_factory=Counter)
    traces: int = 0
    """Lines of stack traces, Python's and Java's, on what a terminal would show."""


@dataclass(frozen=True)
class Fault:
    """What is wrong: the settings that make it so, and the words that must tell it; without settings, why not here."""

    what: str
    settings: list[str]
    words: str
    env: dict[str, str] = field(default_factory=dict)
    shipped: int = 4
    """How many words of what sends the package along are said: the package's two, then its libraries' two."""
    not_here: str = ""


Submit = Callable[[Fault, list[str]], Ran]


def nothing() -> None:
    """Looks at nothing."""


def shown(submit: Submit, folder: Path) -> int:
    """Submits each fault and prints what was said; 0 where all were told as they must."""
    print("\nFaults, each submitted to this cluster:")
    return max([_told(submit, fault, folder) for fault in faults(folder)])


def faults(folder: Path) -> Iterator[Fault]:
    """Those that this machine can provoke, and why it cannot the others."""
    yield Fault("less memory than a driver needs", ["--driver-memory", "600m"], "The driver may take 600 MiB")
    yield Fault("no master at the address", ["--master", "spark://127.0.0.1:9"], "No Spark master answers")
    yield Fault(
        "a master whose name is unknown", ["--master", "spark://nowhere.invalid:7077"], "No Spark master answers"
    )
    yield Fault("executors without the package", [], "lack the Python package 'corpus'", shipped=0)
    yield Fault("executors without its libraries", [], "lack the Python package", shipped=2)
    yield Fault(
        "a Python that executors do not have", [], "cannot start the Python", {"PYSPARK_PYTHON": "/nowhere/python"}
    )
    yield _other_python()
    yield _other_java()
    yield _folder_of_their_own(folder)


def _told(submit: Submit, fault: Fault, folder: Path) -> int:
    """Prints a fault and what was said of it; 0 where that is as it must be, or the fault cannot be had here."""
    if fault.not_here:
        print(f"- {fault.what}: not tried, {fault.not_here}")
        return 0
    with step(f"submitting {fault.what}"):
        ran = submit(fault, ["--out", str(folder / "of-a-fault"), "--posts", "500"])
    is_told = ran.code == EnvironmentFault.exit_code and fault.words in ran.said and not ran.traces
    print(f"- {fault.what}: exit {ran.code} after {ran.seconds:.0f} s{'' if is_told else ', WRONGLY'}\n  {ran.said}")
    return 0 if is_told else 1


def _other_python() -> Fault:
    what, own = "executors with another Python", sys.version_info[:2]
    known = [Path(found) for minor in range(9, 15) if minor != own[1] and (found := shutil.which(f"python3.{minor}"))]
    known += sorted(Path.home().glob(".pyenv/versions/3.*/bin/python3"))
    for python in known:
        asked = [str(python), "-c", "import sys; print(*sys.version_info[:2])"]
        said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split()
        if said and (3, 10) <= (int(said[0]), int(said[1])) != own:
            return Fault(what, [], f"Executors run Python {said[0]}.{said[1]}", {"PYSPARK_PYTHON": str(python)})
    return Fault(what, [], "", not_here="only one Python is installed")


def _other_java() -> Fault:
    what, own = "executors with another Java", _java_version(find_java())
    for home in sorted(Path("/usr/lib/jvm").glob("*")):
        if _java_version(home) not in ("", own):
            return Fault(what, ["--conf", f"spark.executorEnv.JAVA_HOME={home}"], "Executors run Java")
    return Fault(what, [], "", not_here="only one Java is installed")


def _java_version(home: Path) -> str:
    """The first number of a Java's version, as the file beside it says; empty where there is none."""
    release = home / "release"
    said = re.search(r'JAVA_VERSION="(\d+)', release.read_text()) if release.is_file() else None
    return said[1] if said else ""


def _folder_of_their_own(folder: Path) -> Fault:
    """Executors whose Java sees another, empty folder where the driver has its own: a mount that only they have."""
    what = "a folder that only the driver sees"
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        return Fault(what, [], "", not_here="this account may not mount")
    (folder / "java/bin").mkdir(parents=True, exist_ok=True)
    java, own = folder / "java/bin/java", folder / "of-a-fault"
    mounted = f"mkdir -p {own} && mount -t tmpfs none {own} && exec {find_java()}/bin/java"
    java.write_text(f'#!/bin/sh\nexec unshare -m sh -c \'{mounted} "$@"\' java "$@"\n')
    java.chmod(0o755)
    return Fault(what, ["--conf", f"spark.executorEnv.JAVA_HOME={java.parent.parent}"], "not the same place")
