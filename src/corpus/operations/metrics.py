"""The last run's figures in Prometheus' text format, in a file that is replaced whole: totals, and nobody's."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile
from prometheus_client.parser import text_string_to_metric_families

from corpus.errors import EnvironmentFault
from corpus.operations.stages import SUMMED, Row
from corpus.progress import Hears

MEANINGS = {
    "last_exit_code": "How the last run ended; docs/operations.md says what each code asks for.",
    "last_run_timestamp_seconds": "When the last run ended.",
    "last_success_timestamp_seconds": "When a run last ended well.",
    "run_seconds": "How long the last run took.",
    "step_seconds": "How long each step of the last run took.",
    "version": "The newest version that a run made or found made.",
    "posts": "The posts that it was made from, by verdict.",
    "gate": "1 for what each gate said in the last run that came to its gates.",
} | {f"stages_{name}": f"Spark's {name.replace('_', ' ')} in the last run, over all stages." for name in SUMMED}
LASTING = ("last_success_timestamp_seconds", "version", "posts")
"""What a run that failed leaves as it was."""

Figure = tuple[str, tuple[tuple[str, str], ...]]
"""Which figure: its name, and its labels."""


@dataclass(frozen=True)
class Heard:
    """What has been told so far."""

    figures: dict[Figure, float] = field(default_factory=dict)
    sums: Counter[str] = field(default_factory=Counter)


def teller(path: Path) -> Hears:
    """Writes the figures once the run has ended. Raises EnvironmentFault where the file could not be written."""
    if not os.access(path.absolute().parent, os.W_OK) or path.is_dir():
        raise EnvironmentFault(f"The file of metrics {path} cannot be written; its folder must be there, and yours.")
    return partial(_hear, path, Heard())


def _hear(path: Path, heard: Heard, said: Row) -> None:
    figures = heard.figures
    if said["event"] == "step":
        figures[_named("step_seconds", step=said["step"])] = said["seconds"]
    elif said["event"] == "stage":
        heard.sums.update({name: said[name] for name in SUMMED})
    elif said["event"] == "made":
        figures[_named("version")] = said["version"]
        figures.update({_named("posts", verdict=kind): said[kind] for kind in ("kept", "excluded")})
        figures.update({_named("gate", gate=gate, outcome=how): 1 for gate, how in said["gates"].items()})
    elif said["event"] == "end":
        ended = _ended(heard, said)
        _write(path, {**_lasting(path), **ended}, {name: said[name] for name in ("command", "dataset")})


def _ended(heard: Heard, said: Row) -> dict[Figure, float]:
    now = datetime.fromisoformat(said["time"]).timestamp()
    last = {"last_exit_code": said["exit_code"], "last_run_timestamp_seconds": now, "run_seconds": said["seconds"]}
    if said["ok"]:
        last["last_success_timestamp_seconds"] = now
    last |= {f"stages_{name}": round(heard.sums[name], 3) for name in SUMMED}
    refused = {_named("gate", gate=gate, outcome="refused"): 1 for gate in said.get("refused_by", ())}
    return heard.figures | refused | {_named(name): value for name, value in last.items()}


def _lasting(path: Path) -> dict[Figure, float]:
    """What the run before this one left to say; nothing where it left nothing that can be read."""
    try:
        return dict(_read(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _read(text: str) -> Iterator[tuple[Figure, float]]:
    for family in text_string_to_metric_families(text):
        name = family.name.removeprefix("corpus_")
        for sample in family.samples if name in LASTING else ():
            own = {label: value for label, value in sample.labels.items() if label not in {"command", "dataset"}}
            yield _named(name, **own), sample.value


def _write(path: Path, figures: dict[Figure, float], whose: dict[str, str]) -> None:
    registry, gauges = CollectorRegistry(), dict[str, Gauge]()
    for (name, labels), value in figures.items():
        if name not in gauges:
            names = [*whose, *(label for label, _ in labels)]
            gauges[name] = Gauge(f"corpus_{name}", MEANINGS[name], names, registry=registry)
        gauges[name].labels(**whose, **dict(labels)).set(value)
    write_to_textfile(str(path), registry)


def _named(name: str, **labels: str) -> Figure:
    return name, tuple(labels.items())
