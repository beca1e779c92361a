"""The command line: what it prints, how it refuses, and what it never does to a terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from contextlib import nullcontext
from pathlib import Path
from typing import NoReturn

import pytest
import yaml
from pyspark.sql import SparkSession
from typer.testing import CliRunner

from corpus import demo, progress, render
from corpus.arguments import conf_file, gate_off, instant
from corpus.cli import app
from corpus.errors import ConfigError
from corpus.vectors import read_worlds
from corpus.versions import versions
from tests.conftest import CORPUS
from tests.small_dataset import HOSTILE_ID, doc_id, small_dataset
from tests.vectors import VECTORS


def corpus(warehouse: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"CORPUS_WAREHOUSE": str(warehouse), "COLUMNS": "100"}
    return subprocess.run([*CORPUS, *arguments], capture_output=True, text=True, check=False, env=environment)


def on_a_terminal(warehouse: Path, *arguments: str) -> str:
    """What the command writes to a terminal."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"CORPUS_WAREHOUSE": str(warehouse), "COLUMNS": "200", "TERM": "xterm"}
    running = subprocess.Popen([*CORPUS, *arguments], stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    written = b""
    while True:
        try:
            read = os.read(ours, 65536)
        except OSError:  # Linux says so when the other end is closed
            break
        if not read:
            break
        written += read
    running.wait()
    os.close(ours)
    return written.decode()


def flat(text: str) -> str:
    """The text with runs of spaces made one."""
    return re.sub(r"[ ]+", " ", text)


def test_log_has_a_line_for_each_version(warehouse: Path) -> None:
    lines = flat(corpus(warehouse, "log", "uk-social").stdout).splitlines()
    assert lines[0] == "version released, UTC cutoff, UTC rows change policy"
    assert [line.split()[0] for line in lines[1:]] == [f"uk-social@{n}" for n in (5, 4, 3, 2, 1, 0)]
    assert lines[1].endswith("(cut short: no statement)")
    assert lines[2].endswith("2026-11-04 00:00 3 -1 uk-social")
    assert lines[4].endswith("(maintenance: SET TBLPROPERTIES)")


def test_show_tells_inputs_departures_and_the_funnel(warehouse: Path) -> None:
    said = flat(corpus(warehouse, "show", "uk-social@3").stdout)
    for expected in (
        "rows 4 kept of 6 posts, 2 left out",
        "posts 5 20,000 2026-11-01 00:00 2026-11-08 00:00 inputs/posts",
        "rule ACCOUNT_PRIVATE is off: the forum has no private accounts",
        "gate FEED_STALE is overridden: it is down for repairs",
        "1,200 posts resemble so many that they were compared with a few only",
        "ACCOUNT_PRIVATE has no data to judge by",
        "DELETED 0 1 the post was deleted",
    ):
        assert expected in said


def test_diff_adds_up_and_gives_causes_and_examples(warehouse: Path) -> None:
    said = flat(corpus(warehouse, "diff", "uk-social@1..3").stdout)
    assert "uk-social@1: 4 documents - 3 removed + 3 added = uk-social@3: 4 documents" in said
    assert "removed NEW_OBJECTION OBJECTED 1 an objection came in" in said
    assert f"removed NEW_OBJECTION {doc_id('p1')}" in said
    assert "p1" not in said.split()
    assert "rain" not in said


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("uk-social@3", "p1"), "is left out of uk-social@3\nbecause\nOBJECTED the author objected\nDELETED the post"),
        (("uk-social@1", "p4"), "kept instead: p3"),
        (("uk-social@1", "p1"), f"Post p1 is in uk-social@1\ndoc_id {doc_id('p1')}"),
        (("uk-social@3", "p3"), "Post p3 is not among the posts judged for uk-social@3\n\nother versions"),
        (("uk-social@3", "p3"), "uk-social@1 in"),
        (("uk-social@3", "nobody"), "No version of the dataset has judged a post with this id."),
        (("uk-social", "p1"), "uk-social@4 out OBJECTED\nuk-social@3 out OBJECTED\nuk-social@1 in\n"),
    ],
)  # fmt: skip
def test_why_answers_for_one_post(warehouse: Path, arguments: tuple[str, str], expected: str) -> None:
    assert expected in re.sub(r" +\n", "\n", flat(corpus(warehouse, "why", *arguments, "--restricted").stdout))


@pytest.mark.parametrize(
    ("arguments", "path", "expected"),
    [
        (("log", "uk-social"), (1, "rows"), 4),
        (("show", "uk-social@3"), ("predicate", "cutoff"), "2026-11-03T00:00:00Z"),
        (("diff", "uk-social@4..5"), ("changes", 0, "documents"), 2),
        (("why", "uk-social@1", HOSTILE_ID, "--restricted"), (0, "post_id"), HOSTILE_ID),
    ],
)
def test_json_is_for_programs(
    warehouse: Path, arguments: tuple[str, ...], path: tuple[str | int, ...], expected: object
) -> None:
    printed = corpus(warehouse, *arguments, "--json").stdout
    found = json.loads(printed)
    for step in path:
        found = found[step]
    assert found == expected
    assert printed.isascii()


