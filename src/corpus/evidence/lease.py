"""The lease: one builder at a time commits to a dataset. It ends with its holder, however that ends."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from corpus.errors import Conflict

POLL_SECONDS = 0.5


@contextmanager
def lease(dataset: Path, holder: str, wait_seconds: float) -> Iterator[None]:
    """Holds the dataset's lease; waits for another holder so long, then raises Conflict that names it.

    A lock of the operating system, which a killed process gives back at once: for one machine, or a shared file system
    with locks.
    """
    path = dataset / "evidence" / "lease"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        _acquire(file.fileno(), path, wait_seconds)
        try:
            _say(file.fileno(), f"{holder}, process {os.getpid()} on {socket.gethostname()}\n")
            yield
        finally:
            _say(file.fileno(), "")
            fcntl.flock(file, fcntl.LOCK_UN)


def _acquire(file: int, path: Path, wait_seconds: float) -> None:
    give_up = time.monotonic() + wait_seconds
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= give_up:
                holder = path.read_text(encoding="utf-8").strip() or "Somebody"
                raise Conflict(
                    f"{holder} holds the lease of {path.parent.parent.name}. Waited {wait_seconds:g} s; run "
                    "this again when the other has ended."
                ) from None
            time.sleep(POLL_SECONDS)


def _say(file: int, holder: str) -> None:
    os.ftruncate(file, 0)
    os.pwrite(file, holder.encode(), 0)
