"""Descriptions of a version for others: whole, in their formats, and without small numbers where the public reads."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.errors import ConfigError, DatasetError, EnvironmentFault, GateRefused
from corpus.evidence.statement import texts
from corpus.evidence.store import statement_path
from corpus.exports.figures import FEW, FEWEST, OTHERS, suppressed
from corpus.exports.forms import Form, described, sent
from corpus.exports.subject import BLANKS, Subject, subject
from corpus.operations.watched import Told, watched
from corpus.policy import RuleOff, read_policy
from corpus.progress import step, tell
from corpus.reasons import Reason
from tests import sealed_dataset
from tests.conftest import CORPUS
from tests.small_dataset import Out, build, empty

ROOT = Path(__file__).parent.parent
CROISSANT = ROOT / ".venv-croissant/bin/python"
PAGE = (ROOT / "docs/exports.md").read_text(encoding="utf-8")
FILLED = {
    "license": "https://example.org/terms",
    "creator": "Us",
    "url": "https://example.org/d",
    "citation": "Us (2026)",
}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One version that keeps 25 posts and leaves out 12 for one reason and 3 for another, under a whole policy."""
    folder = tmp_path_factory.mktemp("warehouse")
    empty(folder / "uk-social")
    minors = {f"m{n}": Out((Reason.MINOR_AT_POST,)) for n in range(3)}
    deleted = {f"d{n}": Out((Reason.DELETED,)) for n in range(12)}
    build(folder / "uk-social", {f"p{n}": f"rain {n}" for n in range(25)}, minors | deleted)
    policy = read_policy(ROOT / "conf/policies/uk-social.toml")
    restate(folder, policy={"name": policy.name, "digest": policy.digest, "values": texts(policy.as_json())})
    return folder


def restate(warehouse: Path, **changes: Any) -> None:
    sealed_dataset.restate(statement_path(warehouse / "uk-social", 1), **changes)


def of(warehouse: Path, form: Form, **fill: str) -> Subject:
    return subject(warehouse, "uk-social", 1, form, fill)


def text_of(warehouse: Path, form: Form, **fill: str) -> str:
    return described(of(warehouse, form, **fill), form)


def test_lineage_names_what_was_read_and_what_was_made(warehouse: Path) -> None:
    start, complete = (json.loads(line) for line in text_of(warehouse, Form.OPENLINEAGE).splitlines())
    assert [start["eventType"], complete["eventType"]] == ["START", "COMPLETE"]
    assert (start["eventTime"], complete["eventTime"]) == ("2026-11-01T01:00:00Z", "2026-11-01T02:00:00Z")
    assert start["run"]["runId"] == complete["run"]["runId"]
    (posts,), (made,) = complete["inputs"], complete["outputs"]
    assert (posts["namespace"], posts["name"]) == ("file", "inputs/posts")
    assert posts["facets"]["version"]["datasetVersion"] == "5"
    assert posts["inputFacets"]["inputStatistics"]["rowCount"] == 20000
    assert made["name"] == f"{warehouse}/uk-social/snapshot"
    assert made["facets"]["version"]["datasetVersion"] == "1"
    assert made["outputFacets"]["outputStatistics"]["rowCount"] == 25
    assert [field["name"] for field in made["facets"]["schema"]["fields"]][:2] == ["doc_id", "text"]
    assert complete["run"]["facets"]["corpus_version"]["rowDigest"] == "d" * 64
    assert made["facets"]["version"]["_producer"] == complete["producer"] == f"urn:corpus:code:0.1.0:{'c' * 64}"


