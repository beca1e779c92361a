"""What invented people write: a grammar of British small talk, drawn by hashes, so that a text follows from its number.

A list of words is one string with `|` between them; Spark makes it an array literal before the first row is made.
"""

from __future__ import annotations

import tomllib
from hashlib import sha256
from importlib.resources import files
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F

MADE_OF: dict[str, Any] = tomllib.loads(files("corpus.synth").joinpath("world.toml").read_text(encoding="utf-8"))
"""What a world is made of: shares of roles and kinds, and words."""
WORDS: dict[str, str] = MADE_OF["words"]
ABROAD: dict[str, list[str]] = MADE_OF["abroad"]
SAME, WORD, HASHTAG, SHOUT, EMOJI = range(5)
"""How a text departs from the one it is made from; all but WORD and HASHTAG leave its normalised form as it is."""


def noise(seed: int, label: str, number: Column) -> Column:
    """A 64-bit integer that this seed, label and number alone decide."""
    return F.xxhash64(F.lit(_salt(seed, label)), number)


def share(seed: int, label: str, number: Column) -> Column:
    """An even draw from [0, 1)."""
    return F.shiftrightunsigned(noise(seed, label, number), 11).cast("double") * F.lit(2.0**-53)


def below(limit: Column | int, seed: int, label: str, number: Column) -> Column:
    """An even draw from the whole numbers 0 to limit - 1."""
    return F.pmod(noise(seed, label, number), F.lit(limit).cast("bigint"))


def entry(words: str, index: Column) -> Column:
    """The word at this place of a list, from 0; null for an empty one."""
    word = F.get(F.split(F.lit(words), "[|]"), index)
    return F.nullif(word, F.lit("")) if "" in words.split("|") else word


def choice(words: str, seed: int, label: str, number: Column) -> Column:
    """An even draw from a list of words."""
    return entry(words, F.pmod(F.hash(F.lit(_salt(seed, label)), number), F.lit(words.count("|") + 1)))


def text_of(seed: int, number: Column, is_long: Column, twist: Column, own: Column) -> Column:
    """The words of text `number`, changed as the twist says; `own` is the number of the post that carries them."""
    shape = below(10, seed, "shape", number)
    middling = F.when(shape < 4, _medium(seed, number)).otherwise(_short(seed, number))
    body = F.when(is_long | (shape == 0), _long(seed, number, twist)).otherwise(middling)
    said = F.concat_ws(". ", body, *_each(seed, number, "reactions"))
    return (
        F
        .when(twist == HASHTAG, F.concat_ws(" ", said, *_each(seed, own, "hashtags")))
        .when(twist == SHOUT, F.concat(F.upper(said), F.lit("!!")))
        .when(twist == EMOJI, F.concat_ws(" ", said, *_each(seed, own, "emojis")))
        .otherwise(said)
    )


def text_in(seed: int, lang: str, number: Column) -> Column:
    """A greeting from some town in a language other than English."""
    greeting, clause, closing = (choice(words, seed, words, number) for words in ABROAD[lang])
    count = (below(2900, seed, "count", number) + 2).cast("string")
    return F.concat_ws(" ", greeting, *_each(seed, number, "towns"), count, clause, closing)


def _long(seed: int, number: Column, twist: Column) -> Column:
    """At least 20 words, so that one changed word leaves four fifths of the word pairs alike."""
    days = WORDS["days"].count("|") + 1
    day = F.pmod(below(days, seed, "day", number) + F.when(twist == WORD, 1).otherwise(0), F.lit(days))
    before, after = _each(seed, number, "openings", "who", "did"), _each(seed, number, "where", "towns", "why")
    said = F.concat_ws(" ", *before, F.lit("this"), entry(WORDS["days"], day), *after)
    return F.concat_ws(". ", said, F.concat_ws(" ", *_each(seed, number, "things", "are")))


def _medium(seed: int, number: Column) -> Column:
    clock = F.concat(below(24, seed, "hour", number), F.lit("."), _two_digits(below(60, seed, "minute", number)))
    first, second = _each(seed, number, "things", "are"), _each(seed, number, "who", "did")
    return F.concat_ws(
        " ", *first, F.lit("and"), *second, F.lit("at"), clock, F.lit("in"), *_each(seed, number, "towns")
    )


def _short(seed: int, number: Column) -> Column:
    pence = _two_digits(below(100, seed, "pence", number))
    asked = choice("for £|for only |for nearly |for about |for ", seed, "asked", number)
    price = F.concat(asked, below(60, seed, "pounds", number) + 1, F.lit("."), pence)
    return F.concat_ws(" ", *_each(seed, number, "who", "did"), price, F.lit("near"), *_each(seed, number, "towns"))


def _each(seed: int, number: Column, *lists: str) -> list[Column]:
    """A word of each list."""
    return [choice(WORDS[name], seed, name, number) for name in lists]


def _two_digits(value: Column) -> Column:
    return F.lpad(value.cast("string"), 2, "0")


def _salt(seed: int, label: str) -> int:
    """Above 2^32, so that it always is a BIGINT."""
    return int.from_bytes(sha256(f"{seed}/{label}".encode()).digest()[:7], "big") | 1 << 56
