"""What differs between two policies, change by change, and a policy with one of the changes alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_jsonable_python

from corpus.config import AnyModel
from corpus.policy import GATES, Local, Policy
from corpus.policy_words import Line, Way, lines, local_lines, named, places, raw, sentence, value_of, way
from corpus.reasons import Reason


@dataclass(frozen=True)
class Change:
    """One key that differs (or rule or gate that is off in one policy): its values, what they mean, which way it leans.

    `moves` is whether it can decide about a post. Under `per_country` the values are by country.
    """

    key: str
    way: Way
    before: Any
    after: Any
    was: str
    becomes: str
    moves: bool


def changes(before: Policy, after: Policy) -> list[Change]:
    """Every change between two policies; none if they mean the same."""
    return [*_changed_keys(before, after), *_changed_by_country(before, after), *_changed_names(before, after)]


def applied(before: Policy, after: Policy, change: Change) -> Policy:
    """The policy `before` with this one change alone."""
    kind, _, key = change.key.partition(".")
    if kind in {"rules_off", "gates_off"}:
        kept = [off for off in getattr(before, kind) if getattr(off, kind[:4]) != key]
        return _with(before, kind, kept + [off for off in getattr(after, kind) if getattr(off, kind[:4]) == key])
    if kind != "per_country":
        return _with(before, change.key, value_of(after, change.key))
    own = dict(before.per_country)
    for code in change.after:
        local = _with(before.in_country(code), key, value_of(after.in_country(code), key))
        head = key.partition(".")[0]
        own[code] = _with(own.get(code, Local()), head, value_of(local, head))
    return _with(before, "per_country", own)


def _with(part: AnyModel, key: str, value: Any) -> AnyModel:
    """A copy of a policy, or of a part of one, with another value under a key with dots."""
    head, _, rest = key.partition(".")
    return part.model_copy(update={head: _with(getattr(part, head), rest, value) if rest else value})


def _changed_keys(before: Policy, after: Policy) -> Iterator[Change]:
    for line in lines():
        a, b = value_of(before, line.key), value_of(after, line.key)
        lean = way(line, a, b)
        if lean != "same":
            said = sentence(line, a), sentence(line, b)
            yield Change(line.key, lean, _plain(a), _plain(b), *said, line.moves)


def _changed_by_country(before: Policy, after: Policy) -> Iterator[Change]:
    """What changes in countries with settings of their own; what follows the general settings is a change of those."""
    for line in local_lines():
        pairs = {code: _pair(line, code, before, after) for code in sorted({*before.per_country, *after.per_country})}
        a, b = ({code: pair[at] for code, pair in pairs.items() if pair} for at in (0, 1))
        ways = {way(line, a[code], b[code]) for code in a}
        if ways:
            lean: Way = ways.pop() if len(ways) == 1 else "different"
            said = _locally(line, a), _locally(line, b)
            yield Change(f"per_country.{line.key}", lean, _plain(a), _plain(b), *said, line.moves)


def _pair(line: Line, code: str, before: Policy, after: Policy) -> tuple[Any, Any] | None:
    """A country's values before and after; None where they agree once the general settings have changed."""
    a, b = (value_of(policy.in_country(code), line.key) for policy in (before, after))
    own = getattr(before.per_country.get(code), line.key.partition(".")[0], None)
    base = value_of(after, line.key) if own is None else a
    if way(line, base, b) == "same":
        return None
    return (base if way(line, a, b) == "same" else a), b


def _plain(value: Any) -> Any:
    return to_jsonable_python(value, by_alias=True)


def _locally(line: Line, values: dict[str, Any]) -> str:
    """What holds in these countries: a sentence where they agree, else a list."""
    said = {sentence(line, value) for value in values.values()}
    if len(said) == 1:
        return f"In {places([*values])}: {said.pop()}"
    return ", ".join(f"{code}={raw(value)}" for code, value in values.items())


def _changed_names(before: Policy, after: Policy) -> Iterator[Change]:
    """The rules and gates that only one of the policies switches off, or for another reason."""
    a, b = before.switched_off, after.switched_off
    for name in (*Reason.__members__, *GATES):
        if a.get(name) != b.get(name):
            lean: Way = "different" if name in a and name in b else "laxer" if name in b else "stricter"
            is_rule = name in Reason.__members__
            key = f"{'rules' if is_rule else 'gates'}_off.{name}"
            was, becomes = (f"{named(name)} is {f'off: {off[name]}' if name in off else 'applied'}." for off in (a, b))
            yield Change(key, lean, a.get(name), b.get(name), was, becomes, is_rule and lean != "different")
