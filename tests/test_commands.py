"""The command line has one grammar: each verb answers programs, completes, suggests, and ends as its page says."""

from __future__ import annotations

import os
import pty
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main

from corpus.build import Built
from corpus.cli import app
from tests.small_dataset import HOSTILE_ID

ROOT = Path(__file__).parent.parent
CORPUS = [sys.executable, "-c", "import sys; sys.argv[0] = 'corpus'; from corpus.cli import main; main()"]
TOOL = runpy.run_path(str(ROOT / "tools/commands.py"))
COMMANDS: dict[str, Any] = dict(TOOL["_commands"](typer.main.get_command(app), ""))


def corpus(warehouse: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    own = os.environ | {"CORPUS_WAREHOUSE": str(warehouse), "COLUMNS": "100"} | environment
    return subprocess.run([*CORPUS, *arguments], capture_output=True, text=True, check=False, env=own)


def on_a_terminal(warehouse: Path, *arguments: str, **environment: str) -> str:
    """What the command writes to a terminal, on both of its streams."""
    ours, theirs = pty.openpty()
    own = os.environ | {"CORPUS_WAREHOUSE": str(warehouse), "COLUMNS": "200", "TERM": "xterm"} | environment
    running = subprocess.Popen([*CORPUS, *arguments], stdout=theirs, stderr=theirs, env=own)
    os.close(theirs)
    written = b""
    while read := _read(ours):
        written += read
    running.wait()
    os.close(ours)
    return written.decode()


def _read(handle: int) -> bytes:
    try:
        return os.read(handle, 65536)
    except OSError:  # Linux says so when the other end is closed
        return b""


def test_the_page_of_commands_is_what_the_command_line_says() -> None:
    page = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    assert page == TOOL["page"](), "run: make commands"


def test_every_verb_that_answers_has_json_and_every_verb_an_example() -> None:
    writes_a_document = {"log prove", "describe", "version", "demo", "serve"}
    without = {name for name, command in COMMANDS.items() if not any("--json" in each.opts for each in command.params)}
    assert without <= writes_a_document
    assert not [name for name, command in COMMANDS.items() if f"Example: corpus {name.split()[0]}" not in command.help]


def test_options_of_the_same_name_are_spelt_alike() -> None:
    spelt: dict[str, set[tuple[str, ...]]] = {}
    for command in COMMANDS.values():
        for each in command.params:
            if each.name in {"warehouse", "json", "restricted", "purpose", "most"}:
                spelt.setdefault(each.name, set()).add(tuple(each.opts))
            assert "-o" not in each.opts or "--out" in each.opts
    assert all(len(ways) == 1 for ways in spelt.values()), spelt


def test_a_build_answers_programs_in_json() -> None:
    funnel = {"posts": "3", "kept": "2", "excluded": "1"}
    built = Built("d", 1, "b", was_there=False, statement={"predicate": {"funnel": funnel}}, warnings=["w"])
    said = {"dataset": "d", "version": 1, "build_id": "b", "was_there": False, "warnings": ["w"], "funnel": funnel}
    assert built.answer() == said


def test_what_people_need_first_stands_first(warehouse: Path) -> None:
    listed = re.findall(r"^  (\w+)  ", corpus(warehouse, "--help").stdout.split("Commands:")[1], re.MULTILINE)
    assert listed[:7] == ["demo", "doctor", "ingest", "build", "log", "show", "funnel"]
    assert set(listed) == {name.split()[0] for name in COMMANDS}


def test_its_version_is_told_by_an_option_and_by_a_verb(warehouse: Path) -> None:
    assert corpus(warehouse, "--version").stdout == corpus(warehouse, "version").stdout != ""


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("corpus fun", ["funnel"]),
        ("corpus show uk", ["uk-social"]),
        ("corpus show uk-social@", ["uk-social@4", "uk-social@3", "uk-social@1"]),
        ("corpus why uk-social@3", ["uk-social@3"]),
        ("corpus diff uk-social@1..", ["uk-social@1..4", "uk-social@1..3", "uk-social@1..1"]),
        ("corpus log uk", ["uk-social"]),
        ("corpus lookups x", []),
        ("corpus show other@", []),
        ("corpus show --warehouse /nowhere uk", []),
        ("corpus subject uk-social a --restr", ["--restricted"]),
    ],
)
def test_the_tab_key_offers_commands_options_datasets_and_versions(
    warehouse: Path, typed: str, offered: list[str]
) -> None:
    words = typed.split()
    asked = {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1), "_CORPUS_COMPLETE": "complete_bash"}
    assert corpus(warehouse, **asked).stdout.split() == offered


