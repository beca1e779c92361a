"""Reading a dataset: versions, what changed between two of them, and why a post is in or out."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from hypothesis import given
from hypothesis import strategies as st

from corpus.errors import ConfigError, CorpusError, DatasetError
from corpus.query import diff, show, why
from corpus.render import differences
from corpus.versions import literal, opened, parse_reference, parse_span, select, versions
from tests.small_dataset import HOSTILE_ID, HOSTILE_TEXT, build, doc_id, empty
from tests.statements import restate


def test_each_version_is_a_build_or_said_to_be_something_else(warehouse: Path) -> None:
    found = [(v.number, v.kind, v.build_id, v.rows) for v in versions(warehouse, "uk-social")]
    assert found == [
        (0, "empty", None, None),
        (1, "build", "build-1", 4),
        (2, "maintenance", None, None),
        (3, "build", "build-3", 4),
        (4, "build", "build-4", 3),
        (5, "unsealed", "build-5", None),
    ]


@pytest.mark.parametrize(
    ("number", "post", "expected"),
    [
        (1, "p1", ("in", [], None)),
        (3, "p1", ("out", ["OBJECTED", "DELETED"], None)),
        (1, "p4", ("out", ["EXACT_DUPLICATE"], "p3")),
        (3, "p3", ("unknown", [], None)),
        (1, HOSTILE_ID, ("in", [], None)),
        (3, HOSTILE_ID, ("out", ["OBJECTED_LINKED"], None)),
        (3, doc_id("p1"), ("out", ["OBJECTED", "DELETED"], None)),
        (1, "%", ("unknown", [], None)),
        (1, "' OR '1'='1", ("unknown", [], None)),
        (1, "", ("unknown", [], None)),
    ],
)
def test_a_post_is_in_out_or_unknown(warehouse: Path, number: int, post: str, expected: object) -> None:
    asked = why(warehouse, "uk-social", number, post)[0]
    assert (asked.place, asked.reasons, asked.kept_instead) == expected


def test_a_post_that_is_in_comes_with_its_document(warehouse: Path) -> None:
    asked = why(warehouse, "uk-social", 1, HOSTILE_ID)[0]
    assert asked.document is not None
    assert (asked.doc_id, asked.document["text"]) == (doc_id(HOSTILE_ID), HOSTILE_TEXT)


@pytest.mark.parametrize("column", ["post_id", "id"])
def test_a_duplicate_comes_with_both_texts_where_its_input_still_has_its_own(own_warehouse: Path, column: str) -> None:
    inputs, statement = own_warehouse / "posts", own_warehouse / "uk-social/evidence/statements" / f"{1:020d}.json"
    write_deltalake(inputs, pa.table({column: ["p4", "p9"], "text": ["a queue", "tea"]}))
    pin = {"table": "posts", "location": f"file:{inputs}", "version": "0"}
    restate(statement, lambda said: said.update(inputs=[pin]))
    found = why(own_warehouse, "uk-social", 1, "p4")[0]
    assert (found.kept_instead, found.texts) == ("p3", ("a queue", "queue") if column == "post_id" else None)


def test_two_texts_stand_side_by_side_with_what_differs_marked() -> None:
    assert differences("rain in Leeds", "Rain in Leeds today") == [
        ("≠", "rain", "Rain"),
        ("", "in Leeds", "in Leeds"),
        ("≠", "", "today"),
    ]


def test_without_a_number_the_newest_version_answers_and_the_history_follows(warehouse: Path) -> None:
    found = [(v.version, v.place) for v in why(warehouse, "uk-social", None, "p6")]
    assert found == [
        ("uk-social@5", "unknown"),
        ("uk-social@4", "out"),
        ("uk-social@3", "in"),
        ("uk-social@1", "unknown"),
    ]


def test_a_post_that_the_only_version_does_not_know_is_unknown(tmp_path: Path) -> None:
    empty(tmp_path / "d")
    build(tmp_path / "d", {"p1": "tea"}, {})
    assert [verdict.place for verdict in why(tmp_path, "d", 1, "p2")] == ["unknown"]


def test_with_a_number_only_that_build_is_read(own_warehouse: Path) -> None:
    for table in ("members", "exclusions"):
        shutil.rmtree(own_warehouse / f"uk-social/{table}/build_id=build-1")
    assert why(own_warehouse, "uk-social", 3, "p1")[0].place == "out"


@given(st.text())
def test_any_string_survives_as_a_literal(warehouse: Path, value: str) -> None:
    assert select(opened(warehouse / "uk-social"), "x", f"SELECT {literal(value)} AS said") == [{"said": value}]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("uk-social@7", ("uk-social", 7)),
        ("uk-social", ("uk-social", None)),
        ("uk-social@", "names no version: write DATASET@N, as uk-social@7"),
        ("uk-social@-1", "names no version"),
        ("uk-social@1..2", "names no version"),
        ("uk-social@٣", "names no version"),
        ("../etc@1", "is not a dataset's name"),
        ("a..b", "is not a dataset's name"),
        ("a/b", "is not a dataset's name"),
        ("UK", "is not a dataset's name"),
        ("", "is not a dataset's name"),
        (".hidden", "is not a dataset's name"),
        ("x\n", "is not a dataset's name"),
    ],
)
def test_a_reference_is_a_dataset_and_a_version(text: str, expected: tuple[str, int | None] | str) -> None:
    if not isinstance(expected, str):
        assert parse_reference(text) == expected
        return
    with pytest.raises(ConfigError, match=expected):
        parse_reference(text)


@pytest.mark.parametrize("text", ["uk-social@2", "uk-social@2..", "uk-social", "uk-social@2...3", "uk-social@a..b"])
def test_a_span_that_names_no_two_versions_is_told_how(text: str) -> None:
    with pytest.raises(ConfigError, match=r"write DATASET@A\.\.B, as uk-social@2\.\.3"):
        parse_span(text)


def test_a_span_is_a_dataset_and_two_versions() -> None:
    assert parse_span("uk-social@2..3") == ("uk-social", (2, 3))


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda w: versions(w, "uk-socail"), r"no dataset .*\(did you mean 'uk-social'\?\); there are: uk-social\."),
        (lambda w: versions(w / "nowhere", "uk-social"), "There is no warehouse .*--warehouse"),
        (lambda w: show(w, "uk-social", 9), r"uk-social has no version 9; it has 1, 3, 4, 5\."),
        (lambda w: show(w, "uk-social", 2), r"uk-social@2 is no build but maintenance \(SET TBL.*\); it has 1, 3"),
        (lambda w: show(w, "uk-social", 0), "uk-social@0 is no build but the empty beginning"),
        (lambda w: show(w, "uk-social", 5), "uk-social@5 has no statement"),
        (lambda w: diff(w, "uk-social", (1, 9)), "no version 9"),
        (lambda w: why(w, "uk-social", 9, "p1"), "no version 9"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_said_with_what_is(warehouse: Path, ask: object, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        ask(warehouse)  # type: ignore[operator]


def test_a_statement_that_is_not_json_names_its_file(own_warehouse: Path) -> None:
    (own_warehouse / f"uk-social/evidence/statements/{1:020d}.json").write_text("{")
    with pytest.raises(DatasetError, match=r"00000000000000000001\.json cannot be read"):
        versions(own_warehouse, "uk-social")


def test_a_statement_of_another_build_is_refused(own_warehouse: Path) -> None:
    statements = own_warehouse / "uk-social/evidence/statements"
    shutil.copy(statements / f"{1:020d}.json", statements / f"{3:020d}.json")
    with pytest.raises(DatasetError, match="statement of uk-social@3 is that of another build"):
        versions(own_warehouse, "uk-social")


@pytest.mark.parametrize("table", ["members", "exclusions"])
def test_who_may_not_read_the_restricted_tables_is_told_so(own_warehouse: Path, table: str) -> None:
    shutil.rmtree(own_warehouse / "uk-social" / table)
    for ask in (lambda: why(own_warehouse, "uk-social", 1, "p1"), lambda: diff(own_warehouse, "uk-social", (1, 3))):
        with pytest.raises(DatasetError, match=f"uk-social/{table} is not there, or you may not read it"):
            ask()


def test_a_lost_data_file_is_a_message_not_a_traceback(own_warehouse: Path) -> None:
    for file in (own_warehouse / "uk-social/snapshot").glob("*.parquet"):
        file.unlink()
    with pytest.raises(CorpusError, match="uk-social cannot be read, a file is missing or damaged"):
        why(own_warehouse, "uk-social", 1, "p1")


def test_reading_loads_no_pyspark() -> None:
    said = "import sys, corpus.cli, corpus.query, corpus.render, corpus.versions; print('pyspark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True).stdout == "False\n"
