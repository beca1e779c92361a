"""Signing keys: their owner's alone from the first moment, never replaced, never printed; envelopes say by whom."""

from __future__ import annotations

import os
import stat
import subprocess
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from securesystemslib.signer import CryptoSigner

from corpus.durable import write_secret
from corpus.errors import DatasetError, EnvironmentFault
from corpus.evidence.envelope import INTENT, STATEMENT, opened, sealed
from corpus.evidence.formats import PREDICATE_TYPE, STATEMENT_TYPE
from corpus.evidence.keys import Signer, id_of, make_signer, public_beside, read_public, read_signer
from corpus.evidence.store import canonical, read_statement, write_document
from tests.conftest import CORPUS
from tests.statements import some_signer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys/uk-social.ed25519.pem"


def corpus(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"HOME": str(home), "COLUMNS": "200"}
    return subprocess.run([*CORPUS, *arguments], capture_output=True, text=True, check=False, env=environment)


def test_a_key_is_its_owners_alone_and_its_public_part_everybodys(path: Path) -> None:
    before = os.umask(0)
    try:
        signer = make_signer(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(public_beside(path).stat().st_mode) == 0o644
    assert read_public(public_beside(path)) == signer.public == read_signer(path).public
    assert sorted(each.name for each in path.parent.iterdir()) == [
        "uk-social.ed25519.pem",
        "uk-social.ed25519.public.pem",
    ]


def test_who_may_read_the_evidence_is_for_the_umask_to_say(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_document(tmp_path / "s.json", DOCUMENT)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "s.json").stat().st_mode) == 0o640


def test_a_key_is_never_replaced(path: Path) -> None:
    make_signer(path)
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        make_signer(path)
    assert path.read_bytes() == before


