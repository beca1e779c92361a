"""Signed notes and the checkpoints in them (C2SP signed-note, tlog-checkpoint, tlog-cosignature), by Ed25519."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from corpus_verify.errors import Refused

_PLAIN, _COSIGNED = b"\x01", b"\x04"
_LINE = re.compile("— ([^ +\\s]+) ([A-Za-z0-9+/]+=*)")
NUMBER = re.compile("0|[1-9][0-9]{0,17}")
"""How a number is written: in its one decimal spelling, small enough for every language's integers."""
_LINES_OF_TEXT = 4  # origin, size, root, and nothing behind the last newline
_MOST_SIGNATURES = 32


@dataclass(frozen=True)
class Checkpoint:
    """What a log said of itself: its size and root. `text` is what was signed."""

    origin: str
    size: int
    root: bytes
    text: str


def checkpoint_text(origin: str, size: int, root: bytes) -> str:
    """The text of a checkpoint, to be signed."""
    return f"{origin}\n{size}\n{b64encode(root).decode()}\n"


def signed(text: str, name: str, sign: Callable[[bytes], bytes], public: bytes) -> str:
    """The text as a note, signed under that name."""
    return f"{text}\n{_line(name, _PLAIN, public, sign(text.encode()))}"


def cosigned(note: str, name: str, sign: Callable[[bytes], bytes], public: bytes, at: int) -> str:
    """The note with a witness's line added: it saw this text at that second (Unix time)."""
    text, _ = _parts(note)
    return note + _line(name, _COSIGNED, public, at.to_bytes(8, "big") + sign(_seen(text, at)))


def opened(note: str, name: str, public: bytes) -> str:
    """The text of a note that this key signed under that name, once. Raises Refused."""
    text, lines = _parts(note)
    _check(text.encode(), _blob(lines, name, _PLAIN, public, 64), public, name)
    return text


def cosignature(note: str, name: str, public: bytes) -> datetime:
    """When a witness saw this note, by its own word; it vouches for a history without a fork. Raises Refused."""
    text, lines = _parts(note)
    found = _blob(lines, name, _COSIGNED, public, 72)
    at = int.from_bytes(found[:8], "big")
    _check(_seen(text, at), found[8:], public, name)
    try:
        return datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError, OSError):
        raise Refused(f"the cosignature of {name} gives no time") from None


def signers(note: str) -> list[str]:
    """The names on a note's signature lines, none of them checked."""
    return [name for name, _ in _parts(note)[1]]


def read_checkpoint(note: str, origin: str, public: bytes) -> Checkpoint:
    """The checkpoint in a note, if it is of that origin and this key signed it. Raises Refused."""
    text = opened(note, origin, public)
    found = _checkpoint(text)
    if found.origin != origin:
        raise Refused(f"the checkpoint is of '{printable(found.origin)}' and not of '{printable(origin)}'")
    return found


def unchecked(note: str) -> Checkpoint:
    """The checkpoint in a note, whoever signed it or nobody. Raises Refused where there is none."""
    text, _ = _parts(note)
    return _checkpoint(text)


def verifier_key(name: str, public: bytes, is_witness: bool = False) -> str:
    """The public key as other tools for signed notes take it: name+id+key."""
    kind = _COSIGNED if is_witness else _PLAIN
    return f"{name}+{key_hash(name, kind, public).hex()}+{b64encode(kind + public).decode()}"


def key_hash(name: str, kind: bytes, public: bytes) -> bytes:
    """The four bytes that say on a signature line which key made it."""
    return sha256(name.encode() + b"\n" + kind + public).digest()[:4]


def printable(text: str) -> str:
    """The text with every character that could change a screen written as its number."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _checkpoint(text: str) -> Checkpoint:
    lines = text.split("\n")
    if len(lines) != _LINES_OF_TEXT or not NUMBER.fullmatch(lines[1]):
        raise Refused("the checkpoint is not an origin, a size and a root")
    return Checkpoint(lines[0], int(lines[1]), _decoded(lines[2], 32, "root of the checkpoint"), text)


def _line(name: str, kind: bytes, public: bytes, blob: bytes) -> str:
    return f"— {name} {b64encode(key_hash(name, kind, public) + blob).decode()}\n"


def _seen(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def _parts(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """The text, and each signature line's name and bytes."""
    text, blank, tail = note.rpartition("\n\n")
    if not blank or not text or not tail.endswith("\n") or any(c < " " and c != "\n" for c in note):
        raise Refused("the checkpoint is not a signed note")
    lines = tail[:-1].split("\n")
    matches = [_LINE.fullmatch(line) for line in lines[:_MOST_SIGNATURES]]
    if len(lines) > _MOST_SIGNATURES or not all(matches):
        raise Refused("the checkpoint has a signature line that is none")
    return text + "\n", [(m[1], _decoded(m[2], None, "signature")) for m in matches if m]


def _blob(lines: list[tuple[str, bytes]], name: str, kind: bytes, public: bytes, length: int) -> bytes:
    """The bytes of the one signature line of that name and key."""
    own = key_hash(name, kind, public)
    found = [blob[4:] for who, blob in lines if who == name and blob[:4] == own]
    if len(found) != 1 or len(found[0]) != length:
        raise Refused(
            f"the checkpoint must have one signature of {printable(name)} by the key given; found {len(found)}"
        )
    return found[0]


def _check(message: bytes, signature: bytes, public: bytes, name: str) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        raise Refused(f"the signature of {printable(name)} on the checkpoint is not by the key given") from None


def _decoded(text: str, length: int | None, what: str) -> bytes:
    """Base64 in its one canonical spelling."""
    try:
        found = b64decode(text, validate=True)
    except (NotBase64, ValueError):
        found = b""
    if not found or b64encode(found).decode() != text or length not in (None, len(found)):
        raise Refused(f"the {what} is not base64 of its length")
    return found
