"""What a build is about to commit (its intent) and what a version is (its statement); see docs/dataset.md."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from corpus import __version__
from corpus.evidence.formats import PREDICATE_TYPE, STATEMENT_TYPE
from corpus.evidence.store import digest_of


def as_statement(intent: dict[str, Any], version: int, released_at: datetime) -> dict[str, Any]:
    """The statement of a version (in-toto Statement v1): its intent, and what only the commit could tell."""
    snapshot = intent["snapshot"]
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": f"{intent['dataset']}@{version}", "digest": {"sha256": snapshot["digest"]}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": intent
        | {"version": str(version), "released_at": instant(released_at), "intent": digest_of(intent)},
    }


def instant(moment: datetime) -> str:
    """An instant as text: 2026-11-20T00:00:00Z, with microseconds where there are any."""
    return moment.isoformat().replace("+00:00", "Z")


def texts(values: Any) -> Any:
    """The same values with every number as a string, so that no reader rounds one."""
    if isinstance(values, dict):
        return {str(key): texts(value) for key, value in values.items()}
    if isinstance(values, (list, tuple)):
        return [texts(value) for value in values]
    if isinstance(values, datetime):
        return instant(values)
    return values if values is None or isinstance(values, (bool, str)) else str(values)


def code_identity() -> dict[str, str]:
    """The version of the code and a SHA-256 over its source files, also where they are imported from a zip."""
    hashed, ours = sha256(), _sources(files("corpus"), "")
    for name, source in sorted(ours + _sources(files("corpus_verify"), "corpus_verify/")):
        hashed.update(f"{name}:{sha256(source).hexdigest()}\n".encode())
    return {"version": __version__, "digest": hashed.hexdigest()}


def _sources(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _sources(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".py"):
            found.append((f"{prefix}{entry.name}", entry.read_bytes()))
    return found
