"""Texts made comparable: the contract's normal form, and a fingerprint that depends on content alone."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import regex
import unicodedata2
from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import arrow_udf
from pyspark.sql.types import IntegerType, StringType

_NEITHER_LETTER_MARK_NOR_DIGIT = regex.compile(r"[^\p{L}\p{M}\p{Nd}]+")
_LETTER_OR_DIGIT = regex.compile(r"[\p{L}\p{Nd}]")
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


def normalised(text: Column) -> Column:
    """The normal form of a text: natively for ASCII, by `normal_form` over Arrow for the rest; null stays null.

    What is no UTF-8, such as half a surrogate pair, counts as a character that is no letter.
    """
    ascii_form = F.trim(F.lower(F.regexp_replace(text, "[^A-Za-z0-9]+", " ")))
    other_form = arrow_udf(_normal_forms, StringType())  # type: ignore[call-overload]  # stub: no iterators
    return F.when(is_ascii(text), ascii_form).otherwise(other_form(F.when(~is_ascii(text), F.make_valid_utf8(text))))


def is_ascii(text: Column) -> Column:
    """Whether each character takes one byte in UTF-8."""
    return F.octet_length(text) == F.char_length(text)


def word_count(normal: Column) -> Column:
    """How many words a normal form has; null for null."""
    return arrow_udf(_word_counts, IntegerType())(normal)  # type: ignore[call-overload, no-any-return]  # stub: no iterators


def fingerprint(normal: Column) -> Column:
    """What equal normal forms share and different ones do not: their SHA-256."""
    return F.sha2(normal, 256)


def _normal_forms(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
    for texts in batches:
        yield pa.array((None if t is None else normal_form(t) for t in texts.to_pylist()), pa.string())


def _word_counts(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
    for texts in batches:
        yield pa.array((None if t is None else len(words_apart(t).split()) for t in texts.to_pylist()), pa.int32())
