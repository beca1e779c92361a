"""A witness: another party's key that signs a log's checkpoint only if it extends the last one that it signed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from corpus.durable import read_secret
from corpus.errors import DatasetError
from corpus.evidence.log import checkpoint, consistency
from corpus.evidence.store import write_whole
from corpus_verify.errors import Refused
from corpus_verify.merkle import check_consistency
from corpus_verify.notes import Checkpoint, cosignature, cosigned, read_checkpoint


@dataclass(frozen=True)
class Witness:
    """Who signs, and where it keeps the last note that it signed."""

    name: str
    key: Ed25519PrivateKey
    kept: Path

    @property
    def public(self) -> bytes:
        """The 32 bytes of its public key."""
        return self.key.public_key().public_bytes_raw()


def read_witness_key(path: Path) -> Ed25519PrivateKey:
    """A witness's private key. Raises DatasetError where it is none, or others may read it."""
    pem = read_secret(path, "witness's key")
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise DatasetError(f"{path} holds no Ed25519 private key in PEM; make one: openssl genpkey -algorithm ed25519")
    return key


def witness(folder: Path, origin: str, public: bytes, by: Witness, at: int) -> tuple[Checkpoint, Checkpoint | None]:
    """Cosigns the newest checkpoint; returns it and the one signed before. The caller holds the dataset's lease.

    What it signs it keeps first, so that it never vouches for two histories. Raises DatasetError where they differ.
    """
    note = checkpoint(folder)
    if note is None:
        raise DatasetError(f"There is no log in {folder} yet, so there is nothing to witness.")
    try:
        new = read_checkpoint(note, origin, public)
        old = _last(origin, public, by)
        if old:
            _require_extends(folder, old, new)
    except Refused as refused:
        raise DatasetError(f"The witness {by.name} does not sign the log {folder}: {refused}.") from None
    signed = cosigned(note, by.name, by.key.sign, by.public, at).encode()
    write_whole(by.kept, signed)
    write_whole(folder / "checkpoint", signed)
    return new, old


def _last(origin: str, public: bytes, by: Witness) -> Checkpoint | None:
    try:
        kept = by.kept.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    cosignature(kept, by.name, by.public)
    return read_checkpoint(kept, origin, public)


def _require_extends(folder: Path, old: Checkpoint, new: Checkpoint) -> None:
    if new.size < old.size:
        raise Refused(f"it has {new.size} entries, and had {old.size} when it was signed last")
    check_consistency(old.size, old.root, new.size, new.root, consistency(folder, old.size, new.size))
