"""The side tables of a version, counted against what was signed."""

from __future__ import annotations

from collections import Counter
from typing import Any

from deltalake import DeltaTable

from corpus.reasons import in_order, reasons_in
from corpus.verification.findings import Failed, Unchecked, some
from corpus.verification.stored import row_hashes
from corpus.verification.subject import Subject, said_of, with_rows

# ruff: noqa: S608 (the only names in SQL are our own)

TABLES = ("exclusions", "members", "grounds", "objections", "leaves")


def members(subject: Subject, version: int) -> str:
    """Whether each document has one author, every row is of a document, and so many persons were signed."""
    said = said_of(subject, version)
    with with_rows(subject, "members", said["build_id"]) as opened:
        documents = row_hashes(opened, subject, version)
        ((authors, persons, posts, strangers, twice, alone),) = opened.execute(f"""
            WITH d AS (SELECT doc_id, count(*) AS n FROM ({documents}) GROUP BY doc_id),
            a AS (SELECT doc_id, count(*) AS n FROM side WHERE role = 'author' GROUP BY doc_id)
            SELECT (SELECT count(*) FROM side WHERE role = 'author'), (SELECT count(DISTINCT account_id) FROM side),
            (SELECT count(DISTINCT post_id) FROM side WHERE role = 'author'),
            (SELECT count(*) FROM side ANTI JOIN d USING (doc_id)),
            (SELECT count(*) FROM (FROM d WHERE n > 1 UNION ALL FROM a WHERE n > 1)),
            (SELECT count(*) FROM d ANTI JOIN a USING (doc_id))""").fetchall()
    expected = (
        int(said["snapshot"]["rows"]),
        int(said["trees"]["persons"]["ids"]),
        int(said["trees"]["documents"]["ids"]),
    )
    if (authors, persons, posts) != expected:
        raise Failed(
            f"{authors:,} authors' rows, {persons:,} persons, {posts:,} posts",
            "{:,} documents, {:,} persons, {:,} posts".format(*expected),
        )
    if strangers or twice or alone:
        raise Failed(
            f"{strangers:,} rows of documents that the version does not hold, {twice:,} documents twice, "
            f"{alone:,} without an author",
            "one author's row for each document",
        )
    return f"{authors:,} documents, {persons:,} persons"


def funnel(subject: Subject, version: int) -> str:
    """Whether the rows of exclusions/ add up to the counts that were signed."""
    said = said_of(subject, version)
    counts = said["funnel"]
    with with_rows(subject, "exclusions", said["build_id"]) as opened:
        ((posts,),) = opened.execute("SELECT count(DISTINCT post_id) FROM side").fetchall()
        grouped = opened.execute("SELECT reasons, primary_reason, count(*) FROM side GROUP BY ALL").fetchall()
    primary, wherever = Counter[str](), Counter[str]()
    for mask, first, count in grouped:
        named = [reason.name for reason in reasons_in(mask)]
        if mask <= 0 or mask >> len(in_order()) or named[:1] != [first]:
            raise Failed(
                f"{count:,} rows have the reasons {some(named) or mask}, and {first} as the first", "the first of them"
            )
        primary[first] += count
        wherever.update(dict.fromkeys(named, count))
    found = {"excluded": sum(primary.values()), "primary": dict(primary), "any": dict(wherever)}
    expected = {
        "excluded": int(counts["excluded"]),
        "primary": _numbers(counts["primary"]),
        "any": _numbers(counts["any"]),
    }
    if found != expected:
        raise Failed(_first_difference(found, expected), "the counts of the statement's funnel")
    sums = (posts, int(counts["posts"]), counts["kept"])
    if sums != (found["excluded"], posts + int(counts["kept"]), said["snapshot"]["rows"]):
        raise Failed(
            f"{posts:,} posts left out and {counts['kept']} kept; {said['snapshot']['rows']} rows",
            f"{counts['posts']} posts in all, none twice",
        )
    return f"{posts:,} posts left out, for {len(wherever)} reasons"


def side_tables(subject: Subject) -> str:
    """Whether rows of the side tables are all of builds that made a version; others are never read, and are swept."""
    builds = {commit.build_id for commit in subject.commits.values() if commit.build_id}
    others, unreadable = [], []
    for name in TABLES:
        try:
            partitions = DeltaTable(subject.folder / name).partitions()
        except Exception:  # deltalake raises bare Exception for a missing or broken table
            unreadable.append(name)
            continue
        others += [f"{name} of {part['build_id']}" for part in partitions if part["build_id"] not in builds]
    if unreadable:
        raise Unchecked(f"not there, or may not be read: {', '.join(unreadable)}")
    left = f"; {some(others)} belong to no version: never read, swept by the next build" if others else ""
    return f"{', '.join(TABLES)}{left}"


def _first_difference(found: dict[str, Any], expected: dict[str, Any]) -> str:
    if found["excluded"] != expected["excluded"]:
        return f"{found['excluded']:,} rows; {expected['excluded']:,} were stated"
    for kind in ("primary", "any"):
        for name in sorted(found[kind].keys() | expected[kind].keys()):
            ours, theirs = found[kind].get(name, 0), expected[kind].get(name, 0)
            if ours != theirs:
                return f"{ours:,} rows with {name} ({kind}); {theirs:,} were stated"
    return "other counts"


def _numbers(counts: dict[str, str]) -> dict[str, int]:
    return {name: int(count) for name, count in counts.items() if int(count)}
