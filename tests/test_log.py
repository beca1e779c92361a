"""The log: whatever its size, its proofs lead to the signed root; whatever a crash leaves, nothing signed is lost."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pymerkle import InmemoryTree

from corpus.errors import DatasetError
from corpus.evidence.log import append, checkpoint, consistency, entries, inclusion, root_at
from corpus.evidence.tiles import tile_path
from corpus_verify.merkle import check_consistency, leaf_hash, root_from_inclusion
from corpus_verify.notes import cosigned, read_checkpoint
from tests.small_prover import PRIVATE, PUBLIC

ORIGIN = "corpus/uk-social"
SIZE = 600
LEAVES = [f'{{"entry":"{n}"}}'.encode() for n in range(SIZE)]


def added(folder: Path, leaf: bytes) -> int:
    return append(folder, ORIGIN, leaf, PRIVATE.sign, PUBLIC)


def roots_of(leaves: list[bytes]) -> list[bytes]:
    tree = InmemoryTree(algorithm="sha256")
    roots = [tree.get_root()]
    for leaf in leaves:
        tree.append_entry(leaf)
        roots.append(tree.get_root())
    return roots


ROOTS = roots_of(LEAVES)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of 600 entries, whose every checkpoint was that of another library."""
    folder = tmp_path_factory.mktemp("log")
    for index, leaf in enumerate(LEAVES):
        assert added(folder, leaf) == index
        known = read_checkpoint(checkpoint(folder) or "", ORIGIN, PUBLIC)
        assert (known.size, known.root) == (index + 1, ROOTS[index + 1])
    return folder


def log_of(folder: Path, size: int) -> Path:
    for leaf in LEAVES[:size]:
        added(folder, leaf)
    return folder


def test_an_empty_log_has_no_checkpoint_and_no_entries(tmp_path: Path) -> None:
    assert checkpoint(tmp_path) is None
    assert entries(tmp_path) == []
    assert consistency(tmp_path, 0, 0) == []


def test_entries_come_back_all_or_the_first(full: Path) -> None:
    assert entries(full) == LEAVES
    assert entries(full, 257) == LEAVES[:257]
    with pytest.raises(DatasetError, match="has 600 entries, and not 601"):
        entries(full, 601)