class Server(HTTPServer):
    """A server of lineage that keeps what it is sent, and answers with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.status, self.received = 200, list[tuple[str, dict[str, Any]]]()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Receiver(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((self.path, json.loads(body)))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing on the screen."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_lineage_is_sent_to_a_server_or_added_to_a_file(warehouse: Path, server: Server, tmp_path: Path) -> None:
    found = of(warehouse, Form.OPENLINEAGE)
    assert sent(found, server.url) == 2
    assert [(path, event["eventType"]) for path, event in server.received] == [
        ("/api/v1/lineage", "START"), ("/api/v1/lineage", "COMPLETE"),
    ]  # fmt: skip
    for _ in range(2):
        sent(found, f"file://{tmp_path}/events.jsonl")
    assert len((tmp_path / "events.jsonl").read_text().splitlines()) == 4


def test_a_server_that_refuses_and_an_address_that_is_none_are_told(warehouse: Path, server: Server) -> None:
    found, server.status = of(warehouse, Form.OPENLINEAGE), 403
    with pytest.raises(EnvironmentFault, match="START event was not taken by http://127"):
        sent(found, server.url)
    for wrong in ("kafka://broker", "events.jsonl", "https://"):
        with pytest.raises(ConfigError, match="expected https://"):
            sent(found, wrong)


def pinned_then_refused() -> None:
    tell("pinned", build_id="b", location="/lake/d", inputs=[])
    with step("checking the gates"):
        raise GateRefused("the objection o-17 of A. Lovelace", ["FEED_STALE"])


def test_a_build_that_fails_is_told_to_a_server_without_what_its_message_says(server: Server) -> None:
    with pytest.raises(GateRefused), watched("build", "d", Told(openlineage=server.url)):
        pinned_then_refused()
    start, failed = (event for _, event in server.received)
    assert (start["eventType"], failed["eventType"]) == ("START", "FAIL")
    assert start["run"]["runId"] == failed["run"]["runId"]
    message = failed["run"]["facets"]["errorMessage"]["message"]
    assert message == "GateRefused (exit code 5, retry: no). Refused by FEED_STALE"
    assert "Lovelace" not in str(server.received)


def test_a_server_that_takes_nothing_costs_a_build_a_warning(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.status = 403
    with watched("build", "d", Told(openlineage=server.url)):
        tell("pinned", build_id="b", location="/lake/d", inputs=[])
        for _ in range(3):
            with step("judging"):
                pass
    assert len(server.received) == 1
    assert "! --openlineage was not told everything: http://127" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="--openlineage is 'kafka://broker'; expected https://"):
        Told(openlineage="kafka://broker").tellers()


def test_croissant_has_what_the_standard_requires(warehouse: Path) -> None:
    said = json.loads(text_of(warehouse, Form.CROISSANT, **FILLED))
    required = {"@context", "@type", "conformsTo", "name", "description", "license", "url", "creator", "datePublished"}
    assert required <= said.keys()
    assert said["conformsTo"] == "http://mlcommons.org/croissant/1.1"
    (files,), (documents,) = said["distribution"], said["recordSet"]
    assert all((warehouse / "uk-social" / name).is_file() for name in files["includes"])
    assert {field["source"]["fileSet"]["@id"] for field in documents["field"]} == {files["@id"]}
    assert documents["key"]["@id"] in {field["@id"] for field in documents["field"]}


@pytest.mark.skipif(not CROISSANT.exists(), reason="make croissant makes the environment that this needs")
def test_croissant_is_valid_and_opens_the_rows_of_its_version(warehouse: Path) -> None:
    build(warehouse / "uk-social", {"later": "not of version 1"}, {}, sealed=False)
    path = warehouse / "uk-social/croissant.json"
    path.write_text(text_of(warehouse, Form.CROISSANT, **FILLED))
    script = (
        "import sys, mlcroissant as mlc\nd = mlc.Dataset(sys.argv[1])\nfound = d.metadata.ctx.issues\n"
        "assert not found.errors and not found.warnings, found.report()\n"
        "print(*sorted(r['documents/text'].decode() for r in d.records('documents')), sep=',')"
    )
    done = subprocess.run([CROISSANT, "-c", script, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ",".join(sorted(f"rain {n}" for n in range(25)))


def test_the_public_draft_tells_sizes_measures_and_no_small_number(warehouse: Path) -> None:
    said = text_of(warehouse, Form.AI_ACT, provider="We Ltd")
    assert "We Ltd" in said
    assert "less than 1 billion tokens" in said
    assert "| 05/2026 (posts made before 2026-11-01T00:00:00Z" in said
    assert "- From the notice to the cutoff, the author had 42 whole days to object." in said
    assert "| others together | 15 |" in said
    assert "| in all | 15 |" in said
    assert "MINOR" not in said
    assert not re.search(r"\| 3 \||\b12\b", said.split("each by its first reason")[1].split("## 3")[0])
    assert said.count("[TO FILL IN") == len(BLANKS["ai-act"]) - 1


def test_no_draft_claims_what_the_policy_switched_off(warehouse: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(warehouse, tmp_path / "own"))
    off = [RuleOff(rule=rule, because="a test") for rule in ("FLAGGED_CONTENT", "AGE_UNKNOWN", "NOT_PUBLIC")]
    policy = read_policy(ROOT / "conf/policies/uk-social.toml").model_copy(update={"rules_off": off})
    restate(own, policy={"name": policy.name, "digest": policy.digest, "values": texts(policy.as_json())})
    said = text_of(own, Form.AI_ACT)
    assert "| Whose | people in GB |" in said
    assert "flagged" not in said.split("### 3.2")[1]
    before = text_of(warehouse, Form.AI_ACT)
    assert "| Whose | people in GB, of 18 years or more, public posts of public accounts only |" in before
    assert "flagged" in before.split("### 3.2")[1]


def test_the_record_of_processing_is_exact(warehouse: Path) -> None:
    said = text_of(warehouse, Form.PROCESSING, dpo="dpo@example.org")
    assert "25 documents, of 40 posts judged" in said
    assert re.search(r"\(MINOR_AT_POST\) \| 3 \|", said)
    assert "dpo@example.org" in said
    assert "| posts | inputs/posts | 5 | 20,000 |" in said
    assert "FEED_STALE was overridden: it is down for repairs" in said
    assert said.count("[TO FILL IN") == len(BLANKS["processing"]) - 1


@given(st.dictionaries(st.sampled_from([*"abcdefg", OTHERS]), st.integers(0, 40), max_size=8))
def test_no_small_count_can_be_read_or_followed_from_the_others(counts: dict[str, int]) -> None:
    shown = suppressed(counts)
    hidden = {name: n for name, n in counts.items() if n and (name not in shown or name == OTHERS)}
    assert all(n >= FEWEST for name, n in counts.items() if name in shown and name != OTHERS)
    if hidden and shown.get(OTHERS) != FEW:
        assert len(hidden) > 1 or not min(hidden.values()) < FEWEST
        assert sum(hidden.values()) >= FEWEST
    assert sum(int(n.replace(",", "")) for n in shown.values() if n != FEW) <= sum(counts.values())


@pytest.mark.parametrize("form", Form)
def test_the_page_lists_every_blank(form: Form) -> None:
    section = PAGE.split(f"## `{form}`")[1].split("\n## ")[0]
    assert {*re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)} == {*BLANKS[form]}


def test_mistakes_are_named(warehouse: Path) -> None:
    with pytest.raises(ConfigError, match=r"croissant has no blank 'licence' \(did you mean 'license'\?\)"):
        of(warehouse, Form.CROISSANT, licence="CC0")
    with pytest.raises(DatasetError, match="has no version 9"):
        subject(warehouse, "uk-social", 9, "croissant", {})


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--as", "openlineage"], 0, '"eventType": "START"'),
        (["--as", "ai_act"], 2, "there is no 'ai_act' (did you mean 'ai-act'?)"),
        (["--as", "croissant", "--to", "https://x"], 2, "--to sends OpenLineage events"),
        (["--as", "ai-act", "--fill", "provider"], 2, "write NAME=TEXT"),
        (["--as", "ai-act", "-o", "/nowhere/x.md"], 3, "cannot be written"),
    ],
)
def test_the_command_says_what_it_did_or_why_not(warehouse: Path, arguments: list[str], code: int, says: str) -> None:
    whole = [*CORPUS, "describe", "uk-social@1", *arguments, "--warehouse", str(warehouse)]
    done = subprocess.run(whole, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert says in done.stdout + done.stderr
