"""What checks say: a line each, and where one failed what it means and what to do."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

from corpus.errors import AuditFailed, DatasetError

Outcome = Literal["passed", "FAILED", "not checked"]
EXAMPLES = 3


@dataclass(frozen=True)
class Check:
    """What a check looks at, what it means if it fails, and what to do then."""

    looks_at: str
    means: str
    to_do: str


CHECKS = {
    name: Check(**said)
    for name, said in tomllib.loads(files("corpus.verification").joinpath("checks.toml").read_text("utf-8")).items()
}
"""Every check by name, in the order in which they are made."""


class Failed(Exception):
    """Something is not as it was signed: what was found, and what was expected."""

    def __init__(self, found: str, expected: str = "") -> None:
        super().__init__(found)
        self.expected = expected


class Unchecked(Exception):
    """Something that the data at hand does not tell; the message says why."""


@dataclass(frozen=True)
class Finding:
    """What one check found of a dataset or a version."""

    check: str
    about: str
    outcome: Outcome
    found: str
    expected: str = ""

    @property
    def means(self) -> str:
        """What it means where it failed."""
        return CHECKS[self.check].means if self.outcome == "FAILED" else ""

    @property
    def to_do(self) -> str:
        """What to do where it failed."""
        return CHECKS[self.check].to_do if self.outcome == "FAILED" else ""


@dataclass(frozen=True)
class Report:
    """All that was checked of a dataset, in order."""

    dataset: str
    findings: list[Finding]

    def of(self, outcome: Outcome) -> list[Finding]:
        """The findings of one outcome."""
        return [finding for finding in self.findings if finding.outcome == outcome]

    def require_none_failed(self) -> None:
        """Raises AuditFailed that names every check that failed."""
        if failed := self.of("FAILED"):
            names = ", ".join(f"{finding.check} of {finding.about}" for finding in failed)
            raise AuditFailed(f"{self.dataset} is not what was signed. {len(failed)} checks failed: {names}.")


def finding(check: str, about: str, look: Callable[[], str]) -> Finding:
    """What a check found; whatever keeps it from finding out is no pass."""
    try:
        return Finding(check, about, "passed", look())
    except Failed as failed:
        return Finding(check, about, "FAILED", str(failed), failed.expected)
    except Unchecked as why:
        return Finding(check, about, "not checked", str(why))
    except DatasetError as wrong:
        return Finding(check, about, "FAILED", str(wrong))
    except KeyError as lacking:
        return Finding(check, about, "FAILED", f"what is signed does not say {lacking}")
    except BaseException as broken:  # a file of a form that nobody foresaw is a finding too, not the end of the report
        if not isinstance(broken, Exception) and type(broken).__name__ != "PanicException":  # Delta's engine panics so
            raise
        return Finding(check, about, "FAILED", f"it cannot be read: {type(broken).__name__}: {_first_line(broken)}")


def _first_line(broken: BaseException) -> str:
    return next(iter(str(broken).splitlines()), "")


def some(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - EXAMPLES
    return ", ".join(names[:EXAMPLES]) + (f" and {more} more" if more > 0 else "")
