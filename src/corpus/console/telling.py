"""What a version's page says in words: its policy, its gates, its departures, and why posts were left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from corpus.audit.pinned import policy_of
from corpus.errors import CorpusError
from corpus.policy import Policy
from corpus.policy_explained import Explanation, explained
from corpus.policy_words import lines, sentence, value_of
from corpus.query import meaning
from corpus.reasons import Group, Reason
from corpus.render import departures
from corpus.versions import Version

OUTCOMES = {
    "passed": "checked: it was not so",
    "at_release": "checked at the release: it was not so",
    "off": "switched off by the policy",
    "overridden": "switched off for this build",
}

GROUPS = {
    Group.ACCOUNT: "because of the author or the account",
    Group.POST: "because of the post itself",
    Group.DATASET: "because the same words are there already, or belong to somebody who objected",
}


@dataclass(frozen=True)
class Gate:
    """A gate of a build: when it refuses, and what it found."""

    name: str
    refuses: str
    outcome: str
    is_open: bool
    because: str


@dataclass(frozen=True)
class Told:
    """A version in words; no policy where its statement's has other keys than this program's."""

    policy: Explanation | None
    gates: list[Gate]
    departures: list[str]
    groups: list[tuple[str, int, list[tuple[str, str, int]]]]


def told(version: Version) -> Told:
    """What a version's statement says."""
    said = version.predicate
    policy = _policy(said)
    gates = [_gate(each, policy) for each in said["gates"]]
    return Told(explained(policy) if policy else None, gates, departures(said), _groups(said["funnel"]["primary"]))


def _policy(said: dict[str, Any]) -> Policy | None:
    try:
        return policy_of(said)
    except (CorpusError, KeyError, TypeError):
        return None


def _gate(gate: dict[str, Any], policy: Policy | None) -> Gate:
    line = next((each for each in lines() if gate["gate"] in each.gates), None)
    refuses = sentence(line, value_of(policy, line.key)) if line and policy else ""
    outcome = gate["outcome"]
    is_open = outcome not in {"passed", "at_release"}
    return Gate(gate["gate"], refuses, OUTCOMES.get(outcome, outcome), is_open, gate.get("because") or "")


def _groups(primary: dict[str, str]) -> list[tuple[str, int, list[tuple[str, str, int]]]]:
    """The reasons by group, each with its meaning and how many posts it left out first; the commonest stand first."""
    found = []
    for group, words in GROUPS.items():
        own = [(n, int(count)) for n, count in primary.items() if n in Reason.__members__ and Reason[n].group is group]
        rows = [(name, meaning(name), count) for name, count in sorted(own, key=lambda each: (-each[1], each[0]))]
        if rows:
            found.append((words, sum(row[2] for row in rows), rows))
    return found
