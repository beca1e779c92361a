"""The plain files beside a dataset's tables: intents and statements, written whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import rfc8785

from corpus.errors import EnvironmentFault


def canonical(document: dict[str, Any]) -> bytes:
    """The document as canonical JSON (RFC 8785)."""
    return rfc8785.dumps(document)


def digest_of(document: dict[str, Any]) -> str:
    """SHA-256 of a document's canonical JSON, in hex."""
    return sha256(canonical(document)).hexdigest()


def intent_path(dataset: Path, build_id: str) -> Path:
    """Where a build's intent stands."""
    return dataset / "evidence" / "intents" / f"{build_id}.json"


def statement_path(dataset: Path, version: int) -> Path:
    """Where a version's statement stands."""
    return dataset / "evidence" / "statements" / f"{version:020d}.json"


def trees_path(dataset: Path, build_id: str) -> Path:
    """Where the chunk roots of a build's trees stand."""
    return dataset / "evidence" / "trees" / f"{build_id}.json"


def newest_statement(dataset: Path) -> dict[str, Any] | None:
    """The statement of the newest version that has one; None before the first."""
    stated = sorted((dataset / "evidence" / "statements").glob("*.json"))
    return read_document(stated[-1]) if stated else None


def read_document(path: Path) -> dict[str, Any] | None:
    """The document in a file; None if there is no such file."""
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    return document


def write_document(path: Path, document: dict[str, Any]) -> None:
    """Writes a document's canonical JSON so that a reader sees all of it or nothing, also after a power cut."""
    write_whole(path, canonical(document))


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file so that a reader sees all of it or nothing, also after a power cut."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(scratch).replace(path)
        _settle(path.parent)
    except OSError as cannot:
        raise EnvironmentFault(f"The evidence file {path} cannot be written: {cannot}.") from None


def _settle(folder: Path) -> None:
    """Waits until a folder's names are on disk, so that what is written next cannot get there before them."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
