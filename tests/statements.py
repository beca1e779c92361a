"""Statements in their envelopes, for tests that change what one says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from corpus.evidence.envelope import STATEMENT, payload_of, sealed
from corpus.evidence.keys import Signer, id_of
from corpus.evidence.store import read_document, write_document


def some_signer() -> Signer:
    """A key that nobody keeps."""
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    return Signer(public, id_of(public), key.sign)


def write_statement(path: Path, statement: dict[str, Any]) -> None:
    """A statement signed by somebody."""
    write_document(path, sealed(statement, STATEMENT, some_signer()))


def restate(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Changes what a statement says, as somebody would who does not have its key."""
    envelope = read_document(path)
    assert envelope is not None
    statement = payload_of(envelope)
    change(statement["predicate"])
    write_statement(path, statement)
