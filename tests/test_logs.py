"""Commands about the log: what holds is said to hold, what was changed is named; witnesses and time stamps."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from corpus.cli import main
from corpus.evidence.log import append, entries, root_at
from corpus.evidence.store import canonical
from corpus_verify.cli import main as verify_proof
from corpus_verify.notes import cosignature
from tests.small_prover import PRIVATE, PUBLIC, prove, world

ORIGIN = "corpus/uk-social"
RECORD = world(40, 20).record
Run = Callable[..., tuple[int, str]]


def version(number: int, before: bytes | None, **changes: str) -> bytes:
    previous = sha256(before).hexdigest() if before else ""
    return canonical(RECORD | {"version": str(number), "previous": previous} | changes)


def use(of: int) -> bytes:
    said = {"kind": "use", "format": "corpus-use/v1", "dataset": "uk-social", "version": str(of), "run": "r-1"}
    return canonical(said | {"purpose": "training", "approved_by": "A. Person", "at": "2026-11-21T00:00:00Z"})


FIRST = version(1, None)
SECOND = version(2, FIRST)
HISTORY = [FIRST, use(1), SECOND, use(2), use(1)]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "warehouse/uk-social"
    for leaf in HISTORY:
        add(folder, leaf)
    pem = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "evidence/public.pem").write_bytes(pem)
    return folder


def add(folder: Path, leaf: bytes) -> None:
    append(folder / "evidence/log", ORIGIN, leaf, PRIVATE.sign, PUBLIC)


@pytest.fixture
def run(dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process: its exit code and all it said."""

    def told(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["corpus", *arguments, "--warehouse", str(dataset.parent)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out + said.err

    return told


def test_a_log_that_holds_is_said_to_hold_with_its_limits(run: Run, dataset: Path) -> None:
    code, said = run("log", "verify", "uk-social")
    assert code == 0
    assert "holds: 5 entries (2 of versions, 3 of uses)" in said
    assert "only a checkpoint tells that was kept elsewhere" in said
    assert "compare it with one kept elsewhere: --key" in said


def test_a_log_extends_the_checkpoint_that_was_kept(run: Run, dataset: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_bytes((dataset / "evidence/log/checkpoint").read_bytes())
    add(dataset, use(2))
    code, said = run("log", "verify", "uk-social", "--since", str(kept), "--key", str(dataset / "evidence/public.pem"))
    assert (code, "It extends the checkpoint of 5 entries" in said) == (0, True)


def test_a_history_written_anew_is_told_from_the_one_kept(run: Run, dataset: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    (dataset / "evidence/log").rename(tmp_path / "old")
    kept.write_bytes((tmp_path / "old/checkpoint").read_bytes())
    for leaf in [FIRST, use(1), SECOND, use(2)]:
        add(dataset, leaf)
    code, said = run("log", "verify", "uk-social", "--since", str(kept))
    assert (code, "it has 4 entries, and had 5 when" in said) == (6, True)
    for leaf in (use(2), use(2)):
        add(dataset, leaf)
    code, said = run("log", "verify", "uk-social", "--since", str(kept))
    assert (code, "does not extend" in said) == (6, True)


def test_a_changed_byte_in_any_file_of_the_log_is_noticed(run: Run, dataset: Path) -> None:
    for path in (dataset / "evidence/log").rglob("*"):
        if path.is_file():
            whole = path.read_bytes()
            for at in range(0, len(whole), 37):
                path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
                assert run("log", "verify", "uk-social")[0] == 6, (path, at)
            path.write_bytes(whole)


@pytest.mark.parametrize(
    ("leaves", "message"),
    [
        ([version(1, SECOND)], "does not follow that of None"),
        ([FIRST, version(2, None)], "does not follow that of 1"),
        ([FIRST, FIRST], "does not follow that of 1"),
        ([FIRST, version(2, FIRST, released_at="2020-01-01T00:00:00Z")], "was released before version 1"),
        ([use(1)], "of which no record is before it"),
        ([FIRST, b'{"kind":"use"}'], "none that this version of corpus knows"),
        ([FIRST, b"{ }"], "not canonical JSON"),
        ([FIRST, b"[" * 60000], "not canonical JSON"),
        ([version(1, None, dataset="eu-social")], "of another dataset"),
        ([version(1, None, statement="no")], "statement must be 32 bytes"),
    ],
)
def test_a_signed_log_of_entries_that_make_no_sense_does_not_hold(
    run: Run, dataset: Path, tmp_path: Path, leaves: list[bytes], message: str
) -> None:
    (dataset / "evidence/log").rename(tmp_path / "old")
    for leaf in leaves:
        add(dataset, leaf)
    code, said = run("log", "verify", "uk-social")
    assert (code, message in said) == (6, True), said


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("log", "verify", "eu-social"), 6, "cannot be read: No such file"),
        (("log", "verify", "../x"), 2, "is not a dataset's name"),
        (("log", "verify", "uk-social", "--key", "Makefile"), 6, "holds no public key in PEM"),
        (("log", "verify", "uk-social", "--since", "nowhere"), 2, "nowhere cannot be read"),
        (("log", "verify", "uk-social", "--since", "Makefile"), 6, "is not a signed note"),
        (("log", "prove", "uk-social", "2", "9"), 6, "has 5 entries, and not 9"),
        (("log", "prove", "uk-social", "3", "2"), 6, "has 2 entries, and not 3"),
        (("witness", "uk-social", "--key", "Makefile"), 6, "can be read by others"),
        (("witness", "uk-social", "--key", "nowhere.pem"), 6, "cannot be read"),
        (("timestamp", "uk-social"), 2, "Say one of --authority"),
        (("timestamp", "uk-social", "--authority", "file:///etc/passwd"), 2, "begins with https://"),
        (("timestamp", "uk-social", "--authority", "http://127.0.0.1:1"), 3, "does not answer"),
        (("timestamp", "uk-social", "--response", "Makefile"), 6, "no RFC 3161 response"),
    ],
)
def test_a_mistake_is_a_message(run: Run, arguments: tuple[str, ...], code: int, message: str) -> None:
    found, said = run(*arguments)
    assert (found, message in said) == (code, True), said


@pytest.mark.parametrize("sizes", [(5, 5), (5, 8), (8, 5)])
def test_a_proof_is_joined_to_a_checkpoint_kept_elsewhere(
    run: Run, dataset: Path, tmp_path: Path, sizes: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    notes = {5: (dataset / "evidence/log/checkpoint").read_text(encoding="utf-8")}
    for _ in range(3):
        add(dataset, use(2))
    notes[8] = (dataset / "evidence/log/checkpoint").read_text(encoding="utf-8")
    shown, kept = sizes
    proof, key, joint = tmp_path / "proof.json", dataset / "evidence/public.pem", tmp_path / "joint.json"
    proof.write_text(json.dumps(of_log(dataset / "evidence/log", shown, notes[shown])), encoding="utf-8")
    (tmp_path / "kept").write_text(notes[kept], encoding="utf-8")
    asked = [str(proof), "--key", str(key), "--checkpoint", str(tmp_path / "kept")]
    assert verify_proof(asked) == (0 if shown == kept else 1)
    assert ("of one history" if shown == kept else "without a consistency file") in " ".join(
        capsys.readouterr().out.split()
    )
    assert run("log", "prove", "uk-social", *map(str, sorted(sizes)), "-o", str(joint))[0] == 0
    if shown != kept:
        assert verify_proof([*asked, "--consistency", str(joint)]) == 0
        joint.write_text(joint.read_text(encoding="utf-8").replace('"path":["', '"path":["0'), encoding="utf-8")
        assert verify_proof([*asked, "--consistency", str(joint)]) == 1


def of_log(folder: Path, size: int, note: str) -> dict[str, object]:
    """A proof about a post of the second version, whose record is entry 2."""
    from corpus.evidence.log import inclusion  # noqa: PLC0415

    path = [one.hex() for one in inclusion(folder, 2, size)]
    record = json.loads(SECOND)
    return prove(world(40, 20), "post", "p-3") | {
        "record": record,
        "log": {"index": "2", "size": str(size), "path": path},
        "checkpoint": note,
    }


def witness_key(path: Path, mode: int = 0o600) -> Ed25519PrivateKey:
    key = Ed25519PrivateKey.generate()
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.chmod(mode)
    return key


def test_a_witness_signs_what_extends_what_it_signed_and_nothing_else(run: Run, dataset: Path, tmp_path: Path) -> None:
    key, log = witness_key(tmp_path / "auditor.pem"), dataset / "evidence/log"
    asked = ("witness", "uk-social", "--key", str(tmp_path / "auditor.pem"))
    code, said = run(*asked)
    assert (code, "at 5 entries" in said, "the first time" in said) == (0, True, True)
    assert run(*asked)[0] == 0  # once more: its line is renewed, not doubled
    note = (log / "checkpoint").read_text(encoding="utf-8")
    assert note.count("— auditor ") == 1
    assert cosignature(note, "auditor", key.public_key().public_bytes_raw())
    assert "a line of auditor" in run("log", "verify", "uk-social")[1]
    add(dataset, use(2))
    code, said = run(*asked)
    assert (code, "extends the 5 entries" in said) == (0, True)
    log.rename(tmp_path / "old")
    for leaf in HISTORY[:4]:
        add(dataset, leaf)
    assert "does not sign" in run(*asked)[1]
    for leaf in (use(2), use(2), use(2)):
        add(dataset, leaf)
    before = (log / "checkpoint").read_bytes()
    code, said = run(*asked)
    assert (code, "does not extend" in said) == (6, True)
    assert (log / "checkpoint").read_bytes() == before


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A time stamp authority of openssl, with a root of its own; and another root that it is not under."""
    folder = tmp_path_factory.mktemp("authority")
    (folder / "tsa.ext").write_text("extendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\n")
    (folder / "serial").write_text("01\n")
    (folder / "tsa.conf").write_text(
        "[tsa]\ndefault_tsa=one\n[one]\nserial=serial\nsigner_digest=sha256\ndefault_policy=1.2.3.4.1\n"
        "digests=sha256\nordering=yes\ntsa_name=no\ness_cert_id_chain=no\ness_cert_id_alg=sha256\n"
    )
    for root in ("root", "other"):
        made = f"req -x509 -newkey rsa:2048 -nodes -keyout {root}.key -out {root}.pem -days 30 -subj /CN={root}"
        openssl(folder, *made.split(" "))
    asked = "req -newkey rsa:2048 -nodes -keyout tsa.key -out tsa.csr -subj /CN=tsa"
    openssl(folder, *asked.split(" "))
    signed = "x509 -req -in tsa.csr -CA root.pem -CAkey root.key -CAcreateserial -days 30 -extfile tsa.ext -out tsa.pem"
    openssl(folder, *signed.split(" "))
    return folder


def answered(authority: Path, request: bytes) -> bytes:
    (authority / "query").write_bytes(request)
    reply = "ts -reply -config tsa.conf -queryfile query -signer tsa.pem -inkey tsa.key -out reply"
    openssl(authority, *reply.split(" "))
    return (authority / "reply").read_bytes()


@contextmanager
def served(authority: Path) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            reply = answered(authority, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_checkpoint_is_stamped_over_http_and_the_log_check_tells_when(
    run: Run, dataset: Path, authority: Path
) -> None:
    with served(authority) as address:
        code, said = run("timestamp", "uk-social", "--authority", address, "--roots", str(authority / "root.pem"))
    assert (code, "at 5 entries, 20" in said) == (0, True), said
    add(dataset, use(2))  # a stamp stays good when the log grows
    code, said = run("log", "verify", "uk-social", "--roots", str(authority / "root.pem"))
    assert (code, "Stamped at 5 entries: 20" in said, "not checked: --roots" in said) == (0, True, False)
    code, said = run("log", "verify", "uk-social", "--roots", str(authority / "other.pem"))
    assert (code, "not by an authority of these roots" in said) == (6, True)
    stamp = dataset / "evidence/log/timestamps/5.tsr"
    (authority / "text").write_text(f"{ORIGIN}\n5\n{b64encode(root_at(dataset / 'evidence/log', 5)).decode()}\n")
    openssl(authority, "ts", "-verify", "-data", "text", "-in", str(stamp), "-CAfile", "root.pem")
    stamp.rename(stamp.with_name("4.tsr"))
    assert run("log", "verify", "uk-social")[0] == 6


def test_a_stamp_is_fetched_by_hand_even_if_the_log_has_grown_since(
    run: Run, dataset: Path, authority: Path, tmp_path: Path
) -> None:
    asked, answer = tmp_path / "asked.tsq", tmp_path / "answer.tsr"
    assert run("timestamp", "uk-social", "--request-only", str(asked))[0] == 0
    add(dataset, use(1))
    answer.write_bytes(answered(authority, asked.read_bytes()))
    code, said = run("timestamp", "uk-social", "--response", str(answer))
    assert (code, "at 5 entries" in said, "signature was not checked" in said) == (0, True, True)
    (dataset / "evidence/log").rename(tmp_path / "old")
    add(dataset, FIRST)
    code, said = run("timestamp", "uk-social", "--response", str(answer))
    assert (code, "is of no checkpoint" in said) == (6, True)
    assert entries(dataset / "evidence/log") == [FIRST]
