"""The dataset under examination, and what of it is signed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from deltalake import DeltaTable, QueryBuilder

from corpus.errors import DatasetError
from corpus.evidence.commits import Commit
from corpus.evidence.envelope import INTENT, STATEMENT, opened, payload_of
from corpus.evidence.formats import require_known
from corpus.evidence.statement import as_statement
from corpus.evidence.store import digest_of, intent_path, read_document, statement_path, superseded_path
from corpus.verification.delta_log import DeltaLog, metadata
from corpus.verification.findings import Failed, Unchecked
from corpus.versions import literal

Document = dict[str, Any]
RETENTIONS = {"delta.deletedFileRetentionDuration": 7, "delta.logRetentionDuration": 30}
"""How many days Delta keeps files and log by default, by the property that says so."""


@dataclass(frozen=True)
class Subject:
    """A dataset as it lies there: its commits, what its log holds (None where it does not hold), and who looks."""

    folder: Path
    public: bytes
    delta: DeltaLog
    commits: dict[int, Commit]
    entries: list[Document] | None
    key: bytes | None = field(repr=False)
    now: datetime
    database: duckdb.DuckDBPyConnection

    @property
    def name(self) -> str:
        """The dataset's name."""
        return self.folder.name

    def of_kind(self, kind: str) -> list[Document]:
        """The entries of one kind. Raises Unchecked where the log does not hold."""
        if self.entries is None:
            raise Unchecked("the log does not hold: see there")
        return [entry for entry in self.entries if entry.get("kind") == kind]

    def records(self) -> dict[int, Document]:
        """The records of the log by version. Raises Unchecked where the log does not hold."""
        return {int(entry["version"]): entry for entry in self.of_kind("version")}

    def stated(self) -> list[int]:
        """The versions that have a statement's file."""
        paths = (self.folder / "evidence" / "statements").glob("*.json")
        return sorted(int(path.stem) for path in paths if path.stem.isdecimal())

    def builds(self) -> list[int]:
        """Every version that its commit, a statement or the log says to be a build's."""
        logged = [int(e["version"]) for e in self.entries or [] if e.get("kind") == "version"]
        return sorted({*(n for n, commit in self.commits.items() if commit.build_id), *self.stated(), *logged})


def days_kept(properties: dict[str, str]) -> int:
    """How many days Delta keeps versions and log: its own default where that is not set, or not in days."""
    found = []
    for name, default in RETENTIONS.items():
        written = re.fullmatch(r"interval (\d+) days?", str(properties.get(name, "")), re.IGNORECASE)
        found.append(int(written[1]) if written else default)
    return min(found)


def is_past(subject: Subject, version: int) -> bool:
    """Whether a version has been kept as long as it must: its files may be gone."""
    commit = subject.commits.get(version)
    if commit is None or version == subject.delta.newest:
        return False
    properties = metadata(subject.delta, subject.delta.newest).get("configuration", {})
    return subject.now >= commit.released_at + timedelta(days=days_kept(properties))


@contextmanager
def with_rows(subject: Subject, name: str, build_id: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """The database with a build's rows of a side table, as `side`. Raises Unchecked where it cannot be opened."""
    try:
        table = QueryBuilder().register("t", DeltaTable(subject.folder / name))
        rows = table.execute(f"SELECT * FROM t WHERE build_id = {literal(build_id)}")  # noqa: S608 (a literal)
    except Exception as cannot:  # deltalake raises bare Exception for a missing or broken file
        raise Unchecked(f"{name}/ is not there, or may not be read: {str(cannot).splitlines()[0]}") from None
    with subject.database.cursor() as opened:
        opened.register("rows", rows)
        opened.execute("CREATE OR REPLACE TEMP TABLE side AS FROM rows")
        yield opened


def commit_of(subject: Subject, version: int) -> Commit:
    """A version's commit, if it is a build's. Raises Failed."""
    commit = subject.commits.get(version)
    if commit is None:
        raise Failed("there is no commit that can be read", f"commit {version}: a statement or the log tells of it")
    if not commit.build_id:
        raise Failed(f"its commit ({commit.operation}) names no build", "a build: a statement or the log tells of it")
    return commit


def intents(subject: Subject, commit: Commit) -> Iterator[tuple[Path, Document]]:
    """The envelopes that may hold a commit's intent: of the try that was superseded, and of the last."""
    named = (superseded_path(subject.folder, commit.intent), intent_path(subject.folder, commit.build_id))
    for path in named:
        envelope = read_document(path) if path.is_relative_to(subject.folder) and ".." not in path.parts else None
        if envelope is not None:
            yield path, envelope


def signed_intent(subject: Subject, commit: Commit) -> Document | None:
    """The intent that a commit names, if the dataset's key signed it for this very version."""
    for _, envelope in intents(subject, commit):
        try:
            intent = opened(envelope, INTENT, subject.public)
        except DatasetError:
            continue
        if digest_of(intent) == commit.intent and not misdirected(subject, commit, intent):
            return intent
    return None


def misdirected(subject: Subject, commit: Commit, intent: Document) -> str:
    """For what else than this commit an intent is; empty where it is for this one."""
    expected = (subject.name, commit.build_id, commit.version)
    found = (intent["dataset"], intent["build_id"], int(intent["base_version"]) + 1)
    return "" if found == expected else f"{found[0]}@{found[2]} by build {found[1]}"


def signed_statement(subject: Subject, version: int) -> Document | None:
    """The statement of a version, if the dataset's key signed it for this version; None if there is none such."""
    envelope = read_document(statement_path(subject.folder, version))
    try:
        statement = opened(envelope, STATEMENT, subject.public) if envelope else {}
        require_known(statement)
    except DatasetError:
        return None
    said = statement["predicate"]
    return statement if (said.get("dataset"), said.get("version")) == (subject.name, str(version)) else None


def intended(subject: Subject, version: int) -> Document | None:
    """The statement that a version must have, by its commit and the intent that it names; None where that fails."""
    commit = subject.commits.get(version)
    intent = signed_intent(subject, commit) if commit and commit.build_id else None
    return as_statement(intent, version, commit.released_at) if commit and intent else None


def said_of(subject: Subject, version: int) -> Document:
    """What the key signed of a version: by the intent that its commit names, else by its statement.

    Raises Unchecked where neither holds.
    """
    try:
        statement = intended(subject, version) or signed_statement(subject, version)
    except (DatasetError, KeyError, TypeError, ValueError):
        statement = None
    if statement is None:
        raise Unchecked("no intent or statement of it holds: nothing that is signed says what it must be")
    predicate: Document = statement["predicate"]
    return predicate


def payloads(subject: Subject, version: int) -> dict[str, Document]:
    """What intent and statement say, whoever signed them, by the word for each."""
    found: dict[str, Document] = {}
    commit = subject.commits.get(version)
    for _, envelope in intents(subject, commit) if commit and commit.build_id else ():
        found["intent"] = payload_of(envelope)
        if digest_of(found["intent"]) == commit.intent:  # type: ignore[union-attr]
            break
    written = read_document(statement_path(subject.folder, version))
    if written is not None:
        found["statement"] = payload_of(written)["predicate"]
    return found
