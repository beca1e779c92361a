"""JSON as proofs and records are written: strings, lists and objects only; nothing twice, nothing left over."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NoReturn

from corpus_verify.errors import Refused
from corpus_verify.notes import NUMBER, printable

MOST_BYTES = 64 * 1024
"""No file that is checked is larger; of one that is, no more is read."""
_HEX = re.compile("[0-9a-f]*")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{6})?Z")

Document = dict[str, Any]


def read_file(path: Path) -> bytes:
    """The content of a small file. Raises Refused where it cannot be read or is too large for what it should be."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as cannot:
        raise Refused(f"the file {path} cannot be read: {getattr(cannot, 'strerror', None) or cannot}") from None
    if len(content) > MOST_BYTES:
        raise Refused(f"{path} is larger than {MOST_BYTES // 1024} KB, so it is no proof, checkpoint or key")
    return content


def parsed(content: bytes, kind: str, what: str) -> Document:
    """The document in some bytes, of the format `kind`/v1. Raises Refused for any other."""
    if len(content) > MOST_BYTES:
        raise Refused(f"the {what} is larger than {MOST_BYTES // 1024} KB")
    try:
        document = json.loads(
            content.decode(), object_pairs_hook=_unique, parse_int=_bare, parse_float=_bare, parse_constant=_bare
        )
        json.dumps(document, ensure_ascii=False).encode()
    except RecursionError:
        raise Refused(f"the {what} is nested too deeply to be one") from None
    except UnicodeError:
        raise Refused(f"the {what} is not text in UTF-8") from None
    except ValueError:
        raise Refused(f"the {what} is not JSON, or was cut off") from None
    if not isinstance(document, dict):
        raise Refused(f"the {what} is not a JSON object")
    require_format(document, kind, what)
    return document


def require_format(document: Document, kind: str, what: str) -> None:
    """Raises Refused where a document is not of the format `kind`/v1; a later one needs a newer verifier."""
    found = document.get("format")
    if found == f"{kind}/v1":
        return
    if isinstance(found, str) and re.fullmatch(rf"{kind}/v[0-9]{{1,9}}", found):
        raise Refused(f"the {what} is of the format {found} and needs a newer verifier: this one reads {kind}/v1")
    raise Refused(f"the {what} says no format, or another than {kind}/v1: {printable(str(found))[:60]}")


def canonical(document: Document) -> bytes:
    """Canonical JSON (RFC 8785) of objects with plain keys that hold strings and such objects."""
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def fields(holder: Any, what: str, *names: str) -> list[Any]:
    """The values under these names, where the object has these and no others. Raises Refused."""
    if not isinstance(holder, dict) or holder.keys() != set(names):
        raise Refused(f"the {what} must have exactly: {', '.join(names)}")
    return [holder[name] for name in names]


def text(value: Any, what: str, *known: str) -> str:
    """A string that is not empty and, where some are known, one of them. Raises Refused."""
    if not isinstance(value, str) or not value or (known and value not in known):
        allowed = " or ".join(f"'{one}'" for one in known) or "a string with something in it"
        raise Refused(f"the {what} must be {allowed}")
    return value


def number(value: Any, what: str) -> int:
    """A whole number written as a string of at most 18 digits. Raises Refused."""
    if not isinstance(value, str) or not NUMBER.fullmatch(value):
        raise Refused(f"the {what} must be a whole number of at most 18 digits, as a string")
    return int(value)


def octets(value: Any, length: int, what: str) -> bytes:
    """So many bytes, written in small hex digits. Raises Refused."""
    if not isinstance(value, str) or len(value) != 2 * length or not _HEX.fullmatch(value):
        raise Refused(f"the {what} must be {length} bytes in small hex digits")
    return bytes.fromhex(value)


def several(value: Any, what: str) -> list[Any]:
    """A list. Raises Refused."""
    if not isinstance(value, list):
        raise Refused(f"the {what} must be a list")
    return value


def hashes(value: Any, what: str) -> list[bytes]:
    """A list of hashes. Raises Refused."""
    return [octets(one, 32, what) for one in several(value, what)]


def instant(value: Any, what: str) -> str:
    """An instant in UTC, as 2026-11-20T00:00:00Z. Raises Refused."""
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        raise Refused(f"the {what} must be an instant, as 2026-11-20T00:00:00Z")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> Document:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Refused("a name stands twice in one JSON object")
    return found


def _bare(written: str) -> NoReturn:
    raise Refused(f"{written[:20]} is a bare JSON number; numbers are written as strings")
