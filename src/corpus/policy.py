"""The policy: what a dataset is for, whom it may include and how strictly. One TOML file, complete, every key known.

The defaults here are the strict ones; whatever a file says otherwise is a departure that the statement repeats.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import rfc8785
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, StringConstraints

from corpus.config import Part, read_toml, validated
from corpus.errors import ConfigError, nearest
from corpus.reasons import Reason

GATES = (
    "FEED_STALE",
    "FEED_INCOMPLETE",
    "OBJECTIONS_EMPTY",
    "OBJECTIONS_SHRANK",
    "OBJECTION_UNRESOLVED",
    "INPUT_NOT_PINNED",
    "CUTOFF_IN_FUTURE",
    "KEY_INTEGRITY",
    "GOVERNANCE_MISSING",
    "RELEASE_LAG",
    "EXCLUSION_ANOMALY",
)
"""Every gate, in the order in which they are checked."""

INDISPENSABLE = (Reason.PROFILE_MISSING.name, Reason.POST_CONFLICT.name)
"""Rules that no policy can switch off."""


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError) as unknown:
        raise ValueError(f"'{name}' is not a time zone; use an IANA name such as Europe/London") from unknown
    return name


def _in_utc(instant: datetime) -> datetime:
    return instant.astimezone(UTC)


def _similarity(value: object) -> object:
    if value is False or (isinstance(value, (int, float)) and value is not True and 0 < value < 1):
        return value
    raise ValueError(
        "a similarity lies between 0 and 1, without either; false switches the rule off, and equal texts are the "
        "matter of 'exact'"
    )


Lower = Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, min_length=1)]
Country = Annotated[str, StringConstraints(strip_whitespace=True, to_upper=True, pattern=r"^[A-Z]{2}$")]
Zone = Annotated[str, AfterValidator(_time_zone)]
Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]
Because = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3)]
Similarity = Annotated[Literal[False] | float, BeforeValidator(_similarity)]
Share = Annotated[float, Field(ge=0, le=1)]


class Outage(Part):
    """A time in which people could not object; without `to` it still lasts."""

    from_: Instant = Field(alias="from")
    to: Instant | None = None


class Notice(Part):
    """How people are told, and how long they have to object, in local days."""

    campaign: Lower
    version: int
    channels: list[Lower]
    window_days: int = Field(ge=0)
    outages: list[Outage] = []


class Objections(Part):
    """How far an objection reaches."""

    temporal_scope: Literal["all", "after"] = "all"
    linked: Literal["sticky", "off"] = "sticky"
    same_person: bool = True
    rejected_counts: bool = True
    rulings: list[str] = []
    withdrawal_cooling_days: int = Field(default=14, ge=0)
    objected_period: Literal["exclude", "keep"] = "exclude"


class ThirdParties(Part):
    """What becomes of posts that concern other people than their author."""

    mentions: Literal["exclude", "keep"] = "exclude"
    tags: Literal["exclude", "keep"] = "exclude"
    coauthors: Literal["all", "keep"] = "all"
    private_commenters: Literal["exclude", "keep"] = "exclude"
    republished_days: int = Field(default=30, ge=0)


class ObjectorCopies(Part):
    """Whether others' posts that repeat an objector's words stay out."""

    exact: bool = True
    near: Similarity = 0.85
    min_tokens: int = Field(default=8, ge=1)
    min_authors: int = Field(default=5, ge=1)


class Dedup(Part):
    """Which posts count as the same text."""

    exact: bool = True
    near: Similarity = 0.8
    shingle_words: int = Field(default=2, ge=1)
    seed: int = 1


class Gates(Part):
    """The limits beyond which a build is refused."""

    max_age_hours: dict[str, float] = {"objections": 24, "requests": 24, "posts": 48, "profiles": 72}
    unresolved_share: Share = 0.001
    key_conflict_share: Share = 0.0001
    exclusion_swing: float = Field(default=0.5, ge=0)
    release_lag_hours: float = Field(default=24, ge=0)


class Dpia(Part):
    """The data protection impact assessment and the last day before which it counts."""

    id: str = ""
    expires: date | None = None


class Lia(Part):
    """The legitimate interests assessment."""

    id: str = ""


class Governance(Part):
    """Who answers for this dataset; an empty field refuses every build."""

    dpia: Dpia = Dpia()
    lia: Lia = Lia()
    approved_by: str = ""
    approved_on: date | None = None


class Local(Part):
    """What differs in one country."""

    timezone: Zone | None = None
    adult_age: int | None = Field(default=None, ge=0)
    notice: Notice | None = None


class Use(Part):
    """When a version may no longer be handed out."""

    stale_hours: float = Field(default=24, ge=0)
    expires_days: int = Field(default=3650, ge=0)


class RuleOff(Part):
    """A rule that is not applied, and why."""

    rule: str
    because: Because


class GateOff(Part):
    """A gate that is not applied, and why."""

    gate: str
    because: Because


class Accepted(Part):
    """An objection that resolves to nobody and is accepted as it is, and why."""

    objection_id: str
    because: Because


class Policy(Part):
    """Everything that a build needs to know of the law, the country and the platform; see the contract for each key."""

    name: Lower
    countries: list[Country]
    timezone: Zone
    platforms: list[Lower]
    surfaces: list[Lower]
    account_types: list[Lower]
    purpose: Lower
    window_start: Instant
    adult_age: int = Field(default=18, ge=0)
    age_basis: Literal["cutoff_and_post", "cutoff"] = "cutoff_and_post"
    notice: Notice
    objections: Objections = Objections()
    third_parties: ThirdParties = ThirdParties()
    objector_copies: ObjectorCopies = ObjectorCopies()
    edited_after_cutoff: Literal["exclude", "latest"] = "exclude"
    clock_skew_minutes: float = Field(default=5, ge=0)
    dedup: Dedup = Dedup()
    gates: Gates = Gates()
    governance: Governance = Governance()
    per_country: dict[Country, Local] = {}
    retention_days: int = Field(default=3650, ge=7)
    honour_within_hours: float = Field(default=72, ge=0)
    use: Use = Use()
    rules_off: list[RuleOff] = []
    gates_off: list[GateOff] = []

    @property
    def digest(self) -> str:
        """SHA-256 of the policy's canonical JSON (RFC 8785), defaults written out.

        Two files that mean the same agree.
        """
        return sha256(rfc8785.dumps(self.as_json())).hexdigest()

    def as_json(self) -> dict[str, Any]:
        """The policy with every default written out, as JSON values."""
        shown: dict[str, Any] = self.model_dump(mode="json", by_alias=True)
        return shown

    def in_country(self, country: str) -> Policy:
        """The policy as it holds in one country: its own time zone, adult age and notice where it has them."""
        own = self.per_country.get(country, Local())
        return self.model_copy(update={key: value for key, value in own if value is not None})

    @property
    def switched_off(self) -> dict[str, str]:
        """The rules and gates that it switches off, with its reasons."""
        return {off.rule: off.because for off in self.rules_off} | {off.gate: off.because for off in self.gates_off}

    def is_off(self, reason: Reason) -> bool:
        """Whether the policy switches this rule off by name."""
        return reason.name in self.switched_off

    def gate_is_off(self, gate: str) -> str | None:
        """Why the policy switches this gate off; None if it does not."""
        return self.switched_off.get(gate)


class Clock(Part):
    """The two instants of a build: posts created before `cutoff` are in its window; `now` is when it started."""

    cutoff: Instant
    now: Instant

    def before(self, **gap: float) -> datetime:
        """The instant that lies so long before the cutoff, in days, hours or minutes."""
        return self.cutoff - timedelta(**gap)


def read_policy(path: Path) -> Policy:
    """The policy in a TOML file.

    Raises ConfigError with the file, the key, what was found and what was expected.
    """
    return as_policy(read_toml(path, "policy"), str(path))


def as_policy(tables: dict[str, Any], where: str) -> Policy:
    """The policy that these tables say. Raises ConfigError; `where` names them in its message."""
    policy = validated(Policy, tables, f"The policy {where}")
    _check_known((off.rule for off in policy.rules_off), Reason.__members__, f"The policy {where} switches off a rule")
    _check_known((off.gate for off in policy.gates_off), GATES, f"The policy {where} switches off a gate")
    for off in policy.rules_off:
        if off.rule in INDISPENSABLE:
            raise ConfigError(
                f"The policy {where} switches off {off.rule}, without which no verdict is one: an author that nobody "
                "knows, or an id that stands for two posts. Mend the source instead."
            )
    return policy


def _check_known(names: Iterable[str], known: Collection[str], what: str) -> None:
    for name in names:
        if name not in known:
            raise ConfigError(f"{what} that does not exist: '{name}'{nearest(name, known)}.")
