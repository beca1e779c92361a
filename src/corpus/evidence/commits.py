"""What the commits of a dataset's snapshot say of themselves, read from Delta's log without a JVM."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from corpus.errors import DatasetError

HOUSEKEEPING = ("CREATE TABLE", "SET TBLPROPERTIES", "UNSET TBLPROPERTIES", "VACUUM START", "VACUUM END")
"""What a dataset's owner does besides building: such commits touch no data, and have no statement by design."""


@dataclass(frozen=True)
class Commit:
    """One commit: the build and intent that it claims (empty for maintenance), and what it does to files and rows."""

    version: int
    operation: str
    released_at: datetime
    build_id: str
    intent: str
    has_data: bool
    changes_rows: bool

    @property
    def is_housekeeping(self) -> bool:
        """Whether it is no build's, and nothing to worry about."""
        return not self.build_id and self.operation in HOUSEKEEPING and not self.has_data

    @property
    def is_rewrite(self) -> bool:
        """Whether it is no build's, and says that it put the rows that were there into other files; may be a lie."""
        return not self.build_id and self.operation == "OPTIMIZE" and not self.changes_rows


def rewritten(commit: Commit, known: Iterable[Commit]) -> Commit | None:
    """The commit whose rows a rewrite says to have kept; None if there is none before it."""
    before = [one for one in known if one.version < commit.version and not (one.is_housekeeping or one.is_rewrite)]
    return max(before, key=lambda one: one.version, default=None)


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
    files = [action[kind] for action in actions for kind in ("add", "remove", "cdc") if kind in action]
    changes_rows = any(file.get("dataChange", True) for file in files)
    return Commit(int(path.stem), str(info.get("operation")), released_at, *said, bool(files), changes_rows)


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
