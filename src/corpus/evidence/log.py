"""The log of a dataset: an append-only Merkle tree (RFC 6962) in tiles, under a signed checkpoint.

The checkpoint is written last. What a crash left beyond it, one entry at most, the next append replaces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from corpus.errors import DatasetError
from corpus.evidence.store import write_whole
from corpus.evidence.tiles import (
    ENTRIES,
    WIDTH,
    packed,
    read_entries,
    read_hashes,
    tile_path,
    widths,
    without_narrower,
)
from corpus_verify.errors import Refused
from corpus_verify.merkle import joined, leaf_hash, node_hash, root_of, split
from corpus_verify.notes import Checkpoint, checkpoint_text, read_checkpoint, signed, unchecked

Sign = Callable[[bytes], bytes]
_Tile = tuple[int | str, int, int]
"""Level, index, width."""
_BITS = WIDTH.bit_length() - 1


def append(folder: Path, origin: str, leaf: bytes, sign: Sign, public: bytes) -> int:
    """Adds a leaf and signs the checkpoint; the leaf's index. The caller holds the dataset's lease.

    Raises DatasetError, and writes nothing, where what is there is not what the last checkpoint signed.
    """
    known = _signed_state(folder, origin, public)
    size = known.size if known else 0
    complete = _complete_trees(folder, size)
    if known and joined(complete) != known.root:
        raise _another(folder, size)
    require_no_more(folder, size)
    grown = list(_grown(folder, size, leaf))
    for tile, content in grown:
        write_whole(tile_path(folder, *tile), content)
    root = joined([*complete, leaf_hash(leaf)])
    note = signed(checkpoint_text(origin, size + 1, root), origin, sign, public)
    write_whole(folder / "checkpoint", note.encode())
    for tile, _ in grown:
        without_narrower(folder, *tile)
    return size


def checkpoint(folder: Path) -> str | None:
    """The newest checkpoint, a signed note; None of a log without entries."""
    try:
        return (folder / "checkpoint").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None


def state(folder: Path) -> Checkpoint | None:
    """What the newest checkpoint says, its signature unchecked; None of a log without entries."""
    note = checkpoint(folder)
    try:
        return unchecked(note) if note is not None else None
    except Refused as refused:
        raise _unsigned(folder, refused) from None


def entries(folder: Path, size: int | None = None) -> list[bytes]:
    """The leaves, or the first of them, after checking all against the checkpoint's root. Raises DatasetError."""
    known = state(folder)
    total = known.size if known else 0
    wanted = total if size is None else _within(folder, size, total)
    leaves = [leaf for index, count in _spans(total) for leaf in read_entries(folder, index, count)]
    if known and root_of(map(leaf_hash, leaves)) != known.root:
        raise _another(folder, total)
    return leaves[:wanted]


def root_at(folder: Path, size: int) -> bytes:
    """The root that the log had at a size, by its tiles."""
    return joined(_complete_trees(folder, size))


def inclusion(folder: Path, index: int, size: int) -> list[bytes]:
    """The path from a leaf to the root of the first `size` leaves, from below. Raises DatasetError."""
    _require_size(folder, size)
    if not 0 <= index < size:
        raise DatasetError(f"The log {folder} has no entry {index} among its first {size}; ask for 0 to {size - 1}.")
    return _path(folder, index, 0, size)


def consistency(folder: Path, old: int, new: int) -> list[bytes]:
    """What shows that the first `new` leaves begin with the first `old`. Raises DatasetError."""
    _require_size(folder, new)
    _within(folder, old, new)
    return _subproof(folder, old, 0, new, is_whole=True) if old else []


def _signed_state(folder: Path, origin: str, public: bytes) -> Checkpoint | None:
    note = checkpoint(folder)
    try:
        return read_checkpoint(note, origin, public) if note is not None else None
    except Refused as refused:
        raise _unsigned(folder, refused) from None


