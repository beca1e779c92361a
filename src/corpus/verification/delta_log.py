"""What the commits of a Delta table say, read from their JSON alone: what a checkpoint claims is looked at apart."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from corpus.verification.findings import Failed, Unchecked, some

Action = dict[str, Any]


@dataclass(frozen=True)
class DeltaLog:
    """The actions of every commit that can be read, by version; why the others cannot."""

    table: Path
    actions: dict[int, list[Action]]
    unreadable: dict[int, str]

    @property
    def newest(self) -> int:
        """The newest version that has a commit, readable or not."""
        return max([*self.actions, *self.unreadable], default=-1)

    @property
    def missing(self) -> list[int]:
        """The versions up to the newest that have no commit."""
        return [n for n in range(self.newest + 1) if n not in self.actions and n not in self.unreadable]


def read_log(table: Path) -> DeltaLog:
    """The commits of a table."""
    actions: dict[int, list[Action]] = {}
    unreadable: dict[int, str] = {}
    for path in sorted((table / "_delta_log").glob("*.json")):
        if re.fullmatch(r"\d{20}", path.stem):
            try:
                lines = path.read_text(encoding="utf-8").split("\n")
                actions[int(path.stem)] = [_object(json.loads(line)) for line in lines if line]
            except (OSError, ValueError) as broken:
                unreadable[int(path.stem)] = f"{path.name}: {broken}"
    return DeltaLog(table, actions, unreadable)


def each(log: DeltaLog, kind: str, version: int) -> list[Action]:
    """The actions of one kind in a commit."""
    return [action[kind] for action in log.actions.get(version, []) if kind in action]


def live_files(log: DeltaLog, version: int) -> dict[str, Action]:
    """The files of a version by path, as commits 0 to it leave them. Raises Unchecked where one of these is missing."""
    _require_whole(log, version)
    live: dict[str, Action] = {}
    for number in range(version + 1):
        for remove in each(log, "remove", number):
            live.pop(remove["path"], None)
        live |= {add["path"]: add for add in each(log, "add", number)}
    return live


def metadata(log: DeltaLog, version: int) -> Action:
    """Schema and properties as they are at a version. Raises Unchecked where a commit is missing."""
    _require_whole(log, version)
    found = [action for number in range(version + 1) for action in each(log, "metaData", number)]
    if not found:
        raise Failed("no commit says what columns the table has", "a metaData action in commit 0")
    return found[-1]


def place(log: DeltaLog, path: str) -> Path:
    """Where a file lies. Raises Failed for one that does not lie in the table."""
    found = log.table / unquote(path)
    if "://" in path or log.table.resolve() not in found.resolve().parents:
        raise Failed(f"Delta's log names a file outside of the table: {path}", f"files in {log.table}")
    return found


def _require_whole(log: DeltaLog, version: int) -> None:
    gone = [str(number) for number in range(version + 1) if number not in log.actions]
    if gone:
        raise Unchecked(
            f"the commits of versions {some(gone)} are missing or unreadable: nothing says what files it has"
        )


def _object(action: Any) -> Action:
    if isinstance(action, dict):
        return action
    raise ValueError("a line is no action")
