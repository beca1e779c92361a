"""Texts made comparable: the contract's normal form, and a fingerprint that depends on content alone."""

from __future__ import annotations

from hashlib import sha256
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import regex
import unicodedata2
from pyspark.sql import Column
from pyspark.sql.pandas.functions import arrow_udf

_NEITHER_LETTER_MARK_NOR_DIGIT = regex.compile(r"[^\p{L}\p{M}\p{Nd}]+")
_LETTER_OR_DIGIT = regex.compile(r"[\p{L}\p{Nd}]")
_GAP = ord(" ")
_FOLDED = np.array([ord(chr(c).lower()) if chr(c).isalnum() and c < 128 else _GAP for c in range(256)], np.uint8)
"""Each ASCII byte as its normal form has it."""
_UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}ー\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]")


def normal_form(text: str) -> str:
    """The text in NFKC and lower case, each run of anything but letters, marks and digits one space, trimmed.

    Empty where there is no letter or digit. The Unicode tables are those of pinned packages, not of Python or Java.

    >>> normal_form("Rain again, in  LEEDS today!")
    'rain again in leeds today'
    """
    spaced = _NEITHER_LETTER_MARK_NOR_DIGIT.sub(" ", unicodedata2.normalize("NFKC", text).lower())
    return spaced.strip() if _LETTER_OR_DIGIT.search(spaced) else ""


def words_apart(normal: str) -> str:
    """A normal form with a space between its words: in scripts without spaces each character is a word.

    >>> words_apart("今日は leeds")
    '今 日 は leeds'
    """
    return " ".join(_UNSPACED.sub(r" \g<0> ", normal).split())


def word_count(text: Column) -> Column:
    """How many words a text has; null for null."""
    return arrow_udf(_word_counts, "int")(text)  # type: ignore[call-overload, no-any-return]


def fingerprint(text: Column) -> Column:
    """What texts of equal normal form share and others do not: its SHA-256, over Arrow.

    Null where there is no letter or digit, or no text.
    """
    return arrow_udf(_fingerprints, "string")(text)  # type: ignore[call-overload, no-any-return]


def normal_forms(texts: pa.Array) -> pa.Array:
    """The normal form of each text: of all ASCII ones at once, of the others one by one.

    What is no UTF-8, such as half a surrogate pair, counts as a character that is no letter.
    """
    data, bounds = bytes_of(texts)
    forms = _ascii_forms(data, bounds)
    beyond = np.diff(np.append(0, np.cumsum(data >= 128))[bounds]) > 0
    if beyond.any():
        spans = ((bounds[at], bounds[at + 1]) for at in np.flatnonzero(beyond))
        others = [normal_form(data[low:high].tobytes().decode(errors="replace")) for low, high in spans]
        forms = pc.replace_with_mask(forms, pa.array(beyond), pa.array(others, pa.string()))
    return pc.if_else(texts.is_valid(), forms, None) if texts.null_count else forms


def bytes_of(texts: pa.Array) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The texts' UTF-8 bytes without anything between them, and where each begins and the last ends."""
    _, offsets, data = texts.cast(pa.string()).buffers()
    bounds = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    return np.frombuffer(data or b"", np.uint8)[bounds[0] : bounds[-1]], bounds - bounds[0]


def _ascii_forms(data: npt.NDArray[np.uint8], bounds: npt.NDArray[np.int64]) -> pa.Array:
    """The normal forms of ASCII texts; of others, something."""
    folded = _FOLDED[data]
    is_gap = folded == _GAP
    follows_gap = np.append(True, is_gap)[: len(data)]
    follows_gap[bounds[:-1][bounds[:-1] < len(data)]] = True
    stays = ~(is_gap & follows_gap)
    ends = np.append(0, np.cumsum(stays))[bounds]
    folded = folded[stays]
    # of the gap that ends a text one byte is left
    last = ends[1:][ends[1:] > ends[:-1]] - 1
    trailing = last[folded[last] == _GAP]
    ends -= np.searchsorted(trailing, ends, side="left")
    folded = np.delete(folded, trailing)
    return pa.StringArray.from_buffers(len(bounds) - 1, pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(folded))


def _fingerprints(texts: pa.Array) -> pa.Array:
    data, bounds = bytes_of(normal_forms(texts).fill_null(""))
    form, ends = data.tobytes(), bounds.tolist()
    hashes = (sha256(form[low:high]).hexdigest() if high > low else None for low, high in pairwise(ends))
    return pa.array(hashes, pa.string())


def _word_counts(texts: pa.Array) -> pa.Array:
    counted = (None if t is None else len(words_apart(t).split()) for t in normal_forms(texts).to_pylist())
    return pa.array(counted, pa.int32())
