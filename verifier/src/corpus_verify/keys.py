"""Public keys in their files: Ed25519, in PEM."""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from corpus_verify.documents import read_file
from corpus_verify.errors import Refused


def read_public(path: Path) -> bytes:
    """The 32 bytes of an Ed25519 public key in a PEM file. Raises Refused for any other content."""
    content = read_file(path)
    if b"PRIVATE KEY" in content:
        raise Refused(f"{path} holds a private key, which nobody should hand out; name the public one (public.pem)")
    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        raise Refused(f"{path} holds no public key in PEM, which begins with -----BEGIN PUBLIC KEY-----") from None
    if not isinstance(key, Ed25519PublicKey):
        raise Refused(f"{path} holds a key of another kind; proofs are signed by Ed25519")
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)
