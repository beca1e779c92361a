"""The gates: what must be true before a version is made. Plain Python; `facts` counts what they judge by.

Each is checked by itself and the first that fails, in the contract's order, refuses the build: nothing is written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from corpus.errors import GateRefused
from corpus.facts import Facts, Feed
from corpus.policy import GATES, Clock, GateOff, Policy, RuleOff
from corpus.reasons import OBJECTION_REASONS, Reason

LEAST_SWING = 0.01
"""A reason's share must also have changed by so much of all posts to be an anomaly."""


@dataclass(frozen=True)
class Gate:
    """What one gate found: whether it passed, its figures (the limit among them), and what to do if it did not."""

    gate: str
    passed: bool
    figures: dict[str, Any] = field(default_factory=dict)
    advice: str = ""

    def outcome(self, off: GateOff | None, overrides: Collection[GateOff] = ()) -> dict[str, Any]:
        """What the statement says of it: passed, off (by the policy) or overridden (for this build)."""
        turned_off = "overridden" if off and off in overrides else "off"
        said = turned_off if off else "passed"
        return {"gate": self.gate, "outcome": said, "figures": self.figures, "because": off.because if off else None}


def early_gates(facts: Facts, policy: Policy, clock: Clock, before: Mapping[str, Any]) -> list[Gate]:
    """The gates that need no verdict. `before` holds the figures of OBJECTIONS_SHRANK at the last version."""
    return [
        feed_stale(facts, policy, clock.now),
        feed_incomplete(facts),
        objections_empty(facts),
        objections_shrank(facts, before),
        objection_unresolved(facts, policy),
        input_not_pinned(facts),
        cutoff_in_future(facts, clock),
        key_integrity(facts, policy),
        governance_missing(policy, clock),
    ]


def require(
    gates: Iterable[Gate], policy: Policy, overrides: tuple[GateOff, ...] = (), ending: str = "Nothing was written."
) -> list[dict[str, Any]]:
    """These gates for the statement, in the contract's order. Raises GateRefused that explains the first that fails."""
    off = {off.gate: off for off in (*policy.gates_off, *overrides)}
    found = sorted(gates, key=lambda gate: GATES.index(gate.gate))
    failed = refusing(found, off)
    if failed:
        raise GateRefused(f"{refusal(failed)}\n{ending}", (gate.gate for gate in failed))
    return [gate.outcome(off.get(gate.gate), overrides) for gate in found]


def refusing(gates: Iterable[Gate], off: Iterable[str]) -> list[Gate]:
    """The gates that refuse, in the contract's order."""
    failed = [gate for gate in gates if not gate.passed and gate.gate not in set(off)]
    return sorted(failed, key=lambda gate: GATES.index(gate.gate))


def refusal(failed: list[Gate]) -> str:
    """What a person is told: the first gate with its figures and what to do, the others with theirs."""
    first, *others = failed
    lines = [f"The gate {first.gate} refuses this build: {_figures(first)}.", first.advice]
    lines += [f"Also refused by {gate.gate}: {_figures(gate)}." for gate in others]
    return "\n".join([*lines, f"To go on all the same: --override {first.gate}=REASON."])


def feed_stale(facts: Facts, policy: Policy, now: datetime) -> Gate:
    """Every table with an age limit has deliveries, and none of its channels has fallen silent."""
    limits = policy.gates.max_age_hours
    silent = [f"{table} (no delivery)" for table in limits if not any(f.feed == table for f in facts.feeds)]
    old = [
        f"{_name(feed)} ({_age(feed, now)})"
        for feed in facts.feeds
        if feed.feed in limits and not _is_within(feed, now, limits[feed.feed])
    ]
    figures = {"stale": ", ".join(silent + old), "now": now}
    figures |= {f"limit_{table}_hours": hours for table, hours in limits.items()}
    advice = "Have the feed delivered again and read its newest version; a channel without news delivers a row as well."
    return Gate("FEED_STALE", not silent + old, figures, advice)


def feed_incomplete(facts: Facts) -> Gate:
    """No delivery is missing between others, totals agree with the rows, and each objection came by a known channel."""
    wrong = [f"{_name(feed)}: a delivery is missing" for feed in facts.feeds if feed.is_broken]
    wrong += [
        f"{_name(feed)}: {feed.rows} rows by its total, {feed.found} in the table"
        for feed in facts.feeds
        if feed.feed in facts.rows and feed.found != feed.rows
    ]
    known = {feed.channel for feed in facts.feeds if feed.feed == "objections"}
    strays = [str(c) for (table, c) in facts.channel_rows if table == "objections" and not {c, "*"} & known]
    wrong += [f"objections of the channel '{channel}': no delivery" for channel in strays]
    advice = "Find the rows that did not arrive, or a total that counts others, with whoever delivers this feed."
    return Gate("FEED_INCOMPLETE", not wrong, {"wrong": "; ".join(sorted(wrong))}, advice)


def objections_empty(facts: Facts) -> Gate:
    """An empty table of objections would let everybody in."""
    rows = facts.rows.get("objections", 0)
    advice = "Find out why no objection arrived; if there truly is none, override the gate with that reason."
    return Gate("OBJECTIONS_EMPTY", rows > 0, {"objections": rows}, advice)


def objections_shrank(facts: Facts, before: Mapping[str, Any]) -> Gate:
    """Active objections fall by verified withdrawals only."""
    withdrawn = facts.objections.get("withdrawn", 0)
    active = facts.objections.get("all", 0) - withdrawn
    figures = {"active": active, "withdrawn": withdrawn}
    if not before:
        return Gate("OBJECTIONS_SHRANK", True, figures)
    fell, more = int(before["active"]) - active, withdrawn - int(before["withdrawn"])
    figures |= {"active_before": before["active"], "withdrawn_before": before["withdrawn"]}
    advice = "Objections are kept for ever: find those that the table has lost since the last version."
    return Gate("OBJECTIONS_SHRANK", fell <= more, figures, advice)


