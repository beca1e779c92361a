"""Sealing: a committed version gets its signed statement and its record in the log, if it is what its intent said.

Whatever else is found among a dataset's commits is named, and never blessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pyspark.sql import SparkSession

from corpus import snapshot
from corpus.errors import DatasetError, EnvironmentFault
from corpus.evidence.commits import HOUSEKEEPING, Commit, commits, rewritten
from corpus.evidence.envelope import INTENT, STATEMENT, opened, sealed
from corpus.evidence.journal import append
from corpus.evidence.keys import Signer, public_key, signer_of
from corpus.evidence.lease import lease
from corpus.evidence.leaves import require_trees
from corpus.evidence.record import Record, as_record, digest_of_record, records
from corpus.evidence.statement import as_statement
from corpus.evidence.store import (
    digest_of,
    intent_path,
    read_document,
    statement_path,
    superseded_path,
    write_document,
)
from corpus.schemas import SNAPSHOT, columns

OpenSpark = Callable[[], AbstractContextManager[SparkSession]]
Statement = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What became of one commit, and why."""

    version: int
    kind: Literal["sealed", "finished", "expected", "refused"]
    said: str


@dataclass(frozen=True)
class Sealing:
    """What became of each commit of a dataset, in order."""

    dataset: str
    outcomes: list[Outcome]

    def of(self, kind: str) -> list[Outcome]:
        """The outcomes of one kind."""
        return [outcome for outcome in self.outcomes if outcome.kind == kind]

    def require_none_refused(self) -> None:
        """Raises DatasetError that names every commit that could not be sealed."""
        if refused := self.of("refused"):
            raise DatasetError("\n".join(f"{self.dataset}@{one.version} is not sealed: {one.said}" for one in refused))


@dataclass(frozen=True)
class Book:
    """A dataset whose lease is held, who signs for it, and its records so far by version, in the log's order."""

    dataset: Path
    signer: Signer
    records: dict[int, Record]

    @property
    def last(self) -> Record | None:
        """The newest record."""
        return next(reversed(self.records.values()), None)


def seal(dataset: Path, signing_key: Path | str, open_spark: OpenSpark, wait_seconds: float) -> Sealing:
    """Completes, in order, what builds committed and did not come to seal; a version that is sealed stays as it is."""
    commits(dataset)  # says better than Delta which one is missing
    signer = signer_of(dataset, signing_key)
    with lease(dataset, "corpus seal", wait_seconds):
        return complete(open_book(dataset, signer), open_spark)


def open_book(dataset: Path, signer: Signer) -> Book:
    """The dataset's book, for who holds its lease. Raises DatasetError where the log was changed."""
    return Book(dataset, signer, {int(record["version"]): record for record in records(dataset)})


def complete(book: Book, open_spark: OpenSpark) -> Sealing:
    """`seal`, for who holds the lease; Spark starts only if there is a version to read."""
    with ExitStack() as opened_here:
        spark = cache(lambda: opened_here.enter_context(open_spark()))
        known = commits(book.dataset)
        return Sealing(book.dataset.name, [_completed(book, commit, known, spark) for commit in known])


def seal_version(book: Book, statement: Statement) -> None:
    """Signs and writes a version's statement, then appends its record to the log; what is there is not written again.

    Only for a version that was checked.
    """
    version = int(statement["predicate"]["version"])
    path = statement_path(book.dataset, version)
    if not path.exists():
        write_document(path, sealed(statement, STATEMENT, book.signer))
    if version not in book.records:
        record = as_record(statement, digest_of_record(book.last) if book.last else "")
        append(book.dataset, record, book.signer)
        book.records[version] = record


def write_intent(dataset: Path, intent: dict[str, Any], signer: Signer) -> None:
    """Signs and writes what a build is about to commit.

    Of an earlier try of the same build the intent is kept: its commit may come yet, from a Java that outlived it.
    """
    path = intent_path(dataset, intent["build_id"])
    earlier = read_document(path)
    if earlier is not None:
        write_document(superseded_path(dataset, digest_of(opened(earlier, INTENT, signer.public))), earlier)
    write_document(path, sealed(intent, INTENT, signer))