def test_every_size_that_the_log_had_has_its_root_and_its_inclusion_proofs(full: Path) -> None:
    for size in range(1, SIZE + 1):
        assert root_at(full, size) == ROOTS[size]
        for index in {0, size // 3, size // 2, size - 1}:
            path = inclusion(full, index, size)
            assert root_from_inclusion(leaf_hash(LEAVES[index]), index, size, path) == ROOTS[size]


def test_every_size_extends_every_smaller_one(full: Path) -> None:
    for new in [*range(40), 255, 256, 257, 300, 511, 512, 513, 599, 600]:
        for old in range(0, new + 1, 1 if new < 40 else 23):
            check_consistency(old, ROOTS[old], new, ROOTS[new], consistency(full, old, new))


def test_the_files_are_those_of_the_published_layout_and_no_others(full: Path) -> None:
    found = {str(path.relative_to(full)) for path in full.rglob("*") if path.is_file()}
    tiles = {f"tile/{level}/{name}" for level in ("0", "entries") for name in ("000", "001", "002.p/88")}
    assert found == tiles | {"tile/1/000.p/2", "checkpoint"}
    assert tile_path(Path(), 0, 1234067) == Path("tile/0/x001/x234/067")
    assert tile_path(Path(), 1, 1000, 8) == Path("tile/1/x001/000.p/8")


@pytest.mark.parametrize("size", [0, 1, 5, 254, 255, 256, 257])
def test_whatever_part_of_an_append_a_crash_leaves_the_next_one_mends(tmp_path: Path, size: int) -> None:
    before = log_of(tmp_path / "before", size) if size else tmp_path / "before"
    before.mkdir(exist_ok=True)
    after = shutil.copytree(before, tmp_path / "after")
    added(after, b"lost in the crash")
    for number, left in enumerate(remains(before, after)):
        crashed = shutil.copytree(before, tmp_path / f"crashed-{number}")
        for path in left:
            (crashed / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(after / path, crashed / path)
        assert entries(crashed) == LEAVES[:size]
        assert added(crashed, LEAVES[size]) == size
        assert added(crashed, LEAVES[size + 1]) == size + 1
        assert entries(crashed) == LEAVES[: size + 2]
        assert root_at(crashed, size + 2) == ROOTS[size + 2]


def remains(before: Path, after: Path) -> Iterator[tuple[Path, ...]]:
    """Every set of the files that an append wrote, but for the checkpoint that ends it."""
    files = {path.relative_to(after) for path in after.rglob("*") if path.is_file() and path.name != "checkpoint"}
    new = sorted(path for path in files if not (before / path).exists())
    assert len(new) >= 2
    return (some for many in range(len(new) + 1) for some in combinations(new, many))


def test_a_crash_before_the_signature_leaves_the_log_as_it_was(tmp_path: Path) -> None:
    log_of(tmp_path, 3)

    def crash(_: bytes) -> bytes:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        append(tmp_path, ORIGIN, b"lost", crash, PUBLIC)
    assert entries(tmp_path) == LEAVES[:3]
    assert added(tmp_path, LEAVES[3]) == 3


@pytest.mark.parametrize("size", [1, 5, 255, 256, 257, 300])
def test_a_history_that_does_not_extend_the_last_is_not_signed(tmp_path: Path, size: int) -> None:
    log_of(tmp_path, size)
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    for path in files:
        whole, was = path.read_bytes(), checkpoint(tmp_path)
        for content in (None, b"", whole[:-1], whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:], whole + bytes(32)):
            path.unlink() if content is None else path.write_bytes(content)
            is_last = path.parent.name.endswith(".p") or path.name == "checkpoint"
            if is_last and content != whole + bytes(32):  # an entry's file may be longer than what is read of it
                refuses(tmp_path, size)
            refuses_to_read(tmp_path, path, size)
            path.write_bytes(whole)
        assert checkpoint(tmp_path) == was
    assert added(tmp_path, LEAVES[size]) == size


def refuses(folder: Path, size: int) -> None:
    """It signs nothing. A lost checkpoint of one entry alone looks like a crash in the first append."""
    if checkpoint(folder) is None and size == 1:
        return
    was = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(DatasetError):
        added(folder, b"more")
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == was


def refuses_to_read(folder: Path, changed: Path, size: int) -> None:
    """A reader is given the entries that were signed, or none."""
    try:
        found = entries(folder)
    except DatasetError:
        return
    assert found == (LEAVES[:size] if checkpoint(folder) else [])


def test_an_older_checkpoint_put_back_is_noticed(tmp_path: Path) -> None:
    log_of(tmp_path, 3)
    old = (tmp_path / "checkpoint").read_bytes()
    for leaf in LEAVES[3:5]:
        added(tmp_path, leaf)
    (tmp_path / "checkpoint").write_bytes(old)
    with pytest.raises(DatasetError, match="an old one, or missing"):
        added(tmp_path, b"another history")


def test_another_key_or_another_log_signs_nothing(tmp_path: Path) -> None:
    log_of(tmp_path, 2)
    other = Ed25519PrivateKey.generate()
    for origin, key in ((ORIGIN, other), ("corpus/eu-social", PRIVATE)):
        public = key.public_key().public_bytes_raw()
        with pytest.raises(DatasetError, match="does not hold"):
            append(tmp_path, origin, b"leaf", key.sign, public)


def test_a_witness_line_does_not_stop_the_log(tmp_path: Path) -> None:
    log_of(tmp_path, 2)
    witness = Ed25519PrivateKey.generate()
    note = cosigned(checkpoint(tmp_path) or "", "witness", witness.sign, witness.public_key().public_bytes_raw(), 7)
    (tmp_path / "checkpoint").write_text(note, encoding="utf-8")
    assert added(tmp_path, LEAVES[2]) == 2


def test_an_entry_too_long_for_the_format_is_refused(tmp_path: Path) -> None:
    log_of(tmp_path, 1)
    with pytest.raises(DatasetError, match="65535 bytes"):
        added(tmp_path, bytes(65536))
    assert entries(tmp_path) == LEAVES[:1]
