"""Everything that can go wrong by somebody's mistake, as one small tree.

A message says what, where, what was found, what was expected and what to do; the command line prints it without a
traceback and exits with `exit_code`. `retry` says what a scheduler does then: nothing helps until somebody has mended
it (no), the same command may go through at once (now), or once the machine has room again (later).
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Literal

Retry = Literal["no", "now", "later"]


class CorpusError(Exception):
    """Something a person can mend."""

    exit_code = 1
    retry: Retry = "no"


class ConfigError(CorpusError):
    """A policy, a source or an argument that does not say what it must."""

    exit_code = 2


class EnvironmentFault(CorpusError):
    """The machine lacks something: Java, jars, a place to write."""

    exit_code = 3


class SourceError(CorpusError):
    """An input table or file that is absent, unreadable or of another shape."""

    exit_code = 4


class GateRefused(CorpusError):
    """A gate of the contract stops the build; nothing was written."""

    exit_code = 5

    def __init__(self, message: str, gates: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.gates = tuple(gates)


class DatasetError(CorpusError):
    """A dataset, version or post that is not there, or a dataset that does not match its key."""

    exit_code = 6


class Conflict(CorpusError):
    """Another builder, or another commit, got in between."""

    exit_code = 7
    retry: Retry = "now"


class AuditFailed(CorpusError):
    """A version is not what its inputs and its policy give."""

    exit_code = 8


class UseRefused(CorpusError):
    """A version that may not be used: not sealed, recalled, expired or stale."""

    exit_code = 9


class QueryEnded(CorpusError):
    """A query that took longer, or more memory, than it was given."""

    exit_code = 10


class BrokenOff(CorpusError):
    """The machine broke off what was going well, such as a full disk, or Java killed; nothing is half written."""

    exit_code = 11
    retry: Retry = "later"


def nearest(name: str, known: Iterable[str]) -> str:
    """The hint that ends a message about an unknown name: ` (did you mean …?)`, or nothing."""
    names = list(known)
    folded = {n.casefold(): n for n in names}
    close = get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
    return f" (did you mean '{folded[close[0]]}'?)" if close else ""
