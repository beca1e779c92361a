"""Who looked at what names people, when and what for: a register beside a dataset, which itself names nobody.

It holds whom a look-up was about as a keyed hash, so that it answers about a person who is named to it, and about
nobody else.
"""

from __future__ import annotations

import json
import os
import pwd
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from corpus.dataset_key import keyed_hash, make_key, read_key
from corpus.durable import sync_folder
from corpus.errors import ConfigError, DatasetError, EnvironmentFault
from corpus.evidence.journal import moment, require_line

Kind = Literal["post", "account", "objection"]


@dataclass(frozen=True)
class LookUp:
    """Who looks, what for, by which verb, and about whom. Raises ConfigError for what cannot stand in a register."""

    who: str
    purpose: str
    verb: str
    kind: Kind
    subject: str

    def __post_init__(self) -> None:
        require_line(self.purpose, "--purpose")
        _require_text(self.kind, self.subject)


@dataclass(frozen=True)
class Register:
    """The look-ups of a dataset, oldest first, and how many lines of it cannot be read."""

    lookups: list[dict[str, str]]
    unreadable: int


def user() -> str:
    """Whom the operating system says the person is; the environment is not asked."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def register(folder: Path, lookup: LookUp) -> None:
    """Adds a look-up to the register of the dataset in this folder, for good before it returns.

    Raises EnvironmentFault where it cannot: then nothing may be answered.
    """
    place = _register(folder)
    try:
        place.parent.mkdir(mode=0o700, exist_ok=True)
        _make_own_key(folder)
        _append(place, json.dumps(_line(folder, lookup)).encode())
    except OSError as cannot:
        raise EnvironmentFault(
            f"The look-up cannot be registered in {place}, so it is not answered: {cannot.strerror}. Ask whoever owns "
            "the dataset for the right to write there."
        ) from None


def lookups(folder: Path, *about: tuple[Kind, str]) -> Register:
    """The look-ups of a dataset, or those about any of these posts, accounts and objections. Raises DatasetError."""
    try:
        lines = _register(folder).read_bytes().splitlines()
    except FileNotFoundError:
        return Register([], 0)
    except OSError as cannot:
        raise DatasetError(f"The register {_register(folder)} cannot be read: {cannot.strerror}.") from None
    found = [_read(line) for line in lines if line]
    known, wanted = [one for one in found if one], {_hash(folder, *each) for each in about}
    return Register([one for one in known if not about or one["subject"] in wanted], len(found) - len(known))


def _require_text(kind: Kind, subject: str) -> None:
    if any("\ud800" <= c <= "\udfff" for c in subject):
        raise ConfigError(f"The {kind} {subject!r} is not text in UTF-8, so nothing can have this id.")


def _register(folder: Path) -> Path:
    return folder / "lookups" / "register.jsonl"


def _line(folder: Path, lookup: LookUp) -> dict[str, Any]:
    at = moment(datetime.now(UTC))
    return {"at": at} | vars(lookup) | {"subject": _hash(folder, lookup.kind, lookup.subject)}


def _hash(folder: Path, kind: Kind, subject: str) -> str:
    _require_text(kind, subject)
    return keyed_hash(read_key(_key(folder)), kind, subject.strip())


def _key(folder: Path) -> Path:
    return folder / "lookups" / "key"


def _make_own_key(folder: Path) -> None:
    """The register's key, made with its first look-up; one that was lost is not replaced, or old lines were mute."""
    if not _register(folder).exists():
        with suppress(FileExistsError):  # another look-up was first
            make_key(_key(folder))


def _append(place: Path, line: bytes) -> None:
    """Adds a line in one write, which no other writer's can come between; a line cut short before it stays alone."""
    is_new = not place.exists()
    with os.fdopen(os.open(place, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600), "r+b", buffering=0) as file:
        torn = file.seek(0, os.SEEK_END) and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n"
        whole = b"\n" * torn + line + b"\n"
        if file.write(whole) != len(whole):
            raise OSError(28, "only a part of the line could be written")
        os.fsync(file.fileno())
    if is_new:
        sync_folder(place.parent)


def _read(line: bytes) -> dict[str, str] | None:
    """A line of the register; None for one that a power cut left in part."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "subject" in found else None
