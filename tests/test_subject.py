"""One person across all versions: what is in or out, since when and why, and what of them lives on through others."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from typer.testing import CliRunner

from corpus.cli import app
from corpus.errors import DatasetError
from corpus.policy import read_policy
from corpus.reasons import Reason
from corpus.subject import Subject, subject
from corpus.uses import Asked, hand_out
from tests.sealed_dataset import seal
from tests.small_dataset import EXCLUSIONS, HOSTILE_ID, MEMBERS, Out, doc_id, exclusion, small_dataset

POLICY = read_policy(Path(__file__).parent.parent / "conf/policies/uk-social.toml")


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small dataset sealed, where a run used 1 and 4.

    The account of p2 is a co-author of p5 in versions 3 and 4, that of p7 repeats itself in 4.
    """
    root = tmp_path_factory.mktemp("subject")
    folder = small_dataset(root / "warehouse")
    who = {"account_id": "account of p2", "role": "coauthor", "bucket": 0, "post_id": "p5", "doc_id": doc_id("p5")}
    rows = [who | {"build_id": f"build-{n}"} for n in (3, 4)]
    write_deltalake(folder / "members", pa.Table.from_pylist(rows, MEMBERS), mode="append")
    again = exclusion("p70", Out((Reason.NEAR_DUPLICATE,), "p7"), "build-4") | {"account_id": "account of p7"}
    write_deltalake(folder / "exclusions", pa.Table.from_pylist([again], EXCLUSIONS), mode="append")
    seal(folder, root / "key.ed25519.pem", POLICY, inputs=[])
    for number in (1, 4):
        asked, now = Asked("tram-7b", "pretraining", "A. Lovelace"), datetime(2026, 11, 4, 12, tzinfo=UTC)
        hand_out(root / "warehouse", "uk-social", number, asked, root / "key.ed25519.pem", now)
    return root / "warehouse"


def of(warehouse: Path, account: str) -> Subject:
    return subject(warehouse, "uk-social", account)


def test_each_version_says_how_much_it_holds_and_which_runs_used_it(warehouse: Path) -> None:
    found = of(warehouse, " account of p2 ")
    standings = [
        (int(s.version[-1]), s.documents, s.as_coauthor, s.left_out, s.through_others, s.used_by)
        for s in found.standings
    ]
    assert standings == [
        (5, 0, 0, 0, 0, []),
        (4, 0, 1, 1, 1, ["tram-7b"]),
        (3, 1, 1, 0, 0, []),
        (1, 1, 0, 0, 0, ["tram-7b"]),
    ]
    assert [use.version for use in found.uses] == ["uk-social@1", "uk-social@4"]
    assert (found.place, found.since) == ("out", "uk-social@5")


@pytest.mark.parametrize(
    ("account", "expected"),
    [
        ("account of p1", [("p1", "author", "gone", "uk-social@5", ["out", "out", "in"])]),
        ("account of p2", [("p2", "author", "gone", "uk-social@5", ["out", "in", "in"]),
                           ("p5", "coauthor", "gone", "uk-social@5", ["in", "in"])]),
        ("account of p5", [("p5", "author", "gone", "uk-social@5", ["in", "in", "out"])]),
        ("account of p7", [("p7", "author", "in", "uk-social@4", ["in", "in"]),
                           ("p70", "author", "gone", "uk-social@5", ["out"])]),
        (f"account of {HOSTILE_ID}", [(HOSTILE_ID, "author", "gone", "uk-social@4", ["out", "in"])]),
        ("account of p9", []),
    ],
)  # fmt: skip
def test_each_post_says_where_it_stands_and_since_when(warehouse: Path, account: str, expected: object) -> None:
    posts = of(warehouse, account).posts
    assert [(p.post_id, p.role, p.place, p.since, [held.place for held in p.history]) for p in posts] == expected


def test_words_that_live_on_are_traced_to_the_document_that_holds_them(warehouse: Path) -> None:
    (held,) = [one for post in of(warehouse, "account of p2").posts for one in post.history if one.place == "out"]
    assert (held.kept_instead, held.kept_document, held.kept_by_another) == ("p5", doc_id("p5"), True)
    assert held.reasons == ("EXACT_DUPLICATE",)


def test_who_repeats_himself_lives_on_in_nobody_elses_post(warehouse: Path) -> None:
    found = of(warehouse, "account of p7")
    assert [standing.through_others for standing in found.standings] == [0, 0, 0, 0]
    (held,) = found.posts[1].history
    assert (held.kept_document, held.kept_by_another) == (doc_id("p7"), False)


def test_reasons_come_with_the_objection_that_gave_them_and_the_version_that_knew_it_first(warehouse: Path) -> None:
    found = of(warehouse, "account of p1")
    assert found.posts[0].history[0].reasons == ("OBJECTED",)
    assert [(g["ground_id"], g["known_since"], g["known_until"]) for g in found.grounds] == [
        ("o-1", 3, 4),
        ("o-undated", 4, 4),
    ]
    assert [(o["objection_id"], o["known_since"]) for o in found.objections] == [("o-undated", 4), ("o-1", 3)]


def test_a_person_who_only_objected_is_known(warehouse: Path) -> None:
    found = of(warehouse, "account of p9")
    assert {objection["objection_id"] for objection in found.objections} == {"o-2", HOSTILE_ID}
    assert (found.place, found.since) == ("out", "uk-social@1")


@pytest.mark.parametrize("account", ["nobody", "", "%", "' OR '1'='1", "p1", "account of p_"])
def test_whom_nobody_knows_is_said_to_be_so_erased_or_never_seen(warehouse: Path, account: str) -> None:
    with pytest.raises(DatasetError, match=r"Nobody knows the account .* erased .* never seen are the same"):
        of(warehouse, account)


def test_a_dataset_from_before_grounds_were_kept_still_answers(warehouse: Path, tmp_path: Path) -> None:
    shutil.copytree(warehouse, tmp_path / "own")
    shutil.rmtree(tmp_path / "own/uk-social/grounds")
    assert of(tmp_path / "own", "account of p1").posts


def test_the_command_tells_a_person_from_all_sides(warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORPUS_WAREHOUSE", str(warehouse))

    def said(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["subject", "uk-social", *arguments, "--restricted"])
        assert done.exit_code == 0, done.exception
        return " ".join(done.output.split())

    two = said("account of p2")
    assert "has nothing in uk-social@5, and so it has been since uk-social@5" in two
    assert "uk-social@4 2026-11-04 02:00 0 1 1 1 tram-7b" in two
    assert "OBJECTED objection o-1 on facebook uk-social@3" in said("account of p1")
    assert "and 1 more; --most 2 lists all." in said("account of p2", "--most", "1")
    printed = json.loads(said("account of p2", "--json"))
    assert [post["history"][0]["version"] for post in printed["posts"]] == ["uk-social@4", "uk-social@4"]
    assert "\x1b" not in said(f"account of {HOSTILE_ID}")
