"""Texts as sets of hashed shingles, and the bands that let similar ones meet; no Spark."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus import minhash
from corpus.minhash import ELIGIBLE, OBJECTOR, Banding, banding_for
from corpus.text import normal_form, normal_forms
from tests import likeness_oracle as oracle

WORDS = st.sampled_from([
    "a",
    "b",
    "rain",
    "leeds",
    "żółć",
    "ab",
    "abcdefgh",
    "abcdefghi",
    "หิว",
    "今日は",
    "шум",
    "x" * 40,
])
TEXTS = st.lists(WORDS, min_size=1, max_size=12).map(" ".join)


def sets_of(texts: list[str], size: int) -> list[set[int]]:
    hashes, begin, _ = minhash.shingles(pa.array(map(normal_form, texts)), size)
    hashes, ends = minhash.distinct(hashes, begin)
    return [set(hashes[low:high].tolist()) for low, high in pairwise(ends)]


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(TEXTS, min_size=2, max_size=12), st.integers(1, 4))
def test_similarity_of_hashed_shingles_is_that_of_the_words(texts: list[str], size: int) -> None:
    sets = sets_of(texts, size)
    for one, first in zip(texts, sets, strict=True):
        for other, second in zip(texts, sets, strict=True):
            assert len(first & second) / len(first | second) == oracle.jaccard(size)(one, other)


def test_words_are_counted_in_scripts_with_and_without_spaces() -> None:
    texts = ["rain in leeds", "今日は leeds", "หิว", "x"]
    assert (
        minhash.shingles(pa.array(texts), 2)[2].tolist() == [len(oracle.words(text)) for text in texts] == [3, 4, 3, 1]
    )


def test_a_text_has_the_same_hashes_in_any_company_and_for_ever() -> None:
    alone, among = sets_of(["rain in leeds"], 2)[0], sets_of(["x", "rain in leeds", "今日は"], 2)[1]
    keys = minhash.band_keys(*minhash.shingles(pa.array(["rain in leeds"]), 2)[:2], Banding(2, 2, 2, 1))
    assert alone == among == {10811799148502991254, 18025563426936395073}
    assert keys.ravel().tolist() == [16969771034139959477, 1941691911000897064]


@pytest.mark.parametrize(
    ("threshold", "bands", "rows"),
    [(0.95, 5, 5), (0.9, 8, 5), (0.85, 12, 5), (0.8, 18, 5), (0.5, 52, 3), (0.05, 135, 1)],
)
def test_bands_are_as_many_as_miss_one_in_a_thousand_at_the_threshold(threshold: float, bands: int, rows: int) -> None:
    banding = banding_for(threshold, 2, 1)
    assert (banding.bands, banding.rows) == (bands, rows)
    assert (1 - threshold**rows) ** bands <= 0.001


@pytest.mark.parametrize(
    ("similarity", "least", "most"), [(0.8, 0.997, 1), (0.9, 0.9995, 1), (0.3, 0, 0.07), (0.03, 0, 0.001)]
)
def test_sets_meet_as_often_as_the_formula_says(similarity: float, least: float, most: float) -> None:
    draw, pairs, union = random.Random(1), 4000, 100
    shared = round(similarity * union)
    values = np.array([draw.getrandbits(64) for _ in range(pairs * union)], np.uint64).reshape(pairs, union)
    half = (union - shared) // 2
    ones, others = values[:, : shared + half], np.delete(values, np.s_[shared : shared + half], axis=1)
    banding = banding_for(0.8, 2, 7)
    keys = [minhash.band_keys(s.ravel(), np.arange(pairs) * s.shape[1], banding) for s in (ones, others)]
    met = (keys[0] == keys[1]).any(axis=0).mean()
    assert least <= met <= most


def pairs_of(buckets: list[list[tuple[int, int]]]) -> tuple[set[tuple[int, int]], set[int]]:
    """The pairs that buckets of (id, role) propose, and the ids in those of which only some pairs are."""
    rows = [(key << 2 | role, number) for key, bucket in enumerate(buckets) for number, role in bucket]
    random.Random(2).shuffle(rows)
    ones, others, capped = minhash.proposed_pairs(np.array(rows, np.uint64).reshape(-1, 2).tobytes())
    pairs = {(min(pair), max(pair)) for pair in zip(ones.tolist(), others.tolist(), strict=True)}
    return pairs, set(ones[capped].tolist()) | set(others[capped].tolist())


def test_a_bucket_proposes_pairs_of_the_eligible_and_of_objectors_with_all() -> None:
    nobody, both = 0, ELIGIBLE | OBJECTOR
    lone, mixed = [(1, ELIGIBLE)], [(1, ELIGIBLE), (2, nobody), (3, OBJECTOR), (4, ELIGIBLE), (5, nobody)]
    assert pairs_of([]) == pairs_of([lone]) == pairs_of([lone, [(2, ELIGIBLE)]]) == (set(), set())
    assert pairs_of([mixed])[0] == {(1, 4), (1, 3), (2, 3), (3, 4), (3, 5)}
    assert (
        pairs_of([[(1, ELIGIBLE), (1, OBJECTOR), (2, nobody)]])[0]
        == pairs_of([[(1, both), (2, nobody)]])[0]
        == {(1, 2)}
    )


def test_a_full_bucket_is_compared_with_one_eligible_text_and_one_objectors() -> None:
    just = [(n, ELIGIBLE) for n in range(minhash.FULL)]
    full = [(n, ELIGIBLE) for n in range(2, 1000)]
    assert pairs_of([just]) == ({(a, b) for b in range(minhash.FULL) for a in range(b)}, set())
    assert pairs_of([full]) == ({(2, n) for n in range(3, 1000)}, set(range(2, 1000)))
    pairs, capped = pairs_of([[(0, 0), (1, OBJECTOR), *full]])
    assert pairs == {(2, n) for n in range(3, 1000)} | {(0, 1)} | {(1, n) for n in range(2, 1000)}
    assert capped == set(range(1000))


def test_a_long_word_and_a_long_text_are_hashed_whole() -> None:
    long = "x" * 1_000_000
    one, other, text = sets_of([long, long[:-1] + "y", "rain in leeds " * 70_000], 2)
    assert one != other
    assert len(text) == 3


CHARACTERS = st.sampled_from([*list("aZ09 .,!\n\t'_-@é́हि今ß\u00a0İ"), "rain"])


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.lists(st.none() | st.lists(CHARACTERS, max_size=8).map("".join), max_size=8))
def test_normal_forms_of_a_batch_are_those_of_its_texts(texts: list[str | None]) -> None:
    array = pa.array(["x", *texts], pa.string()).slice(1)
    assert normal_forms(array).to_pylist() == [None if text is None else normal_form(text) for text in texts]
