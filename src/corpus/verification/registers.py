"""The log of a dataset: whole, an extension of what was seen before, and what it says of uses and recalls."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from corpus.audit.pinned import policy_of
from corpus.errors import DatasetError
from corpus.evidence.log import require_no_more
from corpus.evidence.log_check import checked
from corpus.evidence.store import digest_of, log_folder
from corpus.evidence.timestamps import stamps
from corpus.verification.findings import Failed, Unchecked
from corpus.verification.subject import Document, Subject, said_of
from corpus.versions import opened, select

LISTED = ("objection_id", "subject_kind", "subject_id", "post_id", "doc_id", "held")
ORDER = ("objection_id", "subject_id", "post_id", "doc_id", "held")


def log(subject: Subject) -> str:
    """Whether all of the log is what the key signed, and no more lies behind it than a crash leaves."""
    folder = log_folder(subject.folder)
    found = checked(folder, subject.name, subject.public)
    require_no_more(folder, found.checkpoint.size)
    kinds = ", ".join(f"{count} of {kind}s" for kind, count in found.kinds.items())
    return f"{found.checkpoint.size} entries ({kinds}), root {found.checkpoint.root.hex()[:16]}…"


def kept_checkpoint(subject: Subject, since: str | None) -> str:
    """Whether the log extends a checkpoint that was kept elsewhere."""
    if since is None:
        raise Unchecked(
            "no checkpoint that was kept elsewhere was given (--since): a whole that was put back to an earlier state, "
            "or a history signed twice, would not be noticed"
        )
    found = checked(log_folder(subject.folder), subject.name, subject.public, since)
    return f"the log extends the {found.since.size if found.since else 0} entries of the checkpoint given"


def time_stamps(subject: Subject) -> str:
    """Whether each time stamp is of this log."""
    found = stamps(log_folder(subject.folder))
    if not found:
        raise Unchecked("there is none; `corpus timestamp` has the log stamped")
    size, moment = max(found.items())
    return (
        f"{len(found)}, the last of {size} entries at {moment.isoformat()}; `corpus log verify --roots` checks by whom"
    )


def uses(subject: Subject) -> str:
    """Whether each use is of a version that could be used then."""
    subject.of_kind("use")
    recalled: set[str] = set()
    sealed: dict[str, str] = {}
    for index, entry in enumerate(subject.entries or []):
        if entry["kind"] == "version":
            sealed[entry["version"]] = entry["released_at"]
        elif entry["kind"] == "recall":
            recalled.add(entry["version"])
        else:
            _require_usable(subject, index, entry, sealed, recalled)
    return f"{len(subject.of_kind('use'))} uses, each of a version that could be used"


def recalls(subject: Subject) -> str:
    """Whether the list behind each recall is there, and has the digest that the log has."""
    logged = subject.of_kind("recall")
    if not logged:
        return "none in the log"
    try:
        rows = select(opened(subject.folder, r="recalls"), subject.name, "SELECT * FROM r")
    except DatasetError as cannot:
        raise Unchecked(str(cannot)) from None
    for entry in logged:
        own = [row for row in rows if (str(row["version"]), row["digest"]) == (entry["version"], entry["digest"])]
        found = (digest_of_list(entry["version"], own), str(len({row["objection_id"] for row in own})))
        if found != (entry["digest"], entry["objections"]):
            raise Failed(
                f"the list of version {entry['version']} has {found[1]} objections and the digest {found[0][:16]}…",
                f"{entry['objections']} and {entry['digest'][:16]}…",
            )
    others = {row["digest"] for row in rows} - {entry["digest"] for entry in logged}
    return f"{len(logged)} lists" + (f"; {len(others)} more that no entry names" if others else "")


def digest_of_list(version: str, rows: list[dict[str, Any]]) -> str:
    """What the log has of a recalled version's list, as docs/dataset.md defines it."""
    ordered = sorted(rows, key=lambda row: [(row[name] is None, row[name] or "") for name in ORDER])
    return digest_of({"version": version, "list": [{name: row[name] for name in LISTED} for row in ordered]})


def _require_usable(subject: Subject, index: int, entry: Document, sealed: dict[str, str], recalled: set[str]) -> None:
    version, at = entry["version"], datetime.fromisoformat(entry["at"])
    where = f"entry {index}, the use of version {version} by {entry['run']}"
    if version not in sealed:
        raise Failed(f"{where}, came before its record", "sealed versions")
    if version in recalled:
        raise Failed(f"{where}, came after its recall", "versions that are not recalled")
    released = datetime.fromisoformat(sealed[version])
    if at < released - timedelta(seconds=1):
        raise Failed(f"{where}, was at {entry['at']}, before its release", f"a time after {sealed[version]}")
    try:
        days = policy_of(said_of(subject, int(version))).use.expires_days
    except Unchecked:
        return
    if at >= released + timedelta(days=days):
        raise Failed(f"{where}, was at {entry['at']}", f"a time before it expired, {days} days after its release")
