"""Who uses a version: it is handed out only while it may be used, and the log says to whom, for what, and when."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from corpus.errors import ConfigError, DatasetError, UseRefused
from corpus.evidence.journal import (
    USE_FORMAT,
    Entry,
    append,
    entries,
    moment,
    of_kind,
    require_line,
    require_recorded,
)
from corpus.evidence.lease import lease
from corpus.staleness import hours_since_knowledge, unknown_to
from corpus.versions import Row, Version, build_at, literal, opened, select, versions

# ruff: noqa: S608, PLC0415 (literals in the SQL; what signs is loaded by who signs)

if TYPE_CHECKING:
    from corpus.policy import Use as RulesOfUse


@dataclass(frozen=True)
class Asked:
    """Who wants a version, for what, and who allowed it. Raises ConfigError for what cannot stand in a log."""

    run: str
    purpose: str
    approved_by: str

    def __post_init__(self) -> None:
        for name, text in vars(self).items():
            require_line(text, f"--{name.replace('_', '-')}")


@dataclass(frozen=True)
class Handed:
    """A version that a run may read, and the entry of the log that says so; `was_there` if it had it before."""

    version: str
    path: str
    number: int
    purpose: str
    entry: Entry
    was_there: bool

    @property
    def sql(self) -> str:
        """What opens exactly this version."""
        return f"SELECT * FROM delta.`{self.path}` VERSION AS OF {self.number}"


@dataclass(frozen=True)
class Use:
    """One use: which run read which version, for what, allowed by whom, when; `is_recalled` if the version is now.

    Of a person: how many documents of theirs it held, and how many posts of others with words of theirs.
    """

    version: str
    run: str
    purpose: str
    approved_by: str
    at: str
    is_recalled: bool
    documents: int | None = None
    through_others: int | None = None


def hand_out(  # noqa: PLR0913, PLR0917 (which version, to whom, signed by what, when)
    warehouse: Path, dataset: str, number: int, asked: Asked, signing_key: Path | str, now: datetime, wait: float = 600
) -> Handed:
    """Logs a use of a version and hands it out, once for each run and version.

    Raises UseRefused for a version that is not sealed, is recalled, expired or stale; of these, staleness does not
    take a version from a run that has it.
    """
    from corpus.evidence.keys import signer_of

    version, folder = build_at(versions(warehouse, dataset), number), (warehouse / dataset).absolute()
    signer = signer_of(folder, signing_key)
    with lease(folder, f"corpus use, for {asked.run}", wait):
        known = entries(folder)
        said = _usable(folder, version, known, now)
        earlier = [entry for entry in of_kind(known, "use", number) if entry["run"] == asked.run]
        if earlier:
            entry = _same(version, earlier[0], asked)
        else:
            _require_fresh(version, said, now)
            own = {"dataset": dataset, "version": str(number), "at": moment(now)}
            entry = {"kind": "use", "format": USE_FORMAT, **own, **vars(asked)}
            append(folder, entry, signer)
    purpose = str(said["policy"]["values"]["purpose"])
    return Handed(version.name, f"{folder}/snapshot", number, purpose, entry, was_there=bool(earlier))


def _usable(folder: Path, version: Version, known: list[Entry], now: datetime) -> Row:
    """What the version's statement says. Raises UseRefused where it is not sealed, is recalled, or has expired."""
    if version.statement is None:
        raise UseRefused(f"{version.name} is not sealed: its build was cut short. Run `corpus seal {version.dataset}`.")
    try:
        said: Row = require_recorded(folder, version.number, known)["predicate"]
    except DatasetError as unsealed:
        raise UseRefused(f"{unsealed} Run `corpus seal {version.dataset}`; it completes it, or says why not.") from None
    recalled = of_kind(known, "recall", version.number)
    if recalled:
        objections, at = recalled[-1]["objections"], recalled[-1]["at"]
        raise UseRefused(
            f"{version.name} was recalled at {at}: it holds posts of people who objected since ({objections} "
            f"objections). Use a later version; `corpus log {version.dataset}` lists them."
        )
    end = datetime.fromisoformat(said["released_at"]) + timedelta(days=_rules_of_use(said).expires_days)
    if now >= end:
        raise UseRefused(f"{version.name} expired at {moment(end)}, by its policy's use.expires_days. Build a new one.")
    return said


