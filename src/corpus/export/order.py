"""In which order documents leave: by a hash of seed and document id, whatever file or machine they come from."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import pyarrow as pa

RULE = "BLAKE2b of doc_id, 8 bytes, keyed by the seed in decimal, as a big-endian number; then doc_id"
"""The order in words, for who wants to check it."""

BITS = 64
Places = npt.NDArray[np.uint64]


def places(ids: list[str], seed: int) -> Places:
    """Where each document stands on the line from 0 to 2^64."""
    key = str(seed).encode()
    hashes = b"".join(blake2b(each.encode(), digest_size=8, key=key).digest() for each in ids)
    return np.frombuffer(hashes, ">u8").astype(np.uint64)


def in_order(rows: pa.Table) -> pa.Table:
    """The rows by `place`, then by doc_id."""
    return rows.sort_by([("place", "ascending"), ("doc_id", "ascending")])


def cuts(rows: int, shards: int) -> list[tuple[int, int]]:
    """From which row to before which each shard goes; their sizes differ by one row at most."""
    return [(rows * n // shards, rows * (n + 1) // shards) for n in range(shards)]


def in_groups(pieces: Iterator[pa.Table], rows: int) -> Iterator[pa.Table]:
    """The same rows in pieces of exactly so many, the last one shorter: files must not tell how they were read."""
    kept: list[pa.Table] = []
    held = 0
    for piece in pieces:
        while held + piece.num_rows >= rows:
            cut = rows - held
            yield pa.concat_tables([*kept, piece.slice(0, cut)]).combine_chunks()
            piece, kept, held = piece.slice(cut), [], 0  # noqa: PLW2901 (what is left of it)
        kept.append(piece)
        held += piece.num_rows
    if held:
        yield pa.concat_tables(kept).combine_chunks()
