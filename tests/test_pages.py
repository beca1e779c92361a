"""Every command that a page tells a reader to type is typed here, in a reader's folder, and ends well.

Blocks of `sh` are run, line by line; blocks of `console` are run and what they print is compared. A block that no test
can run says so and why: ```sh title="not run here: it needs a cluster". There is no third kind.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from corpus.cli import app
from corpus.errors import CorpusError
from corpus.evidence.keys import make_signer
from corpus_verify.cli import main as verify_proof
from tests.pages import PAGES, ROOT, Block, blocks, prose
from tests.small_dataset import small_dataset
from tests.test_jobs import write_policy
from tests.whole_dataset import NAME, Whole, whole_dataset

DATA = ("json", "mermaid", "py", "python", "sql", "text", "toml", "yaml")
"""What a page shows and nobody types. Python of docs/reading.md is run by test_docs."""

SMALL = ["analysts.md", "changes.md", "reading.md"]
"""Pages whose examples are of the small dataset; the others are of the whole one, with its keys and evidence."""

WRITTEN = ["commands.md"]
"""A page made from the commands' own help: its examples are held to the options that there are, by test_docs."""

REFUSED = "corpus: "
"""So begins what a command says that was refused: a page may show that too."""

ELSEWHERE = re.compile(r"tests/\w+\.py|\.ci/run|make \w+")
VOLATILE = [(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?", "A TIME"), (r"\b[0-9a-f]{16,}\b", "HEX")]
OURS = ("corpus", "corpus-verify", "export")
SPARK_STARTERS = ("checking", "making", "policies", "sealing", "using")
"""The modules of the command line that start Spark: here they get the session that all tests share."""


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of somebody who reads the pages: the project, a demo with its keys, and what others keep."""
    folder = tmp_path_factory.mktemp("begun")
    small_dataset(folder / "small/warehouse")

    def keep(number: int) -> None:
        if number == 2:
            shutil.copy(folder / "made/warehouse" / NAME / "evidence/log/checkpoint", folder / "kept.checkpoint")

    _settle(folder, whole_dataset(folder / "made", after=keep))
    shutil.copytree(ROOT / "conf", folder / "conf")
    for name in ("docs", "tests", "verifier"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def _settle(folder: Path, whole: Whole) -> None:
    """Puts the dataset where `make demo` would, and the keys where builds do."""
    make_signer(folder / "auditor.pem")
    (folder / "questions.sql").write_text("SELECT count(*) AS documents FROM snapshot;\n")
    (folder / ".config").mkdir()
    (folder / "demo").mkdir()
    shutil.copytree(whole.keys, folder / ".config/corpus")
    write_policy(folder / "demo/uk-social.toml")
    for key in whole.keys.iterdir():
        shutil.copy(key, folder / "demo")
    shutil.move(whole.warehouse, folder / "demo/warehouse")
    for copy in ("public.pem", "kept.pem"):
        shutil.copy(folder / "demo/warehouse" / NAME / "evidence/public.pem", folder / copy)


@pytest.fixture
def reader(begun: Path, tmp_path: Path) -> Path:
    """The same for each page, whatever the others did."""
    return Path(shutil.copytree(begun, tmp_path / "reader", symlinks=True))


@pytest.fixture
def typing(reader: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Types there, with the page's own dataset at hand."""
    page: Path = request.node.callspec.params["page"]
    own = reader / ("small" if page.name in SMALL else "demo")
    monkeypatch.chdir(reader)
    for name, value in {
        "HOME": reader,
        "CORPUS_WAREHOUSE": own / "warehouse",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }.items():
        monkeypatch.setenv(name, str(value))

    @contextmanager
    def shared(*_: object, **__: object) -> Iterator[object]:
        yield request.getfixturevalue("spark")

    for module in SPARK_STARTERS:
        monkeypatch.setattr(f"corpus.cli.{module}.spark_session", shared)
    return monkeypatch


def type_line(
    line: str, typing: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], must_end_well: bool = True
) -> str:
    """What a line prints; it must end well, or be refused. Ours run in this process, which spares each a second."""
    if line.split(maxsplit=1)[0] not in OURS or re.search(r"[|><;]", re.sub(r"'[^']*'", "", line)):
        return by_shell(line, must_end_well)
    program, *arguments = by_shell(f"printf '%s\\0' {line}").split("\0")[:-1]
    if program == "export":
        typing.setenv(*arguments[0].split("=", 1))
        return ""
    if program == "corpus":
        return _corpus(line, arguments, must_end_well)
    capsys.readouterr()
    assert verify_proof(arguments) == 0, line
    return capsys.readouterr().out


def by_shell(line: str, must_end_well: bool = True) -> str:
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", line], capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == must_end_well, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout


def _corpus(line: str, arguments: list[str], must_end_well: bool) -> str:
    ended = CliRunner().invoke(app, arguments)
    if not must_end_well and isinstance(ended.exception, CorpusError):
        return f"{REFUSED}{ended.exception}\n"
    if isinstance(ended.exception, CorpusError) or not isinstance(ended.exception, SystemExit | None):
        raise AssertionError(f"{line}\n{ended.output}") from ended.exception
    assert (ended.exit_code == 0) == must_end_well, f"{line}\n{ended.output}"
    return ended.stdout


def check_block(block: Block, type_it: Callable[[str, bool], str]) -> None:
    """Each line ends well and, in `console`, its answer begins with what the page shows."""
    if block.language != "console":
        for line in block.lines:
            type_it(line, True)
        return
    for shown in re.split(r"^\$ ", block.code, flags=re.MULTILINE)[1:]:
        line, _, expected = re.sub(r"\\\n", " ", shown).partition("\n")
        assert_shown(type_it(line, not expected.startswith(REFUSED)), expected.rstrip(), line)


def assert_shown(printed: str, expected: str, line: str) -> None:
    """What is printed begins with what the page shows; `…` on a line of its own stands for lines left out."""
    at, now = 0, steady(printed)
    for part in re.split(r"^…\n?", steady(expected), flags=re.MULTILINE):
        found = now.find(part, at)
        assert found == 0 or (at and found > 0), f"`{line}` prints:\n{printed}\nand the page says:\n{expected}"
        at = found + len(part)


def steady(text: str) -> str:
    for pattern, word in VOLATILE:
        text = re.sub(pattern, word, text)
    return text


def typed(page: Path) -> list[Block]:
    here = page.name not in WRITTEN
    return [block for block in blocks(page) if here and block.is_typed and not block.info]


@pytest.mark.parametrize("page", [page for page in PAGES if typed(page)], ids=lambda page: page.name)
def test_what_a_page_tells_to_type_ends_well(
    page: Path, typing: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for block in typed(page):
        check_block(block, lambda line, well: type_line(line, typing, capsys, well))


def verbs(command: object, *above: str) -> Iterator[tuple[str, ...]]:
    """Every command of the command line, by the words that call it."""
    below = getattr(command, "commands", None)
    if below is None:
        yield above
    for name, each in (below or {}).items():
        yield from verbs(each, *above, name)


def test_every_command_stands_on_a_page_that_is_typed_or_says_why_not() -> None:
    lines = [line for page in PAGES if page.name not in WRITTEN for block in blocks(page) for line in block.lines]
    shown = {tuple(line.split()[1 : 1 + n]) for line in lines if line.startswith("corpus ") for n in (1, 2)}
    unknown = [" ".join(verb) for verb in verbs(get_command(app)) if verb not in shown]
    assert unknown == ["demo", "version", "log versions"]  # make demo; it explains itself; corpus log DATASET


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_is_typed_here_or_says_why_not(page: Path) -> None:
    for block in blocks(page):
        assert block.is_typed or block.language in DATA, f"{page.name} has a block of '{block.language}'"
        assert not block.info or block.why_not_run, f"{page.name}: what does '{block.info}' mean?"
        assert block.is_typed or not re.search(r"^(\$ )?corpus ", block.code, re.MULTILINE), block.code
    assert not re.search(r"^(    |\t)(\$ )?corpus ", prose(page), re.MULTILINE), "an indented block is not run"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_run_elsewhere_is_run_there(page: Path) -> None:
    for block in blocks(page):
        for named in ELSEWHERE.findall(block.why_not_run or ""):
            there = ROOT / named if "/" in named else ROOT / "Makefile"
            said = there.read_text(encoding="utf-8")
            verbs = {line.split()[1] for line in block.lines if line.startswith(("corpus ", "make "))}
            assert all(verb in said for verb in verbs), f"{named} runs none of {verbs}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_toml_on_a_page_is_toml(page: Path) -> None:
    for block in blocks(page, "toml"):
        tomllib.loads(block.code)
