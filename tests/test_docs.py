"""The documentation does what it says: its commands print what stands there, its code runs, its links lead to files."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer.main
from pyspark.sql import SparkSession

from corpus.cli import app
from corpus.policy_words import lines, raw, strict_default
from tests.pages import PAGES, ROOT, blocks, commands
from tests.small_dataset import small_dataset
from tests.test_policy_words import KEYS

READING = ROOT / "docs/reading.md"
POLICIES = ROOT / "docs/policies.md"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the small dataset where the demo's would be."""
    folder = tmp_path_factory.mktemp("docs")
    small_dataset(folder / "demo/warehouse")
    return folder


def test_reading_md_holds_code_that_runs(spark: SparkSession, demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(demo)
    names: dict[str, object] = {"spark": spark}
    for block in blocks(READING, "python"):
        exec(block.code.replace("demo/", f"{demo}/demo/"), names)
    assert names["verdict"].reasons == ["OBJECTED", "DELETED"]  # type: ignore[attr-defined]
    assert len(names["texts"]) == 4  # type: ignore[arg-type]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_docs_exist_with_their_options(page: Path) -> None:
    for command in commands(page):
        named, (_, *arguments) = typer.main.get_command(app), shlex.split(command, comments=True)
        while hasattr(named, "commands") and not arguments[0].startswith("-"):
            named = named.commands[arguments.pop(0) if arguments[0] in named.commands else "versions"]  # corpus log
        known = {option for parameter in named.params for option in parameter.opts}
        used = {argument.partition("=")[0] for argument in arguments if argument.startswith("--")}
        assert used <= known | {"--help"}, command


def test_policies_md_lists_every_key_with_its_default_and_which_way_is_stricter() -> None:
    rows = re.findall(r"^\| `([a-z_.]+)` \| (.*?) \| (.*?) \|", POLICIES.read_text(encoding="utf-8"), re.MULTILINE)
    said = {key: (default, stricter) for key, default, stricter in rows}
    assert set(said) == set(KEYS)
    for line in lines():
        default, how = strict_default(line), line.stricter
        stricter = " before ".join(map(raw, how)) if isinstance(how, list) else {"own": "", "neither": ""}.get(how, how)
        if line.key:
            assert said[line.key] == ("" if default is None else raw(default), stricter)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_in_the_docs_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing
