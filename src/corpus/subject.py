"""One account across all versions of a dataset: what of it was in or out, since when and why, and who used it.

It answers from what the versions keep. An account that was erased from them and one that they never saw are the same
to it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from corpus.errors import DatasetError
from corpus.reasons import reasons_in
from corpus.uses import Use, as_table, uses_of_account
from corpus.versions import Row, Version, literal, newest, opened, select, versions

# ruff: noqa: S608 (whatever comes from outside stands in the SQL as a literal)

Place = Literal["in", "out", "gone"]


@dataclass(frozen=True)
class Held:
    """What one version made of one post; of one left out, whose document holds the same words, if any does."""

    version: str
    place: Place
    doc_id: str | None = None
    primary_reason: str | None = None
    reasons: tuple[str, ...] = ()
    kept_instead: str | None = None
    kept_document: str | None = None
    kept_by_another: bool = False


@dataclass(frozen=True)
class Post:
    """A post of the account, or one that it is a co-author of: where it stands now, and since which version.

    `gone` is a post that the newest version did not judge. The history holds each version that did, the newest first.
    """

    post_id: str
    role: Literal["author", "coauthor"]
    place: Place
    since: str
    history: list[Held]


@dataclass(frozen=True)
class Standing:
    """How much one version holds of an account, and which runs used that version."""

    version: str
    released_at: str
    documents: int
    as_coauthor: int
    left_out: int
    through_others: int
    used_by: list[str]


@dataclass(frozen=True)
class Subject:
    """An account as the versions of a dataset know it; standings are newest first.

    `since` is the first version of those in a row, up to the newest, that agree on whether anything of it is in.
    """

    account: str
    place: Literal["in", "out"]
    since: str
    standings: list[Standing]
    posts: list[Post]
    grounds: list[Row]
    objections: list[Row]
    uses: list[Use]


def subject(warehouse: Path, dataset: str, account: str) -> Subject:
    """Everything that the versions of a dataset hold about an account. Raises DatasetError if none knows it."""
    known, name = versions(warehouse, dataset), account.strip()
    newest(known)
    builds = [version for version in reversed(known) if version.build_id]
    folder = warehouse / dataset
    held = _held(folder, builds, name)
    grounds, objections = _grounds(folder, builds, name, {post for post, role in held if role == "author"})
    if not (held or grounds or objections):
        raise DatasetError(
            f"Nobody knows the account '{account}': no version of {dataset} has a post, a ground or an objection of "
            "it. One that was erased and one that was never seen are the same here; check the id."
        )
    used = uses_of_account(warehouse, dataset, name)
    standings = [_standing(version, held, used) for version in builds]
    place, since = _since([(each.version, "in" if _is_in(each) else "out") for each in standings])
    posts = [_post(key, history, builds) for key, history in sorted(held.items())]
    return Subject(name, place, since, standings, posts, grounds, objections, used)  # type: ignore[arg-type]


def _held(folder: Path, builds: list[Version], account: str) -> dict[tuple[str, str], list[Held]]:
    """What each version, newest first, made of each post of an account; a post by its id and the account's role."""
    tables, wanted = opened(folder, m="members", x="exclusions"), literal(account)
    inside = f"SELECT build_id, post_id, role, doc_id FROM m WHERE account_id = {wanted} AND {_of(builds)}"
    outside = f"""SELECT build_id, post_id, 'author' AS role, reasons, primary_reason, kept_instead
        FROM x WHERE account_id = {wanted} AND {_of(builds)}"""
    rows = [row for sql in (inside, outside) for row in select(tables, folder.name, sql)]
    copies = {row["kept_instead"] for row in rows if row.get("kept_instead")}
    sql = f"SELECT * FROM m WHERE role = 'author' AND {_of(builds)} AND post_id IN {_listed(copies)}"
    kept = {(row["build_id"], row["post_id"]): row for row in select(tables, folder.name, sql)} if copies else {}
    found, names = defaultdict(list), {version.build_id: version.name for version in builds}
    for row in sorted(rows, key=lambda row: list(names).index(row["build_id"])):
        copy = kept.get((row["build_id"], row.get("kept_instead")), {})
        found[row["post_id"], row["role"]].append(_as_held(names[row["build_id"]], row, copy, account))
    return dict(found)


def _as_held(version: str, row: Row, copy: Row, account: str) -> Held:
    if "doc_id" in row:
        return Held(version, "in", row["doc_id"])
    reasons, by_another = reasons_in(row["reasons"]), bool(copy) and copy["account_id"] != account
    names = tuple(reason.name for reason in reasons)
    said = (row["primary_reason"], names, row["kept_instead"], copy.get("doc_id"), by_another)
    return Held(version, "out", None, *said)


def _grounds(folder: Path, builds: list[Version], account: str, posts: set[str]) -> tuple[list[Row], list[Row]]:
    """What gave the account or its posts a reason, and the objections that name it: each with who knew it first."""
    if not (folder / "grounds").is_dir():
        return [], []
    tables, wanted = opened(folder, g="grounds", o="objections"), literal(account)
    own = f"""(subject_kind = 'account' AND subject_id = {wanted}
        OR subject_kind = 'post' AND subject_id IN {_listed(posts)})"""
    ground = "subject_kind, subject_id, reason, ground, ground_id, platform, since, until"
    known = "min(b.number) AS known_since, max(b.number) AS known_until FROM t JOIN b ON b.build_id = t.build_id"
    grounds = select(tables, folder.name, f"""WITH {as_table(builds)}, t AS (SELECT * FROM g WHERE {own})
        SELECT {ground}, {known} GROUP BY {ground} ORDER BY known_since, reason, ground_id""")  # fmt: skip
    objection = "objection_id, kind, status, received_at, resolved_as"
    return grounds, select(tables, folder.name, f"""
        WITH {as_table(builds)}, t AS (SELECT * FROM o WHERE array_has(account_ids, {wanted}))
        SELECT {objection}, {known} GROUP BY {objection} ORDER BY received_at NULLS FIRST, objection_id""")  # fmt: skip


def _standing(version: Version, held: dict[tuple[str, str], list[Held]], used: list[Use]) -> Standing:
    here = [(role, one) for (_, role), history in held.items() for one in history if one.version == version.name]
    roles = [role for role, one in here if one.place == "in"]
    copies = {one.kept_instead for _, one in here if one.kept_by_another}
    runs = [use.run for use in used if use.version == version.name]
    out = sum(one.place == "out" for _, one in here)
    counts = (roles.count("author"), roles.count("coauthor"), out, len(copies))
    return Standing(version.name, version.predicate.get("released_at", version.released_at), *counts, runs)


def _is_in(standing: Standing) -> bool:
    return bool(standing.documents or standing.as_coauthor)


def _since(states: list[tuple[str, str]]) -> tuple[str, str]:
    """The state of the newest version, which comes first, and the first of the versions in a row that agree."""
    place = states[0][1]
    other = next((n for n, (_, state) in enumerate(states) if state != place), len(states))
    return place, states[other - 1][0]


def _post(key: tuple[str, str], history: list[Held], builds: list[Version]) -> Post:
    places: dict[str, str] = {one.version: one.place for one in history}
    place, since = _since([(version.name, places.get(version.name, "gone")) for version in builds])
    return Post(*key, place, since, history)  # type: ignore[arg-type]


def _of(builds: list[Version]) -> str:
    return f"build_id IN {_listed(version.build_id or '' for version in builds)}"


def _listed(values: Iterable[str]) -> str:
    return f"({', '.join(map(literal, sorted(values))) or 'NULL'})"
