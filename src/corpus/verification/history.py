"""The history of a dataset: its commits against its statements and its log, and how long versions open."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from corpus.audit.pinned import policy_of
from corpus.evidence.commits import Commit, rewritten
from corpus.evidence.keys import SIGNER_PROPERTY, id_of
from corpus.evidence.keys import public_key as key_beside
from corpus.verification.delta_log import each, live_files, metadata, place
from corpus.verification.findings import Failed, Unchecked, some
from corpus.verification.stored import COLUMNS, row_digest
from corpus.verification.subject import Subject, days_kept, is_past, said_of

FIXED = {"delta.enableInCommitTimestamps": "true", "delta.enableExpiredLogCleanup": "false"}
TYPES = ("string", "string", "string", "string", "string", "date", "integer", "long", "integer")


def commits(subject: Subject) -> str:
    """Whether Delta's log has every commit, readable and in order."""
    log = subject.delta
    if log.missing:
        raise Failed(f"no commit of version {some([str(n) for n in log.missing])}", f"every one up to {log.newest}")
    if log.unreadable:
        raise Failed(some(list(log.unreadable.values())), "commits that can be read")
    known = [subject.commits[number] for number in sorted(subject.commits)]
    for one, other in pairwise(known):
        if other.released_at < one.released_at:
            raise Failed(
                f"version {other.version} is older than {one.version}: {other.released_at}", "none goes back in time"
            )
    return f"versions 0 to {log.newest}, in order"


def history(subject: Subject) -> str:
    """Whether builds, statements and records are of the same versions, and nobody else touched the rows."""
    builds = {n: commit for n, commit in subject.commits.items() if commit.build_id}
    others = [
        f"{n} ({commit.operation})"
        for n, commit in subject.commits.items()
        if not (commit.build_id or commit.is_housekeeping or _keeps_rows(subject, commit))
    ]
    stated, records = set(subject.stated()), set(subject.records()) if subject.entries is not None else None
    claims = [
        ("commits by something that is no build", others),
        ("versions without a statement", _texts(builds.keys() - stated)),
        ("statements without a build's commit", _texts(stated - builds.keys())),
        ("versions without a record in the log", _texts(builds.keys() - records) if records is not None else []),
        ("records in the log without a build's commit", _texts((records or set()) - builds.keys())),
        (
            "builds that made two versions",
            [b for b, n in Counter(c.build_id for c in builds.values()).items() if n > 1],
        ),
    ]
    wrong = [f"{what}: {some(which)}" for what, which in claims if which]
    if wrong:
        raise Failed("; ".join(wrong), "one build, one commit, one statement, one record")
    return f"{len(builds)} builds with statement and record, {len(subject.commits) - len(builds)} commits of its owner"


def table(subject: Subject) -> str:
    """Whether the table keeps its history and has its columns, and nothing gives them another meaning."""
    newest = subject.delta.newest
    found = metadata(subject.delta, newest)
    properties = found.get("configuration", {})
    wrong = {name: properties.get(name) for name, value in FIXED.items() if properties.get(name) != value}
    if wrong:
        raise Failed(f"properties {wrong}", str({name: FIXED[name] for name in wrong}))
    for version in range(newest + 1):
        for each_found in each(subject.delta, "metaData", version):
            _require_plain(version, each_found)
        if any(one["minReaderVersion"] != 1 for one in each(subject.delta, "protocol", version)):
            raise Failed(f"version {version} needs readers to know more than reader version 1", "reader version 1")
    first = metadata(subject.delta, 0).get("configuration", {})
    own = [
        name
        for name in ("corpus.keyId", SIGNER_PROPERTY, "corpus.bucketBits")
        if first.get(name) != properties.get(name)
    ]
    if own:
        raise Failed(f"{', '.join(own)} changed since the table was made", "they never do")
    return f"reader version 1; versions and log are kept {days_kept(properties)} days"


def public_key(subject: Subject, given: bytes | None) -> str:
    """Whether the public key beside the data is that of the table's first commit, and that which was kept elsewhere."""
    beside = id_of(key_beside(subject.folder))
    declared = metadata(subject.delta, 0).get("configuration", {}).get(SIGNER_PROPERTY)
    if given and beside != id_of(given):
        raise Failed(f"evidence/public.pem holds {beside[:16]}…", f"{id_of(given)[:16]}…, the key given by --public")
    if declared != beside:
        raise Failed(f"the table was made for the key {str(declared)[:16]}…", f"{beside[:16]}…, evidence/public.pem")
    if given is None:
        raise Unchecked(
            f"{beside[:16]}… is the key beside the data, and the table names it; whoever can write there can exchange "
            "both. Give one that was kept elsewhere: --public"
        )
    return f"{beside[:16]}…, as kept elsewhere"


def opens(subject: Subject, version: int) -> str:
    """Until when a version is sure to open, by the table's properties and the policy's."""
    said, properties = said_of(subject, version), metadata(subject.delta, subject.delta.newest).get("configuration", {})
    days, wanted = days_kept(properties), policy_of(said).retention_days
    if days < wanted:
        raise Failed(f"versions and log are kept {days} days", f"{wanted} days, by its policy")
    until = datetime.fromisoformat(said["released_at"]) + timedelta(days=days)
    gone = [path for path in live_files(subject.delta, version) if not place(subject.delta, path).is_file()]
    if is_past(subject, version):
        raise Unchecked(f"it was sure to open until {until:%Y-%m-%d}; that is past ({len(gone)} files are gone)")
    if gone:
        raise Failed(f"it does not open: {some(gone)} missing", f"it opens until {until:%Y-%m-%d}")
    return f"sure to open until {until:%Y-%m-%d}" + (", and longer as the newest" * (version == subject.delta.newest))


def _keeps_rows(subject: Subject, commit: Commit) -> bool:
    """Whether a commit is an OPTIMIZE, and the rows in its files are those of the version that it rewrote."""
    before = rewritten(commit, subject.commits.values()) if commit.is_rewrite else None
    if before is None or before.version not in subject.stated():
        return False
    said = said_of(subject, before.version)["snapshot"]
    try:
        return row_digest(subject, commit.version) == (int(said["rows"]), said["digest"])
    except Unchecked:  # a file is gone
        return is_past(subject, commit.version)


def _require_plain(version: int, found: dict[str, Any]) -> None:
    modes = [name for name in found.get("configuration", {}) if name.startswith("delta.columnMapping")]
    fields = [(field["name"], field["type"]) for field in json.loads(found["schemaString"])["fields"]]
    if modes or found.get("partitionColumns") or fields != list(zip(COLUMNS, TYPES, strict=True)):
        raise Failed(f"version {version} maps, partitions or changes its columns: {fields}", ", ".join(COLUMNS))


def _texts(numbers: set[int]) -> list[str]:
    return [str(number) for number in sorted(numbers)]