def statement_if_sealed(dataset: Path, version: int) -> Statement | None:
    """The statement of a version that is finished: stated, signed and in the log; else None. Raises DatasetError."""
    public, known = public_key(dataset), {int(record["version"]): record for record in records(dataset)}
    commit = next(commit for commit in commits(dataset) if commit.version == version)
    statement = _statement_of(dataset, commit, public)
    return statement if _is_sealed(dataset, statement, public, known) else None


def unsealed(dataset: Path) -> list[int]:
    """The versions that say they are a build's and are not in the log: not for training."""
    known = {int(record["version"]) for record in records(dataset)}
    return [commit.version for commit in commits(dataset) if commit.build_id and commit.version not in known]


def require_clock(book: Book, now: datetime, skew_minutes: float) -> None:
    """Raises EnvironmentFault where the clock stands before the last release: what is released now would seem older."""
    if book.last and now < _instant(book.last) - timedelta(minutes=skew_minutes):
        raise EnvironmentFault(
            f"The clock of this machine says {now:%Y-%m-%dT%H:%M:%SZ}, but {_name(book.last)} was released at "
            f"{book.last['released_at']}. Set the clock, and build again; nothing was committed."
        )


def require_content(spark: SparkSession, dataset: Path, statement: Statement) -> None:
    """Raises DatasetError unless the committed rows, and the leaves of both trees, are those that the intent names."""
    said = statement["predicate"]
    _require_rows(spark, dataset, int(said["version"]), said["snapshot"])
    require_trees(dataset, said["build_id"], said["trees"])


def _require_rows(spark: SparkSession, dataset: Path, version: int, said: dict[str, Any]) -> None:
    expected = (int(said["rows"]), said["digest"])
    try:
        documents = snapshot.documents_at(spark, dataset, version)
        names = [column.name for column in columns(SNAPSHOT)]
        if documents.columns != names:
            raise DatasetError(f"it has the columns {', '.join(documents.columns)}; expected {', '.join(names)}.")
        found = (documents.count(), snapshot.row_digest(documents))
    except DatasetError:
        raise
    except Exception as unreadable:  # what Spark raises for a lost or damaged file has many names
        raise DatasetError(f"its rows cannot be read: {str(unreadable).splitlines()[0]}") from None
    if found != expected:
        raise DatasetError(
            f"it holds {found[0]} rows with the digest {found[1][:16]}…; its intent says {expected[0]} with "
            f"{expected[1][:16]}…: somebody changed it after the build, or forged the commit."
        )


def _completed(book: Book, commit: Commit, known: list[Commit], spark: Callable[[], SparkSession]) -> Outcome:
    if commit.is_rewrite:
        return _rewrite(book, commit, rewritten(commit, known), spark)
    if not commit.build_id:
        return _maintenance(commit)
    try:
        statement = _statement_of(book.dataset, commit, book.signer.public)
        if _is_sealed(book.dataset, statement, book.signer.public, book.records):
            return Outcome(commit.version, "finished", "was sealed already")
        _require_order(book, statement)
        require_content(spark(), book.dataset, statement)
    except DatasetError as why:
        return Outcome(commit.version, "refused", str(why))
    seal_version(book, statement)
    return Outcome(commit.version, "sealed", f"build {commit.build_id}")


def _maintenance(commit: Commit) -> Outcome:
    """A commit that claims no build: expected where it is its owner's housekeeping and touches no data."""
    if commit.is_housekeeping:
        return Outcome(commit.version, "expected", f"{commit.operation}: no build, and has no statement by design")
    touched = ", and changes files" if commit.has_data else ""
    return Outcome(
        commit.version,
        "refused",
        f"{commit.operation} by something that is no build{touched}; expected are builds and "
        f"{', '.join(HOUSEKEEPING)}. Do not train on it. The next build replaces its rows; find out who wrote it.",
    )


