"""Files that are there whole or not at all, also after a power cut; secrets among them are their owner's alone."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from corpus.errors import DatasetError


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file, in place of one that is there; a reader sees the old one or the new one."""
    scratch = _scratch(path, content)
    scratch.replace(path)
    sync_folder(path.parent)


def write_secret(path: Path, content: bytes) -> None:
    """Writes a file that nobody else could ever read. Raises FileExistsError rather than replace one."""
    scratch = _scratch(path, content)
    try:
        path.hardlink_to(scratch)  # unlike a rename, fails where there is one
    finally:
        scratch.unlink()
    sync_folder(path.parent)


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


def _scratch(path: Path, content: bytes) -> Path:
    """A file beside the path with this content, for its owner alone until it has its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return Path(scratch)
