"""What a version's page says in words: its policy, its gates, its departures, and why posts were left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from corpus.audit.pinned import policy_of
from corpus.changes import Change, Diff, Side
from corpus.errors import CorpusError
from corpus.funnel_shown import LEAST, Shown, hidden_beside, shown_funnel
from corpus.policy import Policy
from corpus.policy_explained import Explanation, explained
from corpus.policy_words import lines, sentence, value_of
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
class Step:
    """Posts left out for one kind of reason, and how many are left after it; a number is None where it is hidden."""

    because: str
    posts: int | None
    left: int | None
    reasons: list[Shown]


@dataclass(frozen=True)
class Told:
    """A version in words; no policy where its statement's has other keys than this program's."""

    policy: Explanation | None
    gates: list[Gate]
    departures: list[str]
    totals: dict[str, Shown]
    steps: list[Step]

    @property
    def hides(self) -> bool:
        """Whether a number is hidden because it is small, or would give a small one away."""
        return any(reason.first is None for step in self.steps for reason in step.reasons)


def told(version: Version, exact: bool) -> Told:
    """What a version's statement says, with small numbers hidden unless they may be seen."""
    said = version.predicate
    policy, lines = _policy(said), shown_funnel(said, exact)
    gates = [_gate(each, policy) for each in said["gates"]]
    totals = {line.name: line for line in lines if line.kind == "total"}
    reasons = [line for line in lines if line.kind == "reason" and line.first != 0]
    return Told(explained(policy) if policy else None, gates, departures(said), totals, _steps(totals, reasons))


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


def _steps(totals: dict[str, Shown], reasons: list[Shown]) -> list[Step]:
    """The reasons by group, by what is shown of them; then those together whose numbers are hidden."""
    left, excluded = totals["posts"].first, totals["excluded"].first
    if left is None or excluded is None:
        return [Step("for one reason or another", None, totals["kept"].first, reasons)]
    steps = []
    for group, words in GROUPS.items():
        own = [reason for reason in reasons if _group(reason.name) is group]
        posts = sum(reason.first or 0 for reason in own)
        left -= posts
        steps += [Step(words, posts, left, own)] if own else []
    hidden = excluded - sum(step.posts or 0 for step in steps)
    return [*steps, Step("for reasons whose numbers are hidden", hidden, left - hidden, [])] if hidden else steps


def _group(name: str) -> Group:
    return Reason[name].group if name in Reason.__members__ else Group.POST


@dataclass(frozen=True)
class Moved:
    """What came or went: in all, and for each cause; a number is None where it is hidden."""

    posts: int | None
    changes: list[tuple[Change, int | None]]

    @property
    def hides(self) -> bool:
        """Whether a number is hidden because it is small, or would give a small one away."""
        return self.posts is None or any(posts is None for _, posts in self.changes)


def moved(found: Diff, exact: bool) -> dict[str, Moved]:
    """What went and what came; of both sums, neither is told where one gives a small number away."""
    sides: list[Side] = ["removed", "added"]
    own = {side: [change for change in found.changes if change.side == side] for side in sides}
    counts = {side: {str(n): each.documents for n, each in enumerate(changes)} for side, changes in own.items()}
    hidden = {side: (set[str](), False) if exact else hidden_beside(counts[side]) for side in sides}
    without_sums = any(without for _, without in hidden.values())
    return {
        side: Moved(
            None if without_sums else found.total(side),
            [(each, _shown(str(n), each.documents, hidden[side][0], exact)) for n, each in enumerate(own[side])],
        )
        for side in sides
    }


def _shown(name: str, count: int, hidden: set[str], exact: bool) -> int | None:
    return count if exact or (name not in hidden and count >= LEAST) else None
