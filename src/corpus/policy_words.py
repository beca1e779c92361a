"""What each key, rule and gate of a policy means to a person, and which way it is stricter: policy_words.toml, read."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from datetime import datetime
from functools import cache, reduce
from importlib.resources import files
from math import inf
from typing import Any, Literal

from pydantic import Field

from corpus.config import Part, validated
from corpus.policy import Local, Outage, Policy
from corpus.reasons import Reason

Way = Literal["stricter", "laxer", "different", "same"]


class Line(Part):
    """What is said of one key, or of rules and gates that have none; the file's head explains each field."""

    key: str = ""
    says: str | dict[str, str]
    stricter: Literal["lower", "higher", "fewer", "more", "neither", "own"] | list[bool | str] = "own"
    strict: int | list[str] | None = None
    as_: Literal["countries", "percent"] | None = Field(default=None, alias="as")
    rules: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    moves: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """The rules and gates that it is about."""
        return self.rules + self.gates


class Section(Part):
    """Lines under one title."""

    title: str
    line: list[Line]


class Words(Part):
    """All that is said of policies, and the names of countries."""

    section: list[Section]
    countries: dict[str, str]


@cache
def words() -> Words:
    """The sentences, and what is known of their keys."""
    text = files("corpus").joinpath("policy_words.toml").read_text(encoding="utf-8")
    return validated(Words, tomllib.loads(text), "policy_words.toml")


def lines() -> list[Line]:
    """Every line, in the order of an explanation."""
    return [line for section in words().section for line in section.line]


def local_lines() -> list[Line]:
    """The lines of what a country may have of its own."""
    return [line for line in lines() if line.key.partition(".")[0] in Local.model_fields]


def value_of(policy: Policy, key: str) -> Any:
    """What a policy says under a key with dots; None for no key."""
    return reduce(getattr, key.split("."), policy) if key else None


def strict_default(line: Line) -> Any:
    """The strict default of a line's key; None where each policy has its own value."""
    if line.stricter == "own":
        return None
    *outer, last = line.key.split(".")
    model: Any = Policy
    for name in outer:
        model = model.model_fields[name].annotation
    return line.strict if model.model_fields[last].is_required() else model.model_fields[last].get_default()


def way(line: Line, before: Any, after: Any) -> Way:
    """Whether `after` is stricter than `before`, or laxer, or merely different. Order in a list does not count."""
    if before == after:
        return "same"
    leaning: dict[tuple[bool, bool], Way] = {(True, True): "same", (True, False): "stricter", (False, True): "laxer"}
    as_strict = _is_as_strict(line.stricter, after, before), _is_as_strict(line.stricter, before, after)
    return leaning.get(as_strict, "different")


def _is_as_strict(stricter: str | list[Any], one: Any, other: Any) -> bool:
    match stricter:
        case list():
            return stricter.index(one) <= stricter.index(other)
        case "lower":
            limits, others = ({"": inf if v is False else v} if not isinstance(v, dict) else v for v in (one, other))
            return all(limits.get(name, inf) <= limit for name, limit in others.items())
        case "higher":
            return bool(one >= other)
        case "fewer":
            return set(one) <= set(other)
        case "more":
            return set(one) >= set(other)
    return False


def sentence(line: Line, value: Any = None) -> str:
    """What a line says of a value."""
    texts = line.says if isinstance(line.says, dict) else {"other": line.says}
    text = texts.get(_case(value)) or texts["other"]
    said = text.replace("{value}", _in_words(value, line.as_)).replace("{raw}", raw(value))
    return re.sub(r"(?<![\d.,])1 ((?:more |whole )*)(day|hour|minute|word|account|year)s\b", r"1 \1\2", said)


def _case(value: Any) -> str:
    return "none" if value in (None, "", [], {}) else str(value).lower()


def raw(value: Any) -> str:
    """A value on one line, much as a file has it."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {raw(each)}" for name, each in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(raw(each) for each in value) or "none"
    if isinstance(value, Outage):
        return f"{raw(value.from_)} to {raw(value.to) if value.to else 'now'}"
    if isinstance(value, datetime):
        return value.isoformat().replace("T00:00:00+00:00", "").replace("+00:00", "Z")
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _in_words(value: Any, kind: str | None) -> str:
    if kind == "countries":
        return listed(words().countries.get(code, code) for code in value)
    if kind == "percent":
        return f"{100 * value:g} %"
    if isinstance(value, list):
        return listed(raw(each).replace("_", " ") for each in value)
    return f"{value:,}" if type(value) is int else raw(value)


def named(name: str) -> str:
    """A rule, with what it means, or a gate."""
    rule = Reason.__members__.get(name)
    return f"the rule {name} ({rule.meaning})" if rule else f"the gate {name}"


def listed(names: Iterable[str]) -> str:
    """Names as a person lists them.

    >>> listed(["tea", "milk", "sugar"])
    'tea, milk and sugar'
    """
    *most, last = [*names] or ["none"]
    return f"{', '.join(most)} and {last}" if most else last


def places(codes: list[str]) -> str:
    """Countries by name, or how many where they are not few."""
    return _in_words(codes, "countries") if len(codes) <= 6 else f"{len(codes)} countries"
