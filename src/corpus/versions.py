"""The versions of a dataset on disk: names, commits and statements, and its tables opened for SQL, without a JVM."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote

from deltalake import DeltaTable, QueryBuilder
from deltalake.exceptions import DeltaError, TableNotFoundError

from corpus.errors import ConfigError, DatasetError, nearest
from corpus.evidence.journal import moment
from corpus.evidence.store import dataset_names, read_statement, statement_path

# ruff: noqa: PLC0415 (what reads files is loaded by who reads them)

if TYPE_CHECKING:
    from pyarrow import RecordBatch

Row = dict[str, Any]
Kind = Literal["build", "unsealed", "maintenance", "empty"]
NAME = re.compile(r"[a-z0-9](?!.*\.\.)[a-z0-9._-]*")


@dataclass(frozen=True)
class Version:
    """One version of a dataset's snapshot; what a build says of it stands in its statement."""

    dataset: str
    number: int
    kind: Kind
    build_id: str | None
    released_at: str
    operation: str
    statement: Row | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """As people write it: uk-social@3."""
        return f"{self.dataset}@{self.number}"

    @property
    def predicate(self) -> Row:
        """What the statement says; nothing where there is none."""
        return self.statement["predicate"] if self.statement else {}

    @property
    def rows(self) -> int | None:
        """How many documents it holds, by its statement."""
        return int(self.predicate["snapshot"]["rows"]) if self.statement else None

    @property
    def cutoff(self) -> str | None:
        """Before which instant its posts were made."""
        return self.predicate.get("cutoff")

    @property
    def policy(self) -> str | None:
        """The name of its policy."""
        return str(self.predicate["policy"]["name"]) if self.statement else None

    def summary(self) -> Row:
        """The version in a few values, without its statement."""
        own = ("dataset", "number", "kind", "build_id", "released_at", "cutoff", "rows", "policy", "operation")
        return {name: getattr(self, name) for name in own}


def parse_name(dataset: str) -> str:
    """The name of a dataset, if it is one. Raises ConfigError."""
    if NAME.fullmatch(dataset):
        return dataset
    raise ConfigError(
        f"'{dataset}' is not a dataset's name: write small letters, digits and '.', '_', '-', beginning with"
        " a letter or digit, as uk-social."
    )


def parse_reference(text: str) -> tuple[str, int | None]:
    """The dataset and the version in `uk-social@7`; no version in `uk-social`. Raises ConfigError."""
    dataset, at, number = text.partition("@")
    if at and not re.fullmatch(r"[0-9]{1,18}", number):
        raise ConfigError(f"'{text}' names no version: write DATASET@N, as {_or_example(dataset)}@7.")
    return parse_name(dataset), int(number) if at else None


def parse_one(text: str) -> tuple[str, int]:
    """The dataset and the version in `uk-social@7`, both needed. Raises ConfigError."""
    dataset, number = parse_reference(text)
    if number is None:
        raise ConfigError(f"'{text}' names no version: write DATASET@N, as {dataset}@7.")
    return dataset, number


def parse_span(text: str) -> tuple[str, tuple[int, int]]:
    """The dataset and the two versions in `uk-social@2..3`. Raises ConfigError."""
    dataset, _, numbers = text.partition("@")
    if not re.fullmatch(r"[0-9]{1,18}\.\.[0-9]{1,18}", numbers):
        raise ConfigError(f"'{text}' names no two versions: write DATASET@A..B, as {_or_example(dataset)}@2..3.")
    before, after = numbers.split("..")
    return parse_name(dataset), (int(before), int(after))


def _or_example(dataset: str) -> str:
    return dataset if NAME.fullmatch(dataset) else "uk-social"


def versions(warehouse: Path, dataset: str) -> list[Version]:
    """Every version of a dataset, oldest first. Raises DatasetError where there is no such dataset."""
    folder = dataset_folder(warehouse, dataset)
    with _readable(dataset):
        commits = numbered_commits(folder / "snapshot")
    if not commits:
        raise DatasetError(
            f"The commits of {folder / 'snapshot'} are there, and cannot be read under this name: a '?' or '#' in a "
            "folder's name is taken for the end of an address. Give the warehouse a plainer path, or a link to it."
        )
    return sorted((_version(folder, commit) for commit in commits), key=lambda version: version.number)


def numbered_commits(table: Path) -> list[Row]:
    """The commits of a table with their numbers, the newest first.

    deltalake counts them down from the version that it opened: of one that came since, they would be one too high.
    """
    while True:
        opened_at = DeltaTable(table)
        commits = opened_at.history()
        if not (table / "_delta_log" / f"{opened_at.version() + 1:020d}.json").exists():
            return commits


def dataset_folder(warehouse: Path, dataset: str) -> Path:
    """Where a dataset stands. Raises DatasetError where there is no such dataset."""
    require_warehouse(warehouse)
    folder = warehouse / parse_name(dataset)
    if (folder / "snapshot/_delta_log").is_dir():
        return folder
    known = dataset_names(warehouse)
    there = f"there are: {', '.join(known)}" if known else "the warehouse is empty; `corpus build` makes one"
    raise DatasetError(f"There is no dataset '{dataset}' in {warehouse}{nearest(dataset, known)}; {there}.")


