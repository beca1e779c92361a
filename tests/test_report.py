"""The report: one page that stands alone, hides small numbers, and shows whatever people wrote as text."""

from __future__ import annotations

import base64
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from hypothesis import given
from hypothesis import strategies as st

from corpus.cli import main
from corpus.errors import DatasetError
from corpus.evidence.store import statement_path
from corpus.funnel_shown import LEAST, shown_funnel
from corpus.policy import as_policy
from corpus.policy_changes import changes
from corpus.policy_explained import explained
from corpus.query import show
from corpus.reasons import Reason
from corpus.report import write_report
from corpus.report.counts import REST, STAGES, by_stage, merged, over_time, safe, safe_moves, stage_counts
from corpus.report.gathered import gathered
from corpus.report.page import as_page
from corpus.report.pictures import BLUE, GREY, INK, ORANGE, PALE, funnel_picture, timeline_picture
from corpus.versions import Row
from tests.small_dataset import REGISTER
from tests.statements import restate
from tests.whole_dataset import NAME, POLICY, Whole, whole_dataset

VOID = {"meta", "link", "br", "img", "input", "hr"}
EVIL = "</td><script>alert(1)</script><img src=x onerror=alert(1)> & \"'\u202e{{ 7*7 }}\x1b[31m"
CSS = (Path(__file__).parent.parent / "src/corpus/report/report.css").read_text(encoding="utf-8")


