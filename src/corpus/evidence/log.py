"""The dataset's log: its leaves in order, and a signed checkpoint over them (RFC 6962)."""

from __future__ import annotations

import base64
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from corpus.durable import write_whole
from corpus.errors import DatasetError


def append(folder: Path, origin: str, leaf: bytes, sign: Callable[[bytes], bytes], public: bytes) -> int:
    """Adds a leaf and returns its index. Raises DatasetError where leaves and checkpoint disagree."""
    leaves = [*entries(folder), leaf]
    write_whole(folder / "entries", b"".join(each + b"\n" for each in leaves))
    note = f"{origin}\n{len(leaves)}\n{base64.b64encode(_root(leaves)).decode()}\n"
    key = sha256(origin.encode() + b"\n\x01" + public).digest()[:4]
    signature = base64.b64encode(key + sign(note.encode())).decode()
    write_whole(folder / "checkpoint", f"{note}\n\u2014 {origin} {signature}\n".encode())
    return len(leaves) - 1


def entries(folder: Path, size: int | None = None) -> list[bytes]:
    """The leaves, checked against the checkpoint; none where there is no log. Raises DatasetError."""
    note = checkpoint(folder)
    if note is None:
        return []
    _, said, root = note.splitlines()[:3]
    leaves = (folder / "entries").read_bytes().splitlines()[: int(said)]
    if len(leaves) != int(said) or base64.b64encode(_root(leaves)).decode() != root:
        raise DatasetError(f"The log {folder} does not hold what its checkpoint signs: somebody changed it.")
    return leaves[:size]


def checkpoint(folder: Path) -> str | None:
    """The newest checkpoint; None where there is no log."""
    path = folder / "checkpoint"
    return path.read_text(encoding="utf-8") if path.exists() else None


def _root(leaves: list[bytes]) -> bytes:
    if len(leaves) <= 1:
        return sha256(b"\0" + leaves[0]).digest() if leaves else sha256().digest()
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\1" + _root(leaves[:half]) + _root(leaves[half:])).digest()
