"""Signed documents: DSSE envelopes round canonical JSON, so that a signature covers what the document is for."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import Signature, SSlibKey

from corpus.errors import DatasetError
from corpus.evidence.formats import require_known
from corpus.evidence.keys import Signer, id_of, public_key
from corpus.evidence.store import canonical, payload_of, read_document

__all__ = ["EXPORT", "INTENT", "STATEMENT", "newest_statement", "opened", "payload_of", "sealed"]

EXPORT = "application/vnd.corpus.export+json"
INTENT = "application/vnd.corpus.intent+json"
STATEMENT = "application/vnd.in-toto+json"


def sealed(payload: dict[str, Any], payload_type: str, signer: Signer) -> dict[str, Any]:
    """The envelope of a document, signed."""
    envelope = Envelope(canonical(payload), payload_type, {})
    envelope.signatures[signer.id] = Signature(signer.id, signer.sign(envelope.pae()).hex())
    return envelope.to_dict()


def opened(envelope: dict[str, Any], payload_type: str, public: bytes) -> dict[str, Any]:
    """The document in an envelope that this key signed as this type. Raises DatasetError."""
    key = SSlibKey(id_of(public), "ed25519", "ed25519", {"public": public.hex()})
    payload = payload_of(envelope)
    if envelope.get("payloadType") != payload_type:
        raise DatasetError(f"It is of type {envelope.get('payloadType')}; expected {payload_type}.")
    try:
        signed = Envelope.from_dict(deepcopy(envelope))
        signed.verify([key], 1)
    except VerificationError:
        signers = ", ".join(f"{name}"[:16] + "…" for name in signed.signatures) or "nobody"
        raise DatasetError(f"It is not signed by {key.keyid[:16]}…, or was changed: signed by {signers}.") from None
    except Exception as wrong:  # a field missing, or of another type
        raise DatasetError(f"It is no whole envelope: {wrong!r}.") from None
    if canonical(payload) != signed.payload:
        raise DatasetError("It is not canonical JSON; this program signs nothing else.")
    return json.loads(signed.payload)  # type: ignore[no-any-return]


def newest_statement(dataset: Path) -> dict[str, Any] | None:
    """The statement of the newest version that has one, its signature checked; None before the first."""
    stated = sorted((dataset / "evidence" / "statements").glob("*.json"))
    envelope = read_document(stated[-1]) if stated else None
    if envelope is None:
        return None
    try:
        statement = opened(envelope, STATEMENT, public_key(dataset))
        require_known(statement)
    except DatasetError as wrong:
        raise DatasetError(f"The statement {stated[-1]} is not {dataset.name}'s own: {wrong}") from None
    return statement
