"""A command watched while it runs: its steps, what Spark measured in them, and how it ended, told to who asked for it.

Nobody is told an id of a person or post, nor what a message says: it may name one. What fails here ends no build.
"""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import count
from os import environ
from pathlib import Path
from threading import Lock, get_ident
from typing import Any

from corpus.errors import CorpusError, EnvironmentFault
from corpus.operations.stages import SUMMED, Row, ended_stages, mark, unmark
from corpus.progress import Hears, heard_by, tell

# ruff: noqa: PLC0415 (who tells whom is loaded where it is asked for)

OPTIONS = {
    "log_json": (
        "CORPUS_LOG_JSON",
        "Add a line of JSON for each step and Spark stage to this file; - for stderr, with nothing drawn there.",
    ),
    "metrics": (
        "CORPUS_METRICS",
        "Write figures for Prometheus to this file, as node_exporter's textfile collector reads it.",
    ),
    "openlineage": (
        "OPENLINEAGE_URL",
        "Send OpenLineage events while it runs: https://…, http://… or file:///….",
    ),
}
"""Who may be told, on the command line as in jobs: the variable that stands for each option, and what it says."""


@dataclass(frozen=True)
class Told:
    """Whom to tell: a log, a file of figures, a lineage server; nobody by default."""

    log_json: str | None = None
    metrics: Path | str | None = None
    openlineage: str | None = None

    def tellers(self) -> dict[str, Hears]:
        """Who passes on what happens, by option. Raises ConfigError, EnvironmentFault where one cannot."""
        found: dict[str, Hears] = {}
        if self.log_json:
            found["--log-json"] = log_teller(self.log_json)
        if self.metrics:
            from corpus.operations import metrics

            found["--metrics"] = metrics.teller(Path(self.metrics))
        if self.openlineage:
            from corpus.operations import lineage

            found["--openlineage"] = lineage.teller(self.openlineage)
        return found


@dataclass(frozen=True)
class Run:
    """One command that is watched: who is told, what each line says of it, and what has been told already."""

    tellers: dict[str, Hears]
    known: Row
    steps: dict[int, str] = field(default_factory=dict)
    open: dict[tuple[int, str], int] = field(default_factory=dict)
    seen: set[tuple[int, int]] = field(default_factory=set)
    deaf: dict[str, str] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=count)
    lock: Any = field(default_factory=Lock)


def add_options(parser: ArgumentParser, *, lineage: bool = False) -> None:
    """A job's options for who is told."""
    for name, (variable, says) in OPTIONS.items():
        if name != "openlineage" or lineage:
            option = f"--{name.replace('_', '-')}"
            parser.add_argument(option, default=environ.get(variable), help=f"{says} (Or {variable}.)")


def taken(given: MutableMapping[str, Any]) -> Told:
    """Who is told, taken out of a job's arguments."""
    return Told(**{name: given.pop(name) for name in OPTIONS if name in given})


@contextmanager
def watched(command: str, dataset: str, told: Told) -> Iterator[None]:
    """Within this, what happens is told; at the end how it ended, with what a scheduler may do then.

    A dry run (`plan`) makes nothing: the log alone hears of it.
    """
    tellers = (Told(told.log_json) if command == "plan" else told).tellers()
    if not tellers:
        yield
        return
    run, started, end = Run(tellers, {"command": command, "dataset": dataset}), time.monotonic(), _ending(None)
    run.seen.update((stage["stage"], stage["attempt"]) for _, stage in ended_stages(run.seen))  # not this command's
    with heard_by(partial(hear, run), is_drawn=told.log_json != "-"):
        try:
            yield
        except BaseException as failed:
            end = _ending(failed)
            raise
        finally:
            tell("end", **end, seconds=round(time.monotonic() - started, 3))
            for name, why in run.deaf.items():
                print(f"! {name} was not told everything: {why}", file=sys.stderr)


def log_teller(to: str) -> Hears:
    """Adds lines of JSON to a file, or to stderr. Raises EnvironmentFault where it cannot be written."""
    if to == "-":
        return lambda said: print(json.dumps(said, default=str), file=sys.stderr, flush=True)
    try:
        _add(Path(to), "")
    except OSError as cannot:
        raise EnvironmentFault(f"The log {to} cannot be written: {cannot.strerror}; nothing was begun.") from None
    return lambda said: _add(Path(to), json.dumps(said, default=str) + "\n")


def _add(path: Path, text: str) -> None:
    """Opened each time: a log that is rotated meanwhile begins again under its name."""
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def hear(run: Run, said: Row) -> None:
    """Passes on what happened; the stages of a step come before its end, which has their sums."""
    with run.lock:
        if said["event"] == "begin":
            _begin(run, said["step"])
        elif said["event"] == "step":
            said |= _summed(_pass_on_stages(run, run.open.pop((get_ident(), said["step"]), None), said["step"]))
        elif said["event"] == "pinned":
            run.known["build_id"] = said["build_id"]
        elif said["event"] == "end":
            _pass_on_stages(run, None, None)
        _pass_on(run, said)


def _begin(run: Run, title: str) -> None:
    number = next(run.numbers)
    run.steps[number] = title
    run.open[get_ident(), title] = number
    mark(number)


def _pass_on_stages(run: Run, step: int | None, title: str | None) -> list[Row]:
    """Tells of the step's stages, and of those that no step claims: a step's own threads do not say whose they are."""
    if step is not None:
        unmark(step)
    ended = [(own, stage) for own, stage in ended_stages(run.seen) if title is None or own in {None, step}]
    run.seen.update((stage["stage"], stage["attempt"]) for _, stage in ended)
    for own, stage in ended:
        _pass_on(run, {"event": "stage", "step": title if own is None else run.steps[own], **stage})
    return [stage for _, stage in ended]


def _summed(stages: list[Row]) -> Row:
    return {"stages": len(stages)} | {name: round(sum(stage[name] for stage in stages), 3) for name in SUMMED}


def _pass_on(run: Run, said: Row) -> None:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    line = {"time": now, "event": said["event"], **run.known, **said}
    for name, teller in run.tellers.items():
        try:
            teller(line)
        except Exception as failed:  # what transports and disks raise is theirs
            run.deaf.setdefault(name, str(failed))


def _ending(failed: BaseException | None) -> Row:
    """How a command ended. What an error says may name people: its kind is told, and the gates that refused."""
    if failed is None:
        return {"ok": True, "exit_code": 0}
    code, retry = 130 if isinstance(failed, KeyboardInterrupt) else 1, "no"
    if isinstance(failed, CorpusError):
        code, retry = failed.exit_code, failed.retry
    gates = [*getattr(failed, "gates", ())]
    return {"ok": False, "exit_code": code, "retry": retry, "error": type(failed).__name__, "refused_by": gates}
