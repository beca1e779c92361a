"""Proofs checked: what is true is shown, what is not is refused in words, whatever the file holds."""

from __future__ import annotations

import json
import os
import time
from itertools import product
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from corpus_verify.cli import main
from corpus_verify.documents import canonical as verifiers_canonical
from corpus_verify.ids import bucket_leaf, bucket_of, depth_for, token
from corpus_verify.notes import signed
from corpus_verify.proof import check
from tests import second_verifier, small_prover
from tests.lying_prover import first, second, told
from tests.small_prover import KINDS, PRIVATE, PUBLIC, canonical, prove, world, world_of

ROOT = Path(__file__).parent.parent
SIZES = [0, 1, 2, 15, 16, 17, 33, 1000]


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "public.pem"
    path.write_bytes(PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


@pytest.fixture
def proof(tmp_path: Path) -> Path:
    path = tmp_path / "proof.json"
    path.write_bytes(canonical(prove(world(40, 20), "post", "p-3")))
    return path


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_id_is_shown_to_be_in_and_every_other_not_to_be(size: int, kind: str) -> None:
    of = world(size, size)
    names = [f"{kind[0]}-{n}" for n in range(min(size, 60))]
    others = [f"{kind[0]}-{n}" for n in range(1000, 1060)] + ["x", "p-", "ünï", "p\0", "𝕏", f"{kind[0]}-1 x"]
    shown = set()
    for name in [*names, *others]:
        content = canonical(prove(of, kind, name))
        expected = (kind, name, "in" if name in names else "not in", "uk-social", 3)
        assert first(content) == second(content) == expected
        shown.add((expected[2], len(json.loads(content)["tokens"])))
    assert shown == {0: {("not in", 0)}, 1: {("in", 1), ("not in", 1)}}.get(size, shown)
    if size > 16:
        assert shown >= {("in", 1), ("not in", 1), ("not in", 2)}


def test_ids_in_any_writing_are_shown() -> None:
    ids = ["p", "P", "e\u0301", "é", "a\0b", "日本", "𝕏", '"\\', "p\u202ex", "\x7f", "\u2028"]
    of = world_of(ids, [])
    for name in ids:
        content = canonical(prove(of, "post", name))
        assert first(content) == second(content) == ("post", name, "in", "uk-social", 3)
    assert first(canonical(prove(of, "post", "É"))) == ("post", "É", "not in", "uk-social", 3)


@pytest.mark.parametrize("size", [*SIZES, 32, 64, 65, 2**20, 2**20 + 1, 2**30 + 1])
def test_definitions_are_those_of_the_page(size: int) -> None:
    assert depth_for(size) == small_prover.depth_of(size)
    for name in ("p-1", "é", ""):
        assert bucket_of("post", name, 13) == small_prover.bucket_of("post", name, 13)
    bucket = small_prover.tree_of("post", ["p-1", "p-2"])[0]
    assert bucket.leaf == bucket_leaf(
        small_prover.digest(bucket.key), 2, second_verifier.node(*map(second_verifier.leaf, bucket.leaves))
    )
    assert token(bucket.key, "p-1") in {leaf[:32] for leaf in bucket.leaves}


def test_a_signer_that_leaves_a_bucket_unsorted_can_prove_both_as_the_page_warns() -> None:
    of = world_of(["p-1", "p-2", "p-3"], [], arranged=lambda leaves: [*sorted(leaves)[::2], *sorted(leaves)[1::2]])
    tokens = [leaf[:32] for leaf in of.trees["post"][0].leaves]
    name = next(name for name in ("p-1", "p-2", "p-3") if token(of.trees["post"][0].key, name) == tokens[2])
    inside, outside = prove(of, "post", name, "in"), prove(of, "post", name, "not in")
    outside["tokens"] = [small_prover.shown_token(n, of.trees["post"][0].leaves) for n in (0, 1)]
    assert {first(canonical(one))[2] for one in (inside, outside)} == {"in", "not in"}  # type: ignore[index]


def test_of_all_tokens_that_could_be_shown_only_the_two_neighbours_show_absence() -> None:
    of = world(5, 0)
    leaves = of.trees["post"][0].leaves
    for name in ("p-5", "p-6", "p-7", "p-8", "p-9"):
        true = prove(of, "post", name)
        neighbours = [int(shown["index"]) for shown in true["tokens"]]
        for many in range(4):
            for shown in product(range(5), repeat=many):
                tokens = [small_prover.shown_token(n, leaves) for n in shown]
                content = canonical(true | {"tokens": tokens})
                assert (first(content) is not None) == (second(content) is not None) == (list(shown) == neighbours)


ODD_RECORDS = [
    {"documents": {"root": "00" * 32, "ids": "40", "buckets": "8"}},
    {"persons": {"root": "00" * 32, "ids": "20", "buckets": "1"}},
    {"version": "03"},
    {"rows": "٤"},
    {"dataset": "uk-social/../x"},
    {"previous": "00"},
    {"cutoff": "2026-11-20"},
    {"kind": "use"},
    {"more": ""},
]


@pytest.mark.parametrize("changes", [{}, *ODD_RECORDS], ids=str)
def test_a_record_that_makes_no_sense_shows_nothing_though_it_is_signed(changes: dict[str, object]) -> None:
    of = world(40, 20)
    record = of.record | changes
    log = [*of.log[:2], canonical(record), *of.log[3:]]
    proof = prove(of, "post", "p-3") | {
        "record": record,
        "log": {"index": "2", "size": "5", "path": small_prover.path(2, log)},
        "checkpoint": small_prover.checkpoint(str(record["dataset"]), log),
    }
    content = canonical(proof)
    assert (first(content) is not None) == (second(content) is not None) == (not changes)


def test_a_note_in_any_other_spelling_or_of_another_log_shows_nothing_though_it_is_signed() -> None:
    of = world(40, 20)
    note = small_prover.checkpoint(of.dataset, of.log)
    text, _, line = note.partition("\n\n")
    name, key = f"corpus/{of.dataset}", small_prover.PRIVATE.sign
    assert first(canonical(prove(of, "post", "p-3") | {"checkpoint": note}))
    for odd in (
        note + line,
        note[:-3] + chr(ord(note[-3]) + 1) + "=\n",  # the same bytes: the last letter has two bits to spare
        signed(text.replace(name, "corpus/other") + "\n", name, key, PUBLIC),
        signed(text.replace("\n5\n", "\n05\n") + "\n", name, key, PUBLIC),
        signed(f"{text}\nmore\n", name, key, PUBLIC),
        signed(text.rstrip("=") + "\n", name, key, PUBLIC),
    ):
        content = canonical(prove(of, "post", "p-3") | {"checkpoint": odd})
        assert odd != note
        assert first(content) is second(content) is None


def test_lies_are_not_believed() -> None:
    found = told(3000, seed=2)
    assert not found.wrong
    assert found.still_true > 10


def test_the_second_verifier_is_short_and_shares_nothing_with_the_first() -> None:
    text = (ROOT / "tests/second_verifier.py").read_text(encoding="utf-8")
    assert sum(bool(line.strip()) for line in text.splitlines()) < 150
    assert "import corpus" not in text
    assert "from corpus" not in text


def test_the_pages_example_holds_and_so_do_its_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    folder, page = ROOT / "docs/proofs", (ROOT / "docs/proofs.md").read_text(encoding="utf-8")
    for name, post, says in (("example", "p-2", "is in example@3"), ("example-absent", "p-4", "is not in example@3")):
        assert main([str(folder / f"{name}.json"), "--key", str(folder / "example.pem"), "--post", post]) == 0
        assert says in capsys.readouterr().out
    shown = json.loads((folder / "example.json").read_bytes())
    one = shown["tokens"][0]
    leaf = second_verifier.leaf(bytes.fromhex(one["leaf"]))
    tokens = second_verifier.up(leaf, 0, 3, [bytes.fromhex(each) for each in one["path"]])
    key_hash = second_verifier.sha(bytes.fromhex(shown["bucket"]["key"]))
    record = second_verifier.leaf(verifiers_canonical(shown["record"]))
    log = second_verifier.up(record, 2, 5, [bytes.fromhex(each) for each in shown["log"]["path"]])
    line = second_verifier.sha(b"corpus/example\n\x01" + PUBLIC)[:4]
    for value in (bytes.fromhex(one["leaf"][:64]), key_hash, leaf, tokens, record, log, line):
        assert f"| `{value.hex()}` |" in page


def test_the_verdict_says_what_was_shown_about_whom_and_by_whom_and_what_was_not(
    proof: Path, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(proof), "--key", str(key), "--post", "p-3"]) == 0
    said = capsys.readouterr().out
    for words in (
        'SHOWN: the post "p-3" is in uk-social@3.',
        "2026-11-20T00:00:00Z",
        "released 2026-11-20T04:05:06.123456Z",
    ):
        assert words in said
    assert small_prover.digest(PUBLIC).hex() in said
    assert "Not shown:" in said


