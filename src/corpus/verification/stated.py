"""What is said of a version, each against the other: its commit, intent, statement, policy and record."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from corpus.audit.pinned import policy_of
from corpus.errors import CorpusError, DatasetError
from corpus.evidence.envelope import INTENT, STATEMENT, opened, payload_of
from corpus.evidence.formats import require_known
from corpus.evidence.record import as_record
from corpus.evidence.store import digest_of, read_document, statement_path
from corpus.verification.delta_log import each
from corpus.verification.findings import Failed, Unchecked, some
from corpus.verification.subject import (
    Document,
    Subject,
    commit_of,
    intended,
    intents,
    misdirected,
    payloads,
    said_of,
    signed_statement,
)


def commit(subject: Subject, version: int) -> str:
    """Whether the commit names an intent that is there, and the build's transaction."""
    own = commit_of(subject, version)
    digests = {digest_of(payload_of(envelope)): path for path, envelope in intents(subject, own)}
    if own.intent not in digests:
        there = ", ".join(f"{path.name} with {digest[:16]}…" for digest, path in digests.items()) or "none"
        raise Failed(
            f"the commit names the intent {own.intent[:16]}… of build {own.build_id}; there is {there}",
            "the intent that was written before the commit",
        )
    transactions = [(txn["appId"], txn["version"]) for txn in each(subject.delta, "txn", version)]
    if transactions != [(own.build_id, 1)]:
        raise Failed(f"the commit has the transactions {transactions}", f"that of build {own.build_id}, version 1")
    return f"build {own.build_id}, intent {own.intent[:16]}…"


def intent(subject: Subject, version: int) -> str:
    """Whether the key signed each intent that the commit may mean, for this version."""
    own = commit_of(subject, version)
    found = list(intents(subject, own))
    if not found:
        raise Failed(f"there is no intent of build {own.build_id}", "evidence/intents/<build_id>.json")
    for path, envelope in found:
        try:
            document = opened(envelope, INTENT, subject.public)
        except DatasetError as wrong:
            raise Failed(f"{path.name}: {wrong}", "an intent signed by the dataset's key") from None
        other = misdirected(subject, own, document)
        if other and digest_of(document) == own.intent:
            raise Failed(f"it is for {other}", f"{subject.name}@{version} by build {own.build_id}")
    return f"signed, for build {own.build_id} on version {version - 1}"


def statement(subject: Subject, version: int) -> str:
    """Whether the key signed the statement, and it says what intent and commit say."""
    path = statement_path(subject.folder, version)
    envelope = read_document(path)
    if envelope is None:
        raise Failed(f"there is no {path.name}", "a statement: the version is not sealed")
    found = opened(envelope, STATEMENT, subject.public)
    require_known(found)
    expected = intended(subject, version)
    if expected is None:
        _require_own(subject, version, found)
        return f"signed, digest {digest_of(found)[:16]}…; its intent does not hold, so it stands alone"
    if found != expected:
        differ, said = _differing(expected, found), expected["predicate"]
        raise Failed(
            f"it says something else than intent and commit, in: {some(differ)}",
            f"{subject.name}@{version}, build {said['build_id']}, released {said['released_at']}",
        )
    return f"signed, digest {digest_of(found)[:16]}…"


def policy(subject: Subject, version: int) -> str:
    """Whether the policy's values have the digest that is stated, and by which the build was named."""
    found = payloads(subject, version)
    if not found:
        raise Unchecked("there is neither intent nor statement")
    for what, said in found.items():
        try:
            values = policy_of(said | {"dataset": subject.name, "version": str(version)})
        except (CorpusError, KeyError, TypeError, ValueError) as wrong:
            raise Failed(
                f"in the {what}: {wrong}", f"values with the digest {_short(said['policy'].get('digest'))}"
            ) from None
        if said["policy_digest"] != values.digest or said["policy"]["name"] != values.name:
            raise Failed(
                f"in the {what}: the build was named by the policy {_short(said['policy_digest'])}",
                f"{values.name} with the digest {_short(values.digest)}",
            )
    digests = {said["policy"]["digest"] for said in found.values()}
    if len(digests) > 1:
        raise Failed("intent and statement have policies of two digests", "one policy")
    return f"{said['policy']['name']}, digest {_short(digests.pop())}"


def record(subject: Subject, version: int) -> str:
    """Whether the log has the version's record, and it says what is signed."""
    found = subject.records().get(version)
    if found is None:
        raise Failed("the log has no record of it", "a record: a version without one is not sealed")
    signed = intended(subject, version) or signed_statement(subject, version)
    if signed is None:
        raise Unchecked("no intent or statement of it holds: nothing to compare the record with")
    expected = as_record(signed, found["previous"])
    if found != expected:
        raise Failed(f"the record says something else, in: {some(_differing(expected, found))}", "what is signed")
    return f"in the log, statement {found['statement'][:16]}…"


def inputs(subject: Subject, version: int) -> str:
    """Until when the version is sure to be derivable again. Raises Unchecked where that is past, or not known."""
    said = said_of(subject, version)
    pinned = {pin["table"]: [pin["id"], pin["version"]] for pin in said["inputs"]}
    if pinned != said["pinned"]:
        raise Failed(f"the build was named by other inputs than it states: {said['pinned']}", str(pinned))
    archived = sorted(path.name for path in (subject.folder / "archive").glob("*") if path.is_dir())
    kept = f"; the people plane is kept in archive/ ({', '.join(archived)})" if archived else ""
    bounds = {pin["table"]: pin["opens_until"] for pin in said["inputs"]}
    unknown = [table for table, until in bounds.items() if until is None]
    if unknown:
        raise Unchecked(f"how long {some(unknown)} open is not known{kept}")
    first = min(bounds, key=lambda table: str(bounds[table]))
    until = f"{bounds[first]} (by {first}){kept}"
    if datetime.fromisoformat(bounds[first]) <= subject.now:
        raise Unchecked(
            f"it was sure to be re-derivable until {until}; that is past. `corpus reproduce` may still do it"
        )
    return f"re-derivable until {until}"


def _require_own(subject: Subject, version: int, found: Document) -> None:
    said, own = found["predicate"], subject.commits.get(version)
    expected = (subject.name, str(version), own.build_id if own else said["build_id"])
    there = (said.get("dataset"), said.get("version"), said["build_id"])
    if there != expected:
        raise Failed("it is of {}@{} by build {}".format(*there), "{}@{} by build {}".format(*expected))


def _differing(expected: Any, found: Any, name: str = "") -> list[str]:
    """The fields in which two documents differ, by their paths."""
    if not isinstance(expected, dict) or not isinstance(found, dict):
        return [] if expected == found else [name]
    names = sorted(expected.keys() | found.keys())
    return [
        path for key in names for path in _differing(expected.get(key), found.get(key), f"{name}.{key}".lstrip("."))
    ]


def _short(digest: object) -> str:
    return f"{digest}"[:16] + "…"