def _rules_of_use(said: Row) -> RulesOfUse:
    from corpus.audit.pinned import policy_of  # brings DuckDB, which takes longer to load than most look-ups take

    return policy_of(said).use


def _require_fresh(version: Version, said: Row, now: datetime) -> None:
    """Raises UseRefused if the version's knowledge is older than the policy allows, and people have spoken since."""
    limit, hours = _rules_of_use(said).stale_hours, hours_since_knowledge(said, now)
    unknown = unknown_to(said) if hours > limit else []
    if unknown:
        raise UseRefused(
            f"{version.name} is stale: it knows what people had said by {said['now']}, {hours:.1f} hours ago, where "
            f"its policy allows {limit:g}; and {'; '.join(unknown)}. Build a new version, and use that."
        )


def _same(version: Version, earlier: Entry, asked: Asked) -> Entry:
    """The use that a run has already. Raises ConfigError if it was for something else, or allowed by somebody else."""
    if any(earlier[name] != text for name, text in vars(asked).items()):
        raise ConfigError(
            f"The run {asked.run} has {version.name} for '{earlier['purpose']}', approved by "
            f"'{earlier['approved_by']}', since {earlier['at']}. Another use needs a run of another name."
        )
    return earlier


def uses(warehouse: Path, dataset: str, number: int | None = None, run: str | None = None) -> list[Use]:
    """The uses of a dataset's versions, of one version or by one run, oldest first. Raises DatasetError."""
    known = versions(warehouse, dataset)
    if number is not None:
        build_at(known, number)
    found = entries(warehouse / dataset)
    recalled = {entry["version"] for entry in of_kind(found, "recall")}
    logged = of_kind(found, "use", number)
    return [_use(entry, recalled) for entry in logged if run is None or entry["run"] == run]


def uses_of_account(warehouse: Path, dataset: str, account: str, number: int | None = None) -> list[Use]:
    """The uses of versions that held documents of an account, or its words through another's post; restricted."""
    found = entries(warehouse / dataset)
    logged = of_kind(found, "use", number)
    held = _held(warehouse, dataset, {int(entry["version"]) for entry in logged}, account.strip())
    recalled = {entry["version"] for entry in of_kind(found, "recall")}
    return [_use(entry, recalled, *held[int(entry["version"])]) for entry in logged if any(held[int(entry["version"])])]


def _use(entry: Entry, recalled: set[str], documents: int | None = None, through: int | None = None) -> Use:
    said = {name: entry[name] for name in ("run", "purpose", "approved_by", "at")}
    name, is_recalled = f"{entry['dataset']}@{entry['version']}", entry["version"] in recalled
    return Use(name, **said, is_recalled=is_recalled, documents=documents, through_others=through)


def _held(warehouse: Path, dataset: str, used: set[int], account: str) -> dict[int, tuple[int, int]]:
    """By version, how many documents are an account's, and how many of others stand for posts of it."""
    builds = [version for version in versions(warehouse, dataset) if version.number in used]
    if not builds:
        return {}
    tables, wanted = opened(warehouse / dataset, m="members", x="exclusions"), literal(account)
    numbered = as_table(builds)
    own = select(tables, dataset, f"""WITH {numbered} SELECT b.number, count(DISTINCT m.doc_id) AS n
        FROM m JOIN b ON b.build_id = m.build_id WHERE m.account_id = {wanted} GROUP BY b.number""")  # fmt: skip
    through = select(tables, dataset, f"""WITH {numbered} SELECT b.number, count(DISTINCT x.kept_instead) AS n
        FROM x JOIN b ON b.build_id = x.build_id WHERE x.account_id = {wanted} AND x.kept_instead IS NOT NULL
        GROUP BY b.number""")  # fmt: skip
    counts = [Counter({row["number"]: row["n"] for row in rows}) for rows in (own, through)]
    return {number: (counts[0][number], counts[1][number]) for number in used}


def as_table(builds: list[Version]) -> str:
    """The builds as a table of SQL, `b`: build_id and number."""
    rows = ", ".join(f"({literal(version.build_id)}, {version.number:d})" for version in builds)
    return f"b AS (SELECT column1 AS build_id, column2 AS number FROM (VALUES {rows}))"