def test_a_secret_that_dies_half_written_leaves_no_key(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "hardlink_to", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_secret(path, b"half")
    assert list(path.parent.iterdir()) == []


def test_the_command_line_makes_and_shows_a_key_and_prints_no_secret(tmp_path: Path) -> None:
    made = corpus(tmp_path, "keys", "new", "uk-social")
    path = tmp_path / ".config/corpus/uk-social.ed25519.pem"
    assert made.returncode == 0, made.stderr
    assert (str(public_beside(path)) in made.stdout, read_signer(path).id in made.stdout) == (True, True)
    assert corpus(tmp_path, "keys", "show", "uk-social").stdout == made.stdout
    secret = path.read_text().splitlines()[1]
    assert secret not in made.stdout + made.stderr
    again = corpus(tmp_path, "keys", "new", str(path))
    assert (again.returncode, "is not replaced" in again.stderr, "Traceback" in again.stderr) == (6, True, False)


def ecdsa(path: Path) -> None:
    key = generate_private_key(SECP256R1())
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def public(path: Path) -> None:
    key = CryptoSigner.generate_ed25519()._private_key.public_key()
    path.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


BAD_FILES: dict[str, tuple[Any, str]] = {
    "empty": (lambda path: path.write_bytes(b""), "does not hold an Ed25519 signing key"),
    "binary": (lambda path: path.write_bytes(bytes(range(256))), "does not hold an Ed25519 signing key"),
    "another kind of key": (ecdsa, "does not hold an Ed25519 signing key"),
    "a public key": (public, "does not hold an Ed25519 signing key"),
    "readable by others": (lambda path: (make_signer(path), path.chmod(0o604)), "can be read by others"),
    "not there": (Path, "cannot be read: No such file"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_file_that_holds_no_key_of_ours_is_refused(tmp_path: Path, case: str) -> None:
    spoil, message = BAD_FILES[case]
    path = tmp_path / "key.pem"
    spoil(path)
    if path.exists() and case != "readable by others":
        path.chmod(0o600)
    with pytest.raises(DatasetError, match=message):
        read_signer(path)


def test_a_key_service_without_its_library_says_what_to_install() -> None:
    with pytest.raises(EnvironmentFault, match=r"pip install 'securesystemslib\[vault\]'"):
        read_signer("hv:uk-social/1", some_signer().public)


def test_a_key_service_needs_the_public_part() -> None:
    with pytest.raises(DatasetError, match="public part of the signing key hv:uk-social/1 is not known"):
        read_signer("hv:uk-social/1")


def test_a_file_may_be_named_by_its_uri(path: Path) -> None:
    assert read_signer(f"file2:{make_signer(path) and path}").id == read_signer(path).id


DOCUMENT = {"dataset": "uk-social", "rows": "7"}


def test_an_envelope_opens_with_its_key_and_type_alone() -> None:
    signer = some_signer()
    envelope = sealed(DOCUMENT, INTENT, signer)
    assert opened(envelope, INTENT, signer.public) == DOCUMENT
    assert envelope["signatures"][0]["keyid"] == id_of(signer.public)
    with pytest.raises(DatasetError, match="It is of type"):
        opened(envelope, STATEMENT, signer.public)
    with pytest.raises(DatasetError, match="not signed by"):
        opened(envelope | {"payloadType": STATEMENT}, STATEMENT, signer.public)
    with pytest.raises(DatasetError, match="not signed by"):
        opened(envelope, INTENT, some_signer().public)


def signature(envelope: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return envelope | {"signatures": [envelope["signatures"][0] | changes]}


SPOILT: dict[str, Any] = {
    "another payload": lambda e: e | {"payload": b64encode(canonical(DOCUMENT | {"rows": "8"})).decode()},
    "no payload": lambda e: {name: value for name, value in e.items() if name != "payload"},
    "a payload that is no JSON": lambda e: e | {"payload": b64encode(b"{").decode()},
    "a payload that is a list": lambda e: e | {"payload": b64encode(b"[]").decode()},
    "no signature": lambda e: e | {"signatures": []},
    "signatures that are no list": lambda e: e | {"signatures": None},
    "a signature cut short": lambda e: signature(e, sig=e["signatures"][0]["sig"][:8]),
    "another's name on it": lambda e: signature(e, keyid="0" * 64),
    "no name on it": lambda e: signature(e, keyid=None),
    "a plain document": lambda _: DOCUMENT,
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_spoilt_envelope_is_refused(case: str) -> None:
    signer = some_signer()
    with pytest.raises(DatasetError):
        opened(SPOILT[case](sealed(DOCUMENT, INTENT, signer)), INTENT, signer.public)


def test_opening_an_envelope_leaves_it_as_it_was() -> None:
    signer = some_signer()
    envelope = sealed(DOCUMENT, INTENT, signer)
    before = canonical(envelope)
    opened(envelope, INTENT, signer.public)
    assert canonical(envelope) == before


def test_a_payload_that_is_not_canonical_is_refused_though_it_is_signed() -> None:
    signer = some_signer()
    loose = b'{"rows": "7", "rows": "8"}'
    pae = b"DSSEv1 %d %b %d %b" % (len(INTENT), INTENT.encode(), len(loose), loose)
    by = {"keyid": signer.id, "sig": b64encode(signer.sign(pae)).decode()}
    envelope = {"payload": b64encode(loose).decode(), "payloadType": INTENT, "signatures": [by]}
    with pytest.raises(DatasetError, match="not canonical"):
        opened(envelope, INTENT, signer.public)


FORMATS: dict[str, tuple[dict[str, Any], str]] = {
    "newer predicate": ({"predicateType": PREDICATE_TYPE[:-1] + "2"}, "install a newer version"),
    "newer statement": ({"_type": STATEMENT_TYPE[:-1] + "12"}, "install a newer version"),
    "another predicate": (
        {"predicateType": "https://slsa.dev/provenance/v1"},
        "expected urn:corpus:training-snapshot:v1",
    ),
    "no predicate": ({"predicate": None}, "does not say its build"),
}


@pytest.mark.parametrize("case", FORMATS)
def test_a_statement_of_another_format_names_it(tmp_path: Path, case: str) -> None:
    changes, message = FORMATS[case]
    own = {"build_id": "b", "snapshot": {"rows": "1"}}
    statement = {"_type": STATEMENT_TYPE, "predicateType": PREDICATE_TYPE, "predicate": own} | changes
    write_document(tmp_path / "s.json", sealed(statement, STATEMENT, some_signer()))
    with pytest.raises(DatasetError, match=message):
        read_statement(tmp_path / "s.json")


def test_a_signer_shows_no_secret() -> None:
    assert "sign" not in repr(Signer(b"1" * 32, "id", lambda message: message)).replace("Signer", "")
