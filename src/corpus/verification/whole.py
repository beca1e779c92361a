"""Everything of a dataset that can be checked with the data at hand, and a line about each."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path

from corpus.audit.engine import database
from corpus.dataset_key import key_id, read_key
from corpus.errors import DatasetError
from corpus.evidence.commits import Commit, commit_of
from corpus.evidence.journal import entries
from corpus.evidence.keys import public_key
from corpus.progress import step
from corpus.verification import exported, history, ledgers, readers, registers, stated, stored, trees
from corpus.verification.delta_log import DeltaLog, each, read_log
from corpus.verification.findings import Finding, Report, finding
from corpus.verification.subject import Document, Subject
from corpus.versions import dataset_folder

OfVersion = Callable[[Subject, int], str]
OF_VERSION: dict[str, OfVersion] = {
    "commit": stated.commit,
    "intent": stated.intent,
    "statement": stated.statement,
    "policy": stated.policy,
    "record": stated.record,
    "files": stored.files,
    "statistics": stored.statistics,
    "reader": readers.reader,
    "rows": stored.rows,
    "leaves": trees.leaves,
    "tokens": trees.tokens,
    "members": ledgers.members,
    "document ids": trees.document_ids,
    "funnel": ledgers.funnel,
    "opens": history.opens,
    "inputs": stated.inputs,
}
"""What is checked of each version, by the name that `findings.CHECKS` explains."""


OF_EXPORT: dict[str, Callable[[Subject, int, Path], str]] = {
    "export": exported.export,
    "export files": exported.files,
    "export rows": exported.rows,
}
"""What is checked of an export of a version, where a folder with one is given."""


def verify(  # noqa: PLR0913, PLR0917 (which versions, by which keys and checkpoint, when)
    warehouse: Path,
    dataset: str,
    number: int | None,
    now: datetime,
    key_file: Path | None = None,
    public: bytes | None = None,
    since: str | None = None,
    memory: str = "2GB",
    export: Path | None = None,
) -> Report:
    """Checks a dataset, and one version of it or all; every check gives a finding, whatever it comes upon.

    With the folder of an export, that as well.

    Raises DatasetError where there is no such dataset or version, or the key in that file is another's.
    """
    folder = dataset_folder(warehouse, dataset).absolute()
    key = read_key(key_file) if key_file else None
    with database(memory) as opened:
        delta = read_log(folder / "snapshot")
        if key is not None:
            _require_own(delta, key, key_file)
        signer = public or _key_beside(folder)
        subject = Subject(folder, signer, delta, _commits(delta), _entries(folder), key, now, opened)
        with step(f"checking the evidence of {dataset}"):
            found = _of_dataset(subject, public, since)
        for version in _wanted(subject, number):
            with step(f"checking {dataset}@{version}"):
                found += [_of_version(subject, name, version) for name in OF_VERSION]
            if export:
                with step(f"checking the export in {export}"):
                    found += [_of_export(subject, name, version, export) for name in OF_EXPORT]
    return Report(dataset, found)


def _of_dataset(subject: Subject, public: bytes | None, since: str | None) -> list[Finding]:
    checks: dict[str, Callable[[], str]] = {
        "public key": lambda: history.public_key(subject, public),
        "commits": lambda: history.commits(subject),
        "history": lambda: history.history(subject),
        "table": lambda: history.table(subject),
        "log": lambda: registers.log(subject),
        "kept checkpoint": lambda: registers.kept_checkpoint(subject, since),
        "time stamps": lambda: registers.time_stamps(subject),
        "uses": lambda: registers.uses(subject),
        "recalls": lambda: registers.recalls(subject),
        "side tables": lambda: ledgers.side_tables(subject),
    }
    return [finding(name, subject.name, look) for name, look in checks.items()]


def _of_version(subject: Subject, name: str, version: int) -> Finding:
    return finding(name, f"{subject.name}@{version}", partial(OF_VERSION[name], subject, version))


def _of_export(subject: Subject, name: str, version: int, folder: Path) -> Finding:
    return finding(name, f"{subject.name}@{version}", lambda: OF_EXPORT[name](subject, version, folder))


def _wanted(subject: Subject, number: int | None) -> list[int]:
    builds = subject.builds()
    if number is None:
        return builds
    if number not in builds:
        there = ", ".join(map(str, builds)) or "none"
        raise DatasetError(f"{subject.name}@{number} is no build's version; there is {there}.")
    return [number]


def _commits(delta: DeltaLog) -> dict[int, Commit]:
    """The commits that can be read; the others are findings of `commits`."""
    found = {}
    for number, actions in delta.actions.items():
        try:
            found[number] = commit_of(delta.table / "_delta_log" / f"{number:020d}.json", actions)
        except DatasetError as broken:
            delta.unreadable[number] = str(broken)
    return found


def _entries(folder: Path) -> list[Document] | None:
    """The log's entries; None where the log does not hold."""
    try:
        return entries(folder)
    except (DatasetError, ValueError):
        return None


def _key_beside(folder: Path) -> bytes:
    """The public key beside the data; one that has signed nothing where there is none: a finding says so."""
    with suppress(DatasetError):
        return public_key(folder)
    return bytes(32)


def _require_own(delta: DeltaLog, key: bytes, place: Path | None) -> None:
    said = [metadata["configuration"].get("corpus.keyId") for metadata in each(delta, "metaData", 0)]
    if said and said[-1] != key_id(key):
        name = delta.table.parent.name
        raise DatasetError(f"The key in {place} is not that of {name}. Name the right one with --key, or none.")
