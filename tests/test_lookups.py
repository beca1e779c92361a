"""Who looks at what names people says so first, and the register answers about a person without listing anybody."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner

from corpus.cli import app
from corpus.errors import ConfigError, CorpusError, DatasetError, EnvironmentFault
from corpus.lookups import Kind, LookUp, lookups, register, user
from tests.small_dataset import HOSTILE_ID, doc_id


@pytest.fixture
def asked(own_warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A warehouse that commands find, and that a test may change."""
    monkeypatch.setenv("CORPUS_WAREHOUSE", str(own_warehouse))
    return own_warehouse


def look(who: str = "ada", purpose: str = "complaint 12", kind: Kind = "post", subject: str = "p1") -> LookUp:
    return LookUp(who, purpose, "why", kind, subject)


def ask(*arguments: str) -> tuple[str, CorpusError | None]:
    """What a command prints, and the mistake that it ends with."""
    done = CliRunner().invoke(app, arguments)
    assert done.exception is None or isinstance(done.exception, CorpusError), done.exception
    return done.output, done.exception


def test_it_says_who_looked_at_this_one_and_at_no_other(tmp_path: Path) -> None:
    for kind, subject in (("post", "p1"), ("account", "p1"), ("post", HOSTILE_ID), ("post", " p1 ")):
        register(tmp_path, look(kind=kind, subject=subject))  # type: ignore[arg-type]
    found = [(one["who"], one["purpose"], one["kind"]) for one in lookups(tmp_path, ("post", "p1")).lookups]
    assert found == [("ada", "complaint 12", "post")] * 2
    assert len(lookups(tmp_path, ("post", HOSTILE_ID)).lookups) == 1
    assert lookups(tmp_path, ("post", "p")).lookups == []
    assert len(lookups(tmp_path).lookups) == 4


def test_its_file_names_nobody_and_is_its_owners_alone(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    for folder in (tmp_path / "one", tmp_path / "two"):
        register(folder, look(subject="somebody-by-name"))
    one, two = ((tmp_path / name / "lookups/register.jsonl").read_text() for name in ("one", "two"))
    assert "somebody" not in one
    assert json.loads(one)["subject"] != json.loads(two)["subject"], "the key is the register's own"
    modes = [stat.S_IMODE((tmp_path / "one" / name).stat().st_mode) for name in ("lookups", "lookups/key")]
    assert (modes, stat.S_IMODE((tmp_path / "one/lookups/register.jsonl").stat().st_mode)) == ([0o700, 0o600], 0o600)


def test_many_at_once_lose_no_line(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: register(tmp_path, look(who=f"w{n}")), range(40)))
    found = lookups(tmp_path, ("post", "p1"))
    assert ({one["who"] for one in found.lookups}, found.unreadable) == ({f"w{n}" for n in range(40)}, 0)


def test_a_line_cut_short_by_a_power_cut_spoils_no_other(tmp_path: Path) -> None:
    place = tmp_path / "lookups/register.jsonl"
    register(tmp_path, look("first"))
    place.write_bytes(place.read_bytes() + b'{"at": "2026-')
    register(tmp_path, look("second"))
    found = lookups(tmp_path)
    assert ([one["who"] for one in found.lookups], found.unreadable) == (["first", "second"], 1)


