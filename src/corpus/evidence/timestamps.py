"""Time stamps of checkpoints (RFC 3161): an authority's word that a root was there by then.

What is stamped is a checkpoint's text, which can be worked out again from the tiles for every size the log ever had.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

from cryptography.x509 import Certificate, load_pem_x509_certificates
from rfc3161_client import (
    HashAlgorithm,
    TimeStampRequest,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from corpus.errors import ConfigError, DatasetError, EnvironmentFault
from corpus.evidence.log import root_at, state
from corpus.evidence.store import write_whole
from corpus_verify.notes import checkpoint_text

_SECONDS = 30
_MOST_BYTES = 1 << 20


def request(folder: Path) -> TimeStampRequest:
    """What to send to an authority for the newest checkpoint. Raises DatasetError of an empty log."""
    known = state(folder)
    if known is None:
        raise DatasetError(f"There is no log in {folder} yet, so there is nothing to stamp.")
    builder = TimestampRequestBuilder().data(known.text.encode()).hash_algorithm(HashAlgorithm.SHA256)
    return builder.cert_request(cert_request=True).nonce(nonce=True).build()


def ask(authority: str, asked: TimeStampRequest) -> bytes:
    """The authority's answer over HTTP. Raises ConfigError, EnvironmentFault."""
    if not authority.startswith(("https://", "http://")):
        raise ConfigError(f"An authority is an address that begins with https:// or http://; found '{authority}'.")
    headers = {"Content-Type": "application/timestamp-query"}
    try:
        with urlopen(Request(authority, asked.as_bytes(), headers), timeout=_SECONDS) as answer:  # noqa: S310 (above)
            return bytes(answer.read(_MOST_BYTES))
    except (URLError, OSError, ValueError) as cannot:
        raise EnvironmentFault(f"The authority {authority} does not answer: {cannot}. Nothing was kept.") from None


def keep(folder: Path, response: bytes, roots: Sequence[Certificate], nonce: int | None) -> tuple[int, datetime]:
    """Keeps an answer beside the log; the size that it stamps, and when. Raises DatasetError where it stamps none."""
    stamp = _decoded(response, "The answer")
    known = state(folder)
    size = _stamped_size(folder, stamp, range(known.size, 0, -1) if known else ())
    if nonce is not None and stamp.tst_info.nonce != nonce:
        raise DatasetError("The answer is to another request than the one that was sent. Nothing was kept.")
    _check_authority(stamp, roots)
    write_whole(stamp_path(folder, size), response)
    return size, stamp.tst_info.gen_time


def stamps(folder: Path, roots: Sequence[Certificate] = ()) -> dict[int, datetime]:
    """When which size was stamped. Raises DatasetError where a stamp is of another log, or not by the authority."""
    found = {}
    for path in (folder / "timestamps").glob("*.tsr"):
        stamp = _decoded(path.read_bytes(), f"The file {path}")
        named = int(path.stem) if path.stem.isdecimal() else 0
        size = _stamped_size(folder, stamp, [named] if named else [])
        _check_authority(stamp, roots)
        found[size] = stamp.tst_info.gen_time
    return dict(sorted(found.items()))


def stamp_path(folder: Path, size: int) -> Path:
    """Where the time stamp of a checkpoint stands."""
    return folder / "timestamps" / f"{size}.tsr"


def read_roots(path: Path | None) -> list[Certificate]:
    """An authority's root certificates, in PEM. Raises ConfigError."""
    try:
        return load_pem_x509_certificates(path.read_bytes()) if path else []
    except (OSError, ValueError):
        raise ConfigError(f"{path} holds no certificates in PEM, or cannot be read.") from None


def _decoded(response: bytes, what: str) -> TimeStampResponse:
    try:
        stamp = decode_timestamp_response(response)
        if stamp.status == 0 and stamp.tst_info:
            return stamp
        said = " ".join(stamp.status_string) or f"status {stamp.status}"
    except ValueError as wrong:
        said = f"it is no RFC 3161 response that can be read ({wrong})"
    raise DatasetError(f"{what} holds no time stamp: {said}.")


def _stamped_size(folder: Path, stamp: TimeStampResponse, sizes: Iterable[int]) -> int:
    """The size, of those, whose checkpoint's text was stamped."""
    known = state(folder)
    for size in sizes:
        if known is None or size > known.size:
            break
        text = checkpoint_text(known.origin, size, root_at(folder, size))
        if sha256(text.encode()).digest() == stamp.tst_info.message_imprint.message:
            return size
    raise DatasetError(f"The time stamp is of no checkpoint that the log {folder} has had at that size.")


def _check_authority(stamp: TimeStampResponse, roots: Sequence[Certificate]) -> None:
    if not roots:
        return
    builder = VerifierBuilder(roots=list(roots))
    try:
        builder.build().verify(stamp, stamp.tst_info.message_imprint.message)
    except (VerificationError, ValueError) as wrong:
        raise DatasetError(f"The time stamp is not by an authority of these roots: {wrong}.") from None
