"""Why a post came or went between two versions: the cause that what is recorded of both can answer for.

Nothing is judged again. docs/changes.md has the order in which causes are tried, and where they may err.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from corpus.reasons import OBJECTION_REASONS
from corpus.versions import Row, Version

# ruff: noqa: PLC0415 (policies are loaded only where two versions are compared)

if TYPE_CHECKING:
    from corpus.policy_words import Line

Move = Literal["gone", "come"]
Proof = Literal["unrecorded", "absent", "copy", "strange", "listed", "active", "none"]
"""What the tables say of a post that one version lacks. `strange`: the objection or request that gives the reason is
not known to the version that has the post; `active`: it is, and decides about others; `listed`: it decides nothing.
"""

CAUSES = {
    "NEW_OBJECTION": "an objection came in",
    "OBJECTION_WITHDRAWN": "an objection was withdrawn, or decided so that it no longer counts",
    "OBJECTION_MISSING": "the objection that kept the post out is not in the inputs any more: find out why",
    "OBJECTION_REACH": "an objection that was known in both reaches the post in one of them only",
    "NEW_REQUEST": "somebody asked for erasure, restriction or removal",
    "REQUEST_ENDED": "such a request is not in the inputs any more, or no longer counts",
    "UNDATED_OBJECTION": "an objection or request without an id, which may have been known before",
    "DELETION": "the post was deleted",
    "RESTORED": "the post does not count as deleted any more",
    "BIRTHDAY": "the author came of age",
    "WINDOW_CLOSED": "the author's time to object ended",
    "WAIT_ENDED": "a time that had to pass has passed",
    "CUTOFF_MOVED": "the cutoff moved past the post, or past its last change",
    "NOTICE_CHANGE": "a notice arrived, a new one began a time to object, or what is known of it changed",
    "PROFILE_CHANGE": "what is known of the author changed: age, country or kind of account",
    "ACCOUNT_STATE": "the account became private or inactive, or ceased to be",
    "VISIBILITY_CHANGE": "the post or its group was made public, or ceased to be",
    "MODERATION": "the post was taken down or flagged, or that ended",
    "POST_CHANGED": "what is known of the post changed: its words, times or kind",
    "THROUGH_OTHERS": "somebody or something that the post refers to or repeats may be used now, or no longer",
    "ANOTHER_COPY": "the same text is kept through another post than before",
    "NEW_POST": "the post was not in the inputs before",
    "POST_GONE": "the post is not in the inputs any more",
    "POLICY_CHANGE": "the policy says otherwise about this reason",
    "CODE_CHANGE": "the program is another, and nothing else that is recorded explains it",
    "UNEXPLAINED": "nothing that is recorded explains it",
    "UNRECORDED": "members/ does not say which post it is",
}
"""What can have happened from the older version to the newer, in words for people."""

_OBJECTIONS = {*(reason.name for reason in OBJECTION_REASONS), "POST_OBJECTED"}
_REQUESTS = {"ERASURE_REQUESTED", "THIRD_PARTY_REQUEST"}
_PROFILE = (
    "PROFILE_MISSING PROFILE_CONFLICT AGE_UNKNOWN MINOR_AT_CUTOFF MINOR_AT_POST AGE_CONFLICT COUNTRY_UNKNOWN "
    "COUNTRY_OUT_OF_SCOPE COUNTRY_CHANGED ACCOUNT_TYPE_UNSUPPORTED"
)
_GONE = {
    "PROFILE_CHANGE": _PROFILE,
    "ACCOUNT_STATE": "ACCOUNT_NOT_ACTIVE ACCOUNT_PRIVATE COMMENT_AUTHOR_PRIVATE",
    "NOTICE_CHANGE": "NOTICE_NOT_DELIVERED NOTICE_SUPERSEDED WINDOW_OPEN",
    "DELETION": "DELETED",
    "VISIBILITY_CHANGE": "NOT_PUBLIC VISIBILITY_CHANGED",
    "MODERATION": "REMOVED_MODERATION FLAGGED_CONTENT",
    "POST_CHANGED": "PLATFORM_OUT_OF_SCOPE SURFACE_NOT_ALLOWED EDITED_AFTER_CUTOFF TIME_INVALID OUT_OF_WINDOW "
    "TEXT_EMPTY POST_CONFLICT EXACT_DUPLICATE NEAR_DUPLICATE",
    "THROUGH_OTHERS": "COAUTHOR_INELIGIBLE RESHARE_SOURCE_INELIGIBLE MENTIONS_OBJECTOR TAGS_OBJECTOR "
    "OBJECTOR_TEXT_COPY",
}
_FACTS = {reason: cause for cause, reasons in _GONE.items() for reason in reasons.split()}
"""By the reason of the newer version, which fact must have changed for the post to go."""

_ENDED = {
    "MINOR_AT_CUTOFF": "BIRTHDAY",
    "WINDOW_OPEN": "WINDOW_CLOSED",
    "VISIBILITY_CHANGED": "WAIT_ENDED",
    "OBJECTION_WITHDRAWN_COOLING": "WAIT_ENDED",
    "EDITED_AFTER_CUTOFF": "CUTOFF_MOVED",
    "OUT_OF_WINDOW": "CUTOFF_MOVED",
}
"""By the reason of the older version, what a later cutoff alone can have brought about for the post to come."""

_BESIDE = {
    "purpose": _OBJECTIONS,
    "timezone": {"MINOR_AT_CUTOFF", "MINOR_AT_POST", "WINDOW_OPEN"},
    "adult_age": {"MINOR_AT_POST", "AGE_CONFLICT"},
    "notice.campaign": {"NOTICE_SUPERSEDED", "WINDOW_OPEN", "COUNTRY_CHANGED"},
    "notice.version": {"NOTICE_NOT_DELIVERED", "WINDOW_OPEN"},
    "notice.channels": {"NOTICE_SUPERSEDED", "WINDOW_OPEN"},
    "objections.temporal_scope": _OBJECTIONS,
    "objections.rulings": {"OBJECTION_REJECTED"},
    "objections.objected_period": {"OBJECTED"},
    "dedup.shingle_words": {"NEAR_DUPLICATE", "OBJECTOR_TEXT_COPY"},
    "dedup.seed": {"NEAR_DUPLICATE", "OBJECTOR_TEXT_COPY"},
}
"""Reasons that hang on a key of the policy beside those that its line in policy_words.toml is about."""


@dataclass(frozen=True)
class Between:
    """What the statements of two versions say to have changed: by reason, which ways the policy leans; the rest."""

    ways: dict[str, set[str]] = field(default_factory=dict)
    cutoff: Literal["later", "same", "earlier"] = "later"
    same_inputs: bool = False
    same_code: bool = True

    @staticmethod
    def of(older: Version, newer: Version) -> Between:
        """As their statements have it; where one has none, anything can have happened."""
        a, b = older.predicate, newer.predicate
        if not a or not b:
            return Between()
        moved = (a["cutoff"] < b["cutoff"]) - (a["cutoff"] > b["cutoff"])
        return Between(
            ways=_ways(a["policy"]["values"], b["policy"]["values"]),
            cutoff="later" if moved > 0 else "earlier" if moved else "same",
            same_inputs=_pins(a) == _pins(b),
            same_code=a["code"]["digest"] == b["code"]["digest"],
        )


def cause_of(move: Move, reason: str | None, proof: Proof, between: Between) -> str:
    """What made a post go or come, of which one version says this; the first answer that the records bear out."""
    if proof == "unrecorded":
        return "UNRECORDED"
    if between.same_inputs and between.cutoff == "same":
        return "POLICY_CHANGE" if between.ways else _without_facts(between)
    if proof in {"absent", "copy"}:
        return "ANOTHER_COPY" if proof == "copy" else "NEW_POST" if move == "come" else "POST_GONE"
    leans = {"different", "stricter" if move == "gone" else "laxer"}
    if proof != "strange" and between.ways.get(reason or "", set()) & leans:
        return "POLICY_CHANGE"
    return _fact(move, reason or "", proof, between) or _without_facts(between)


def _without_facts(between: Between) -> str:
    return "UNEXPLAINED" if between.same_code else "CODE_CHANGE"


def _fact(move: Move, reason: str, proof: Proof, between: Between) -> str | None:
    """The fact that changed; None where none can have."""
    if move == "come" and reason in _ENDED and between.cutoff == "later":
        return _ENDED[reason]
    if move == "gone" and reason in _ENDED and between.cutoff == "earlier":
        return "CUTOFF_MOVED"
    if reason in _OBJECTIONS | _REQUESTS:
        return _objection(move, reason in _REQUESTS, proof)
    return "RESTORED" if (move, reason) == ("come", "DELETED") else _FACTS.get(reason)


def _objection(move: Move, is_request: bool, proof: Proof) -> str:
    """What became of the objection or request that decided, by whether the version that has the post knows it."""
    if proof == "none":
        return "UNDATED_OBJECTION"
    if is_request:
        return "NEW_REQUEST" if move == "gone" else "REQUEST_ENDED"
    if proof == "strange":
        return "NEW_OBJECTION" if move == "gone" else "OBJECTION_MISSING"
    return "OBJECTION_WITHDRAWN" if (move, proof) == ("come", "listed") else "OBJECTION_REACH"


def _pins(said: Row) -> list[tuple[Any, ...]]:
    return sorted((pin["table"], pin["id"], pin["version"]) for pin in said["inputs"])


def _ways(before: Row, after: Row) -> dict[str, set[str]]:
    """By reason, which ways the policy leans that changed about it; values as statements have them."""
    from corpus.policy_words import lines

    found: dict[str, set[str]] = {}
    for line in lines():
        lean = _lean(line, before, after) if line.key and line.moves else "same"
        if lean != "same":
            for name in {*line.rules, *_BESIDE.get(line.key, ())}:
                found.setdefault(name, set()).add(lean)
    for name, is_off in _switched(before, after):
        found.setdefault(name, set()).add("laxer" if is_off else "stricter")
    return found


def _lean(line: Line, before: Row, after: Row) -> str:
    """Which way a key leans; merely different where a country has it changed, or one of the policies has it not."""
    from corpus.policy_words import way

    if _local(before, line.key) != _local(after, line.key):
        return "different"
    a, b = (_under(values, line.key) for values in (before, after))
    return way(line, a, b) if a == b or (a is not None and b is not None) else "different"


def _under(values: Row, key: str) -> Any:
    """What a policy's values say under a key with dots, numbers as numbers; None where they have no such key."""
    found: Any = values
    for name in key.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    try:
        return float(found) if isinstance(found, str) else found
    except ValueError:
        return found


def _local(values: Row, key: str) -> dict[str, Any]:
    own = {code: _under(local, key) for code, local in values.get("per_country", {}).items()}
    return {code: value for code, value in own.items() if value is not None}


def _switched(before: Row, after: Row) -> Iterator[tuple[str, bool]]:
    """The rules that only one of the policies switches off, and whether they are off now."""
    a, b = ({off["rule"] for off in values.get("rules_off", [])} for values in (before, after))
    yield from ((name, name in b) for name in sorted(a ^ b))
