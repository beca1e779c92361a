"""What protects the console: who may ask, what browsers are told, and that nobody's id stays anywhere."""

from __future__ import annotations

import json
import socket
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from corpus.console.door import IDLE, LONGEST, PAUSE, TRIES, Door, new_token, sign_in
from corpus.console.serving import _listening, serve
from corpus.console.site import Console
from corpus.errors import ConfigError, DatasetError, EnvironmentFault
from corpus.lookups import lookups
from corpus_verify.keys import read_public
from corpus_verify.proof import check
from tests.consoles import OWN, Asked, console_over, signed_in
from tests.small_dataset import small_dataset
from tests.whole_dataset import Whole, whole_dataset

QUESTION = {"kind": "post", "id": "p2", "purpose": "complaint 1"}
PAGES = ("/", "/uk-social", "/uk-social@1", "/uk-social@9", "/nothing/here/at/all", "/-/sign-in", "/-/console.css")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return whole_dataset(tmp_path_factory.mktemp("guards"))


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("small")
    small_dataset(place)
    return place


def test_every_answer_tells_the_browser_to_run_frame_and_keep_nothing(warehouse: Path) -> None:
    asked = console_over(warehouse, is_restricted=True)
    answers = [asked.client.get(path) for path in PAGES]
    answers.append(asked.client.get("/", headers={"host": "evil.example"}))
    for answer in answers:
        headers = answer.headers
        assert headers["content-security-policy"] == (
            "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; "
            "base-uri 'none'"
        )
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert headers["cross-origin-opener-policy"] == "same-origin"


def test_pages_hold_nothing_that_runs_or_comes_from_elsewhere(whole: Whole) -> None:
    asked = console_over(whole.warehouse)
    for path in (*PAGES, "/uk-social@1..3", "/uk-social/uses", "/uk-social/recalls"):
        text = asked.client.get(path).text
        assert "<script" not in text
        assert "style=" not in text
        assert "http://" not in text
        assert "https://" not in text


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8077", "127.0.0.1:8078", "127.0.0.1", "127.0.0.1.nip.io:8077", ""]
)
def test_a_name_that_is_made_to_lead_here_is_turned_away(warehouse: Path, host: str) -> None:
    answer = console_over(warehouse).client.get("/uk-social", headers={"host": host})
    assert answer.status_code == 421
    assert "uk-social" not in answer.text


def test_localhost_is_this_machine(warehouse: Path) -> None:
    assert console_over(warehouse).client.get("/uk-social", headers={"host": "localhost:8077"}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "https://127.0.0.1:8077"}, 403),
        ({"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1:8077"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "none"}, 403),
        ({"origin": "http://127.0.0.1:8077"}, 303),
        ({"sec-fetch-site": "same-origin", "origin": "null"}, 303),
    ],
)
def test_a_form_counts_only_if_a_page_of_ours_sent_it(warehouse: Path, headers: dict[str, str], status: int) -> None:
    asked = console_over(warehouse, is_restricted=True)
    said = {"name": "Ann", "token": asked.tokens[-1]}
    assert asked.client.post("/-/sign-in", data=said, headers=headers).status_code == status


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(warehouse: Path, method: str) -> None:
    assert console_over(warehouse).client.request(method, "/uk-social").status_code == 405


@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/redoc"])
def test_nothing_describes_the_console_to_programs(warehouse: Path, path: str) -> None:
    assert console_over(warehouse).client.get(path).status_code == 404


def test_look_ups_are_off_unless_they_were_asked_for(warehouse: Path) -> None:
    asked = console_over(warehouse)
    assert "Look-ups are off" in asked.client.get("/uk-social/ask").text
    assert asked.client.post("/uk-social/ask", data=QUESTION, headers=OWN).status_code == 401
    done = asked.client.post("/-/sign-in", data={"name": "Ann", "token": ""}, headers=OWN)
    assert (done.status_code, dict(asked.client.cookies)) == (200, {})


def test_without_a_session_nothing_is_answered_or_registered(tmp_path: Path) -> None:
    small_dataset(tmp_path)
    asked = console_over(tmp_path, is_restricted=True)
    assert asked.client.get("/uk-social/ask").headers["location"] == "/-/sign-in?to=uk-social"
    for path in ("/uk-social/ask", "/uk-social/proof", "/-/sign-out"):
        assert asked.client.post(path, data=QUESTION | {"form": "x"}, headers=OWN).status_code == 401
    assert not (tmp_path / "uk-social/lookups").exists()


def test_a_token_works_once_and_however_it_is_typed(warehouse: Path) -> None:
    asked = console_over(warehouse, is_restricted=True)
    typed = f" {asked.tokens[0].lower().replace('-', ' ')} "
    assert asked.client.post("/-/sign-in", data={"name": "Ann", "token": typed}, headers=OWN).status_code == 303
    again = asked.client.post("/-/sign-in", data={"name": "Ann", "token": asked.tokens[0]}, headers=OWN)
    assert again.status_code == 403
    assert len(set(asked.tokens)) == 2
    signed_in(asked)


