"""What became of objections: how soon each was honoured, which found nobody, and what one person is told."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from corpus.errors import DatasetError
from corpus.query import why
from corpus.receipts import objections, receipt
from tests.small_dataset import HOSTILE_ID, Said, at, build, empty


def test_an_objection_counts_from_its_receipt_to_the_first_version_that_knew_it(warehouse: Path) -> None:
    found = objections(warehouse, "uk-social", 4)
    assert (found.count, found.timed, found.p50, found.p95, found.max) == (6, 5, 12.0, 78.0, 78.0)
    assert [(late["objection_id"], late["version"], late["hours"]) for late in found.late] == [("o-late", 4, 78.0)]
    assert (found.limit_hours, found.late_count) == (72.0, 1)


def test_what_came_later_does_not_count(warehouse: Path) -> None:
    found = objections(warehouse, "uk-social", 3)
    assert (found.count, found.p50, found.max, found.late) == (4, 12.0, 24.0, [])


def test_before_any_objection_there_are_no_times(warehouse: Path) -> None:
    found = objections(warehouse, "uk-social", 1)
    assert (found.count, found.p50, found.max, found.unresolved) == (0, None, None, [])


def test_those_that_found_nobody_come_with_what_was_tried(warehouse: Path) -> None:
    (lost,) = objections(warehouse, "uk-social", 4).unresolved
    assert lost == {"objection_id": "o-lost", "subject_type": "email_hash", "tried": ["email_hash"]}


def test_percentiles_are_of_all_and_few_are_named(tmp_path: Path) -> None:
    empty(tmp_path / "d")
    many = {f"o{n:03d}": Said(at(1, 2) if n < 90 else at(1, 1), ()) for n in range(100)}
    build(tmp_path / "d", {"p": "tea"}, {}, said=many)
    found = objections(tmp_path, "d", 1, most=3)
    assert (found.p50, found.p95, found.unresolved_count, len(found.unresolved)) == (0.0, 1.0, 100, 3)


@pytest.mark.parametrize(
    ("objection", "expected"),
    [
        ("o-1", ("account", "uk-social@3", 24.0, [("uk-social@1", 1)])),
        ("o-2", ("account", "uk-social@3", 12.0, [])),
        (" o-late", ("post", "uk-social@4", 78.0, [("uk-social@1", 1)])),
        ("o-undated", ("account", "uk-social@4", None, [("uk-social@1", 1)])),
        (HOSTILE_ID, ("account", "uk-social@3", 12.0, [])),
        ("o-lost", (None, "uk-social@3", 6.0, [])),
    ],
)
def test_a_receipt_names_whom_it_reached_and_which_versions_held_their_posts(
    warehouse: Path, objection: str, expected: object
) -> None:
    found = receipt(warehouse, "uk-social", objection)
    held = [(version["version"], version["documents"]) for version in found.held]
    assert (found.objection["resolved_as"], found.honoured_since, found.hours, held) == expected
    assert found.uses == []


@pytest.mark.parametrize("objection", ["o-9", "", "' OR '1'='1"])
def test_an_objection_that_no_version_knows_is_said_to_be_unknown(warehouse: Path, objection: str) -> None:
    with pytest.raises(DatasetError, match="No version of uk-social knows the objection"):
        receipt(warehouse, "uk-social", objection)


def test_why_cites_the_objection_and_only_for_reasons_that_the_post_has(warehouse: Path) -> None:
    (ground,) = why(warehouse, "uk-social", 3, "p1")[0].grounds
    assert (ground["reason"], ground["ground"], ground["ground_id"]) == ("OBJECTED", "objection", "o-1")
    assert why(warehouse, "uk-social", 4, "p2")[0].grounds == []


def test_a_dataset_from_before_grounds_were_kept_still_answers(warehouse: Path, tmp_path: Path) -> None:
    shutil.copytree(warehouse, tmp_path / "own")
    shutil.rmtree(tmp_path / "own/uk-social/grounds")
    assert why(tmp_path / "own", "uk-social", 3, "p1")[0].grounds == []
