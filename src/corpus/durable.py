"""Files that are there whole or not at all, also after a power cut; secrets among them are their owner's alone."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from corpus.errors import DatasetError, EnvironmentFault


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file, in place of one that is there; a reader sees the old one or the new one.

    Who may read it is for the process's umask and the folder to say, as for any other file.
    """
    scratch = _scratch(path, content, 0o666)
    scratch.replace(path)
    sync_folder(path.parent)


def settle(scratch: Path, path: Path) -> None:
    """Gives a finished file its name, in place of one that is there; both are in one file system."""
    with scratch.open("rb") as file:
        os.fsync(file.fileno())
    scratch.replace(path)
    sync_folder(path.parent)


def write_secret(path: Path, content: bytes) -> None:
    """Writes a file that nobody else could ever read. Raises FileExistsError rather than replace one."""
    try:
        scratch = _scratch(path, content, 0o600)
        try:
            path.hardlink_to(scratch)  # unlike a rename, fails where there is one
        finally:
            scratch.unlink()
        sync_folder(path.parent)
    except FileExistsError:
        raise
    except OSError as cannot:
        raise EnvironmentFault(f"The key file {path} cannot be written: {cannot.strerror}.") from None


def read_secret(path: Path, what: str) -> bytes:
    """What a secret file holds. Raises DatasetError if others may read it, or if we may not."""
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise DatasetError(f"The {what} file {path} can be read by others; run: chmod 600 {path}")
        return path.read_bytes()
    except OSError as cannot:
        raise DatasetError(f"The {what} file {path} cannot be read: {cannot.strerror}.") from None


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder last: a file that was renamed into it is there after a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _scratch(path: Path, content: bytes, mode: int) -> Path:
    """A file beside the path with this content, that has its mode from the start."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.parent / f".{secrets.token_hex(8)}.part"
    try:
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:  # a full disk: half a file would stay for ever
        scratch.unlink(missing_ok=True)
        raise
    return scratch
