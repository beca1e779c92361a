"""What pages show of a dataset: its versions, with what the log says became of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from corpus.errors import ConfigError, DatasetError
from corpus.evidence.journal import Entry, entries, of_kind, require_recorded
from corpus.render import departures
from corpus.versions import Version, build_at, dataset_folder, versions

Seal = Literal["sealed", "unlogged", "changed", "cut short"]


class NotThere(DatasetError):
    """A dataset or a version that is not there, as opposed to one that is damaged."""


@dataclass(frozen=True)
class Moment:
    """A version on the timeline: since the build before, and as the log has it."""

    version: Version
    previous: int | None
    before: int | None
    seal: Seal
    recalled_at: str | None
    uses: list[Entry]

    @property
    def is_sealed(self) -> bool:
        """Whether its statement bears the dataset's signature, and is the one that the log records."""
        return self.seal == "sealed"

    @property
    def departures(self) -> list[str]:
        """The rules and gates that it was built without."""
        return departures(self.version.predicate) if self.version.statement else []


def known(warehouse: Path, dataset: str) -> list[Version]:
    """Every version of a dataset, oldest first. Raises NotThere, or DatasetError for one that is damaged."""
    try:
        dataset_folder(warehouse, dataset)
    except (DatasetError, ConfigError) as absent:
        raise NotThere(str(absent)) from None
    except OSError:  # longer than a name can be
        raise NotThere("There is no dataset of this name.") from None
    return versions(warehouse, dataset)


def build(found: list[Version], number: int) -> Version:
    """The version of this number. Raises NotThere that lists those there are."""
    try:
        return build_at(found, number)
    except DatasetError as absent:
        raise NotThere(str(absent)) from None


def moments(warehouse: Path, dataset: str) -> list[Moment]:
    """Every version of a dataset with what became of it, oldest first."""
    every, logged = known(warehouse, dataset), entries(warehouse / dataset)
    found: list[Moment] = []
    earlier: Version | None = None
    for version in every:
        found.append(_moment(warehouse / dataset, version, earlier, logged))
        earlier = version if version.rows is not None else earlier
    return found


def _moment(folder: Path, version: Version, earlier: Version | None, logged: list[Entry]) -> Moment:
    recalls = of_kind(logged, "recall", version.number)
    uses = of_kind(logged, "use", version.number)
    fewer = version.rows - earlier.rows if earlier and earlier.rows is not None and version.rows is not None else None
    recalled_at = recalls[-1]["at"] if recalls else None
    return Moment(
        version, earlier.number if earlier else None, fewer, _seal(folder, version, logged), recalled_at, uses
    )


def _seal(folder: Path, version: Version, logged: list[Entry]) -> Seal:
    """Whether a version is sealed; if not, what it lacks, or that its statement is not the one that was sealed."""
    if version.statement is None:
        return "cut short"
    if not of_kind(logged, "version", version.number):
        return "unlogged"
    try:
        require_recorded(folder, version.number, logged)
    except DatasetError:
        return "changed"
    return "sealed"
