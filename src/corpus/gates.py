"""The gates: what must be true before anything is judged.

The first that fails refuses the build; nothing is written.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from corpus.errors import GateRefused
from corpus.inputs import Inputs
from corpus.keys import rows_with_bad_key
from corpus.local_time import date_of
from corpus.policy import GATES, Clock, GateOff, Policy
from corpus.schemas import KEYS
from corpus.sources import Pin

NOT_JUDGED_YET = (
    "FEED_STALE",
    "FEED_INCOMPLETE",
    "OBJECTIONS_SHRANK",
    "OBJECTION_UNRESOLVED",
    "RELEASE_LAG",
    "EXCLUSION_ANOMALY",
)


@dataclass(frozen=True)
class Gate:
    """What one gate found: its outcome, its figures, and what to do if it refuses."""

    gate: str
    passed: bool
    figures: dict[str, Any] = field(default_factory=dict)
    advice: str = ""


def checked(
    inputs: Inputs, pins: dict[str, Pin], policy: Policy, clock: Clock, overrides: tuple[GateOff, ...]
) -> list[dict[str, Any]]:
    """Every gate with its outcome (passed, off, overridden, not_judged) and figures, for the statement.

    Raises GateRefused with the first gate that fails, and names the others.
    """
    found = {
        gate.gate: gate
        for gate in (
            objections_empty(pins),
            input_not_pinned(inputs, pins),
            cutoff_in_future(clock),
            key_integrity(inputs, pins, policy),
            governance_missing(policy, clock),
        )
    }
    because = {off.gate: off.because for off in (*policy.gates_off, *overrides)}
    failed = [found[name] for name in GATES if name in found and not found[name].passed and name not in because]
    if failed:
        raise GateRefused(_refusal(failed))
    overridden = {off.gate for off in overrides}
    return [_outcome(name, found.get(name), because.get(name), name in overridden) for name in GATES]


def objections_empty(pins: dict[str, Pin]) -> Gate:
    """An empty table of objections would let everybody in."""
    rows = pins["objections"].rows if "objections" in pins else 0
    advice = "Find out why no objection arrived; if there truly is none, override the gate with that reason."
    return Gate("OBJECTIONS_EMPTY", rows > 0, {"objections": rows}, advice)


def input_not_pinned(inputs: Inputs, pins: dict[str, Pin]) -> Gate:
    """Each table that is read is read at a fixed version."""
    unpinned = [table for table in KEYS if table not in pins and (table, "*") not in inputs.absent]
    return Gate("INPUT_NOT_PINNED", not unpinned, {"unpinned": ", ".join(unpinned)}, "Read it as a Delta table.")


def cutoff_in_future(clock: Clock) -> Gate:
    """A cutoff after `now` would promise what nobody can know."""
    figures = {"cutoff": clock.cutoff, "now": clock.now}
    return Gate("CUTOFF_IN_FUTURE", clock.cutoff <= clock.now, figures, "Choose a cutoff that has passed.")


def key_integrity(inputs: Inputs, pins: dict[str, Pin], policy: Policy) -> Gate:
    """The share of rows whose key is null or repeated, per table."""
    bad = {table: rows_with_bad_key(getattr(inputs, table), KEYS[table]) for table in KEYS if table in pins}
    shares = {table: count / max(1, pins[table].rows) for table, count in bad.items() if count}
    limit = policy.gates.key_conflict_share
    advice = "Mend the keys at the source; single ones below the limit are left out by the build."
    figures = {"limit": limit} | {f"{table}_rows": bad[table] for table in shares}
    return Gate("KEY_INTEGRITY", all(share <= limit for share in shares.values()), figures, advice)


def governance_missing(policy: Policy, clock: Clock) -> Gate:
    """Every field of `governance` is filled in, and the assessment has not expired; on its last day it has."""
    own = policy.governance
    fields = {
        "dpia.id": own.dpia.id.strip(),
        "dpia.expires": own.dpia.expires,
        "lia.id": own.lia.id.strip(),
        "approved_by": own.approved_by.strip(),
        "approved_on": own.approved_on,
    }
    empty = [name for name, value in fields.items() if not value]
    expired = own.dpia.expires is not None and own.dpia.expires <= date_of(clock.now, policy.timezone)
    figures = {"empty": ", ".join(empty), "dpia_expires": str(own.dpia.expires or "")}
    advice = f"Fill in [governance] in the policy '{policy.name}' and have the assessment renewed if it has expired."
    return Gate("GOVERNANCE_MISSING", not empty and not expired, figures, advice)


def _refusal(failed: list[Gate]) -> str:
    first, *others = failed
    figures = ", ".join(f"{name} = {value}" for name, value in first.figures.items() if value != "")
    lines = [f"The gate {first.gate} refuses this build: {figures}.", first.advice]
    if others:
        lines.append("Also refused by: " + ", ".join(gate.gate for gate in others) + ".")
    return "\n".join([*lines, "Nothing was written."])


def _outcome(name: str, gate: Gate | None, because: str | None, is_override: bool) -> dict[str, Any]:
    if gate is None or name in NOT_JUDGED_YET:
        return {"gate": name, "outcome": "off" if because else "not_judged", "figures": {}, "because": because}
    turned_off = "overridden" if is_override else "off"
    outcome = turned_off if because else "passed"
    return {"gate": name, "outcome": outcome, "figures": asdict(gate)["figures"], "because": because}
