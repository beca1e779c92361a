"""Proofs made of a dataset's leaves and log: whoever checks them is convinced, and a wrong one is not written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from deltalake import DeltaTable, write_deltalake

from corpus.dataset_key import key_id, make_key
from corpus.errors import ConfigError, DatasetError
from corpus.evidence.proofs import Logged, Opened, as_proof
from corpus.evidence.store import canonical, trees_path
from corpus.proving import Proof, prove
from corpus_verify.proof import check
from tests.small_dataset import HOSTILE_ID, build, empty
from tests.small_prover import PUBLIC
from tests.small_trees import seal, write_trees

POSTS = [f"p{n}" for n in range(70)] + [HOSTILE_ID, "żółć"]
PEOPLE = [f"account of {post}" for post in POSTS] + [f"co-author {n}" for n in range(10)]
MOST_BYTES = 8192


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """0 is empty, 1 is maintenance, 2 holds all posts, 3 one, 4 has no statement, 5 stands in no log."""
    warehouse = tmp_path_factory.mktemp("proofs")
    folder, key = warehouse / "uk-social", make_key(warehouse / "keys/uk-social.key")
    empty(folder)
    owner = {"corpus.keyId": key_id(key)}
    DeltaTable(folder / "snapshot").alter.set_table_properties(owner, raise_if_not_exists=False)
    for posts, people, is_sealed in ((POSTS, PEOPLE, True), (["p1"], [], True), (["p1"], [], False)):
        number = build(folder, dict.fromkeys(posts, "rain"), {}, sealed=is_sealed)
        trees = write_trees(folder, f"build-{number}", key, {"post": posts, "account": people})
        if is_sealed:
            seal(folder, number, trees)
    build(folder, {"p1": "rain"}, {})
    return warehouse


@pytest.fixture
def own_warehouse(warehouse: Path, tmp_path: Path) -> Path:
    """A copy that a test may break."""
    return Path(shutil.copytree(warehouse, tmp_path / "own"))


def proof(warehouse: Path, kind: str, name: str, number: int = 2) -> Proof:
    return prove(warehouse, ("uk-social", number), (kind, name), warehouse / "keys/uk-social.key")


@pytest.mark.parametrize(("kind", "ids"), [("post", POSTS), ("account", PEOPLE)])
def test_of_everything_kept_it_is_proved_that_it_is_in(warehouse: Path, kind: str, ids: list[str]) -> None:
    for name in ids:
        made = proof(warehouse, kind, name)
        verdict = check(made.content, PUBLIC)
        assert (verdict.claim.kind, verdict.claim.id, verdict.claim.is_in) == (kind, name, True)
        assert (verdict.record.dataset, verdict.record.version) == ("uk-social", 2)
        assert (len(made.content) <= MOST_BYTES, made.neighbours) == (True, 0)


@pytest.mark.parametrize("kind", ["post", "account"])
def test_of_any_other_id_it_is_proved_that_it_is_not(warehouse: Path, kind: str) -> None:
    for n in range(100):
        made = proof(warehouse, kind, f"stranger {n}")
        assert not check(made.content, PUBLIC).claim.is_in
        assert made.neighbours <= 2


def test_absence_is_proved_of_a_bucket_without_ids_and_with_one(warehouse: Path) -> None:
    nobody, other = proof(warehouse, "account", "a", 3), proof(warehouse, "post", "p2", 3)
    assert [check(made.content, PUBLIC).claim.is_in for made in (nobody, other)] == [False, False]
    assert (nobody.neighbours, other.neighbours) == (0, 1)


def test_an_id_is_compared_as_builds_compare_it(warehouse: Path) -> None:
    assert proof(warehouse, "post", " p1\t").content == proof(warehouse, "post", "p1").content


def test_a_proof_names_no_other_id_and_no_key_of_another_bucket(warehouse: Path) -> None:
    content = proof(warehouse, "post", "stranger").content.decode()
    assert not [name for name in POSTS + PEOPLE if json.dumps(name) in content]
    assert (warehouse / "keys/uk-social.key").read_text().strip() not in content


def test_of_a_billion_ids_a_proof_is_still_small() -> None:
    def node(n: int) -> bytes:
        return sha256(str(n).encode()).digest()

    tokens = sorted(node(n) + node(-n) for n in range(60))
    tree = {"root": "a" * 64, "ids": str(16 << 26), "buckets": str(1 << 26)}
    record = {"kind": "version", "format": "corpus-record/v1", "dataset": "a-dataset-of-a-long-name-" * 4}
    record |= {
        "version": "100000",
        "cutoff": "2026-11-20T00:00:00.123456Z",
        "rows": str(16 << 26),
        "statement": "b" * 64,
    }
    record |= {"released_at": "2026-11-20T00:00:00.123456Z", "previous": "c" * 64, "rows": str(16 << 26)}
    logged = Logged(
        record | {"documents": tree, "persons": tree}, 999_999, 1 << 20, [node(n) for n in range(20)], "x" * 600
    )
    bucket = Opened((1 << 26) - 1, node(1), tokens, node(2))
    document = as_proof("post", "p" * 200, bucket, [node(n) for n in range(26)], logged)
    assert len(document["tokens"]) == 2
    assert len(canonical(document)) <= MOST_BYTES


def spoil_tokens(folder: Path) -> None:
    rows = DeltaTable(folder / "leaves").to_pyarrow_table().to_pylist()
    for row in rows:
        row["tokens"] = row["tokens"][:-1] + bytes([row["tokens"][-1] ^ 1]) if row["tokens"] else b""
    rewrite(folder, rows)


def lose_a_row(folder: Path) -> None:
    rows = DeltaTable(folder / "leaves").to_pyarrow_table().to_pylist()
    rewrite(folder, [row for row in rows if (row["tree"], row["index"]) != ("documents", 0)])


def lose_other_rows(folder: Path) -> None:
    rows = DeltaTable(folder / "leaves").to_pyarrow_table().to_pylist()
    rewrite(folder, [row for row in rows if (row["tree"], row["index"]) != ("documents", 7)])


def rewrite(folder: Path, rows: list[dict[str, Any]]) -> None:
    schema = DeltaTable(folder / "leaves").to_pyarrow_table().schema
    write_deltalake(str(folder / "leaves"), pa.Table.from_pylist(rows, schema), mode="overwrite")


def change_a_root(folder: Path) -> None:
    path = trees_path(folder, "build-2")
    document = json.loads(path.read_bytes())
    document["documents"]["chunks"] = ["0" * 64]
    path.write_text(json.dumps(document))


def another_public_key(folder: Path) -> None:
    pem = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "evidence/public.pem").write_bytes(pem)


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "tokens": (spoil_tokens, r"Bucket \d of documents of uk-social@2 does not commit to the key and the tokens"),
    "a bucket": (lose_a_row, "has 0 rows for bucket 0 of documents of uk-social@2"),
    "another bucket": (lose_other_rows, "do not give the root of documents that was signed for uk-social@2"),
    "a chunk's root": (change_a_root, "do not give the root of documents that was signed for uk-social@2"),
    "the file of roots": (lambda folder: trees_path(folder, "build-2").unlink(), "do not give the root"),
    "the public key": (
        another_public_key,
        "No proof of uk-social@2 can be given: the checkpoint must have one signature",
    ),
    "no public key": (lambda folder: (folder / "evidence/public.pem").unlink(), "cannot be read"),
    "the log": (lambda folder: (folder / "evidence/log/checkpoint").write_text("x"), "log"),
    "leaves": (lambda folder: shutil.rmtree(folder / "leaves"), "leaves"),
    "the key": (lambda folder: key_of(folder).write_text("ab" * 32), "is not that of uk-social"),
    "no key": (lambda folder: key_of(folder).unlink(), "key of uk-social is missing"),
}


def key_of(folder: Path) -> Path:
    return folder.parent / "keys/uk-social.key"


FIRST = next(post for post in POSTS if sha256(b"corpus bucket v1\0post\0" + post.encode()).digest()[0] >> 5 == 0)


@pytest.mark.parametrize("what", SPOILT)
def test_evidence_that_was_changed_makes_no_proof(own_warehouse: Path, what: str) -> None:
    spoil, message = SPOILT[what]
    spoil(own_warehouse / "uk-social")
    with pytest.raises(DatasetError, match=message):
        proof(own_warehouse, "post", FIRST)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (0, "no build but the empty beginning"),
        (1, "no build but maintenance"),
        (4, "uk-social@4 is not sealed.*corpus seal uk-social"),
        (5, "uk-social@5 is not sealed.*corpus seal uk-social"),
        (9, "has no version 9"),
    ],
)
def test_only_of_a_sealed_version_something_is_proved(warehouse: Path, number: int, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        proof(warehouse, "post", "p1", number)


@pytest.mark.parametrize("name", ["", "  ", "\udcff"])
def test_what_is_no_id_is_refused(warehouse: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="id is"):
        proof(warehouse, "post", name)


def run(warehouse: Path, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    python = [sys.executable, "-c", "from corpus.cli import main; main()", "prove", *arguments]
    known = {"CORPUS_WAREHOUSE": str(warehouse), "CORPUS_KEY": str(warehouse / "keys/uk-social.key"), "COLUMNS": "200"}
    return subprocess.run(python, capture_output=True, text=True, check=False, env=os.environ | known, cwd=folder)


def test_the_command_writes_one_file_and_says_what_it_shows(warehouse: Path, tmp_path: Path) -> None:
    done = run(warehouse, "uk-social@2", "--account", "account of p9", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    (made,) = tmp_path.iterdir()
    assert check(made.read_bytes(), PUBLIC).claim.is_in
    assert "p9" not in made.name
    assert "The account account of p9 is in uk-social@2" in done.stdout
    assert f"corpus-verify {made.name} --key {warehouse}/uk-social/evidence/public.pem" in done.stdout
    absent = run(warehouse, "uk-social@2", "--post", "p-none", "-o", "a.json", "--json", folder=tmp_path)
    assert json.loads(absent.stdout) | {"bytes": 0, "signed_by": ""} == {
        "file": "a.json", "bytes": 0, "kind": "post", "id": "p-none", "is_in": False, "version": "uk-social@2",
        "signed_by": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("uk-social", "--post", "p1"), 2, "write DATASET@N"),
        (("uk-social@2",), 2, "Name one post by --post ID, or one account"),
        (("uk-social@2", "--post", "p1", "--account", "a"), 2, "Name one post"),
        (("uk-social@2", "--post", "p1", "-o", "no/such/folder/a.json"), 3, "cannot be written"),
        (("uk-social@5", "--post", "p1"), 6, "corpus seal uk-social"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(
    warehouse: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    done = run(warehouse, *arguments, folder=tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
