"""Merkle trees against the words of RFC 6962 and against another library."""

from __future__ import annotations

from hashlib import sha256

import pytest
from pymerkle import InmemoryTree

from corpus_verify.errors import Refused
from corpus_verify.merkle import (
    check_consistency,
    inclusion_path,
    leaf_hash,
    node_hash,
    root_from_inclusion,
    root_of,
    split,
)

LEAVES = [str(n).encode() * (n % 5) for n in range(600)]
HASHES = [leaf_hash(leaf) for leaf in LEAVES]
FULL = 70


def roots() -> list[bytes]:
    tree = InmemoryTree(algorithm="sha256")
    found = [sha256(b"").digest()]
    for leaf in LEAVES:
        tree.append_entry(leaf)
        found.append(tree.get_root())
    return found


ROOTS = roots()


def subproof(old: int, hashes: list[bytes], is_whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962, word for word."""
    if old == len(hashes):
        return [] if is_whole else [root_of(hashes)]
    half = split(len(hashes))
    if old <= half:
        return [*subproof(old, hashes[:half], is_whole), root_of(hashes[half:])]
    return [*subproof(old - half, hashes[half:], False), root_of(hashes[:half])]


def test_roots_are_those_of_another_library_at_every_size() -> None:
    assert [root_of(HASHES[:size]) for size in range(601)] == ROOTS


@pytest.mark.parametrize("size", [*range(1, FULL), 255, 256, 257, 511, 512, 600])
def test_every_path_leads_to_the_root_and_no_other_leaf_or_index_does(size: int) -> None:
    for index in range(0, size, 1 if size < FULL else 13):
        path = inclusion_path(HASHES[:size], index)
        assert root_from_inclusion(HASHES[index], index, size, path) == ROOTS[size]
        assert root_from_inclusion(HASHES[index + 1 if index + 1 < 600 else 0], index, size, path) != ROOTS[size]
        for other in {index ^ 1, size - 1 - index} - {index, size}:
            assert not leads(HASHES[index], other, size, path)
        with pytest.raises(Refused):
            root_from_inclusion(HASHES[index], index, size, [*path, path[0] if path else HASHES[0]])
        for wrong in (-1, size):
            with pytest.raises(Refused):
                root_from_inclusion(HASHES[index], wrong, size, path)


def leads(hashed: bytes, index: int, size: int, path: list[bytes]) -> bool:
    try:
        return root_from_inclusion(hashed, index, size, path) == ROOTS[size]
    except Refused:
        return False


@pytest.mark.parametrize("size", [*range(FULL), 256, 257, 600])
def test_a_larger_tree_extends_a_smaller_one_and_no_other(size: int) -> None:
    for old in range(0, size + 1, 1 if size < FULL else 7):
        path = subproof(old, HASHES[:size], True) if old else []
        check_consistency(old, ROOTS[old], size, ROOTS[size], path)
        for wrong in (
            (old, sha256(b"another").digest(), size, ROOTS[size], path),
            (old + 1, ROOTS[old], size, ROOTS[size], path),
            (old, ROOTS[old], size, ROOTS[size], [*path, ROOTS[0]]),
            (old, ROOTS[old], size, node_hash(ROOTS[old], ROOTS[size]), path),
        ):
            if old == 0 and wrong[3] != ROOTS[size]:
                continue  # every tree extends the empty one
            with pytest.raises(Refused):
                check_consistency(*wrong)