def _grown(folder: Path, size: int, leaf: bytes) -> Iterator[tuple[_Tile, bytes]]:
    """Every tile that changes when a leaf is added, with its new content; entries first."""
    index, there = divmod(size, WIDTH)
    before, hashes = read_entries(folder, index, there), read_hashes(folder, 0, index, there)
    if [leaf_hash(entry) for entry in before] != hashes:
        raise _another(folder, size)
    yield (ENTRIES, index, there + 1), packed([*before, leaf])
    level, hashed = 0, leaf_hash(leaf)
    while True:
        tile = [*read_hashes(folder, level, index, there), hashed]
        yield (level, index, there + 1), b"".join(tile)
        if len(tile) < WIDTH:
            return
        level, hashed = level + 1, root_of(tile)
        index, there = divmod(index, WIDTH)


def require_no_more(folder: Path, size: int) -> None:
    """More entries than one beyond the checkpoint are no crash: then an older checkpoint was put back."""
    index, there = divmod(size, WIDTH)
    for level in (ENTRIES, 0):
        if any(width > there + 1 for width in widths(folder, level, index)) or widths(folder, level, index + 1):
            raise DatasetError(
                f"The log {folder} has more entries than the {size} of its checkpoint, which is an old one, or missing."
                " Restore the newest from a backup; nothing was signed."
            )


def _complete_trees(folder: Path, size: int) -> list[bytes]:
    """The roots of the complete trees, high to low, that the first leaves fall into."""
    found, start = [], 0
    for height in reversed(range(size.bit_length())):
        if size >> height & 1:
            found.append(_complete(folder, height, start >> height))
            start += 1 << height
    return found


def _complete(folder: Path, height: int, index: int) -> bytes:
    """The root of a complete tree, from the highest tile that holds it or what is right below it."""
    level, above = divmod(height, _BITS)
    tile, at = divmod(index << above, WIDTH)
    return root_of(read_hashes(folder, level, tile, at + (1 << above))[at:])


def _range(folder: Path, start: int, end: int) -> bytes:
    """The root of some leaves that RFC 6962 takes together."""
    count = end - start
    if count & (count - 1) == 0:
        height = count.bit_length() - 1
        return _complete(folder, height, start >> height)
    middle = start + split(count)
    return node_hash(_range(folder, start, middle), _range(folder, middle, end))


def _path(folder: Path, index: int, start: int, end: int) -> list[bytes]:
    if end - start == 1:
        return []
    middle = start + split(end - start)
    if index < middle:
        return [*_path(folder, index, start, middle), _range(folder, middle, end)]
    return [*_path(folder, index, middle, end), _range(folder, start, middle)]


def _subproof(folder: Path, old: int, start: int, end: int, is_whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962, for leaves start to end of which those before `old` are the old ones."""
    if old == end:
        return [] if is_whole else [_range(folder, start, end)]
    middle = start + split(end - start)
    if old <= middle:
        return [*_subproof(folder, old, start, middle, is_whole), _range(folder, middle, end)]
    return [*_subproof(folder, old, middle, end, is_whole=False), _range(folder, start, middle)]


def _spans(size: int) -> list[tuple[int, int]]:
    """The tiles that so many leaves fill, with how many stand in each."""
    return [(index, min(WIDTH, size - index * WIDTH)) for index in range(-(-size // WIDTH))]


def _require_size(folder: Path, size: int) -> None:
    known = state(folder)
    _within(folder, size, known.size if known else 0)


def _within(folder: Path, size: int, total: int) -> int:
    if not 0 <= size <= total:
        raise DatasetError(f"The log {folder} has {total} entries, and not {size}; ask for {total} or fewer.")
    return size


def _another(folder: Path, size: int) -> DatasetError:
    return DatasetError(
        f"The log {folder} is not the one whose {size} entries its checkpoint signed: an entry or a hash was changed or"
        " lost. Restore the folder from a backup."
    )


def _unsigned(folder: Path, refused: Refused) -> DatasetError:
    return DatasetError(
        f"The checkpoint in {folder} does not hold: {refused}. Restore it from a backup, or use the key that signed it."
    )
