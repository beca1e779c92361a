"""MinHash over Arrow: texts as sets of hashed word shingles, and the bands by which similar texts find each other.

Everything here depends on the texts and the policy's seed alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b, sha256
from math import ceil, log

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpus.text import bytes_of, words_apart

Hashes = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int64]

MISSED = 0.001
"""The share of pairs exactly at the threshold that may share no band."""
MOST_ROWS, MOST_BANDS = 5, 64
ELIGIBLE, OBJECTOR = 1, 2
"""What a text is, as two bits: an eligible post's, an objector's."""
FULL = 32
"""In a bucket of more texts than this not every pair is proposed."""
LONG_WORD = 64
"""In bytes."""

_ODD = np.uint64(0x9E3779B97F4A7C15)
_KEPT_BYTES = np.array([(1 << 8 * n) - 1 for n in range(9)], np.uint64)
_LOWEST_UNSPACED = 0xE0
"""The first byte of every character from U+0800 on, and so of every script without spaces."""


@dataclass(frozen=True)
class Banding:
    """How many words make a shingle, and how many bands of how many rows are drawn under which seed."""

    shingle_words: int
    bands: int
    rows: int
    seed: int


def banding_for(threshold: float, shingle_words: int, seed: int) -> Banding:
    """As many rows as 64 bands allow, up to five, and as few bands as miss one pair in 1,000 at the threshold.

    Two sets of similarity s share a band of r rows with probability s^r, and none of b bands with (1 - s^r)^b.

    >>> banding_for(0.8, 2, 1)
    Banding(shingle_words=2, bands=18, rows=5, seed=1)
    """
    needed = {rows: ceil(log(MISSED) / log(1 - threshold**rows)) for rows in range(1, MOST_ROWS + 1)}
    rows = max((rows for rows, bands in needed.items() if bands <= MOST_BANDS), default=1)
    return Banding(shingle_words, needed[rows], rows, seed)


def shingles(normals: pa.Array, size: int) -> tuple[Hashes, Numbers, Numbers]:
    """The hashes of all shingles of these normal forms, none of which is empty; where each text's begin; its words.

    A text of fewer words than a shingle is one shingle.
    """
    data, bounds = bytes_of(_with_words_apart(normals))
    gaps = np.flatnonzero(data == ord(" "))
    starts, ends = np.sort(np.concatenate([bounds[:-1], gaps + 1])), np.sort(np.concatenate([gaps, bounds[1:]]))
    words = _word_hashes(data, starts, ends)
    first = np.searchsorted(starts, bounds)
    count = np.diff(first)
    many = np.maximum(count - size + 1, 1)
    begin = np.concatenate([[0], np.cumsum(many)])
    at = np.repeat(first[:-1] - begin[:-1], many) + np.arange(begin[-1])
    end = np.repeat(first[1:], many)
    hashes = words[at]
    for step in range(1, size):
        within = at + step < end
        hashes = np.where(within, _mixed(hashes * _ODD + words[np.minimum(at + step, len(words) - 1)]), hashes)
    return hashes, begin[:-1], count


def band_keys(hashes: Hashes, begin: Numbers, banding: Banding) -> Hashes:
    """The 64-bit key of each band and text, in this order: equal where all minima of the band are."""
    halves = (hashes >> np.uint64(32)).astype(np.uint32)
    keys = np.empty((banding.bands, len(begin)), np.uint64)
    for band in range(banding.bands):
        key = np.full(len(begin), band, np.uint64)
        for row in range(banding.rows):
            factor, summand = _coefficients(banding.seed, band * banding.rows + row)
            key = _mixed(key * _ODD + np.minimum.reduceat(halves * factor + summand, begin))
        keys[band] = key
    return keys


def entries_by_part(keys: Hashes, ids: Hashes, roles: Hashes, parts: int) -> list[tuple[int, bytes]]:
    """The texts under their keys, split by these: pairs of a key, whose last two bits are a role, and an id."""
    entries = np.empty((keys.size, 2), np.uint64)
    entries[:, 0] = ((keys & ~np.uint64(3)) | roles).ravel()
    entries[:, 1] = np.broadcast_to(ids, keys.shape).ravel()
    part = (entries[:, 0] >> np.uint64(48)).astype(np.uint16) % np.uint16(parts)
    order = np.argsort(part, kind="stable")
    entries, edges = entries[order], np.searchsorted(part[order], np.arange(parts + 1))
    spans = ((at, edges[at], edges[at + 1]) for at in range(parts))
    return [(at, entries[low:high].tobytes()) for at, low, high in spans if high > low]


def proposed_pairs(entries: bytes) -> tuple[Hashes, Hashes, npt.NDArray[np.bool_]]:
    """The ids that share a bucket and are to be compared, and whether only some of their bucket's pairs are.

    Eligible texts are compared with each other, an objector's with all. In a bucket of more than 32 all are compared
    with two: of its eligible texts and of its objectors' those of the smallest id.
    """
    buckets, ids, roles = _shared(np.frombuffer(entries, np.uint64).reshape(-1, 2))
    if not len(ids):
        return ids, ids, np.zeros(0, bool)
    begin = _changes(buckets)
    sizes = np.diff(np.append(begin, len(buckets)))
    is_full = np.repeat(sizes > FULL, sizes)
    found = [_from_hubs(np.flatnonzero(is_full), begin, sizes, roles, role) for role in (ELIGIBLE, OBJECTOR)]
    found += [_at_distance(gap, buckets, is_full) for gap in range(1, min(FULL, sizes.max(initial=0)))]
    ones, others = (np.concatenate(side) for side in zip(*found, strict=True))
    wanted = ((roles[ones] & roles[others] & ELIGIBLE) | ((roles[ones] | roles[others]) & OBJECTOR)) != 0
    ones, others = ones[wanted], others[wanted]
    return ids[ones], ids[others], is_full[ones]


def once(ids: Numbers, roles: Numbers) -> tuple[Numbers, Numbers]:
    """Where each id stands first, and all its roles together."""
    order = np.argsort(ids, kind="stable")
    begin = _changes(ids[order])
    return order[begin], np.bitwise_or.reduceat(roles[order], begin) if len(begin) else roles


def distinct(hashes: Hashes, begin: Numbers) -> tuple[Hashes, Numbers]:
    """Each text's hashes in order, each once; where each text's begin, and the end."""
    sizes = np.diff(np.append(begin, len(hashes)))
    text = np.repeat(np.arange(len(begin)), sizes)
    order = np.lexsort((hashes, text))
    hashes = hashes[order]
    is_new = np.append(True, (hashes[1:] != hashes[:-1]) | (text[1:] != text[:-1]))
    return hashes[is_new], np.searchsorted(text[is_new], np.arange(len(begin) + 1))


def _at_distance(gap: int, buckets: Hashes, is_full: npt.NDArray[np.bool_]) -> tuple[Numbers, Numbers]:
    ones = np.flatnonzero((buckets[:-gap] == buckets[gap:]) & ~is_full[gap:])
    return ones, ones + gap


def _from_hubs(members: Numbers, begin: Numbers, sizes: Numbers, roles: Numbers, role: int) -> tuple[Numbers, Numbers]:
    """Each member of the full buckets after the first text of the role in its bucket, if there is one."""
    none = len(roles)
    first = np.minimum.reduceat(np.where(roles & role != 0, np.arange(none), none), begin)
    hubs = np.repeat(first, sizes)[members]
    led = (hubs != none) & (hubs != members)
    return hubs[led], members[led]


def _shared(entries: Hashes) -> tuple[Hashes, Hashes, Numbers]:
    """Bucket, id and roles of the texts that are not alone in their bucket, by bucket and id, each once."""
    entries = entries[np.argsort(entries[:, 0] >> np.uint64(2))]
    same = (entries[1:, 0] ^ entries[:-1, 0]) < 4
    entries = entries[np.append(same, False) | np.append(False, same)] if len(entries) > 1 else entries[:0]
    buckets, ids = entries[:, 0] >> np.uint64(2), entries[:, 1]
    order = np.lexsort((ids, buckets))
    buckets, ids, roles = buckets[order], ids[order], (entries[order, 0] & np.uint64(3)).astype(np.int64)
    is_new = np.append(True, (buckets[1:] != buckets[:-1]) | (ids[1:] != ids[:-1]))[: len(ids)]
    begin = np.flatnonzero(is_new)
    return buckets[begin], ids[begin], np.bitwise_or.reduceat(roles, begin) if len(begin) else roles


def _changes(values: npt.NDArray[np.generic]) -> Numbers:
    """Where a run of equal values begins."""
    return np.flatnonzero(np.append(True, values[1:] != values[:-1])[: len(values)])


def _coefficients(seed: int, number: int) -> tuple[np.uint32, np.uint32]:
    digest = sha256(f"{seed} {number}".encode()).digest()
    factor, summand = (int.from_bytes(digest[at : at + 4], "big") for at in (0, 4))
    return np.uint32(factor | 1), np.uint32(summand)


def _mixed(values: Hashes) -> Hashes:
    """Each bit of the result hangs on all bits of the value (the finaliser of splitmix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _word_hashes(data: npt.NDArray[np.uint8], starts: Numbers, ends: Numbers) -> Hashes:
    """A hash of each word: eight bytes of all words at a time, and long ones one by one."""
    padded = np.append(data, np.zeros(8, np.uint8))
    eights = np.ndarray(len(data) + 1, np.dtype("<u8"), padded.data, strides=(1,))
    sizes = ends - starts
    hashes = sizes.astype(np.uint64)
    for done in range(0, min(sizes.max(), LONG_WORD), 8):
        rest = np.flatnonzero((sizes > done) & (sizes <= LONG_WORD))
        kept = eights[starts[rest] + done] & _KEPT_BYTES[np.minimum(sizes[rest] - done, 8)]
        hashes[rest] = _mixed(hashes[rest] * _ODD + kept)
    for at in np.flatnonzero(sizes > LONG_WORD):
        word = data[starts[at] : ends[at]].tobytes()
        hashes[at] = int.from_bytes(blake2b(word, digest_size=8).digest(), "big")
    return hashes


def _with_words_apart(normals: pa.Array) -> pa.Array:
    data, bounds = bytes_of(normals)
    unspaced = np.flatnonzero(np.maximum.reduceat(data, bounds[:-1]) >= _LOWEST_UNSPACED)
    if not len(unspaced):
        return normals
    texts = normals.to_pylist()
    for at in unspaced:
        texts[at] = words_apart(texts[at])
    return pa.array(texts, pa.string())