def require_warehouse(warehouse: Path) -> None:
    """Raises DatasetError where there is no such folder."""
    if not warehouse.is_dir():
        raise DatasetError(f"There is no warehouse {warehouse}: name it by --warehouse or CORPUS_WAREHOUSE.")


def _version(folder: Path, commit: Row) -> Version:
    number, build_id = commit["version"], _build_id(commit.get("userMetadata"))
    statement = _statement(folder, number) if build_id else None
    if statement and statement["predicate"]["build_id"] != build_id:
        raise DatasetError(f"The statement of {folder.name}@{number} is that of another build: somebody changed it.")
    kind: Kind = "build" if statement else "unsealed" if build_id else "maintenance" if number else "empty"
    return Version(folder.name, number, kind, build_id, _instant(commit["timestamp"]), commit["operation"], statement)


def _build_id(user_metadata: str | None) -> str | None:
    """The build that a commit says it is; None for a commit that is no build's."""
    try:
        said = json.loads(user_metadata or "null")
    except ValueError:
        return None
    return said.get("build_id") if isinstance(said, dict) else None


def _instant(milliseconds: int) -> str:
    return moment(datetime.fromtimestamp(milliseconds / 1000, UTC))


def _statement(folder: Path, number: int) -> Row | None:
    statement = read_statement(statement_path(folder, number))
    if statement is None:
        return None
    try:
        int(statement["predicate"]["snapshot"]["rows"])
    except (ValueError, KeyError, TypeError) as broken:
        path = statement_path(folder, number)
        raise DatasetError(f"The statement {path} cannot be read: {broken!r}.") from None
    return statement


def build_at(known: list[Version], number: int) -> Version:
    """The version of this number, if a build made it. Raises DatasetError that lists those that do exist."""
    found = next((version for version in known if version.number == number), None)
    builds = [str(version.number) for version in known if version.build_id]
    there = f"it has {', '.join(builds)}" if builds else "nothing was built yet"
    if found is None:
        raise DatasetError(f"{known[0].dataset} has no version {number}; {there}.")
    if not found.build_id:
        raise DatasetError(f"{found.name} is no build but {_said(found)}; {there}.")
    return found


def _said(version: Version) -> str:
    return "the empty beginning" if version.kind == "empty" else f"maintenance ({version.operation})"


def newest(known: list[Version]) -> Version:
    """The last version that a build made. Raises DatasetError where there is none."""
    return build_at(known, max((version.number for version in known if version.build_id), default=0))


def opened(folder: Path, **named: str | tuple[str, int]) -> QueryBuilder:
    """Tables of a dataset under the names that SQL gives them. Raises DatasetError where one cannot be read."""
    builder = QueryBuilder()
    for name, place in named.items():
        table, version = (place, None) if isinstance(place, str) else place
        with _readable(f"{folder.name}/{table}"):
            builder.register(name, DeltaTable(folder / table, version=version))
    return builder


def table_property(folder: Path, name: str) -> str:
    """A property of a dataset's snapshot; empty if it has none. Raises DatasetError where it cannot be read."""
    with _readable(f"{folder.name}/snapshot"):
        found: str | None = DeltaTable(folder / "snapshot").metadata().configuration.get(name)
    return found or ""


def input_table(location: str, version: int) -> QueryBuilder:
    """A pinned input as the table `p`. Raises DatasetError where it does not open any more."""
    with _readable(f"Version {version} of {location}"):
        return QueryBuilder().register("p", DeltaTable(location.removeprefix("file:"), version=version))


def select(tables: QueryBuilder, dataset: str, sql: str) -> list[Row]:
    """The rows of a query of our own; whatever comes from outside stands in it as a literal."""
    with _readable(dataset):
        found = tables.execute(sql).read_all()
    columns = [found[name].to_pylist() for name in found.column_names]
    return [dict(zip(found.column_names, row, strict=True)) for row in zip(*columns, strict=True)]


def streamed(folder: Path, number: int, columns: list[str]) -> Iterator[RecordBatch]:
    """The rows of a version as its files have them, in small batches that take little memory."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    with _readable(f"{folder.name}@{number}"):
        files = pa.table(DeltaTable(folder / "snapshot", version=number).get_add_actions(flatten=True))
        for path in files["path"].to_pylist():
            with ParquetFile(folder / "snapshot" / unquote(path), buffer_size=2**20) as file:
                yield from file.iter_batches(8192, columns=columns)


def literal(value: str | None) -> str:
    """A string as SQL: a quote inside is doubled; DataFusion knows no other escape."""
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"


@contextmanager
def _readable(what: str) -> Iterator[None]:
    try:
        yield
    except TableNotFoundError:
        hint = "members/ and exclusions/ are for the privacy team"
        raise DatasetError(f"{what} is not there, or you may not read it ({hint}).") from None
    except DeltaError as wrong:
        raise DatasetError(f"{what} cannot be read: {wrong}") from None
    except Exception as wrong:  # deltalake raises bare Exception for a missing or broken file
        raise DatasetError(f"{what} cannot be read, a file is missing or damaged: {wrong}") from None