def test_a_proof_about_somebody_else_is_no_proof(proof: Path, key: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for asked in (["--post", "p-4"], ["--account", "p-3"], ["--post", ""]):
        assert main([str(proof), "--key", str(key), *asked]) == 1
        assert 'the proof is about the post "p-3"' in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    "arguments", [[], ["x"], ["x", "--key", "k", "--post", "a", "--account", "b"], ["x", "--keys"]]
)
def test_asked_wrongly_it_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


HONEST = canonical(prove(world(40, 20), "post", "p-3"))
BAD_FILES = {
    "cut off": (HONEST[:-20], "not JSON, or was cut off"),
    "empty": (b"", "not JSON, or was cut off"),
    "not JSON": (b"a proof", "not JSON"),
    "binary": (bytes(range(256)), "not text in UTF-8"),
    "an image": (b"\x89PNG\r\n\x1a\n" + bytes(100), "not text in UTF-8"),
    "a list": (b"[]", "not a JSON object"),
    "another object": (b"{}", "says no format"),
    "a name twice": (HONEST.replace(b'"claim":', b'"claim":{},"claim":', 1), "stands twice"),
    "a newer format": (HONEST.replace(b"corpus-proof/v1", b"corpus-proof/v2"), "needs a newer verifier"),
    "a newer record": (HONEST.replace(b"corpus-record/v1", b"corpus-record/v12"), "needs a newer verifier"),
    "nested": (b'{"a":' * 10_000, "nested too deeply"),
    "a bare number": (HONEST.replace(b'"3"', b"3", 1), "bare JSON number"),
    "too long a number": (HONEST.replace(b'"size":"5"', b'"size":"' + b"5" * 19 + b'"'), "at most 18 digits"),
    "something more": (HONEST.replace(b'"claim":', b'"more":"","claim":', 1), "must have exactly"),
    "half a character": (HONEST.replace(b"p-3", b"\\ud800"), "not text in UTF-8"),
    "a screen's command": (HONEST.replace(b"corpus-proof/v1", b"\\u001b]0;owned\\u0007"), "says no format"),
    "white space round the id": (HONEST.replace(b"p-3", b"p-3 "), "white space"),
}


