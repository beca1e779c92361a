"""The console's pages say what the dataset says, and nothing in it can do anything there."""

from __future__ import annotations

import re
import shutil
from html import unescape
from pathlib import Path

import pytest

from corpus.evidence.store import read_statement, statement_path
from tests.consoles import OWN, Asked, console_over, signed_in
from tests.small_dataset import HOSTILE_ID, HOSTILE_TEXT, build, empty, small_dataset
from tests.statements import restate, write_statement
from tests.whole_dataset import Whole, whole_dataset


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return whole_dataset(tmp_path_factory.mktemp("console"))


@pytest.fixture
def small(tmp_path: Path) -> Path:
    small_dataset(tmp_path)
    return tmp_path


def words(html: str) -> str:
    """What a reader sees of the main part of a page."""
    main = html[html.index("<main") : html.index("</main>")]
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", main))).replace(" .", ".").replace(" ,", ",")


def get(asked: Asked, path: str, status: int = 200) -> str:
    answer = asked.client.get(path)
    assert answer.status_code == status, answer.text
    return words(answer.text)


def look_up(asked: Asked, form: str, kind: str, name: str) -> str:
    said = {"form": form, "kind": kind, "id": name, "purpose": "complaint 1"}
    answer = asked.client.post("/uk-social/ask", data=said, headers=OWN)
    assert answer.status_code == 200, answer.text
    return words(answer.text)


def test_the_timeline_shows_what_became_of_each_version(whole: Whole) -> None:
    asked = console_over(whole.warehouse)
    assert asked.client.get("/").headers["location"] == "/uk-social"
    said = get(asked, "/uk-social")
    newest, middle, first = re.findall(r"uk-social@\d (?:Sealed|Not).*?(?=uk-social@\d (?:Sealed|Not)|$)", said)
    assert "3 versions so far. The newest, uk-social@3, holds 60 posts made before 3 Nov 2026, 00:00 UTC" in said
    assert newest.startswith("uk-social@3 Sealed Used by 1 run")
    assert "59" in middle
    assert "1 fewer than the one before" in middle
    assert "Recalled" in first
    assert "Used by 1 run" in first


def test_versions_that_no_build_finished_are_said_to_be_so(small: Path) -> None:
    asked = console_over(small)
    said = get(asked, "/uk-social")
    assert "uk-social@5 Not sealed" in said
    assert "uk-social@2 upkeep of the table, no posts changed (SET TBLPROPERTIES)" in said
    assert "nothing that is signed says what they are" in get(asked, "/uk-social@5")


def test_a_version_is_told_in_words(small: Path, whole: Whole) -> None:
    said = get(console_over(small), "/uk-social@1")
    assert "4 posts are in. It holds what was written before 1 Nov 2026, 00:00 UTC" in said
    assert "its text equals that of an earlier post that was kept EXACT_DUPLICATE <10" in said
    assert "Numbers under 10 are not shown" in said
    assert "rule ACCOUNT_PRIVATE is off: the forum has no private accounts" in said
    assert "switched off for this build it is down for repairs" in said
    said = get(console_over(whole.warehouse), "/uk-social@1")
    assert "There is not one objection. OBJECTIONS_EMPTY" in said or "GOVERNANCE_MISSING" in said
    assert "The whole policy “uk-social” in plain English" in said
    assert "tram-1b for pretraining, approved by A. Lovelace" in said
    assert "Called back" in said


def test_what_changed_is_told_by_cause_and_adds_up(whole: Whole) -> None:
    asked = console_over(whole.warehouse)
    said = get(asked, "/uk-social@1..2")
    assert "uk-social@1 60 − hidden went + hidden came = uk-social@2 59" in said
    assert "an objection came in NEW_OBJECTION: the author objected hidden" in said
    officer = console_over(whole.warehouse, is_restricted=True)
    signed_in(officer)
    said = get(officer, "/uk-social@1..2")
    assert "uk-social@1 60 − 1 went + 0 came = uk-social@2 59" in said
    assert "Posts that went: 1 Because Posts an objection came in NEW_OBJECTION: the author objected 1" in said
    chosen = asked.client.get("/uk-social/changes?before=2&after=1")
    assert (chosen.status_code, chosen.headers["location"]) == (303, "/uk-social@2..1")


def test_uses_and_recalls_are_listed_or_said_to_be_none(small: Path, whole: Whole) -> None:
    asked = console_over(whole.warehouse)
    assert "uk-social@3 tram-3b pretraining A. Lovelace" in get(asked, "/uk-social/uses")
    recalls = get(asked, "/uk-social/recalls")
    assert "uk-social@1 Recalled" in recalls
    assert "tram-1b" in recalls
    asked = console_over(small)
    assert "No use is logged." in get(asked, "/uk-social/uses")
    assert "No version is called back." in get(asked, "/uk-social/recalls")


def test_mistakes_are_answered_in_words(small: Path) -> None:
    asked = console_over(small)
    assert "uk-social has no version 9; it has 1, 3, 4, 5" in get(asked, "/uk-social@9", 404)
    assert "(did you mean 'uk-social'?)" in get(asked, "/uk-socal", 404)
    assert "write DATASET@N" in get(asked, "/uk-social@x", 400)
    assert "There is no such page" in get(asked, "/a/b/c", 404)
    get(asked, "/" + "9" * 5000, 404)
    get(asked, "/uk-social@" + "9" * 5000, 400)


