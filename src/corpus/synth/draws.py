"""What decides a row of an invented world: its number, and what is drawn for it by hashes; all as Spark SQL.

Accounts come in pairs, a Facebook and an Instagram one, and posts one by one; both are dealt out in blocks of 1,000
slots, in each block the same number of slots to a role (or a kind). So everything occurs in any world, and where it
stands can be worked out forwards and backwards by arithmetic, without looking anything up.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import sha256
from importlib.resources import files
from string import Template
from typing import Any

from pyspark.sql import DataFrame

from corpus.reasons import Group, Reason


def _data(name: str) -> dict[str, Any]:
    return tomllib.loads(files("corpus.synth").joinpath(name).read_text(encoding="utf-8"))


MADE_OF, TABLES = _data("world.toml"), _data("tables.toml")
"""What a world is made of (shares of roles and kinds, draws, words), and its rows, column by column."""
ROLE_AT = [role for role, (slots, *_) in MADE_OF["roles"].items() for _ in range(slots)]
KIND_AT = [kind for kind, (slots, _) in MADE_OF["kinds"].items() for _ in range(slots)]

BLOCK = 1000
SECOND, HOUR, DAY = 1_000_000, 3_600_000_000, 86_400_000_000
FIRST_POST = datetime(2007, 1, 2, tzinfo=UTC)
STRIDES = (609, 611, 613, 617, 619, 621, 629, 631)
"""Near the golden section of 1,000 and coprime to it: neighbours in number are spread over the slots."""
TWIN_EVERY = 20
"""One pair of equal keys in so many blocks keeps their share at or below one in 10,000, where a build still passes."""
HEAD = 2
"""How flat the skew is among the busiest accounts: the first of them writes some 1 to 3 % of all posts."""


@dataclass(frozen=True)
class World:
    """What decides a world: its size, its seed, the instant at which it was exported, and the hours since.

    Of `people` there are a tenth as many as posts, unless it says how many.
    """

    posts: int
    seed: int
    as_of: datetime
    wave: int
    people: int | None = None

    @property
    def accounts(self) -> int:
        """At least one block of pairs."""
        return max(2 * BLOCK, (self.people or self.posts // 10) // 2 * 2)

    @property
    def new_posts(self) -> int:
        """How many posts each wave adds."""
        return max(1, self.posts // 100)

    @property
    def all_posts(self) -> int:
        """How many rows the table of posts has."""
        return self.posts + self.wave * self.new_posts

    @property
    def twins(self) -> dict[str, int]:
        """How many rows of a table come under another row's key."""
        return {"posts": self.posts // BLOCK // TWIN_EVERY, "profiles": self.accounts // (2 * BLOCK) // TWIN_EVERY}

    def slot_at(self, dealt: list[str], name: str) -> int:
        """Where in each block the first slot of a role (in ROLE_AT) or kind (in KIND_AT) stands."""
        return dealt.index(name) * pow(self.stride, -1, BLOCK) % BLOCK

    @property
    def stride(self) -> int:
        """By how many slots the next number is away."""
        return STRIDES[self.seed % len(STRIDES)]

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What `$name` stands for in tables.toml."""
        as_of, crowd = micros(self.as_of), self.accounts + HEAD
        outcomes = [half for role in ROLE_AT for half in (MADE_OF["roles"][role][1], MADE_OF["roles"][role][-1])]
        plain, twins = ROLE_AT.index("plain"), ROLE_AT.index("twins")
        own = {"seed": self.seed, "posts": self.posts, "new_posts": self.new_posts, "accounts": self.accounts}
        return own | {
            "as_of": as_of,
            "ends_at": as_of + self.wave * HOUR,
            "today": f"DATE'{self.as_of.date()}'",
            "first_post": micros(FIRST_POST),
            "history": f"{float(as_of - micros(FIRST_POST))}D",
            "second": SECOND,
            "hour": HOUR,
            "day": DAY,
            "twin_every": TWIN_EVERY,
            "post_blocks": self.posts // BLOCK,
            "account_blocks": self.accounts // (2 * BLOCK),
            "stride": self.stride,
            "crowd": f"{float(crowd)}D",
            "busiest": f"{(HEAD / crowd) ** (1 / 6)}D",
            "role": entry(ROLE_AT, "role_slot"),
            "role_outcome": entry(outcomes, "role_slot * 2 + account % 2"),
            "kind": entry(KIND_AT, "own_slot"),
            "kind_outcome": entry([MADE_OF["kinds"][kind][1] for kind in KIND_AT], "kind_slot"),
            "plain_role": plain,
            "twins": twins,
            "plain_kind": KIND_AT.index("plain"),
            "twin_of_twin": KIND_AT.index("twin_of_twin"),
            **{f"first_{kind}": self.slot_at(KIND_AT, kind) for kind in ("twin", "circle", "circle_back")},
            # three fifths down the row
            "viral_seed": self.posts * 3 // 5 // BLOCK * BLOCK + self.slot_at(KIND_AT, "viral_seed"),
            "post_reasons": ", ".join(f"'{reason.name}'" for reason in Reason if reason.group is Group.POST),
        }


def micros(instant: datetime) -> int:
    """Microseconds since 1970."""
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def with_draws(rows: DataFrame, made: World, draws: str, number: str) -> DataFrame:
    """Adds all that world.toml lets be drawn under this heading, by the number in this column."""
    drawn = {name: _drawn(made, name, what, number) for name, what in MADE_OF["draws"][draws].items()}
    return rows.selectExpr("*", *(f"{sql} AS {name}" for name, sql in drawn.items()))


def with_columns(rows: DataFrame, made: World, table: str) -> DataFrame:
    """Adds the columns that tables.toml has under this heading."""
    return rows.selectExpr("*", *_expressions(made, table))


def only_columns(rows: DataFrame, made: World, table: str) -> DataFrame:
    """The columns that tables.toml has under this heading, numbers and instants as they are."""
    return rows.selectExpr(*_expressions(made, table))


def _expressions(made: World, table: str) -> list[str]:
    return [f"{Template(sql).substitute(made.facts)} AS {name}" for name, sql in TABLES[table].items()]


def _drawn(made: World, name: str, what: Any, number: str) -> str:  # noqa: PLR0911 (one for each kind of draw)
    """A draw of the kind that world.toml says, as SQL."""
    match what:
        case str():
            words = [word for some in what.split("|") for word in _repeated(some)]
            return entry(words, f"pmod(hash({_salt(made, name)}, {number}), {len(words)})")
        case float():
            return f"{_share(made, name, number)} * {what}D"
        case int():
            return _below(made, what, name, number) if what else _noise(made, name, number)
        case [most, least]:
            days = f"{float(most)}D - {_share(made, name, number)} * {float(most - least)}D"
            return f"{micros(made.as_of)} - CAST(({days}) * {DAY} AS BIGINT)"
        case {"waves": waves}:
            return _in_a_wave(made, waves, name, number)
        case {"account": role}:
            block = _below(made, made.accounts // (2 * BLOCK), f"{name} block", number)
            pair = f"({block} * {BLOCK} + {_in_block(made, ROLE_AT, role, name, number)})"
            return f"{pair} * 2 + {_below(made, 2, f'{name} half', number)}"
        case {"post": kind}:
            block = _below(made, f"greatest({number} DIV {BLOCK}, 1)", f"{name} block", number)
            return f"{block} * {BLOCK} + {_in_block(made, KIND_AT, kind, name, number)}"
    raise ValueError(f"world.toml: {name} = {what}")


def _in_a_wave(made: World, waves: int, name: str, number: str) -> str:
    if not made.wave:
        return "CAST(NULL AS BIGINT)"
    wave = _below(made, waves, name, number)
    at = f"({wave} + {_share(made, f'{name} within', number)} * 0.9D) * {HOUR}"
    return f"IF({wave} < {made.wave}, {micros(made.as_of)} + CAST({at} AS BIGINT), NULL)"


def _in_block(made: World, dealt: list[str], name: str, draw: str, number: str) -> str:
    """Where in a block one of the slots of a role or kind stands."""
    slot = f"({_below(made, dealt.count(name), f'{draw} slot', number)} + {dealt.index(name)})"
    return f"pmod({slot} * {pow(made.stride, -1, BLOCK)}, {BLOCK})"


def entry(words: list[str], index: str) -> str:
    """The word at this place of a list, from 0; null for an empty one. The list is one literal, quick to plan."""
    literal = re.sub(r"(['\\])", r"\\\1", "|".join(words))
    word = f"get(split('{literal}', '[|]'), {index})"
    return f"nullif({word}, '')" if "" in words else word


def _repeated(word: str) -> Iterator[str]:
    times, star, once = word.rpartition("*")
    yield from [once] * (int(times) if star else 1)


def _noise(made: World, label: str, number: str) -> str:
    """A 64-bit integer that the seed, the label and the number alone decide."""
    return f"xxhash64({_salt(made, label)}, {number})"


def _share(made: World, label: str, number: str) -> str:
    return f"CAST(shiftrightunsigned({_noise(made, label, number)}, 11) AS DOUBLE) * {2.0**-53}D"


def _below(made: World, limit: int | str, label: str, number: str) -> str:
    return f"pmod({_noise(made, label, number)}, CAST({limit} AS BIGINT))"


def _salt(made: World, label: str) -> str:
    return f"{int.from_bytes(sha256(f'{made.seed}/{label}'.encode()).digest()[:7], 'big') | 1 << 56}L"
