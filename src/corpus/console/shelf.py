"""What pages show of a dataset: its versions, with what the log says became of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from corpus.errors import ConfigError, DatasetError
from corpus.evidence.journal import Entry, entries, of_kind
from corpus.render import departures
from corpus.versions import Version, build_at, dataset_folder, versions


class NotThere(DatasetError):
    """A dataset or a version that is not there, as opposed to one that is damaged."""


@dataclass(frozen=True)
class Moment:
    """A version on the timeline: since the build before, and as the log has it."""

    version: Version
    previous: int | None
    before: int | None
    is_sealed: bool
    recalled_at: str | None
    uses: list[Entry]

    @property
    def departures(self) -> list[str]:
        """The rules and gates that it was built without."""
        return departures(self.version.predicate) if self.version.statement else []


def names(warehouse: Path) -> list[str]:
    """The datasets of a warehouse."""
    return sorted(path.parent.parent.name for path in warehouse.glob("*/snapshot/_delta_log"))


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
        found.append(_moment(version, earlier, logged))
        earlier = version if version.rows is not None else earlier
    return found


def _moment(version: Version, earlier: Version | None, logged: list[Entry]) -> Moment:
    recalls = of_kind(logged, "recall", version.number)
    sealed, uses = (of_kind(logged, kind, version.number) for kind in ("version", "use"))
    fewer = version.rows - earlier.rows if earlier and earlier.rows is not None and version.rows is not None else None
    recalled_at = recalls[-1]["at"] if recalls else None
    return Moment(version, earlier.number if earlier else None, fewer, bool(sealed), recalled_at, uses)