def test_completion_can_be_set_up(warehouse: Path) -> None:
    assert "complete -o default -F _corpus_completion corpus" in corpus(warehouse, "--show-completion", "bash").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("shwo", "uk-social"), 2, "No such command 'shwo'. Did you mean 'show'?"),
        (("policy", "explan", "uk-social"), 2, "Did you mean 'explain'?"),
        (("log", "uk-social", "--jsn"), 2, "--json"),
        (("funnel", "uk-socail"), 6, "did you mean 'uk-social'?"),
        (("funnel", "uk-social@9"), 6, "no version 9; it has 1, 3, 4, 5"),
        (("subject", "uk-socail", "a", "--restricted"), 6, "did you mean 'uk-social'?"),
        (("subject", "uk-social", "nobody", "--restricted"), 6, "Nobody knows the account 'nobody'"),
        (("subject", "uk-social", "%", "--restricted"), 6, "Nobody knows the account '%'"),
        (("subject", "uk-social", "a' OR '1'='1", "--restricted"), 6, "Nobody knows"),
        (("subject", "uk-social", "\x1b[31m<b>x</b>", "--restricted"), 6, r"account '\x1b[31m<b>x</b>'"),
        (("subject", "uk-social", "a"), 2, "add --restricted"),
        (("receipt", "uk-social", "100%'", "--restricted"), 6, "No version of uk-social knows the objection '100%''"),
        (("lookups", "uk-socail"), 6, "did you mean 'uk-social'?"),
        (("why", "uk-social", "p1", "--restricted", "--purpose", "a\nb"), 2, "--purpose: write one line"),
        (("doctor", "--spark-conf", "locl"), 2, "did you mean 'local'?"),
        (("why", "uk-social", "p\udcff", "--restricted"), 2, "is not text in UTF-8"),
        (("lookups", "uk-social", "--post", "p\udcff"), 2, "is not text in UTF-8"),
    ],
)
def test_bad_input_is_a_message_and_an_exit_code(
    warehouse: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    done = corpus(warehouse, *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    ["log uk-social", "show uk-social@3 --json", "subject uk-social X --restricted", "--help", "diff uk-social@1..3"],
)
def test_a_reader_that_goes_away_ends_it_quietly(warehouse: Path, arguments: str) -> None:
    asked = [each.replace("X", f"account of {HOSTILE_ID}") for each in arguments.split()]
    own = os.environ | {"CORPUS_WAREHOUSE": str(warehouse)}
    running = subprocess.Popen([*CORPUS, *asked], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=own)
    assert running.stdout is not None
    running.stdout.close()
    assert running.communicate()[1] == b""
    assert running.returncode in {0, 141}


def test_colours_are_for_a_terminal_that_wants_them(warehouse: Path) -> None:
    shown = ("why", "uk-social@3", "p1", "--restricted")
    assert "\x1b[1m" in on_a_terminal(warehouse, *shown)
    assert "\x1b" not in corpus(warehouse, *shown).stdout
    colours = re.compile(r"\x1b\[[0-9;]*3[0-7]m")
    wrong = ("doctor", "--keys", str(warehouse))
    assert colours.search(on_a_terminal(warehouse, *wrong))
    assert not colours.search(on_a_terminal(warehouse, *wrong, NO_COLOR="1"))


@pytest.mark.parametrize("arguments", [("recall", "uk-social", "--dry-run"), ("verify", "uk-social@3")])
def test_what_may_take_long_moves_on_a_terminal_and_there_alone(warehouse: Path, arguments: tuple[str, ...]) -> None:
    assert "✓" in on_a_terminal(warehouse, *arguments)
    assert "✓" not in corpus(warehouse, *arguments).stderr
