"""A query asked in a process of its own, which is ended when it takes too long or too much."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from time import monotonic
from typing import IO, TYPE_CHECKING

from corpus.errors import CorpusError, QueryEnded

# ruff: noqa: PLC0415, S603 (our own program, which starts while we still load what reads its answer)

if TYPE_CHECKING:
    import pyarrow as pa

GIGABYTE = 1 << 30
_NO_MEMORY = "memory allocation|MemoryError|out of memory|cannot allocate|failed to allocate"


@dataclass(frozen=True)
class Limits:
    """How long a query may take, how much memory it may hold, and how many rows are wanted; all of them with 0."""

    seconds: float = 60
    gigabytes: float = 4
    rows: int = 0


@dataclass(frozen=True)
class Answer:
    """The columns of an answer, and its rows as they come."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


@contextmanager
def ask(
    warehouse: Path,
    dataset: str,
    number: int | None,
    sql: str,
    limits: Limits = Limits(),
) -> Iterator[Answer]:
    """The answer to a query over a dataset, at a version or the newest; reading it may raise as asking does.

    Raises ConfigError for a query that is wrong, DatasetError, QueryEnded.
    """
    request: dict[str, object] = {
        "warehouse": str(warehouse),
        "dataset": dataset,
        "number": number,
        "sql": sql,
    }
    request |= {"rows": limits.rows, "memory": int(limits.gigabytes * GIGABYTE)}
    with tempfile.TemporaryFile() as complaints, _child(complaints) as child:
        try:
            _tell(child, request)
            batches = _batches(child, complaints, limits)
            first = next(batches)
            yield Answer(first.schema, batches)
        finally:
            child.kill()


def _child(complaints: IO[bytes]) -> subprocess.Popen[bytes]:
    """The process that answers. In a session of its own: Ctrl-C is for whoever asks, who then ends it."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-P", "-m", "corpus.sql.engine"]
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=complaints, start_new_session=True)


def _tell(child: subprocess.Popen[bytes], request: dict[str, object]) -> None:
    """Says what is asked; the pipe stays open, since the child ends with it."""
    if child.stdin:
        with suppress(BrokenPipeError):  # it has ended, which is told where its answer is read
            child.stdin.write(json.dumps(request).encode() + b"\n")
            child.stdin.flush()


def _batches(child: subprocess.Popen[bytes], complaints: IO[bytes], limits: Limits) -> Iterator[pa.RecordBatch]:
    """What the child answers; its clock stands still while nobody waits for it."""
    import pyarrow as pa

    left, source = limits.seconds, None
    while left > 0:
        began, clock = monotonic(), Timer(left, child.kill)
        clock.start()
        try:
            source = source or pa.ipc.open_stream(child.stdout)
            batch = source.read_next_batch()
        except (pa.ArrowInvalid, OSError, StopIteration):  # it has ended, well or not
            child.wait()
            left -= monotonic() - began
            break
        finally:
            clock.cancel()
        left -= monotonic() - began
        yield batch
    if left <= 0:
        raise QueryEnded(
            f"The query took longer than {limits.seconds:g} seconds and was ended: ask for less of it, or give it more"
            " time by --timeout."
        )
    _require_well(child.returncode, complaints, limits)


def _require_well(code: int, complaints: IO[bytes], limits: Limits) -> None:
    """Raises what the child said, in its own kind of error."""
    if code == 0:
        return
    complaints.seek(0)
    said = complaints.read().decode(errors="replace").strip()
    if kind := {kind.exit_code: kind for kind in CorpusError.__subclasses__()}.get(code):
        raise kind(said)
    if re.search(_NO_MEMORY, said, re.IGNORECASE):
        raise QueryEnded(
            f"The query needed more than {limits.gigabytes:g} GB of memory and was ended: ask for less of it, or give"
            " it more by --memory."
        )
    raise QueryEnded(f"The query was too much for the engine, which ended with {code}: {said[-500:]}")