def test_who_looks_is_the_account_of_the_system_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "somebody-else")
    monkeypatch.setenv("USER", "somebody-else")
    assert user() != "somebody-else"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"purpose": ""}, "--purpose: write one line"),
        ({"purpose": "two\nlines"}, "--purpose: write one line"),
        ({"purpose": "x" * 201}, "at most 200 characters"),
        ({"subject": "\udcff"}, "is not text in UTF-8"),
    ],
)
def test_what_cannot_stand_in_a_register_is_refused(said: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        look(**said)  # type: ignore[arg-type]


RESTRICTED = [
    ("why", "uk-social@3", "p1"),
    ("receipt", "uk-social", "o-1"),
    ("uses", "uk-social", "--account", "account of p1"),
]


@pytest.mark.parametrize("command", RESTRICTED, ids=lambda command: command[0])
def test_without_restricted_nothing_is_answered_or_registered(asked: Path, command: tuple[str, ...]) -> None:
    said, mistake = ask(*command)
    assert isinstance(mistake, ConfigError)
    assert ("add --restricted" in str(mistake), said, (asked / "uk-social/lookups").exists()) == (True, "", False)


@pytest.mark.parametrize("command", RESTRICTED, ids=lambda command: command[0])
def test_each_look_up_is_registered_also_of_whom_nobody_knows(asked: Path, command: tuple[str, ...]) -> None:
    for named in (command, (*command[:-1], "nobody")):
        ask(*named, "--restricted", "--purpose", "complaint 12")
    found = lookups(asked / "uk-social").lookups
    assert [(one["who"], one["purpose"]) for one in found] == [(user(), "complaint 12")] * 2
    assert len(lookups(asked / "uk-social", (found[0]["kind"], command[-1])).lookups) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize("command", RESTRICTED, ids=lambda command: command[0])
def test_what_cannot_be_registered_is_not_answered(asked: Path, command: tuple[str, ...]) -> None:
    (asked / "uk-social/lookups").write_text("somebody put a file there")
    said, mistake = ask(*command, "--restricted")
    assert isinstance(mistake, EnvironmentFault)
    assert ("cannot be registered" in str(mistake), said) == (True, "")


def test_a_misspelt_dataset_gets_no_register(asked: Path) -> None:
    _, mistake = ask("why", "uk-socail", "p1", "--restricted")
    assert isinstance(mistake, DatasetError)
    assert [path.name for path in asked.iterdir()] == ["uk-social"]


def test_the_command_lists_look_ups_and_names_nobody(asked: Path) -> None:
    assert ask("lookups", "uk-social")[0] == "No look-up is registered.\n"
    ask("why", "uk-social@3", "p1", "--restricted")
    assert "why  post       not said" in ask("lookups", "uk-social", "--post", "p1")[0]
    assert "p1" not in ask("lookups", "uk-social")[0].replace(user(), "")
    assert json.loads(ask("lookups", "uk-social", "--json")[0])["lookups"][0]["verb"] == "why"
    assert ask("lookups", "uk-social", "--account", "p1")[0] == "No look-up is registered.\n"
    assert isinstance(ask("lookups", "uk-social", "--post", "p1", "--account", "a")[1], ConfigError)


def test_who_looked_at_a_person_includes_who_looked_at_their_posts_and_objections(asked: Path) -> None:
    ask("why", "uk-social@3", "p1", "--restricted", "--purpose", "by post")
    ask("why", "uk-social@1", doc_id("p1"), "--restricted", "--purpose", "by document")
    ask("receipt", "uk-social", "o-1", "--restricted", "--purpose", "by objection")
    ask("subject", "uk-social", "account of p1", "--restricted", "--purpose", "by account")
    ask("why", "uk-social@1", "p2", "--restricted", "--purpose", "somebody else")
    ask("subject", "uk-social", "nobody", "--restricted", "--purpose", "whom nobody knows")

    def purposes(account: str) -> list[str]:
        found = json.loads(ask("lookups", "uk-social", "--account", account, "--json")[0])
        return [one["purpose"] for one in found["lookups"]]

    assert purposes("account of p1") == ["by post", "by document", "by objection", "by account"]
    assert purposes("nobody") == ["whom nobody knows"]


def test_a_register_without_its_key_is_said_to_be_so(tmp_path: Path) -> None:
    register(tmp_path, look())
    (tmp_path / "lookups/key").unlink()
    with pytest.raises(DatasetError, match=r"lookups/key cannot be read"):
        lookups(tmp_path, ("post", "p1"))
    with pytest.raises(DatasetError, match=r"lookups/key cannot be read"):
        register(tmp_path, look())
