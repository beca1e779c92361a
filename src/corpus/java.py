"""Which Java Spark runs on: the first fitting one of this machine."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from corpus.errors import EnvironmentFault

JAVA_VERSIONS = (17, 21)
JAVA_FOLDERS = ("/usr/lib/jvm", "/Library/Java/JavaVirtualMachines", "/opt/homebrew/opt")


@cache
def find_java() -> Path:
    """The home of a Java that Spark runs on: JAVA_HOME's, else the first on PATH, else an installed one.

    Raises EnvironmentFault that says which versions will do, what was found and what to install.
    """
    found: dict[Path, int] = {}
    for java in _javas():
        found |= _home_and_version(java)
        for home, version in found.items():
            if version in JAVA_VERSIONS:
                return home
    others = ", ".join(f"Java {version} in {home}" for home, version in found.items()) or "no Java at all"
    raise EnvironmentFault(
        f"Spark needs Java 17 or 21. Looked at JAVA_HOME, along PATH and in {', '.join(JAVA_FOLDERS)}; found {others}. "
        "Install one (Debian, Ubuntu: apt-get install openjdk-17-jre-headless; Fedora: dnf install "
        "java-21-openjdk-headless; macOS: brew install openjdk@17), or set JAVA_HOME to one."
    )


def java_by_its_files() -> tuple[Path, int] | None:
    """The Java that `find_java` would find, where the file beside it says which it is: no Java is started."""
    for java in _javas():
        home = java.resolve().parent.parent
        said = home / "release"
        version = re.search(r'JAVA_VERSION="(?:1\.)?(\d+)', said.read_text()) if said.is_file() else None
        if os.access(java, os.X_OK) and version and int(version[1]) in JAVA_VERSIONS:
            return home, int(version[1])
    return None


def _javas() -> Iterator[Path]:
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home) / "bin/java"
    yield from (Path(folder) / "java" for folder in os.environ.get("PATH", "").split(os.pathsep) if folder)
    for folder in JAVA_FOLDERS:
        yield from sorted([*Path(folder).glob("*/bin/java"), *Path(folder).glob("*/Contents/Home/bin/java")])


def _home_and_version(java: Path) -> dict[Path, int]:
    """What this Java says of itself, since what stands on PATH may be a shim; nothing if it does not run."""
    if not os.access(java, os.X_OK):
        return {}
    asked = [str(java), "-XshowSettings:properties", "-version"]
    try:
        said = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False).stderr  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return {}
    home = re.search(r"java\.home = (.+)", said)
    version = re.search(r"java\.specification\.version = (?:1\.)?(\d+)", said)
    return {Path(home[1]): int(version[1])} if home and version else {}
