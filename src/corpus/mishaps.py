"""What a person can do when the machines fail a build: a full disk, a lost executor, a damaged file."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyspark import SparkContext

from corpus.errors import BrokenOff, CorpusError, SourceError

LOST = ("Checkpoint block", "ExecutorLostFailure", "Could not find CoarseGrainedScheduler", "executor loss")


@contextmanager
def plainly_told(source: str, writes_to: Path) -> Iterator[None]:
    """Turns what machines do to a build that reads this source into a CorpusError; what is our own mistake stays."""
    try:
        yield
    except CorpusError:
        raise
    except Exception as broken:  # Spark's, Java's, deltalake's or the system's own
        told = machine_fault(broken, writes_to) or damaged_file(broken, f"An input of {source}")
        if told is None:
            raise
        raise told from None


def machine_fault(broken: Exception, *writes_to: Path) -> BrokenOff | None:
    """What to do about a disk or an executor; None if neither is the cause."""
    said = " ".join([str(broken), *causes(broken)])
    if is_full(said):
        context = SparkContext._active_spark_context  # noqa: SLF001 (looks without starting one)
        return full_disk(*writes_to, *scratch_folders(context.getConf().get("spark.local.dir") if context else None))
    if any(word in said for word in LOST):
        return BrokenOff(
            "Executors ended (killed, out of memory, or their machine went) with results that others need. Run this "
            f"again: {AGAIN} With spark.checkpoint.dir in a folder that all machines see, a build outlives them."
        )
    return None


def is_full(said: str) -> bool:
    """Whether this was said of a disk without room."""
    return "No space left on device" in said or "Disk quota exceeded" in said


def full_disk(*places: Path) -> BrokenOff:
    """What to do about a full disk, and how much is free in each of these places."""
    free = ", ".join(f"{_megabytes(place)} MB free in {place}" for place in places)
    return BrokenOff(
        f"A disk is full: there are {free} (and executors have folders of their own: spark.local.dir). Make room, and "
        f"run this again: {AGAIN}"
    )


AGAIN = "a version that was not committed is not there, and one that was is completed."


def damaged_file(broken: Exception, what: str) -> SourceError | None:
    """Which file could not be read, and why; None if it is not about a file."""
    said = causes(broken)
    file = next((found[1] for text in said if (found := re.search(r"reading file:? (\S+?)\.\s", text))), None)
    if file is None:
        return None
    if "not exist" in said[-1]:
        why = "is gone: vacuumed or deleted after its version was pinned. Keep versions longer, and run this again."
        return SourceError(f"{what} cannot be read. The file {file} {why}")
    why = f"is damaged, half-written or laid out otherwise: {first_line(said[-1])}"
    return SourceError(f"{what} cannot be read. The file {file} {why} Replace it.")


def causes(broken: Exception) -> list[str]:
    """The messages of an error and of its causes, the outermost first."""
    found, cause = [], getattr(broken, "java_exception", None) or getattr(broken, "_origin", None)
    while cause is not None:
        found.append(str(cause.getMessage() or cause.getClass().getSimpleName()))
        cause = cause.getCause()
    return found or [str(broken)]


def first_line(message: str) -> str:
    """The first sentence of a message of Spark's."""
    return re.split(r" SQLSTATE|;? line \d|\n", message.strip())[0].rstrip(".") + "."


def scratch_folders(setting: str | None) -> list[Path]:
    """Where this machine's Spark keeps what it shuffles, under this `spark.local.dir`."""
    named = os.environ.get("SPARK_LOCAL_DIRS") or setting or tempfile.gettempdir()
    return [Path(place) for place in named.split(",")]


def _megabytes(place: Path) -> int | str:
    try:
        return shutil.disk_usage(place).free >> 20
    except OSError:
        return "an unknown number of"
