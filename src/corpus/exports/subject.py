"""What every export is made of: one version, its statement, and what a person must say because no statement does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from string import Template

from corpus.audit.pinned import policy_of
from corpus.errors import ConfigError, nearest
from corpus.policy import Policy
from corpus.query import show
from corpus.versions import Row, Version

BLANKS: dict[str, tuple[str, ...]] = {
    "openlineage": (),
    "croissant": ("license", "creator", "url", "citation"),
    "ai-act": ("provider", "representative", "model", "demographics", "interactions", "services", "illegal_content"),
    "processing": (
        "controller", "representative", "dpo", "balancing", "recipients", "transfers", "security", "deletion",
    ),
}  # fmt: skip
"""By format, the fields that a person fills in, with `--fill NAME=TEXT` or afterwards."""


@dataclass(frozen=True)
class Subject:
    """A version to describe: where it is, what it states, and what a person filled in."""

    folder: Path
    version: Version
    filled: dict[str, str] = field(default_factory=dict)

    @property
    def said(self) -> Row:
        """What its statement says."""
        return self.version.predicate

    @cached_property
    def policy(self) -> Policy:
        """Its policy, as the statement has it. Raises DatasetError if that is not the one of its digest."""
        return policy_of(self.said)

    def blank(self, name: str, meaning: str) -> str:
        """What a person filled in; until then, a mark that says what is missing."""
        return self.filled.get(name) or f"**[TO FILL IN: {meaning}]**"

    def blanks(self, names: dict[str, str]) -> dict[str, str]:
        """These blanks, each filled in or marked with its meaning."""
        return {name: self.blank(name, meaning) for name, meaning in names.items()}


def subject(warehouse: Path, dataset: str, number: int, form: str, fill: dict[str, str]) -> Subject:
    """A version to describe in a format. Raises DatasetError without a statement, ConfigError for an unknown blank."""
    for name in fill:
        if name not in BLANKS[form]:
            known = ", ".join(BLANKS[form]) or "none"
            raise ConfigError(f"--fill: {form} has no blank '{name}'{nearest(name, BLANKS[form])}; it has: {known}.")
    return Subject((warehouse / dataset).absolute(), show(warehouse, dataset, number), fill)


def page(name: str, values: dict[str, object]) -> str:
    """A page of Markdown with these values in their places."""
    text = (files("corpus.exports") / name).read_text(encoding="utf-8")
    return Template(text).substitute(values)


def table(headers: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> str:
    """A table in Markdown; a bar in a cell is spelt so that it stays one."""
    lines = [headers, tuple("---" for _ in headers), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)
