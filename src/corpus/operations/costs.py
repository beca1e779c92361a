"""What a build would cost, by what earlier builds of the same dataset took and wrote; nothing is made up."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable

from corpus.request import standing
from corpus.tables import SIDE_TABLES
from corpus.versions import Version, versions

RECENT = 5
"""So many of the last versions say what a build costs."""
ALONE = 2.0
"""Within this factor, at a guess, where one version alone says it."""


@dataclass(frozen=True)
class Estimate:
    """Seconds (from, to) and bytes; None where nothing is known. `said` tells from what."""

    seconds: tuple[int, int] | None
    written_bytes: int | None
    free_bytes: int
    said: str

    @property
    def warnings(self) -> list[str]:
        """Whether there is room for what would be written."""
        short = self.written_bytes is not None and self.written_bytes > self.free_bytes
        return [f"There are {self.free_bytes:,} bytes free, for about {self.written_bytes:,}."] if short else []


def estimate(warehouse: Path, dataset: str, posts: int) -> Estimate:
    """What a build of so many posts would take and write."""
    free = shutil.disk_usage(standing(warehouse)).free
    built = [v for v in _known(warehouse, dataset) if v.statement and _seconds(v) > 0][-RECENT:]
    if not built:
        return Estimate(None, None, free, f"nothing is known: no version of {dataset} has been built yet")
    times = [_seconds(version) * posts / max(1, _posts(version)) for version in built]
    low, high = (times[0] / ALONE, times[0] * ALONE) if len(times) == 1 else (min(times), max(times))
    size = sum(_sizes(warehouse / dataset, built[-1])) * posts // max(1, _posts(built[-1]))
    names = f"{built[0].name} to {built[-1].number}" if len(built) > 1 else f"{built[0].name} alone (× or ÷ 2)"
    said = f"from what {names} took, by the number of posts: on a machine as fast, and as busy, as theirs"
    return Estimate((round(low), round(high)), size, free, said)


def _known(warehouse: Path, dataset: str) -> list[Version]:
    return versions(warehouse, dataset) if (warehouse / dataset / "snapshot").exists() else []


def _seconds(version: Version) -> float:
    """From when the build was asked for to its commit."""
    begin, end = (datetime.fromisoformat(version.predicate[name]) for name in ("now", "released_at"))
    return (end - begin).total_seconds()


def _posts(version: Version) -> int:
    return next(int(pinned["rows"]) for pinned in version.predicate["inputs"] if pinned["table"] == "posts")


def _sizes(folder: Path, version: Version) -> Iterator[int]:
    """The bytes of every file that a build wrote; an older dataset may lack a side table."""
    yield from _files(DeltaTable(folder / "snapshot", version=version.number))
    for name in filter(lambda name: (folder / name).exists(), SIDE_TABLES):
        yield from _files(DeltaTable(folder / name), version.build_id)


def _files(table: DeltaTable, build_id: str | None = None) -> list[int]:
    files: list[dict[str, Any]] = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    return [file["size_bytes"] for file in files if build_id in {None, file.get("partition.build_id")}]
