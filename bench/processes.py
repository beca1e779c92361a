"""What the processes below one take: processor time, and the most memory that each kind of them has held."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Taken:
    """What a piece of work took: seconds, processor seconds, and the peak resident MB of each kind of process."""

    seconds: float = 0.0
    processor: float = 0.0
    peak: dict[str, float] = field(default_factory=dict)


@contextmanager
def taken() -> Iterator[Taken]:
    """Measures what is done within this, by this process and all below it."""
    found, began, busy, ended = Taken(), time.monotonic(), processor_seconds(), threading.Event()
    watch = threading.Thread(target=_watch, args=(found.peak, ended), daemon=True)
    watch.start()
    yield found
    found.seconds, found.processor = time.monotonic() - began, processor_seconds() - busy
    ended.set()
    watch.join()


def processor_seconds() -> float:
    """What this process and those below it have used so far, and those that ended below them."""
    return sum(sum(map(int, stat[11:15])) for stat in below(os.getpid()).values()) / TICKS


def _watch(peak: dict[str, float], ended: threading.Event) -> None:
    """Notes every half second what each kind of process holds: of several of a kind their sum."""
    while not ended.wait(0.5):
        now: dict[str, float] = {}
        for pid in below(os.getpid()):
            kind, held = _kind(pid), _resident(pid)
            now[kind] = now.get(kind, 0) + held
        peak.update({kind: max(peak.get(kind, 0), held) for kind, held in now.items()})


def below(root: int) -> dict[int, list[str]]:
    """A process and all that descend from it: what /proc says of each, from its state on."""
    seen = {int(folder.name): stat for folder in Path("/proc").glob("[0-9]*") if (stat := _stat(folder))}
    found = {root}
    while more := {pid for pid, stat in seen.items() if int(stat[1]) in found} - found:
        found |= more
    return {pid: seen[pid] for pid in found if pid in seen}


def _stat(folder: Path) -> list[str]:
    try:
        return (folder / "stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    except OSError:  # it ended
        return []


def _kind(pid: int) -> str:
    try:
        line = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")
    except OSError:
        return "python"
    kinds = {"CoarseGrained": "executor", "SparkSubmit": "driver", "pyspark.daemon": "workers"}
    return next((kind for mark, kind in kinds.items() if mark in line), "python")


def _resident(pid: int) -> float:
    """The most that it has held so far, in MB."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)
