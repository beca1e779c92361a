"""What a report says of a version: its statement, its log and its tables, counted, and made safe to show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from corpus.audit.pinned import policy_of
from corpus.causes import CAUSES
from corpus.changes import diff
from corpus.errors import CorpusError, DatasetError
from corpus.evidence.journal import entries, of_kind, require_recorded
from corpus.evidence.keys import id_of, public_key
from corpus.evidence.log import checkpoint
from corpus.evidence.store import digest_of, log_folder
from corpus.exports.figures import suppressed
from corpus.funnel_shown import shown_funnel
from corpus.policy import Policy
from corpus.policy_changes import Change
from corpus.policy_changes import changes as policy_changes
from corpus.policy_explained import explained
from corpus.policy_words import lines, named, sentence, value_of
from corpus.query import show
from corpus.receipts import as_timed, objections
from corpus.report.counts import by_stage, merged, over_time, safe, safe_moves, small, stage_counts
from corpus.versions import Row, Version, literal, opened, select, versions

# ruff: noqa: S608 (the names in the SQL are our own, the values literals)

NOTICE = ("NOTICE_NOT_DELIVERED", "NOTICE_SUPERSEDED", "WINDOW_OPEN", "COUNTRY_CHANGED")
WAITS = {"within a day": 24, "within three days": 72, "within a week": 168, "within a month (30 days)": 720}
LATER, UNKNOWN = "later", "time of receipt not known"
OUTCOMES = {
    "passed": "passed",
    "at_release": "passed when the version was released",
    "off": "switched off by the policy",
    "overridden": "overridden for this version",
}
INPUTS = {
    "posts": "posts",
    "profiles": "profiles of accounts",
    "objections": "objections and withdrawals",
    "links": "accounts managed together",
    "notices": "notices sent to people",
    "requests": "requests for erasure, restriction or removal",
    "feeds": "what each delivery says of itself",
}


def gathered(warehouse: Path, dataset: str, number: int | None) -> Row:
    """All that a report says, by section. Raises DatasetError for a version that is not sealed or was changed."""
    version, folder = show(warehouse, dataset, number), warehouse / dataset
    log = entries(folder)
    said = require_recorded(folder, version.number, log)["predicate"]
    policy, funnel = policy_of(said), _funnel(said)
    builds = [each for each in versions(warehouse, dataset) if each.statement and each.number <= version.number]
    return {
        "version": version,
        "said": said,
        "policy": policy,
        "inputs": [*_inputs(said, funnel["totals"]["posts"].first)],
        "people": small(int(said["trees"]["persons"]["ids"])),
        "content": _content(folder, version),
        "funnel": funnel,
        "objections": _objections(warehouse, version, builds),
        "notice": _notice(folder, version),
        "changes": _changes(warehouse, builds),
        "gates": [*_gates(said, policy)],
        "departures": [*_departures(said, policy)],
        "explained": explained(policy),
        "uses": of_kind(log, "use", version.number),
        "recalls": of_kind(log, "recall", version.number),
        "evidence": _evidence(folder, version, len(log)),
    }  # fmt: skip


def _inputs(said: Row, judged: int | None) -> Iterator[Row]:
    """Each table with its rows; where it is hidden how many posts were judged, so are the rows of the posts."""
    for pin in said["inputs"]:
        rows = None if judged is None and pin["table"] == "posts" else small(int(pin["rows"]))
        yield pin | {"what": INPUTS.get(pin["table"], pin["table"]), "n": rows}


def _content(folder: Path, version: Version) -> Row:
    """Documents by platform, kind, language and time; of languages the commonest."""
    tables = opened(folder, s=("snapshot", version.number))
    counted = {
        title: _counts(select(tables, folder.name, f"""SELECT coalesce({column}, 'not known') AS name, count(*) AS n
            FROM s GROUP BY 1 ORDER BY n DESC, name"""))
        for title, column in (("platform", "platform"), ("kind of post", "surface"), ("language", "lang"))
    }  # fmt: skip
    months = _counts(select(tables, folder.name, "SELECT to_char(created_on, '%Y-%m') AS name, count(*) AS n "
                            "FROM s WHERE created_on IS NOT NULL GROUP BY 1"))  # fmt: skip
    return {"by": {title: suppressed(counts) for title, counts in counted.items()}, "times": merged(over_time(months))}


def _counts(rows: Iterable[Row]) -> dict[str, int]:
    return {row["name"]: row["n"] for row in rows}


def _funnel(said: Row) -> Row:
    """The totals, the reasons by stage, and the bars of the picture: all posts, what each stage takes, the rest."""
    shown = shown_funnel(said)
    totals, stages = {line.name: line for line in shown if line.kind == "total"}, by_stage(shown)
    counts = stage_counts(stages, totals["excluded"].first)
    whole = {"All posts that were judged": totals["posts"].first}
    bars = whole | counts | {"In this version": totals["kept"].first}
    return {"totals": totals, "stages": stages, "counts": counts, "bars": [*bars.items()]}


def _objections(warehouse: Path, version: Version, builds: list[Version]) -> Row:
    """What is known of objections: how many, how soon they were honoured, when they came, what became of them."""
    folder, build = warehouse / version.dataset, literal(version.build_id)
    tables = opened(folder, o="objections")
    found = objections(warehouse, version.dataset, version.number, most=1)
    since = builds[0].predicate["released_at"]
    waits = select(tables, folder.name, f"""WITH {as_timed(builds)} SELECT hours, count(*) AS n FROM timed
        WHERE received_at IS NULL OR received_at >= TIMESTAMP {literal(since)} GROUP BY hours""")  # fmt: skip
    by = {
        title: select(tables, folder.name, f"SELECT {column} AS name, count(*) AS n FROM o WHERE build_id = {build} "
                      "GROUP BY 1 ORDER BY n DESC, name")
        for title, column in (("status", "coalesce(status, 'not known')"),
                              ("month", "coalesce(to_char(received_at, '%Y-%m'), '')"))
    }  # fmt: skip
    late = {"late": found.late_count, "in time": found.timed - found.late_count, "unknown": found.count - found.timed}
    return {
        "known": small(found.count),
        "limit": found.limit_hours,
        "first_release": since,
        "all": safe(late),
        "times": found if small(found.timed) else None,
        "unresolved": safe({"nobody": found.unresolved_count, "somebody": found.count - found.unresolved_count}),
        "waits": safe(_waits(waits)),
        "status": suppressed(_counts(by["status"])),
        "months": merged(over_time(_near(_counts(by["month"]), version))),
    }


def _waits(rows: Iterable[Row]) -> dict[str, int]:
    """Objections by how long they waited."""
    found = dict.fromkeys((*WAITS, LATER, UNKNOWN), 0)
    for row in rows:
        known = next((name for name, most in WAITS.items() if (row["hours"] or 0) <= most), LATER)
        found[known if row["hours"] is not None else UNKNOWN] += row["n"]
    return found


def _near(months: dict[str, int], version: Version) -> dict[str, int]:
    """Months that a picture can show: whoever objects in the year 9999 is counted with the others."""
    year = int(version.predicate["cutoff"][:4])
    return {month: n for month, n in months.items() if month and year - 40 < int(month[:-3]) <= year + 1}


def _notice(folder: Path, version: Version) -> Row:
    """Accounts whose posts are left out first of all because they were not told, or not long ago enough."""
    names = ", ".join(map(literal, NOTICE))
    rows = select(opened(folder, x="exclusions"), folder.name, f"""SELECT primary_reason AS name,
        count(DISTINCT account_id) AS n FROM x WHERE build_id = {literal(version.build_id)}
        AND primary_reason IN ({names}) GROUP BY 1""")  # fmt: skip
    return safe(dict.fromkeys(NOTICE, 0) | _counts(rows))


def _changes(warehouse: Path, builds: list[Version]) -> Row | None:
    """What came and went since the version before; None of the first."""
    if len(builds) < 2:
        return None
    before, after = builds[-2:]
    found = diff(warehouse, after.dataset, (before.number, after.number), samples=1)
    sides: dict[str, Counter[str]] = {"removed": Counter(), "added": Counter()}
    for change in found.changes:
        sides[change.side][change.cause] += change.documents
    counts = safe_moves(*(dict(side.most_common()) for side in sides.values()))
    rows = [[(CAUSES[cause], cause, n) for cause, n in side.items()] for side in counts]
    policies = _policies(before.predicate, after.predicate)
    same_code = before.predicate["code"]["digest"] == after.predicate["code"]["digest"]
    return {"found": found, "sides": dict(zip(sides, rows, strict=True)), "policy": policies, "same_code": same_code}


def _policies(before: Row, after: Row) -> list[Change] | None:
    """What differs between two policies; None where the older one cannot be read by this program."""
    try:
        return policy_changes(policy_of(before), policy_of(after))
    except CorpusError:
        return None


def _gates(said: Row, policy: Policy) -> Iterator[Row]:
    """Each gate in words, and what became of it; its figures may name objections, so they stay in the statement."""
    words = {name: line for line in lines() for name in line.gates}
    for gate in said["gates"]:
        line = words.get(gate["gate"])
        says = sentence(line, value_of(policy, line.key)) if line else gate["gate"]
        passed = gate["outcome"] in {"passed", "at_release"}
        yield {"name": gate["gate"], "says": says, "outcome": OUTCOMES.get(gate["outcome"], gate["outcome"]),
               "passed": passed, "because": gate.get("because")}  # fmt: skip


def _departures(said: Row, policy: Policy) -> Iterator[tuple[str, str | None]]:
    """Where the version departs from the strict default, and the reason given for it."""
    for chapter in explained(policy).chapters.values():
        for part in chapter:
            for mark in part.marks:
                if mark.is_laxer:
                    yield f"{part.says} This {mark.says}", mark.because
    for gate in said["gates"]:
        if gate["outcome"] == "overridden":
            yield f"The gate “{gate['gate']}” was overridden for this version.", gate["because"]
    for name in said["without_data"]:
        yield f"There is no data to judge by for this rule, so it leaves every post out: {named(name)}.", None
    accepted = said.get("accepted", {})
    for each in accepted.get("anomalies", []):
        yield f"A jump in the numbers of {each['rule']} was accepted.", each["because"]
    for each in accepted.get("objections", []):
        yield "An objection that belongs to nobody that is known was accepted as it is.", each["because"]


def _evidence(folder: Path, version: Version, entries_: int) -> Row:
    """By what the version can be checked."""
    if version.statement is None:
        raise DatasetError(f"{version.name} has no statement.")
    return {
        "statement": digest_of(version.statement),
        "signer": id_of(public_key(folder)),
        "entries": entries_,
        "checkpoint": (checkpoint(log_folder(folder)) or "").strip(),
    }