def test_an_empty_warehouse_and_an_empty_dataset_say_how_to_begin(tmp_path: Path) -> None:
    assert "There is no dataset in" in get(console_over(tmp_path), "/")
    empty(tmp_path / "uk-social")
    assert "Nothing was built yet" in get(console_over(tmp_path), "/uk-social")
    assert "There are no two versions to compare yet." in get(console_over(tmp_path), "/uk-social/changes")


def test_a_damaged_dataset_is_a_page_too(small: Path) -> None:
    shutil.rmtree(small / "uk-social/members/_delta_log")
    asked = console_over(small)
    said = get(asked, "/uk-social@1..3", 500)
    assert "The dataset cannot be read" in said
    assert "members" in said
    (small / "uk-social/evidence/statements" / f"{1:020d}.json").write_text("{")
    assert "statement" in get(asked, "/uk-social", 500)


def test_a_post_that_is_in_and_one_that_was_left_out(whole: Whole) -> None:
    asked = console_over(whole.warehouse, whole.key_file, is_restricted=True)
    form = signed_in(asked)
    said = look_up(asked, form, "post", "p2")
    assert "Yes. This post is in uk-social@3." in said
    assert "Used for training: tram-3b (uk-social@3), tram-1b (uk-social@1)." in said
    said = look_up(asked, form, "post", "p1")
    assert "Not any more. It was left out of uk-social@3 because the author objected." in said
    assert "Earlier versions hold it: uk-social@1." in said
    assert "by objection o-1, on facebook" in said
    assert "Used for training: tram-1b (uk-social@1)." in said
    assert "No. uk-social@3 has not judged a post with this id." in look_up(asked, form, "post", "p91")
    assert "No version of uk-social knows it" in look_up(asked, form, "post", "p-nobody")


def test_an_account_that_is_in_one_that_is_out_and_one_that_nobody_knows(whole: Whole) -> None:
    asked = console_over(whole.warehouse, whole.key_file, is_restricted=True)
    form = signed_in(asked)
    said = look_up(asked, form, "account", "account of p2")
    assert "Yes. uk-social@3 holds 1 post of this account, and 4 posts that it is a co-author of." in said
    said = look_up(asked, form, "account", "account of p1")
    assert "Not any more. uk-social@3 holds no post of this account." in said
    assert "Used for training: tram-1b (uk-social@1" in said
    assert "Nothing of this account is in any version" in look_up(asked, form, "account", "stranger")


def test_whatever_posts_and_ids_hold_is_shown_and_does_nothing(small: Path) -> None:
    asked = console_over(small, is_restricted=True)
    form = signed_in(asked)
    nasty = '<script>alert(1)</script>"><img src=x onerror=y>\x1b[2J\u202e'
    said = {"form": form, "kind": "post", "id": nasty, "purpose": "complaint 1"}
    page = asked.client.post("/uk-social/ask", data=said, headers=OWN).text
    assert "<script" not in page
    assert "<img" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page

    build(small / "uk-social", {HOSTILE_ID: f"<script>{HOSTILE_TEXT}"}, {})
    page = asked.client.post("/uk-social/ask", data=said | {"id": HOSTILE_ID}, headers=OWN).text
    assert "Yes. This post is in uk-social@6." in page
    assert "&lt;script&gt;a tram in Leeds \\x1b]0;owned" in page
    assert not re.search(r"<script|[\x00-\x08\x1b\x9b\u202e]", page)


def test_what_people_wrote_in_statements_is_shown_and_does_nothing(small: Path) -> None:
    path = statement_path(small / "uk-social", 4)
    said = read_statement(path)
    assert said
    said["predicate"]["policy"]["name"] = "<script>name</script>"
    said["predicate"]["gates"][1]["because"] = "<img src=x onerror=alert(1)>\x1b[2J"
    said["predicate"]["inputs"][0]["table"] = "<b>posts"
    path.unlink()
    write_statement(path, said)
    for place in ("/uk-social", "/uk-social@4", "/uk-social/changes"):
        page = console_over(small).client.get(place)
        assert page.status_code == 200
        assert not re.search(r"<script|<img|<b>posts|[\x00-\x08\x1b]", page.text)
    assert "switched off for this build <img src=x onerror=alert(1)>\\x1b[2J" in get(
        console_over(small), "/uk-social@4"
    )


def test_a_statement_that_somebody_changed_is_not_called_sealed(tmp_path: Path) -> None:
    whole = whole_dataset(tmp_path)
    restate(statement_path(whole.folder, 2), lambda said: said.update(cutoff="2026-11-09T00:00:00Z"))
    asked = console_over(whole.warehouse)
    assert "uk-social@2 Statement changed" in get(asked, "/uk-social")
    assert "Do not rely on this page." in get(asked, "/uk-social@2")
    assert "Do not rely on this page." not in get(asked, "/uk-social@3")
