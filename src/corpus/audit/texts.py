"""What SQL has no tables for: Unicode's normal forms and classes of characters, from the same pinned tables always."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pyarrow as pa
import regex
import unicodedata2
from duckdb import DuckDBPyConnection

BATCH = 10_000
BETWEEN_WORDS = regex.compile(r"[^\p{L}\p{M}\p{Nd}]+")
LETTER_OR_DIGIT = regex.compile(r"[\p{L}\p{Nd}]")
WITHOUT_SPACES = regex.compile(
    r"([\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}])"
)


def read_texts(database: DuckDBPyConnection) -> None:
    """Fills the table not_ascii with what the texts beyond ASCII become, a batch at a time."""
    for batch in database.cursor().sql("FROM unread").to_arrow_reader(BATCH):
        database.register("read", pa.Table.from_pylist([_read(text) for text in batch.column(0).to_pylist()]))
        database.execute("INSERT INTO not_ascii FROM read")
    database.execute("DROP TABLE unread")


def _read(text: str) -> dict[str, Any]:
    normal = nfkc_words(text)
    return {
        "text_digest": sha256(text.encode()).hexdigest(),
        "normal": normal,
        "spaced": spaced_scripts(normal),
        "has_words": LETTER_OR_DIGIT.search(normal) is not None,
    }


def nfkc_words(text: str) -> str:
    """The normalised text.

    >>> nfkc_words("  Ｃafé — TWICE! ")
    'café twice'
    """
    return str(BETWEEN_WORDS.sub(" ", unicodedata2.normalize("NFKC", text).lower())).strip()


def spaced_scripts(text: str) -> str:
    """A normalised text with each character of a script without spaces as a word of its own."""
    return " ".join(WITHOUT_SPACES.sub(r" \1 ", text).split())
