"""SQL over a dataset: what it answers, how that looks, and how a query ends that asks too much."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from corpus.errors import ConfigError, DatasetError, QueryEnded
from corpus.sql.answers import Limits, ask
from corpus.sql.engine import answer
from corpus.sql.grammar import read_query
from corpus.sql.shown import as_csv, as_json, as_table
from corpus.versions import opened
from tests.conftest import CORPUS
from tests.pages import ROOT, blocks
from tests.small_dataset import HOSTILE_TEXT
from tests.test_sql_grammar import HARMLESS

ENDLESS = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n"
ANALYSTS = ROOT / "docs/analysts.md"
GREEDY = "SELECT sum(length(repeat('x', 2000000000))) FROM (VALUES (1), (2)) AS t(a)"


def rows(warehouse: Path, sql: str, number: int | None = None, most: int = 0) -> list[dict[str, Any]]:
    found = answer(warehouse, "uk-social", number, sql, most)
    return [row for batch in found for row in batch.to_pylist()]


def corpus(warehouse: Path, *arguments: str, typed: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"CORPUS_WAREHOUSE": str(warehouse), "COLUMNS": "100"}
    return subprocess.run(
        [*CORPUS, "sql", *arguments], capture_output=True, text=True, check=False, env=environment, input=typed
    )


@pytest.mark.parametrize(
    ("sql", "number", "expected"),
    [
        ("SELECT count(*) AS n FROM snapshot", None, [{"n": 1}]),
        ("SELECT count(*) AS n FROM snapshot", 3, [{"n": 4}]),
        (
            "SELECT count(*) AS n FROM snapshot VERSION AS OF 1 WHERE doc_id NOT IN (SELECT doc_id FROM snapshot)",
            3,
            [{"n": 3}],
        ),
        ("SELECT count(*) AS n FROM snapshot JOIN snapshot VERSION AS OF 4 AS t USING (doc_id)", 3, [{"n": 2}]),
        (
            "SELECT number, kind, rows FROM versions WHERE number < 4 ORDER BY number",
            None,
            [
                {"number": 0, "kind": "empty", "rows": None},
                {"number": 1, "kind": "build", "rows": 4},
                {"number": 2, "kind": "maintenance", "rows": None},
                {"number": 3, "kind": "build", "rows": 4},
            ],
        ),
        ("WITH t AS (SELECT max(cutoff) AS c FROM versions) SELECT CAST(c AS TEXT) AS c FROM t", None, [
            {"c": "2026-11-04T00:00:00"},
        ]),
        ("SELECT policy, count(*) AS n FROM versions, funnel WHERE number = version GROUP BY policy", None, [
            {"policy": "uk-social", "n": 8},
        ]),
        ("SELECT 7 % 4 AS a, 'it''s 100%' AS b, \"text\" AS c FROM snapshot WHERE text LIKE '%u%' LIMIT 1", 3, [
            {"a": 3, "b": "it's 100%", "c": "queue"},
        ]),
    ],
)  # fmt: skip
def test_a_query_answers(warehouse: Path, sql: str, number: int | None, expected: list[dict[str, Any]]) -> None:
    assert rows(warehouse, sql, number) == expected


def test_counts_under_ten_are_not_shown(warehouse: Path) -> None:
    assert {row["first"] for row in rows(warehouse, "SELECT first FROM funnel")} <= {None, 0}


def test_no_more_rows_are_asked_for_than_are_shown(warehouse: Path) -> None:
    assert len(rows(warehouse, "SELECT doc_id FROM snapshot", 3, most=2)) == 2
    assert len(rows(warehouse, "SELECT doc_id FROM snapshot LIMIT 3", 3, most=2)) == 3
    assert len(rows(warehouse, "SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3", 3, most=2)) == 2


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("SELECT txt FROM snapshot", "no column txt (did you mean 'text'?) (line 1, column 8)"),
        ("SELECT\n  s.platfrom FROM snapshot AS s", "did you mean 'platform'?) (line 2, column 5)"),
        ("SELECT cuont(*) FROM snapshot", "no function cuont (did you mean 'count'?) (line 1, column 8)"),
        ("SELECT sum(text) FROM snapshot", "No function takes this: sum("),
        ("SELECT 1 / 0", "Divide by zero"),
        ("SELECT CAST('a' AS INT)", "Cannot cast string 'a'"),
        ("SELECT * FROM exclusions", "for the privacy team"),
        (
            "SELECT 1 FROM snapshot JOIN snapshot VERSION AS OF 1 USING (doc_id)",
            "give one another name, as snapshot AS",
        ),
    ],
)
def test_a_mistake_is_told_in_a_sentence(warehouse: Path, sql: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as told:
        rows(warehouse, sql, 3)
    assert sentence in str(told.value)


def test_a_version_that_is_not_there_is_told(warehouse: Path) -> None:
    with pytest.raises(DatasetError, match="has no version 9"):
        rows(warehouse, "SELECT 1 FROM snapshot VERSION AS OF 9")
    with pytest.raises(DatasetError, match="2 is no build but maintenance"):
        rows(warehouse, "SELECT 1", 2)


def test_what_is_run_answers_as_what_was_typed_does(warehouse: Path) -> None:
    engine = opened(warehouse / "uk-social", snapshot=("snapshot", 1))
    typed = [sql for sql in HARMLESS.strip().splitlines() if "VERSION" not in sql and "versions" not in sql]
    assert len(typed) > 10
    for sql in typed:
        found = (pa.table(engine.execute(text)).to_pylist() for text in (sql, read_query(sql).sql()))
        one, other = (sorted(map(str, each)) for each in found)
        assert one == other, sql


def test_a_file_that_is_missing_is_no_mistake_of_the_query(warehouse: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(warehouse, tmp_path / "own"))
    for path in (own / "uk-social/snapshot").glob("*.parquet"):
        path.unlink()
    with pytest.raises(DatasetError, match="missing or damaged"):
        rows(own, "SELECT text FROM snapshot")


@pytest.mark.parametrize(
    ("sql", "limits", "sentence"),
    [
        (ENDLESS, Limits(seconds=2, gigabytes=4), "longer than 2 seconds"),
        (GREEDY, Limits(seconds=60, gigabytes=1), "more than 1 GB of memory"),
        ("SELECT 1" + " + 1" * 20_000, Limits(), "too much for the engine"),
    ],
    ids=["endless", "greedy", "deep"],
)
def test_a_query_that_asks_too_much_is_ended(warehouse: Path, sql: str, limits: Limits, sentence: str) -> None:
    with pytest.raises(QueryEnded, match=sentence), ask(warehouse, "uk-social", None, sql, limits) as found:
        list(found.batches)


def test_the_process_ends_with_the_one_who_asked(warehouse: Path) -> None:
    script = (
        "from pathlib import Path\nfrom corpus.sql.answers import ask\n"
        f"with ask(Path({str(warehouse)!r}), 'uk-social', None, {ENDLESS!r}) as found:\n"
        "    print('begun', flush=True)\n    list(found.batches)"
    )
    asker = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert asker.stdout is not None
    assert asker.stdout.readline() == b"begun\n"
    children = _children(asker.pid)
    assert children
    asker.kill()
    asker.communicate()
    for _ in range(100):
        if not any(Path(f"/proc/{child}").exists() for child in children):
            return
        time.sleep(0.1)
    pytest.fail(f"{children} are still there")


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children")
    if not found.exists():
        pytest.skip("this system does not say which children a process has")
    return [int(child) for child in found.read_text().split()]


def test_a_table_is_harmless_and_says_how_many_rows_of_which_version(warehouse: Path) -> None:
    done = corpus(warehouse, "uk-social@1", "SELECT text, NULL AS n, 1000 AS k FROM snapshot ORDER BY text")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "(4 rows of uk-social@1)"
    assert "\x1b" not in done.stdout
    assert r"a tram in Leeds \x1b]0;owned\x07\x1b[2J\u202e" in done.stdout
    assert "  NULL  1000" in done.stdout


def test_csv_has_no_formula_and_json_has_the_text_itself(warehouse: Path) -> None:
    sql = "SELECT '=1+1' AS a, '-2' AS b, -2 AS c, text AS a_b, NULL AS d FROM snapshot WHERE text LIKE 'a tram%'"
    sheet = corpus(warehouse, "uk-social@1", sql, "--csv").stdout
    assert list(csv.reader(io.StringIO(sheet)))[1] == ["'=1+1", "'-2", "-2", HOSTILE_TEXT, ""]
    found = corpus(warehouse, "uk-social@1", sql, "--json").stdout
    assert json.loads(found) == [{"a": "=1+1", "b": "-2", "c": -2, "a_b": HOSTILE_TEXT, "d": None}]
    assert found.isascii()


def test_ten_thousand_columns_come_as_the_first_hundred(capsys: pytest.CaptureFixture[str]) -> None:
    schema = pa.schema([(f"column_{n}", pa.string()) for n in range(10_000)])
    wide = [tuple(f"{HOSTILE_TEXT} {n}" for n in range(10_000))] * 3
    assert as_table(schema, wide) == 3
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 * 102
    assert lines[101] == "… and 9,900 more columns: name those to be shown, or take --csv or --json"
    assert as_csv(schema, wide) == 3
    assert len(capsys.readouterr().out) > 3 * 10_000 * len(HOSTILE_TEXT)


def test_an_answer_without_rows_has_its_columns(capsys: pytest.CaptureFixture[str]) -> None:
    schema = pa.schema([("a", pa.int64()), ("a", pa.string())])
    for tell, expected in ((as_table, "a  a_2\n-  ---\n"), (as_csv, "a,a_2\n"), (as_json, "[]\n")):
        assert tell(schema, []) == 0
        assert capsys.readouterr().out == expected


def test_queries_are_read_from_a_pipe_until_one_is_wrong(warehouse: Path) -> None:
    typed = (
        "SELECT count(*) AS a FROM snapshot; SELECT ';'\n AS b UNION ALL SELECT ';';\n\\d\nSELECT nope; SELECT 3 AS c;"
    )
    done = corpus(warehouse, "uk-social@3", "--csv", "--limit", "1", typed=typed)
    assert done.returncode == ConfigError.exit_code
    assert done.stdout.startswith("a\n4\nb\n;\nsnapshot: ")
    assert "more rows than these 1:" in done.stderr
    assert not done.stdout.endswith("c\n3\n")
    assert "no column nope" in done.stderr


def test_a_closed_pipe_is_no_error_with_a_traceback(warehouse: Path) -> None:
    command = " ".join(["'" + part.replace("'", "'\\''") + "'" for part in CORPUS])
    numbers = "SELECT a.chars FROM " + ", ".join(f"snapshot AS {name}" for name in "abcdefghi")
    line = f"{command} sql uk-social@3 '{numbers}' --limit 0 | head -1"
    environment = os.environ | {"CORPUS_WAREHOUSE": str(warehouse)}
    done = subprocess.run(line, shell=True, capture_output=True, text=True, check=False, env=environment)
    assert done.stdout == "chars\n"
    assert not done.stderr


def test_a_shell_keeps_its_history_to_its_owner_and_outlives_mistakes_and_ctrl_c(
    warehouse: Path, tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    environment = os.environ | {"CORPUS_WAREHOUSE": str(warehouse), "XDG_STATE_HOME": str(tmp_path), "TERM": "dumb"}
    shell = subprocess.Popen(
        [*CORPUS, "sql", "uk-social@3"], stdin=theirs, stdout=theirs, stderr=theirs, env=environment,
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    said = _until(ours, "=> ")
    for line, end in [
        ("SELECT nope FROM snapshot;", "=> "),
        ("SELECT count(*) AS documents", "-> "),
        ("FROM snapshot;", "=> "),
    ]:
        os.write(ours, f"{line}\n".encode())
        said += _until(ours, end)
    os.write(ours, f"{ENDLESS};\n".encode())
    _until(ours, "\n")
    while not _children(shell.pid):
        time.sleep(0.05)
    time.sleep(0.5)  # the query is under way, not about to be
    os.kill(shell.pid, signal.SIGINT)
    said += _until(ours, "=> ")
    os.write(ours, b"\\q\n")
    assert shell.wait(timeout=10) == 0
    os.close(ours)
    assert "no column nope" in said
    assert "(1 row of uk-social@3)" in said
    assert "stopped" in said
    history = tmp_path / "corpus/sql_history"
    assert "FROM snapshot;" in history.read_text()
    assert stat.S_IMODE(history.stat().st_mode) == 0o600


def _until(terminal: int, end: str) -> str:
    """What comes from a terminal up to these characters."""
    said = ""
    while not said.rstrip(" ").endswith(end.rstrip(" ")):
        said += os.read(terminal, 65536).decode()
    return said


@pytest.mark.parametrize("block", [block.code for block in blocks(ANALYSTS, "console")])
def test_the_page_for_analysts_shows_what_its_commands_print(warehouse: Path, block: str) -> None:
    command, _, expected = block.partition("\n")
    arguments = [argument for argument in shlex.split(command)[3:] if argument != "2>&1"]
    done = corpus(warehouse, *arguments)
    assert done.stdout + done.stderr == expected


def test_every_query_on_the_page_for_analysts_runs(warehouse: Path) -> None:
    queries = blocks(ANALYSTS, "sql")
    assert len(queries) == 6
    for query in queries:
        assert rows(warehouse, query.code, 1)