@pytest.mark.parametrize(
    "arguments", [("why", "uk-social@1", HOSTILE_ID, "--restricted"), ("diff", "uk-social@1..3", "--text")]
)
def test_a_post_cannot_command_the_terminal(warehouse: Path, arguments: tuple[str, ...]) -> None:
    shown = on_a_terminal(warehouse, *arguments)
    own = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert not set(own) & {"\x1b", "\x07", "\u202e", "\u009b"}
    assert "[bold]not" in own
    piped = corpus(warehouse, *arguments).stdout
    assert "\\x1b]0;owned" in piped
    assert all(c.isprintable() or c == "\n" for c in piped)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("log", "uk-socal"), 6, "did you mean 'uk-social'?"),
        (("log", "../x"), 2, "'../x' is not a dataset's name"),
        (("show", "uk-social@9"), 6, "no version 9; it has 1, 3, 4, 5"),
        (("diff", "uk-social@1"), 2, "write DATASET@A..B"),
        (("why", "uk-social@x", "p"), 2, "write DATASET@N"),
        (("log", "uk-social", "--warehouse", "nowhere"), 6, "There is no warehouse nowhere"),
        (
            ("build", "x", "--source", "nope", "--policy", "uk-social", "--cutoff", "2026-11-20"),
            2,
            "no file 'nope', nor",
        ),
        (("policy", "explain", "uk-socal"), 2, "did you mean 'uk-social'?"),
        (("policy", "diff", "uk-social", "conf/policies/nope.toml"), 2, "no file 'conf/policies/nope.toml', nor"),
        (("policy", "diff", "conf/sources/stackexchange.toml", "uk-social"), 2, "'posts' is not a known key"),
        (("policy", "diff", "forum", "uk-social", "--dataset", "uk-social@9"), 6, "no version 9; it has 1, 3, 4, 5"),
        (("policy", "diff", "forum", "uk-social", "--dataset", "uk-social"), 6, "uk-social@5 has no statement"),
        (("no-such-command",), 2, "No such command"),
        (("log",), 2, "Missing argument"),
    ],
)
def test_a_mistake_is_a_message_and_an_exit_code(
    warehouse: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    done = corpus(warehouse, *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: instant("2026-11-20T00:00:00", "--cutoff"), "a time without a zone: found '2026-11-20T00:00:00'"),
        (lambda: instant("tomorrow", "--cutoff"), "--cutoff is no time: found 'tomorrow'"),
        (lambda: gate_off("FEED_STAL=it is down"), r"no gate 'FEED_STAL' \(did you mean 'FEED_STALE'\?\)"),
        (lambda: gate_off("FEED_STALE"), "--override FEED_STALE=REASON is not valid"),
        (lambda: conf_file("policies", "uk-socal"), r"did you mean 'uk-social'"),
    ],
)  # fmt: skip
def test_an_argument_that_says_nothing_usable_is_explained(ask: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ask()  # type: ignore[operator]


def test_a_time_in_any_zone_is_read_as_utc() -> None:
    assert instant("2026-11-20T01:00:00+01:00", "--cutoff").isoformat() == "2026-11-20T00:00:00+00:00"


def test_policies_are_explained_and_compared_without_a_dataset(warehouse: Path) -> None:
    explained = json.loads(corpus(warehouse, "policy", "explain", "forum", "--json").stdout)
    assert explained["chapters"]["Whose posts may be in"][5]["marks"][0]["because"].startswith("the site publishes no")
    compared = json.loads(corpus(warehouse, "policy", "diff", "uk-social", "eu-social", "--json").stdout)
    assert [change["key"] for change in compared["changes"]][:2] == ["name", "countries"]
    assert compared["posts"] is None
    lines = corpus(warehouse, "policy", "explain", "forum").stdout.splitlines()
    assert max(map(len, lines)) <= 110
    assert corpus(warehouse, "policy", "diff", "forum", "forum").stdout == "forum and forum say the same.\n"


def test_changes_that_decide_about_no_post_need_no_spark(warehouse: Path, tmp_path: Path) -> None:
    forum = conf_file("policies", "forum").read_text(encoding="utf-8")
    (tmp_path / "p.toml").write_text(
        forum.replace("release_lag_hours = 24", "release_lag_hours = 48"), encoding="utf-8"
    )
    done = corpus(warehouse, "policy", "diff", "forum", str(tmp_path / "p.toml"), "--dataset", "uk-social@3")
    assert "gates.release_lag_hours: laxer" in done.stdout
    assert done.stdout.endswith("No post of uk-social@3 would move: nothing that differs decides about one.\n")
    assert done.stderr == ""


def test_a_closed_pipe_is_no_error_message(warehouse: Path) -> None:
    running = subprocess.Popen(
        [*CORPUS, "log", "uk-social", "--warehouse", str(warehouse)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert running.stdout is not None
    running.stdout.close()
    _, said = running.communicate()
    assert said == b""


@pytest.mark.parametrize(
    "arguments", ["log uk-social", "show uk-social@3", "diff uk-social@1..3", "why uk-social p1 --restricted"]
)
def test_a_reading_command_works_for_less_than_a_second(warehouse: Path, arguments: str) -> None:
    """Processor time, so that a busy machine does not decide; `make bench-parts` prints the time on the clock."""
    before = os.times()
    corpus(warehouse, *arguments.split())
    after = os.times()
    assert after.children_user + after.children_system - before.children_user - before.children_system < 1


def test_progress_is_silent_until_it_is_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    with progress.step("work"):
        pass
    assert capfd.readouterr() == ("", "")


def test_progress_leaves_a_line_for_what_is_done_and_what_failed(capfd: pytest.CaptureFixture[str]) -> None:
    with progress.shown_progress():
        with progress.step("reading [red]"):
            pass
        with pytest.raises(KeyError), progress.step("writing"):
            raise KeyError
    assert re.fullmatch(r"✓ reading \[red\]  \d+\.\d s\n✗ writing  \d+\.\d s\n", capfd.readouterr().err)


def test_progress_keeps_lines_of_two_levels(capfd: pytest.CaptureFixture[str]) -> None:
    with progress.shown_progress(), progress.step("outer"):
        with progress.step("inner"), progress.step("innermost"):
            pass
        with pytest.raises(KeyError), progress.step("another"), progress.step("failing"):
            raise KeyError
    lines = [line.rsplit("  ", 1)[0] for line in capfd.readouterr().err.splitlines()]
    assert lines == ["  ✓ inner", "    ✗ failing", "  ✗ another", "✓ outer"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, ""),
        (12345, "12,345"),
        ("é🏴‍☠️", "é🏴‍☠️"),
        ("a\r\nb\tc", r"a\r\nb\tc"),
        ("\x9b31m\x7f", r"\x9b31m\x7f"),
        ("\u2028\u202e", r"\u2028\u202e"),
    ],
)
def test_text_is_shown_on_one_line_with_controls_spelt_out(text: object, expected: str) -> None:
    assert render.clean(text) == expected


def test_the_tour_tells_versions_reasons_changes_and_one_person(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small_dataset(tmp_path / "warehouse")
    demo.tour(tmp_path, None)
    said = re.sub(r" +\n", "\n", flat(capsys.readouterr().out))
    for expected in (
        "Why posts are not in uk-social@4",
        "What changed from uk-social@3 to uk-social@4",
        "Account account of p2 had 1 post(s) in uk-social@3 and has none in uk-social@4",
        "uk-social@4 out EXACT_DUPLICATE\nuk-social@3 in",
        f"delta.`{tmp_path}/warehouse/uk-social/snapshot` VERSION AS OF 4",
        f"why uk-social p2 --restricted --purpose trying --warehouse {tmp_path}/warehouse",
    ):
        assert expected in said


def test_who_left_is_an_objector_where_there_is_one(warehouse: Path) -> None:
    known = versions(warehouse, "uk-social")
    assert demo.who_left(warehouse, known[1], known[3])["primary_reason"] in {"OBJECTED", "OBJECTED_LINKED"}


def test_the_demo_deletes_no_folder_that_it_did_not_make(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match="holds other things than a demo"):
        demo.demo(tmp_path, 1000, fresh=True, session=never)
    assert (tmp_path / "thesis.txt").exists()


def test_a_finished_demo_is_shown_again_without_spark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small_dataset(tmp_path / "warehouse")
    (tmp_path / demo.MARKER).write_text(json.dumps({"posts": 1000, "finished": True}))
    demo.demo(tmp_path, 1000, fresh=False, session=never)
    assert "The versions" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="a demo of 1000 posts; say --fresh for one of 2000"):
        demo.demo(tmp_path, 2000, fresh=False, session=never)


def never() -> NoReturn:
    raise AssertionError("this needs no Spark")


def test_vectors_prints_a_line_for_each_world_and_fails_when_one_comes_out_otherwise(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("corpus.cli.checking.spark_session", lambda *_, **__: nullcontext(spark))
    book = yaml.safe_load(VECTORS.read_text(encoding="utf-8"))
    wrong = book["cases"][0] | {"name": "wrong", "kept": [], "out": {"p1": ["DELETED"]}}
    (refused,) = (case for case in book["cases"] if case["name"] == "the impact assessment has run out")
    (tmp_path / "worlds.yaml").write_text(yaml.safe_dump(book | {"cases": [book["cases"][0], wrong, refused]}))
    done = CliRunner().invoke(app, ["vectors", str(tmp_path / "worlds.yaml")])
    assert (done.exit_code, done.output.splitlines()) == (
        1,
        [
            "ok      everything in order",
            "FAILED  wrong",
            "        p1: found kept, expected DELETED",
            "ok      the impact assessment has run out",
            "2 passed, 1 failed",
        ],
    )


def test_a_file_that_holds_no_worlds_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "worlds.yaml").write_text("cases: [{name: x}]")
    with pytest.raises(ConfigError, match="is not a file of vectors"):
        read_worlds(tmp_path / "worlds.yaml")
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_worlds(tmp_path / "nothing.yaml")
