"""The plain files beside a dataset's tables: intents and statements, written whole or not at all."""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import rfc8785

from corpus import durable
from corpus.errors import DatasetError, EnvironmentFault
from corpus.evidence.formats import require_known


def canonical(document: dict[str, Any]) -> bytes:
    """The document as canonical JSON (RFC 8785)."""
    return rfc8785.dumps(document)


def digest_of(document: dict[str, Any]) -> str:
    """SHA-256 of a document's canonical JSON, in hex."""
    return sha256(canonical(document)).hexdigest()


def dataset_names(warehouse: Path) -> list[str]:
    """The datasets of a warehouse, by the names of folders alone."""
    return sorted(path.parent.parent.name for path in warehouse.glob("*/snapshot/_delta_log"))


def intent_path(dataset: Path, build_id: str) -> Path:
    """Where a build's intent stands."""
    return dataset / "evidence" / "intents" / f"{build_id}.json"


def statement_path(dataset: Path, version: int) -> Path:
    """Where a version's statement stands."""
    return dataset / "evidence" / "statements" / f"{version:020d}.json"


def trees_path(dataset: Path, build_id: str) -> Path:
    """Where the chunk roots of a build's trees stand."""
    return dataset / "evidence" / "trees" / f"{build_id}.json"


def log_folder(dataset: Path) -> Path:
    """Where a dataset's log stands."""
    return dataset / "evidence" / "log"


def superseded_path(dataset: Path, digest: str) -> Path:
    """Where an intent stands that its build, begun again, replaced by another: its commit may have come."""
    return dataset / "evidence" / "intents" / "superseded" / f"{digest}.json"


def read_statement(path: Path) -> dict[str, Any] | None:
    """The statement in a file, its signature unchecked; None if there is no such file. Raises DatasetError."""
    envelope = read_document(path)
    if envelope is None:
        return None
    try:
        statement = payload_of(envelope)
        require_known(statement)
    except DatasetError as broken:
        raise DatasetError(f"The statement {path} cannot be read: {broken}") from None
    return statement


def payload_of(envelope: dict[str, Any]) -> dict[str, Any]:
    """The document in an envelope, for who only shows it: nothing is checked. Raises DatasetError if it is none."""
    try:
        payload = json.loads(base64.b64decode(envelope["payload"], validate=True))
    except (KeyError, TypeError, ValueError):
        payload = None
    if isinstance(payload, dict):
        return payload
    raise DatasetError("it is no signed envelope (DSSE) of a JSON document.")


def read_document(path: Path) -> dict[str, Any] | None:
    """The document in a file; None if there is no such file. Raises DatasetError if it holds something else."""
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as broken:
        raise DatasetError(f"The evidence file {path} cannot be read: {broken}.") from None
    return document


def write_document(path: Path, document: dict[str, Any]) -> None:
    """Writes a document's canonical JSON so that a reader sees all of it or nothing, also after a power cut."""
    write_whole(path, canonical(document))


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file so that a reader sees all of it or nothing, also after a power cut."""
    try:
        durable.write_whole(path, content)
    except OSError as cannot:
        raise EnvironmentFault(f"The evidence file {path} cannot be written: {cannot}.") from None
