"""What is in a dataset, what changed and why: answers from its Delta tables and statements, without a JVM."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from corpus.causes import CAUSES
from corpus.changes import Change, Diff, diff
from corpus.errors import DatasetError
from corpus.reasons import Reason, reasons_in
from corpus.versions import Row, Version, build_at, input_table, literal, newest, opened, select, versions

# ruff: noqa: S608 (whatever comes from outside stands in the SQL as a literal)

__all__ = ["Change", "Diff", "Verdict", "diff", "meaning", "show", "why"]


@dataclass(frozen=True)
class Verdict:
    """What one version made of one post: in (with its document), out (with its reasons), or unknown to it."""

    version: str
    place: Literal["in", "out", "unknown"]
    post_id: str
    primary_reason: str | None = None
    reasons: list[str] = field(default_factory=list)
    kept_instead: str | None = None
    similarity: float | None = None
    doc_id: str | None = None
    document: Row | None = None
    grounds: list[Row] = field(default_factory=list)
    texts: tuple[str, str] | None = None
    """Of a duplicate: its own, as its input still has it, and that of the post kept instead."""


def show(warehouse: Path, dataset: str, number: int | None) -> Version:
    """One version with its statement; the newest without a number. Raises DatasetError where it has none."""
    known = versions(warehouse, dataset)
    version = newest(known) if number is None else build_at(known, number)
    if version.statement is None:
        raise DatasetError(f"{version.name} has no statement: its build was cut short before it was sealed.")
    return version


def meaning(cause: str) -> str:
    """What a reason or a cause of change says to a person."""
    known = CAUSES | {reason.name: reason.meaning for reason in Reason}
    return known.get(cause, "a reason that this version of the code does not know")


def why(warehouse: Path, dataset: str, number: int | None, post_id: str) -> list[Verdict]:
    """What the version says of a post, which may be named by its doc_id too.

    Without a number, or where that version does not know the post: what every version says, the others newest first.
    """
    known, folder = versions(warehouse, dataset), warehouse / dataset
    asked = newest(known) if number is None else build_at(known, number)
    verdicts = _verdicts(folder, [asked], post_id)
    if number is None or verdicts[0].place == "unknown":
        others = [version for version in reversed(known) if version.build_id and version != asked]
        verdicts = _verdicts(folder, [asked, *others], post_id)
    first = _with_grounds(folder, asked, _with_document(folder, asked, verdicts[0]))
    return [_with_texts(folder, asked, first), *verdicts[1:]]


def _verdicts(folder: Path, judged_by: list[Version], post_id: str) -> list[Verdict]:
    """What these versions say of a post; the rows of other builds are not read."""
    tables, wanted = opened(folder, m="members", x="exclusions"), literal(post_id)
    builds = ", ".join(literal(version.build_id) for version in judged_by)
    named = f"(post_id = {wanted} OR doc_id = {wanted})"
    inside = f"SELECT * FROM m WHERE build_id IN ({builds}) AND role = 'author' AND {named}"
    posts = f"SELECT post_id FROM ({inside}) UNION SELECT {wanted}"
    outside = f"SELECT * FROM x WHERE build_id IN ({builds}) AND post_id IN ({posts})"
    found = (select(tables, folder.name, sql) for sql in (inside, outside))
    members, ledger = ({row["build_id"]: row for row in rows} for rows in found)
    return [_verdict(version, post_id, members, ledger) for version in judged_by]


def _verdict(version: Version, post_id: str, members: dict[str, Row], ledger: dict[str, Row]) -> Verdict:
    inside, outside = members.get(version.build_id or ""), ledger.get(version.build_id or "")
    if inside:
        return Verdict(version.name, "in", inside["post_id"], doc_id=inside["doc_id"])
    if not outside:
        return Verdict(version.name, "unknown", post_id)
    names = [reason.name for reason in reasons_in(outside["reasons"])]
    said = {key: outside[key] for key in ("post_id", "primary_reason", "kept_instead", "similarity")}
    return Verdict(version.name, "out", reasons=names, **said)


def _with_document(folder: Path, version: Version, verdict: Verdict) -> Verdict:
    """The verdict with the document's row, if the post is in. Raises DatasetError where snapshot and members differ."""
    if verdict.place != "in":
        return verdict
    wanted = f"SELECT * FROM s WHERE doc_id = {literal(verdict.doc_id)}"
    rows = select(opened(folder, s=("snapshot", version.number)), folder.name, wanted)
    if not rows:
        raise DatasetError(f"{version.name} has no document {verdict.doc_id}, though members/ names it.")
    return replace(verdict, document=rows[0])


def _with_grounds(folder: Path, version: Version, verdict: Verdict) -> Verdict:
    """The verdict with the objections, notices and requests that gave its reasons; none in an older dataset."""
    if verdict.place != "out" or not (folder / "grounds").is_dir():
        return verdict
    found = select(opened(folder, g="grounds", x="exclusions"), folder.name, f"""
        SELECT g.reason, g.ground, g.ground_id, g.platform, g.since, g.until FROM g JOIN x ON x.build_id = g.build_id
        WHERE g.build_id = {literal(version.build_id)} AND x.post_id = {literal(verdict.post_id)}
            AND g.subject_id = CASE WHEN g.subject_kind = 'post' THEN x.post_id ELSE x.account_id END
        ORDER BY g.since NULLS FIRST, g.ground_id""")  # fmt: skip
    return replace(verdict, grounds=[row for row in found if row["reason"] in verdict.reasons])


def _with_texts(folder: Path, version: Version, verdict: Verdict) -> Verdict:
    """The verdict with both texts, if the post is a duplicate and its input opens at the version that was read."""
    if verdict.kept_instead is None:
        return verdict
    tables = opened(folder, m="members", s=("snapshot", version.number))
    kept = select(
        tables,
        folder.name,
        f"""SELECT s.text FROM s JOIN m ON m.doc_id = s.doc_id WHERE m.role = 'author'
            AND m.build_id = {literal(version.build_id)} AND m.post_id = {literal(verdict.kept_instead)}""",
    )
    pins = [pin for pin in version.predicate.get("inputs", []) if pin["table"] == "posts"]
    own = [row for pin in pins for row in _rows_of_post(pin, verdict.post_id)]
    return replace(verdict, texts=(own[0]["text"], kept[0]["text"])) if own and kept else verdict


def _rows_of_post(pin: Row, post_id: str) -> list[Row]:
    """What an input says of a post; nothing where it does not open, or has other columns than the contract's."""
    try:
        table = input_table(pin["location"], int(pin["version"]))
        return select(
            table, pin["table"], f"SELECT text FROM p WHERE post_id = {literal(post_id)} AND text IS NOT NULL"
        )
    except DatasetError:
        return []