class Page(HTMLParser):
    """A page's elements in order, each under those that it stands in; a tag that does not close fails."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute twice in <{tag}>"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(self.elements[-1])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self.open[-1][0] if self.open else "", data.strip()))

    def attributes(self) -> Iterator[tuple[str, str, str]]:
        return ((tag, name, value or "") for tag, attrs in self.elements for name, value in attrs.items())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return whole_dataset(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def told(whole: Whole) -> Row:
    return gathered(whole.warehouse, NAME, 3)


def hostile(told: Row) -> Row:
    """The same, with HTML, a template and control characters wherever people write something."""
    values = POLICY.as_json() | {"name": EVIL.lower(), "purpose": EVIL.lower()}
    values["governance"] = values["governance"] | {"approved_by": EVIL, "dpia": {"id": EVIL, "expires": "2030-01-01"}}
    values["rules_off"] = [{"rule": "DELETED", "because": EVIL}]
    policy = as_policy(values, "here")
    gate = {"name": EVIL, "says": EVIL, "outcome": EVIL, "passed": False, "because": EVIL}
    use = {"run": EVIL, "purpose": EVIL, "approved_by": EVIL, "at": "2026-11-01T00:00:00Z"}
    inputs = [told["inputs"][0] | {"location": EVIL, "what": EVIL}]
    content = told["content"] | {"by": {EVIL: {EVIL: EVIL}}, "times": {EVIL: 20}}
    return told | {
        "policy": policy, "explained": explained(policy), "gates": [gate], "uses": [use], "inputs": inputs,
        "content": content, "departures": [(EVIL, EVIL)],
    }  # fmt: skip


@pytest.fixture(scope="module", params=["plain", "hostile"])
def page(request: pytest.FixtureRequest, told: Row) -> tuple[str, Page]:
    text = as_page(told if request.param == "plain" else hostile(told))
    return text, Page(text)


def test_every_id_is_there_once_and_every_reference_leads_to_one(page: tuple[str, Page]) -> None:
    found = list(page[1].attributes())
    ids = Counter(value for _, name, value in found if name == "id")
    assert set(ids.values()) == {1}
    wanted = {value[1:] for _, name, value in found if name == "href"}
    wanted |= {word for _, name, value in found if name == "aria-labelledby" for word in value.split()}
    wanted |= {target for _, _, value in found for target in re.findall(r"url\(#([^)]+)\)", value)}
    assert wanted <= ids.keys()


def test_the_page_needs_no_network_no_script_and_no_style_but_its_own(page: tuple[str, Page]) -> None:
    text, parsed = page
    assert not {tag for tag, _ in parsed.elements} & {"script", "img", "link", "iframe", "object", "form", "image"}
    assert not [name for _, name, _ in parsed.attributes() if name.startswith("on") or name in {"style", "src"}]
    assert all(value.startswith("#") for _, name, value in parsed.attributes() if name.endswith("href"))
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert "url(" not in style
    assert "@import" not in style
    digest = base64.b64encode(sha256(style.encode()).digest()).decode()
    policy = next(attrs for tag, attrs in parsed.elements if attrs.get("http-equiv") == "Content-Security-Policy")
    assert policy["content"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


def test_what_people_wrote_is_shown_as_text_and_does_nothing(told: Row) -> None:
    text = as_page(hostile(told))
    shown = " ".join(part for _, part in Page(text).texts)
    assert shown.count("<script>alert(1)</script>") >= 10
    assert "{{ 7*7 }}" in shown
    assert not {"\u202e", "\x1b"} & set(text)


def test_a_screen_reader_finds_its_way(page: tuple[str, Page]) -> None:
    parsed = page[1]
    tags = [tag for tag, _ in parsed.elements]
    assert dict(parsed.elements)["html"]["lang"] == "en-GB"
    assert {"header", "nav", "main", "footer"} <= set(tags)
    levels = [int(tag[1]) for tag in tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip([0, *levels], levels, strict=False))
    assert all("scope" in attrs for tag, attrs in parsed.elements if tag == "th")
    assert tags.count("caption") == tags.count("table")
    pictures = [attrs for tag, attrs in parsed.elements if tag == "svg"]
    assert len(pictures) == 2  # of objections there is none
    assert all(attrs["role"] == "img" and "-title" in str(attrs["aria-labelledby"]) for attrs in pictures)


def luminance(color: str) -> float:
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_words_stand_out_from_their_ground() -> None:
    colors = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", CSS))
    grounds = {"paper": ("ink", "soft", "blue"), "tint": ("ink", "soft", "blue"), "warn-tint": ("ink", "warn")}
    pairs = [(colors[word], colors[ground]) for ground, words in grounds.items() for word in words]
    pairs += [(INK, colors["paper"]), (GREY, colors["paper"])]
    assert min(contrast(*pair) for pair in pairs) >= 4.5
    assert min(contrast(ORANGE, PALE), contrast(BLUE, colors["paper"])) >= 3
    assert set(re.findall(r"#[0-9a-f]{6}", CSS)) == set(colors.values())


def test_the_picture_of_the_funnel_has_the_numbers_of_its_table(told: Row) -> None:
    text = as_page(told)
    svg = Page(
        text[text.index("<svg", text.index('id="left-out"')) : text.index("</svg>", text.index('id="left-out"')) + 6]
    )
    labels = {words for tag, words in svg.texts if tag == "text"}
    for name, n in told["funnel"]["bars"]:
        assert {name, "hidden" if n is None else f"{n:,}"} <= labels
    table = text[text.index('id="left-out"') : text.index('id="objecting"')]
    for stage, n in told["funnel"]["counts"].items():
        assert re.search(rf'>{re.escape(stage)}</th><td class="number">{"hidden" if n is None else f"{n:,}"}<', table)


def test_a_picture_is_the_same_each_time_and_shows_a_hidden_count_without_a_length() -> None:
    counted = [("All", 100), ("a < b & c", None), ("Left", 60)]
    drawn = funnel_picture("one", "A title", counted)
    assert drawn == funnel_picture("one", "A title", counted)
    assert "a &lt; b &amp; c: hidden; Left: 60." in drawn
    assert "http" not in drawn
    for empty in ([], [("2026", None)], [("2026", 0)]):
        assert Page(timeline_picture("none", "Nothing", empty)).elements


def test_a_report_names_no_post_no_account_and_no_small_number(whole: Whole, told: Row, tmp_path: Path) -> None:
    assert write_report(whole.warehouse, NAME, 2, tmp_path / "r.html") == "uk-social@2"
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert not re.findall(r"account of p|text \d{4}|\bp\d+\b|o-1", text)
    cells = [words for tag, words in Page(text).texts if tag == "td"]
    funnel = text[text.index('id="left-out"') : text.index('id="objecting"')]
    assert "&lt;10" in funnel
    assert not re.findall(r'<td class="number">[1-9]<', funnel)
    assert cells
    assert write_report(whole.warehouse, NAME, 2, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == text


def test_the_rows_of_the_posts_give_no_hidden_number_away(told: Row) -> None:
    assert told["funnel"]["totals"]["excluded"].first is None
    assert [(pin["table"], pin["rows"], pin["n"]) for pin in told["inputs"]] == [("posts", "20000", None)]
    assert "20,000" not in as_page(told)


def test_a_recalled_version_says_so_first_and_a_first_version_has_no_change(whole: Whole) -> None:
    first = as_page(gathered(whole.warehouse, NAME, 1))
    assert first.index("Recalled on") < first.index("<nav")
    assert "This is the first version." in first
    assert "tram-1b" in first
    assert "Recalled on" not in as_page(gathered(whole.warehouse, NAME, 3))


def test_objections_are_counted_by_how_long_they_waited_and_what_they_found(whole: Whole, tmp_path: Path) -> None:
    warehouse = Path(shutil.copytree(whole.warehouse, tmp_path / "own"))
    released = datetime.fromisoformat(show(warehouse, NAME, 1).predicate["released_at"])
    before, since = released - timedelta(hours=100), released + timedelta(milliseconds=1)
    rows = [
        {"objection_id": f"o-{n}", "received_at": before if n < 20 else since, "build_id": "build-3",
         "resolved_as": "account" if n < 23 else None, "status": "upheld" if n < 30 else "rejected"}
        for n in range(35)
    ]  # fmt: skip
    write_deltalake(warehouse / NAME / "objections", pa.Table.from_pylist(rows, REGISTER), mode="append")
    found = gathered(warehouse, NAME, 3)
    said = found["objections"]
    assert (said["known"], said["all"]) == (35, {"late": 20, "in time": 15, "unknown": 0})
    assert {name: n for name, n in said["waits"].items() if n != 0} == {"within a day": 15}
    assert said["unresolved"] == {"nobody": 12, "somebody": 23}
    assert said["status"] == {"others together": "35"}
    assert sum(said["months"].values()) == 35
    text = as_page(found)
    assert sum(tag == "svg" for tag, _ in Page(text).elements) == 3
    assert "20 objections were honoured later than 72 hours" in text
    assert "12 objections name nobody" in text
    assert "half were honoured within 4 days" in text


def test_what_differs_in_the_policy_is_told_in_words(whole: Whole, told: Row) -> None:
    assert "The policy is the same." in as_page(told)
    laxer = as_policy(POLICY.as_json() | {"adult_age": 16}, "here")
    changed = told["changes"] | {"policy": changes(POLICY, laxer), "same_code": False}
    text = as_page(told | {"changes": changed})
    assert re.search(r"The author is 16 years old.*Before: The author is 18 years old.*\(laxer\)", text)
    assert "The program that built it is another." in text
    assert "cannot read" in as_page(told | {"changes": changed | {"policy": None}})


def test_the_overridden_gate_stands_there_with_its_reason(told: Row) -> None:
    text = as_page(told)
    assert text.count("it is down for repairs") == 2
    assert "1 of 2 safeguards was overridden or switched off" in text
    assert "overridden for this version" in text


def test_a_statement_that_was_changed_is_not_reported(
    whole: Whole, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = statement_path(whole.folder, 3), tmp_path / "r.html"
    signed = path.read_bytes()
    try:
        restate(path, lambda said: said["gates"].clear())
        with pytest.raises(DatasetError, match="is not uk-social's own"):
            write_report(whole.warehouse, NAME, 3, out)
        command = ["corpus", "report", f"{NAME}@3", "-o", str(out), "--warehouse", str(whole.warehouse)]
        monkeypatch.setattr("sys.argv", command)
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 6
        assert "is not uk-social's own" in capsys.readouterr().err
        assert not out.exists()
    finally:
        path.write_bytes(signed)


COUNTS = st.dictionaries(st.text(max_size=3), st.integers(0, 40), max_size=8)


@given(COUNTS)
def test_no_shown_count_is_small_and_none_is_hidden_alone(counts: dict[str, int]) -> None:
    shown = safe(counts)
    assert all(n is None or n == counts[name] for name, n in shown.items())
    assert not [n for n in shown.values() if n and n < LEAST]
    hidden = [counts[name] for name, n in shown.items() if n is None]
    assert len(hidden) != 1 or not any(shown.values())


@given(COUNTS, COUNTS)
def test_what_came_does_not_tell_what_went(removed: dict[str, int], added: dict[str, int]) -> None:
    sides = safe_moves(removed, added)
    lone = [side for side in sides if sum(n is None for n in side.values()) == 1]
    assert not lone or not any(n for side in sides for n in side.values())


MONTHS = st.dictionaries(
    st.builds(lambda y, m: f"{y}-{m:02d}", st.integers(1990, 2030), st.integers(1, 12)), st.integers(1, 30), max_size=30
)


@given(MONTHS)
def test_times_keep_their_sum_and_stand_in_order_without_small_ones(months: dict[str, int]) -> None:
    times = over_time(months)
    assert sum(times.values()) == sum(months.values())
    assert list(times) == sorted(times)
    joined = merged(times)
    known = [n for n in joined.values() if n]
    assert all(n >= LEAST for n in known)
    assert sum(known) == sum(months.values()) or (sum(months.values()) < LEAST and not known)


def test_every_reason_stands_in_one_stage() -> None:
    named = Counter(name for names in STAGES.values() for name in names.split())
    assert named == Counter(reason.name for reason in Reason)


def test_the_stages_and_what_is_hidden_add_up_to_all_posts_left_out(told: Row) -> None:
    primary = {"OBJECTED": "500", "DELETED": "300", "MINOR_AT_POST": "3", "TEXT_EMPTY": "40", "NOT_PUBLIC": "70"}
    said: dict[str, Any] = {"posts": "1000", "kept": "87", "excluded": "913", "primary": primary, "any": primary}
    counts = stage_counts(by_stage(shown_funnel({"funnel": said})), 913)
    assert counts == {
        "The author: under age, or age not known": None,
        "Objections": 500,
        "The post: not public, deleted, taken down": 370,
        "The post: out of scope, or unusable": None,
        REST: 43,
    }
