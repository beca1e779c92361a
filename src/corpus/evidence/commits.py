"""What the commits of a dataset's snapshot say of themselves, read from Delta's log without a JVM."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from corpus.errors import DatasetError

HOUSEKEEPING = ("CREATE TABLE", "SET TBLPROPERTIES", "UNSET TBLPROPERTIES")
"""What a dataset's owner does besides building: such commits touch no data, and have no statement by design."""


@dataclass(frozen=True)
class Commit:
    """One commit: the build and intent that it claims (empty for maintenance), and whether it touches data."""

    version: int
    operation: str
    released_at: datetime
    build_id: str
    intent: str
    has_data: bool

    @property
    def is_housekeeping(self) -> bool:
        """Whether it is no build's, and nothing to worry about."""
        return not self.build_id and self.operation in HOUSEKEEPING and not self.has_data


def commits(dataset: Path) -> list[Commit]:
    """Every commit of the snapshot, oldest first. Raises DatasetError where one is missing or unreadable."""
    log = dataset / "snapshot" / "_delta_log"
    files = sorted(path for path in log.glob("*.json") if re.fullmatch(r"\d{20}", path.stem))
    if not files:
        raise DatasetError(f"There is no dataset in {dataset}: it has no commit.")
    for expected, path in enumerate(files):
        if int(path.stem) != expected:
            raise DatasetError(
                f"{dataset.name} has lost the commit of version {expected}: {log} goes from {expected - 1} to "
                f"{int(path.stem)}. Restore it from a backup; nothing is sealed until then."
            )
    return [commit_in(path) for path in files]


def commit_in(path: Path) -> Commit:
    """What one commit says of itself. Raises DatasetError."""
    try:
        actions = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    except (OSError, ValueError) as broken:
        raise _unreadable(path, broken) from None
    return commit_of(path, actions)


def commit_of(path: Path, actions: list[dict[str, Any]]) -> Commit:
    """What a commit says of itself, of which the actions are read. Raises DatasetError."""
    try:
        info: dict[str, Any] = next(action["commitInfo"] for action in actions if "commitInfo" in action)
        milliseconds = info.get("inCommitTimestamp", info["timestamp"])
    except (StopIteration, KeyError) as broken:
        raise _unreadable(path, broken) from None
    said = _said(info.get("userMetadata"))
    released_at = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)
    has_data = any(kind in action for action in actions for kind in ("add", "remove", "cdc"))
    return Commit(int(path.stem), str(info.get("operation")), released_at, *said, has_data)


def _unreadable(path: Path, broken: Exception) -> DatasetError:
    return DatasetError(f"The commit {path} cannot be read: {broken!r}.")


def _said(user_metadata: str | None) -> tuple[str, str]:
    """The build and the intent that a commit names; empty where it names none."""
    try:
        said = json.loads(user_metadata or "null")
    except ValueError:
        said = None
    named = said if isinstance(said, dict) else {}
    return str(named.get("build_id") or ""), str(named.get("intent") or "")