def _rewrite(book: Book, commit: Commit, before: Commit | None, spark: Callable[[], SparkSession]) -> Outcome:
    """An OPTIMIZE: expected where its rows are those of the sealed version that it rewrites.

    Where a later version is sealed, whose rows are in no way its, `corpus verify` alone reads it.
    """
    if book.last and int(book.last["version"]) > commit.version:
        return Outcome(commit.version, "expected", f"{commit.operation}, as it says; `corpus verify` reads its rows")
    if before is None or before.version not in book.records:
        return Outcome(commit.version, "refused", f"{commit.operation} of rows that no sealed version holds")
    try:
        said = _statement_of(book.dataset, before, book.signer.public)["predicate"]["snapshot"]
        _require_rows(spark(), book.dataset, commit.version, said)
    except DatasetError as why:
        return Outcome(commit.version, "refused", f"{commit.operation} of version {before.version}, but {why}")
    return Outcome(commit.version, "expected", f"{commit.operation}: the rows of version {before.version} in new files")


def _statement_of(dataset: Path, commit: Commit, public: bytes) -> Statement:
    """What the statement of a build's commit must be, from its signed intent. Raises DatasetError."""
    return as_statement(_intent_of(dataset, commit, public), commit.version, commit.released_at)


def _intent_of(dataset: Path, commit: Commit, public: bytes) -> dict[str, Any]:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", commit.build_id) or not re.fullmatch(r"[0-9a-f]{64}", commit.intent):
        raise DatasetError("its commit names no build and intent in the form that builds do: somebody else wrote it.")
    intent = next((each for each in _intents(dataset, commit, public) if digest_of(each) == commit.intent), None)
    if intent is None:
        raise DatasetError(
            f"the intent of build {commit.build_id} is missing or another: the commit names {commit.intent[:16]}…. "
            "Restore evidence/intents from a backup and run `corpus seal`; else build again and leave this version."
        )
    expected = (dataset.name, commit.build_id, commit.version)
    found = (intent["dataset"], intent["build_id"], int(intent["base_version"]) + 1)
    if found != expected:
        raise DatasetError(
            f"its intent is for {found[0]}@{found[2]} by build {found[1]}; the commit is {expected[0]}@{expected[2]} "
            f"by {expected[1]}: somebody copied it."
        )
    return intent


def _intents(dataset: Path, commit: Commit, public: bytes) -> Iterator[dict[str, Any]]:
    for path in (superseded_path(dataset, commit.intent), intent_path(dataset, commit.build_id)):
        envelope = read_document(path)
        if envelope is not None:
            try:
                yield opened(envelope, INTENT, public)
            except DatasetError as wrong:
                raise DatasetError(f"its intent {path.name}: {wrong}") from None


def _is_sealed(dataset: Path, statement: Statement, public: bytes, known: dict[int, Record]) -> bool:
    """Whether a version is stated and recorded; raises DatasetError where statement or record differ."""
    version = int(statement["predicate"]["version"])
    path, record = statement_path(dataset, version), known.get(version)
    envelope = read_document(path)
    if envelope is not None and opened(envelope, STATEMENT, public) != statement:
        raise DatasetError(f"its statement {path.name} is not what intent and commit say: somebody changed one.")
    if record is not None and record != as_record(statement, record["previous"]):
        raise DatasetError("its record in the log is not what intent and commit say: somebody changed one.")
    return envelope is not None and record is not None


def _require_order(book: Book, statement: Statement) -> None:
    said, last = statement["predicate"], book.last
    if last is None or int(said["version"]) in book.records:
        return
    if int(last["version"]) > int(said["version"]):
        raise DatasetError(
            f"{_name(last)} is in the log already, and versions are sealed in order. This one stays unsealed; build "
            "again for one that can be used."
        )
    if datetime.fromisoformat(said["released_at"]) < _instant(last):
        raise DatasetError(
            f"it was released at {said['released_at']} by its commit, before {_name(last)} ({last['released_at']}); "
            "the clock of the machine went backwards, or the commit was changed. Set the clock, and build again."
        )


def _name(record: Record) -> str:
    return f"{record['dataset']}@{record['version']}"


def _instant(record: Record) -> datetime:
    return datetime.fromisoformat(record["released_at"]).astimezone(UTC)