def test_wrong_tokens_shut_the_door_for_a_while(warehouse: Path) -> None:
    asked = console_over(warehouse, is_restricted=True)
    wrong = [_try(asked, f"WRONG-{n}") for n in range(TRIES)]
    assert wrong == [403] * TRIES
    assert _try(asked, asked.tokens[-1]) == 429
    asked.now[0] += PAUSE + 1
    assert _try(asked, asked.tokens[-1]) == 303


def _try(asked: Asked, token: str) -> int:
    return asked.client.post("/-/sign-in", data={"name": "Ann", "token": token}, headers=OWN).status_code


@pytest.mark.parametrize("name", ["", "  ", "x" * 61, "Ann\nForged", "Ann\u202e"])
def test_a_name_is_one_line_that_can_be_read(warehouse: Path, name: str) -> None:
    asked = console_over(warehouse, is_restricted=True)
    said = {"name": name, "token": asked.tokens[-1]}
    assert asked.client.post("/-/sign-in", data=said, headers=OWN).status_code == 400
    assert len(asked.tokens) == 1


def test_the_cookie_is_the_session_s_alone_and_no_script_s(warehouse: Path) -> None:
    asked = console_over(warehouse, is_restricted=True)
    said = {"name": "Ann", "token": asked.tokens[-1]}
    cookie = asked.client.post("/-/sign-in", data=said, headers=OWN).headers["set-cookie"]
    name, *traits = cookie.split("; ")
    assert {*traits} == {"HttpOnly", "Path=/", "SameSite=strict"}
    assert "Ann" not in name
    assert len(name) > 40


@pytest.mark.parametrize(("waits", "status"), [((IDLE - 1,), 200), ((IDLE + 1,), 401), ((IDLE - 1,) * 17, 401)])
def test_a_session_ends_unused_or_after_a_working_day(warehouse: Path, waits: tuple[int, ...], status: int) -> None:
    asked = console_over(warehouse, is_restricted=True)
    form = signed_in(asked)
    assert IDLE * 16 <= LONGEST
    for wait in waits:
        asked.now[0] += wait
        asked.client.get("/uk-social")
    assert asked.client.post("/uk-social/ask", data=QUESTION | {"form": form}, headers=OWN).status_code == status


def test_signing_out_ends_the_session(warehouse: Path) -> None:
    asked = console_over(warehouse, is_restricted=True)
    form, kept = signed_in(asked), dict(asked.client.cookies)
    assert asked.client.post("/-/sign-out", data={"form": form}, headers=OWN).status_code == 303
    asked.client.cookies.update(kept)
    assert asked.client.post("/uk-social/ask", data=QUESTION | {"form": form}, headers=OWN).status_code == 401


def test_a_form_of_another_session_does_not_count(warehouse: Path) -> None:
    asked = console_over(warehouse, is_restricted=True)
    first = signed_in(asked)
    second = signed_in(asked)
    assert first != second
    for form in (first, "", "é"):
        assert asked.client.post("/uk-social/ask", data=QUESTION | {"form": form}, headers=OWN).status_code == 403


def test_each_look_up_is_registered_before_it_is_answered(tmp_path: Path) -> None:
    folder = small_dataset(tmp_path)
    asked = console_over(tmp_path, is_restricted=True)
    form = signed_in(asked)
    asked.client.post("/uk-social/ask", data=QUESTION | {"form": form, "purpose": " complaint 7 "}, headers=OWN)
    (line,) = lookups(folder, ("post", "p2")).lookups
    assert (line["purpose"], line["verb"], line["kind"]) == ("complaint 7", "console look-up", "post")
    assert line["who"].startswith("Ann Officer (")
    assert "p2" not in (folder / "lookups/register.jsonl").read_text()


def test_what_cannot_be_registered_is_not_answered(tmp_path: Path) -> None:
    folder = small_dataset(tmp_path)
    asked = console_over(tmp_path, is_restricted=True)
    form = signed_in(asked)
    (folder / "lookups").write_text("no folder")
    answer = asked.client.post("/uk-social/ask", data=QUESTION | {"form": form}, headers=OWN)
    assert answer.status_code == 500
    assert "cannot be registered" in answer.text
    assert "Yes." not in answer.text


@pytest.mark.parametrize("lacking", [{"purpose": " "}, {"id": ""}, {"kind": "person"}, {"purpose": "x" * 201}])
def test_a_look_up_says_what_and_what_for(tmp_path: Path, lacking: dict[str, str]) -> None:
    folder = small_dataset(tmp_path)
    asked = console_over(tmp_path, is_restricted=True)
    said = QUESTION | {"form": signed_in(asked)} | lacking
    assert asked.client.post("/uk-social/ask", data=said, headers=OWN).status_code == 400
    assert not (folder / "lookups").exists()


