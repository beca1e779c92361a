"""Whether people have said something that a version does not know: what came in after the inputs that it read."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from corpus.versions import numbered_commits

SPOKEN = ("objections", "requests")
"""The inputs in which people say what they do not want."""

KEEPS_ROWS = ("OPTIMIZE", "VACUUM START", "VACUUM END", "SET TBLPROPERTIES", "UNSET TBLPROPERTIES", "ADD CONSTRAINT")
"""Operations after which a table says what it said before."""


def hours_since_knowledge(said: dict[str, Any], now: datetime) -> float:
    """How long ago the version's inputs were pinned: all that was stored by then, it knows."""
    return (now - datetime.fromisoformat(said["now"])).total_seconds() / 3600


def unknown_to(said: dict[str, Any]) -> list[str]:
    """What the inputs of a version have that it does not know, or that cannot be looked at; a sentence for each."""
    pins = [pin for pin in said["inputs"] if pin["table"] in SPOKEN]
    return [found for pin in pins if (found := _since(pin))]


def _since(pin: dict[str, Any]) -> str | None:
    """What came into an input after its pinned version; None if nothing did."""
    what = f"{pin['table']} at {pin['location']}"
    try:
        place = pin["location"].removeprefix("file:")
        table = DeltaTable(place)
        if table.metadata().id != pin["id"]:
            return f"{what} is another table now"
        if table.version() == int(pin["version"]):
            return None
        commits = numbered_commits(Path(place))
    except Exception as cannot:  # deltalake raises bare Exception for a missing file
        return f"{what} cannot be looked at ({str(cannot).splitlines()[0]})"
    newer = [c for c in commits if c["version"] > int(pin["version"]) and c["operation"] not in KEEPS_ROWS]
    return f"{pin['table']} came in since (version {newer[0]['version']}, it read {pin['version']})" if newer else None
