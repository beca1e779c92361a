"""Whoever reads while versions are being built sees each version whole, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

from corpus.funnel_shown import shown_funnel
from corpus.query import diff, why
from corpus.reasons import Reason
from corpus.subject import subject
from corpus.versions import versions
from tests.small_dataset import Out, build, empty

VERSIONS = 15
CAUSES = {"NEW_POST", "UNDATED_OBJECTION", "OBJECTION_MISSING"}


def make(folder: Path, number: int) -> None:
    """Version n keeps n posts of one person and leaves 20 out, another's among them in every other version."""
    kept = {f"k{n}": f"text {n}" for n in range(number)}
    left_out = {f"x{n}": Out((Reason.DELETED,)) for n in range(19)}
    turning = {"turns": "tea"} if number % 2 else {}
    gone = {} if number % 2 else {"turns": Out((Reason.OBJECTED,))}
    build(folder, kept | turning, left_out | gone)


def look_at_versions(warehouse: Path) -> str:
    """The newest sealed version, after everything that is said of it was found to add up."""
    sealed = [version for version in versions(warehouse, "d") if version.statement]
    newest = sealed[-1]
    assert newest.rows == newest.number + newest.number % 2
    lines = {line.name: line.first for line in shown_funnel(newest.predicate, exact=True)}
    assert lines["excluded"] == 20 - newest.number % 2
    if len(sealed) > 1:
        found = diff(warehouse, "d", (newest.number - 1, newest.number))
        assert found.rows_after == newest.rows
        assert {change.cause for change in found.changes} <= CAUSES
    return newest.name


def look_at_a_post(warehouse: Path) -> str:
    """The version that answered, which judged the post as that version did."""
    asked, *others = why(warehouse, "d", None, "turns")
    for verdict in (asked, *others):
        assert verdict.place == ("in" if int(verdict.version.split("@")[1]) % 2 else "out")
    return asked.version


def look_at_a_person(warehouse: Path) -> str:
    found = subject(warehouse, "d", "account of turns")
    for standing in found.standings:
        is_in = int(standing.version.split("@")[1]) % 2
        assert (standing.documents, standing.left_out) == (is_in, 1 - is_in)
    return found.standings[0].version


def test_a_version_is_seen_whole_or_not_at_all(tmp_path: Path) -> None:
    empty(tmp_path / "d")
    make(tmp_path / "d", 1)
    ended = Event()

    def watch(look: Callable[[Path], str]) -> set[str]:
        seen = set()
        while not ended.is_set():
            seen.add(look(tmp_path))
        return seen | {look(tmp_path)}

    with ThreadPoolExecutor(3) as readers:
        watching = [readers.submit(watch, look) for look in (look_at_versions, look_at_a_post, look_at_a_person)]
        try:
            for number in range(2, VERSIONS + 1):
                make(tmp_path / "d", number)
        finally:
            ended.set()
        seen = [each.result() for each in watching]
    assert all(f"d@{VERSIONS}" in each and len(each) > 2 for each in seen), "they read while it was built"