def test_a_form_that_is_too_large_is_refused(warehouse: Path) -> None:
    asked = console_over(warehouse, is_restricted=True)
    said = QUESTION | {"form": signed_in(asked)}
    assert asked.client.post("/uk-social/ask", data=said | {"id": "x" * 30_000}, headers=OWN).status_code == 400
    many = {f"f{n}": "x" for n in range(50)}
    assert asked.client.post("/uk-social/ask", data=said | many, headers=OWN).status_code == 400


def test_a_proof_is_downloaded_under_a_name_that_tells_nobody_the_id(whole: Whole) -> None:
    asked = console_over(whole.warehouse, whole.key_file, is_restricted=True)
    said = {"form": signed_in(asked), "kind": "account", "id": "account of p1", "number": "3", "purpose": "complaint"}
    answer = asked.client.post("/uk-social/proof", data=said, headers=OWN)
    assert answer.headers["content-disposition"].startswith('attachment; filename="uk-social@3-account-')
    assert "p1" not in answer.headers["content-disposition"]
    claim = check(answer.content, read_public(whole.folder / "evidence/public.pem")).claim
    assert (claim.id, claim.is_in) == ("account of p1", False)


def test_without_the_key_the_page_says_so(whole: Whole) -> None:
    asked = console_over(whole.warehouse, is_restricted=True)
    said = QUESTION | {"form": signed_in(asked)}
    page = asked.client.post("/uk-social/ask", data=said, headers=OWN).text
    assert (
        "Proofs cannot be made here: they need the dataset&#39;s key" in page or "they need the dataset's key" in page
    )
    assert "/uk-social/proof" not in page


def test_neither_the_log_nor_an_address_holds_what_was_asked(whole: Whole) -> None:
    asked = console_over(whole.warehouse, whole.key_file, is_restricted=True)
    said = QUESTION | {"form": signed_in(asked), "id": "very-own-id"}
    asked.client.post("/uk-social/ask?q=very-own-id", data=said, headers=OWN)
    asked.client.post("/uk-social/proof", data=said | {"number": "3"}, headers=OWN)
    asked.client.get("/very-own-id")
    asked.client.get("/uk-social/very-own-id/x?very-own-id")
    assert len(asked.log) == 6
    assert not [line for line in asked.log if "very-own-id" in line]
    assert asked.log[2].split(" ")[1:4] == ["POST", "/{dataset}/ask", "200"]
    register = (whole.folder / "lookups/register.jsonl").read_text().splitlines()
    assert "very-own-id" not in json.dumps(register)
    assert stat.S_IMODE((whole.folder / "lookups/register.jsonl").stat().st_mode) == 0o600


def test_a_fault_is_told_by_its_kind_alone(warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("about p-secret")

    monkeypatch.setattr("corpus.console.shelf.moments", broken)
    asked = console_over(warehouse)
    answer = asked.client.get("/uk-social")
    assert answer.status_code == 500
    assert "p-secret" not in answer.text + "".join(asked.log)
    assert "Traceback" not in answer.text
    assert "fault RuntimeError at" in asked.log[0]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org"])
def test_another_address_is_refused(warehouse: Path, host: str) -> None:
    console = Console(warehouse, lambda _: Path("/nowhere"))
    with pytest.raises(ConfigError, match="use a tunnel: ssh -L 8077:"):
        serve(console, host, 8077, print)


def test_a_port_that_is_taken_is_said_to_be_so(warehouse: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(EnvironmentFault, match="--port"):
            serve(Console(warehouse, lambda _: Path("/nowhere")), "127.0.0.1", taken.getsockname()[1], print)


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "..", "a/b"])
def test_signing_in_leads_nowhere_else(warehouse: Path, to: str) -> None:
    asked = console_over(warehouse, is_restricted=True)
    said = {"name": "Ann", "token": asked.tokens[-1], "to": to}
    assert asked.client.post("/-/sign-in", data=said, headers=OWN).status_code == 400
    assert len(asked.tokens) == 1


def test_one_token_opens_once_however_many_try_it_at_once() -> None:
    tokens: list[str] = []
    door = Door(tokens.append)
    new_token(door)
    with ThreadPoolExecutor(8) as pool:
        keys = [*pool.map(lambda n: sign_in(door, tokens[0], f"Ann {n}"), range(5))]
    assert len([key for key in keys if key]) == 1


def test_a_warehouse_that_is_not_there_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="There is no warehouse"):
        serve(Console(tmp_path / "nothing", lambda _: Path("/nowhere")), "127.0.0.1", 0, print)


def test_it_listens_on_this_machine_alone() -> None:
    with _listening(0) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"
