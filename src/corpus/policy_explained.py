"""A policy in plain English, with every departure from the strict default and the reason that it gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from corpus.policy import Policy
from corpus.policy_words import (
    Line,
    Section,
    lines,
    listed,
    local_lines,
    named,
    places,
    raw,
    sentence,
    strict_default,
    value_of,
    way,
    words,
)


@dataclass(frozen=True)
class Mark:
    """A departure: from what, and the reason that the file gives, if it gives one."""

    says: str
    is_laxer: bool
    because: str | None = None


@dataclass(frozen=True)
class Said:
    """One sentence of an explanation; `is_checked` is false where the policy switches off all that it speaks of."""

    says: str
    key: str = ""
    is_checked: bool = True
    marks: list[Mark] = field(default_factory=list)


@dataclass(frozen=True)
class Explanation:
    """A policy in words: a summary, chapters of sentences, and a row for each group of countries with own settings."""

    name: str
    summary: list[str]
    chapters: dict[str, list[Said]]
    by_country: list[dict[str, str]]


def explained(policy: Policy) -> Explanation:
    """The policy in plain English, every departure from the strict default marked with its reason."""
    rows = _by_country(policy)
    differing = {key for row in rows for key in row} - {"countries"}
    chapters = {section.title: [*_chapter(section, policy, differing)] for section in words().section}
    local = [*_local_departures(policy), *_without_effect(policy)]
    chapters |= {"Where countries differ": local} if rows or local else {}
    marks = [mark for chapter in chapters.values() for said in chapter for mark in said.marks]
    return Explanation(policy.name, [*_summary(policy, marks)], chapters, rows)


def _chapter(section: Section, policy: Policy, differing: set[str]) -> Iterator[Said]:
    off = policy.switched_off
    for line in section.line:
        value, default = value_of(policy, line.key), strict_default(line)
        is_checked = not line.names or any(name not in off for name in line.names)
        marks = [*_marks_of_value(line, value)] if is_checked else []
        marks += _marks_of_names(line, off)
        matters = not line.needs or any(value_of(policy, key) is not False for key in line.needs)
        if matters and (is_checked or marks):
            says = sentence(line, value if is_checked or default is None else default)
            yield Said(says + " Countries differ: see the end." * (line.key in differing), line.key, is_checked, marks)


def _marks_of_value(line: Line, value: Any) -> list[Mark]:
    default = strict_default(line)
    match "same" if default is None else way(line, default, value):
        case "laxer":
            return [Mark(f"departs from the strict default, which is: “{sentence(line, default)}”", True)]
        case "different":
            return [Mark(f"differs from the default ({raw(default)}), neither stricter nor laxer.", False)]
    return []


def _marks_of_names(line: Line, off: dict[str, str]) -> list[Mark]:
    """Which of a line's rules and gates are off; each is marked at the first line with it."""
    firsts = {name: each.key or each.says for each in reversed(lines()) for name in each.names}
    own = [name for name in line.names if name in off and firsts[name] == (line.key or line.says)]
    return [Mark(f"departs from the strict default: {named(name)} is off.", True, off[name]) for name in own]


def _by_country(policy: Policy) -> list[dict[str, str]]:
    """What countries have of their own, those that agree in all of it together."""
    local = {code: policy.in_country(code) for code in policy.per_country}
    shown = {key: [raw(value_of(own, key)) for own in local.values()] for key in (line.key for line in local_lines())}
    shown = {key: values for key, values in shown.items() if {*values} - {raw(value_of(policy, key))}}
    groups: dict[tuple[str, ...], list[str]] = {}
    for code, *values in zip(local, *shown.values(), strict=True):
        groups.setdefault(tuple(values), []).append(words().countries.get(code, code))
    return [
        {"countries": ", ".join(names)} | dict(zip(shown, values, strict=True))
        for values, names in groups.items()
        if shown
    ]


def _local_departures(policy: Policy) -> Iterator[Said]:
    for line in local_lines():
        found: dict[str, list[str]] = {}
        for code in policy.per_country:
            value = value_of(policy.in_country(code), line.key)
            if value != value_of(policy, line.key) and _marks_of_value(line, value):
                found.setdefault(raw(value), []).append(code)
        for codes in found.values():
            value = value_of(policy.in_country(codes[0]), line.key)
            yield Said(f"In {places(codes)}: {sentence(line, value)}", line.key, marks=_marks_of_value(line, value))


def _without_effect(policy: Policy) -> Iterator[Said]:
    strangers = [code for code in policy.per_country if code not in policy.countries]
    if strangers:
        yield Said(f"Of no effect, as nobody there may be in: the settings for {places(strangers)}.", "per_country")


def _summary(policy: Policy, marks: list[Mark]) -> Iterator[str]:
    empty = [line.key for line in lines() if line.key.startswith("governance.") and not value_of(policy, line.key)]
    builds = "It builds all the same" if policy.gate_is_off("GOVERNANCE_MISSING") else "It refuses to build"
    if empty:
        yield f"Nobody answers for it yet: {listed(empty)} are not filled in. {builds}."
    else:
        yield f"Approved by {policy.governance.approved_by} on {policy.governance.approved_on}."
    laxer = sum(mark.is_laxer for mark in marks)
    yield f"Departures from the strict default: {laxer or 'none'}{', each marked with !' if laxer else ''}."