@pytest.mark.parametrize(("content", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_file_that_is_no_proof_gets_a_verdict_in_words(
    tmp_path: Path, key: Path, capsys: pytest.CaptureFixture[str], content: bytes, message: str
) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    assert main([str(path), "--key", str(key)]) == 1
    said = capsys.readouterr().out
    assert said.startswith("NOT SHOWN: ")
    assert message in " ".join(said.split())
    assert all(c.isprintable() or c == "\n" for c in said)


def test_a_file_of_a_gigabyte_is_refused_at_once(tmp_path: Path, key: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "large.json"
    path.write_bytes(HONEST)
    os.truncate(path, 2**30)
    began = time.monotonic()
    assert main([str(path), "--key", str(key)]) == 1
    assert time.monotonic() - began < 1
    assert "larger than 64 KB" in " ".join(capsys.readouterr().out.split())


def test_a_file_that_is_not_there_or_a_folder_gets_a_verdict(tmp_path: Path, key: Path, proof: Path) -> None:
    assert main([str(tmp_path / "nowhere"), "--key", str(key)]) == 1
    assert main([str(tmp_path), "--key", str(key)]) == 1
    assert main([str(proof), "--key", str(tmp_path)]) == 1
    assert main([str(proof), "--key", str(tmp_path / "nowhere")]) == 1
    assert main(["a\0b", "--key", "a\0b"]) == 1


def test_a_key_that_is_not_the_right_one_gets_a_verdict(
    tmp_path: Path, proof: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pem, info = Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    keys = {
        "another": (Ed25519PrivateKey.generate().public_key().public_bytes(pem, info), "by the key given"),
        "rsa": (rsa.generate_private_key(65537, 2048).public_key().public_bytes(pem, info), "another kind"),
        "ec": (ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(pem, info), "another kind"),
        "private": (PRIVATE.private_bytes(pem, PrivateFormat.PKCS8, NoEncryption()), "a private key"),
        "raw": (PUBLIC, "no public key in PEM"),
        "cut": (PRIVATE.public_key().public_bytes(pem, info)[:60], "no public key in PEM"),
        "empty": (b"", "no public key in PEM"),
    }
    for name, (content, message) in keys.items():
        path = tmp_path / f"{name}.pem"
        path.write_bytes(content)
        assert main([str(proof), "--key", str(path)]) == 1
        assert message in " ".join(capsys.readouterr().out.split())


def test_a_checkpoint_kept_elsewhere_must_be_of_the_same_history(
    tmp_path: Path, proof: Path, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    of, kept = world(40, 20), tmp_path / "kept"
    for log, code, message in (
        (of.log, 0, "of one history"),
        ([*of.log[:4], b"other"], 1, "two histories"),
        (of.log[:3], 1, "without a consistency file"),
    ):
        kept.write_text(small_prover.checkpoint(of.dataset, log), encoding="utf-8")
        assert main([str(proof), "--key", str(key), "--checkpoint", str(kept)]) == code
        assert message in " ".join(capsys.readouterr().out.split())
    for content in (b"", b"\xff", b"corpus/uk-social\n5\n", proof.read_bytes()):
        kept.write_bytes(content)
        assert main([str(proof), "--key", str(key), "--checkpoint", str(kept)]) == 1
    assert main([str(proof), "--key", str(key), "--consistency", str(kept)]) == 1


def test_proofs_are_small_and_checked_in_milliseconds() -> None:
    contents = [canonical(prove(world(1000, 1000), kind, f"{kind[0]}-{n}")) for kind in KINDS for n in range(990, 1010)]
    assert max(map(len, contents)) <= 8192
    began = time.monotonic()
    for content in contents:
        check(content, PUBLIC)
    assert (time.monotonic() - began) / len(contents) < 0.05
