"""A log for machines: one line of JSON for all that happens, complete as soon as it is written."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

from corpus.errors import EnvironmentFault
from corpus.operations.stages import Row
from corpus.progress import Hears


def teller(to: str) -> Hears:
    """Adds lines to a file, or to stderr. Raises EnvironmentFault where it cannot be written."""
    if to == "-":
        return lambda said: print(_line(said), file=sys.stderr, flush=True)
    try:
        Path(to).open("a", encoding="utf-8").close()
    except OSError as cannot:
        raise EnvironmentFault(f"The log {to} cannot be written: {cannot.strerror}; nothing was begun.") from None
    return partial(_add, Path(to))


def _add(path: Path, said: Row) -> None:
    """Opened for each line: a log that is rotated meanwhile begins again under its name."""
    with path.open("a", encoding="utf-8") as file:
        file.write(_line(said) + "\n")


def _line(said: Row) -> str:
    return json.dumps(said, default=str)