def objection_unresolved(facts: Facts, policy: Policy) -> Gate:
    """Objections reach somebody: few name an account, person, address or post that no build has ever known."""
    unresolved, limit = facts.objections.get("unresolved", 0), policy.gates.unresolved_share
    share = unresolved / max(1, facts.objections.get("all", 0))
    figures = {"unresolved": unresolved, "share": round(share, 6), "limit": limit, "ids": ", ".join(facts.unresolved)}
    advice = (
        "See whom they mean: their subject ids may be written otherwise than in profiles and posts. "
        "--accept-objection ID=REASON accepts a single one."
    )
    return Gate("OBJECTION_UNRESOLVED", share <= limit, figures, advice)


def input_not_pinned(facts: Facts) -> Gate:
    """Each table that is read is read at a fixed version."""
    figures = {"unpinned": ", ".join(facts.unpinned)}
    return Gate("INPUT_NOT_PINNED", not facts.unpinned, figures, "Read it as a Delta table.")


def cutoff_in_future(facts: Facts, clock: Clock) -> Gate:
    """A cutoff after `now`, or after what the feeds have told, would promise what nobody can know."""
    lowest = min(facts.feeds, key=lambda feed: (feed.watermark is not None, feed.watermark), default=None)
    known = clock.cutoff <= clock.now
    told = lowest is None or (lowest.watermark is not None and clock.cutoff <= lowest.watermark)
    figures: dict[str, Any] = {"cutoff": clock.cutoff, "now": clock.now}
    figures |= {"lowest_watermark": lowest.watermark, "of": _name(lowest)} if lowest else {}
    return Gate("CUTOFF_IN_FUTURE", known and told, figures, "Choose a cutoff that every feed has passed.")


def key_integrity(facts: Facts, policy: Policy) -> Gate:
    """The share of rows whose key is null or repeated, per table."""
    limit = policy.gates.key_conflict_share
    shares = {table: bad / max(1, facts.rows[table]) for table, bad in facts.bad_keys.items() if bad}
    figures = {f"{table}_rows": facts.bad_keys[table] for table in shares} | {"limit": limit}
    advice = "Mend the keys at the source; single ones below the limit are left out by the build."
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
    today = clock.now.astimezone(ZoneInfo(policy.timezone)).date()
    expired = own.dpia.expires is not None and own.dpia.expires <= today
    figures = {"empty": ", ".join(empty), "dpia_expires": str(own.dpia.expires or "")}
    advice = f"Fill in [governance] in the policy '{policy.name}' and have the assessment renewed if it has expired."
    return Gate("GOVERNANCE_MISSING", not empty and not expired, figures, advice)


def release_lag(pinned: Mapping[str, datetime], newest: Mapping[str, datetime], policy: Policy) -> Gate:
    """Objections and requests that came in while the build ran are not much newer than those it knew.

    `pinned` and `newest` are the commit times of the versions that the build read, and of the newest ones now.
    """
    limit = policy.gates.release_lag_hours
    lags = {table: _hours(newest[table] - pinned[table]) for table in newest}
    figures = {f"{table}_hours": round(hours, 2) for table, hours in lags.items()} | {"limit_hours": limit}
    advice = "Objections came in meanwhile: run the build again; it reads them."
    return Gate("RELEASE_LAG", all(hours <= limit for hours in lags.values()), figures, advice)


def exclusion_anomaly(
    funnel: Mapping[str, Any], before: Mapping[str, Any], policy: Policy, accepted: Iterable[RuleOff]
) -> Gate:
    """No reason's share of the posts has jumped since the last version; objection reasons may rise."""
    limit, known = policy.gates.exclusion_swing, {rule.rule for rule in accepted}
    shares = {reason: (_share(before, reason), _share(funnel, reason)) for reason in Reason} if before else {}
    moved = {
        reason.name: f"{was:.1%} to {now:.1%}"
        for reason, (was, now) in shares.items()
        if _has_swung(was, now, limit) and not (now > was and reason in OBJECTION_REASONS)
    }
    left = [f"{name} from {how}" for name, how in moved.items() if name not in known]
    accept = " ".join(f"--accept-anomaly {name}=REASON" for name in moved if name not in known)
    figures = {"moved": ", ".join(f"{name} from {how}" for name, how in moved.items()), "limit": limit}
    return Gate("EXCLUSION_ANOMALY", not left, figures, f"Find out why; if it is right, go on with {accept}.")


def _has_swung(was: float, now: float, limit: float) -> bool:
    """Whether a share changed by more than the limit of what it was, and by more than 1 % of the posts."""
    return abs(now - was) > limit * was and abs(now - was) > LEAST_SWING


def _share(funnel: Mapping[str, Any], reason: Reason) -> float:
    return int(funnel["any"].get(reason.name, 0)) / max(1, int(funnel["posts"]))


def _name(feed: Feed) -> str:
    return f"{feed.feed}/{feed.channel}"


def _is_within(feed: Feed, now: datetime, hours: float) -> bool:
    return feed.watermark is not None and now - feed.watermark <= timedelta(hours=hours)


def _age(feed: Feed, now: datetime) -> str:
    return f"{_hours(now - feed.watermark):.1f} h" if feed.watermark else "no watermark"


def _hours(gap: timedelta) -> float:
    return gap / timedelta(hours=1)


def _figures(gate: Gate) -> str:
    shown = {name: value for name, value in gate.figures.items() if value not in ("", None)}
    return ", ".join(f"{name} = {value}" for name, value in shown.items())
