"""Merkle trees as in RFC 6962, section 2.1: hashes, roots, paths, and paths checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

from corpus_verify.errors import Refused

EMPTY = sha256(b"").digest()
"""The root of a tree without leaves."""


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf."""
    return sha256(b"\0" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node above two others."""
    return sha256(b"\1" + left + right).digest()


def root_of(hashes: Iterable[bytes]) -> bytes:
    """The root above these leaf hashes, or above these roots of complete trees of one height; holds few at a time."""
    waiting: list[bytes] = []
    for count, hashed in enumerate(hashes, 1):
        waiting.append(hashed)
        for _ in range(_trailing_zeros(count)):
            right = waiting.pop()
            waiting.append(node_hash(waiting.pop(), right))
    return joined(waiting)


def joined(roots: Sequence[bytes]) -> bytes:
    """The root above complete trees that stand side by side, none lower than the next."""
    root = roots[-1] if roots else EMPTY
    for left in reversed(roots[:-1]):
        root = node_hash(left, root)
    return root


def inclusion_path(hashes: Sequence[bytes], index: int) -> list[bytes]:
    """PATH(index, hashes): the nodes that lead from one of these leaf hashes to their root, from below."""
    if len(hashes) == 1:
        return []
    half = split(len(hashes))
    if index < half:
        return [*inclusion_path(hashes[:half], index), root_of(hashes[half:])]
    return [*inclusion_path(hashes[half:], index - half), root_of(hashes[:half])]


def root_from_inclusion(hashed: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root of a tree of that size that has this leaf hash at that index, by its path.

    Raises Refused for an index outside the tree or a path of another length.
    """
    if not 0 <= index < size:
        raise Refused(f"index {index} lies outside a tree of {size} leaves")
    turns = list(_turns(index, size))
    if len(path) != len(turns):
        raise Refused(f"the path of leaf {index} of {size} has {len(path)} hashes and must have {len(turns)}")
    for is_right, node in zip(turns, path, strict=True):
        hashed = node_hash(node, hashed) if is_right else node_hash(hashed, node)
    return hashed


def check_consistency(old_size: int, old_root: bytes, new_size: int, new_root: bytes, path: Sequence[bytes]) -> None:
    """Checks by PROOF(old_size, new leaves) that the new tree begins with all of the old one. Raises Refused if not."""
    if not 0 <= old_size <= new_size:
        raise Refused(f"a tree of {new_size} leaves cannot extend one of {old_size}")
    if old_size in (0, new_size):
        expected = EMPTY if old_size == 0 else new_root
        if path or old_root != expected:
            raise Refused(f"the roots of size {old_size} differ, or a path stands where none belongs")
        return
    level = _trailing_zeros(old_size)
    rest = list(path) if old_size != 1 << level else [old_root, *path]
    turns = list(_turns((old_size - 1) >> level, ((new_size - 1) >> level) + 1))
    if len(rest) != len(turns) + 1:
        raise Refused(f"the path from size {old_size} to {new_size} has {len(path)} hashes, which is not its length")
    old = new = rest[0]
    for is_right, node in zip(turns, rest[1:], strict=True):  # what stands left is of both trees
        new = node_hash(node, new) if is_right else node_hash(new, node)
        old = node_hash(node, old) if is_right else old
    if (old, new) != (old_root, new_root):
        raise Refused(f"the tree of {new_size} leaves does not extend that of {old_size}")


def split(count: int) -> int:
    """How many of several leaves stand left: the largest power of two smaller than their count."""
    return 1 << (count - 1).bit_length() - 1


def _turns(index: int, size: int) -> Iterable[bool]:
    """From below, for every node of a leaf's path: whether the leaf's side stands right of it."""
    last = size - 1
    while last:
        if index & 1:
            yield True
        elif index < last:
            yield False
        index, last = index >> 1, last >> 1


def _trailing_zeros(number: int) -> int:
    return (number & -number).bit_length() - 1
