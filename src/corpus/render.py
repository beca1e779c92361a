"""How answers look: tables with rich on a terminal, aligned plain text elsewhere, JSON for programs.

Whatever comes from people's posts is made harmless first: a post cannot move the cursor or colour the screen.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, is_dataclass
from difflib import SequenceMatcher
from itertools import pairwise
from textwrap import shorten
from typing import Any

from corpus.query import Change, Diff, Verdict, meaning
from corpus.versions import Version

# ruff: noqa: PLC0415 (rich is loaded only where there is a terminal)

WORDS_SHOWN = 400
"""Of two texts side by side."""

_JOINERS = "\u200c\u200d\u00a0"
"""Not printable by Python's rule, and harmless: they hold emoji and some scripts together."""


def clean(text: object) -> str:
    r"""The text on one line, with every control and invisible character spelt out.

    >>> print(clean("red \x1b[31m and\nnew line"))
    red \x1b[31m and\nnew line
    """
    shown = "" if text is None else f"{text:,}" if type(text) is int else str(text)
    return "".join(c if c.isprintable() or c in _JOINERS else ascii(c)[1:-1] for c in shown)


def say(text: str = "", style: str = "") -> None:
    """One line on stdout."""
    if not sys.stdout.isatty():
        print(clean(text))
        return
    from rich.console import Console
    from rich.text import Text

    Console(highlight=False).print(Text(clean(text), style=style), soft_wrap=True)


def tell(headers: Sequence[str], rows: Iterable[Sequence[object]], numbers: Sequence[str] = ()) -> None:
    """A table on stdout; the columns named in `numbers` stand to the right."""
    cells = [[clean(cell) for cell in row] for row in rows]
    right = [header in numbers for header in headers]
    if sys.stdout.isatty():
        _tell_richly(headers, cells, right)
        return
    for line in aligned([list(headers), *cells] if any(headers) else cells, right):
        print(line)


def _tell_richly(headers: Sequence[str], cells: list[list[str]], right: list[bool]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold underline", padding=(0, 2, 0, 0), show_header=any(headers))
    for header, to_right in zip(headers, right, strict=True):
        table.add_column(header, justify="right" if to_right else "left", overflow="fold")
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    Console(highlight=False).print(table)


def aligned(lines: list[list[str]], right: list[bool]) -> list[str]:
    """Cells padded so that columns stand under each other.

    >>> aligned([["reason", "posts"], ["OBJECTED", "12"]], [False, True])
    ['reason    posts', 'OBJECTED     12']
    """
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = (
        [cell.rjust(n) if to_right else cell.ljust(n) for cell, n, to_right in zip(line, widths, right, strict=True)]
        for line in lines
    )
    return ["  ".join(line).rstrip() for line in padded]


def as_json(answer: Any) -> None:
    """The answer as JSON on stdout, in ASCII, so that nothing in it can reach the terminal."""
    print(json.dumps(answer, indent=2, default=_plain))


def _plain(value: object) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)


def log(versions: list[Version]) -> None:
    """One line per version, newest first."""
    builds = [version for version in versions if version.rows is not None]
    before = {version.number: earlier.rows for earlier, version in pairwise(builds)}
    headers = ("version", "released, UTC", "cutoff, UTC", "rows", "change", "policy")
    rows = [
        (v.name, _minute(v.released_at), _minute(v.cutoff), v.rows, _signed(v, before), _policy_or_else(v))
        for v in reversed(versions)
    ]
    tell(headers, rows, numbers=("rows", "change"))


def _minute(instant: str | None) -> str:
    """A time of the statement, to the minute, as people read it."""
    return (instant or "")[:16].replace("T", " ")


def _signed(version: Version, before: dict[int, int | None]) -> str:
    earlier = before.get(version.number)
    return "" if earlier is None or version.rows is None else f"{version.rows - earlier:+,}"


def _policy_or_else(version: Version) -> str:
    """The policy of a build; what else a version is, if it is none."""
    kinds = {"empty": "(empty beginning)", "unsealed": "(cut short: no statement)"}
    return version.policy or kinds.get(version.kind, f"(maintenance: {version.operation})")


def show(version: Version) -> None:
    """What a version is: inputs, clocks, policy, departures, and the funnel of reasons."""
    said = version.predicate
    say(version.name, style="bold")
    tell(("", ""), [
        ("cutoff", said["cutoff"]),
        ("started", said["now"]),
        ("released", said["released_at"]),
        ("policy", said["policy"]["name"]),
        ("  sha256", said["policy"]["digest"]),
        ("build", f"{said['build_id']}, on version {said['base_version']}, code {said['code']['version']}"),
        ("rows", kept(said)),
        ("  sha256", said["snapshot"]["digest"]),
    ])  # fmt: skip
    _show_inputs(said["inputs"])
    _show_notes(said)
    say()
    funnel(said)


def kept(said: dict[str, Any]) -> str:
    """How many posts were judged, and what became of them."""
    counts = said["funnel"]
    return f"{_n(counts['kept'])} kept of {_n(counts['posts'])} posts, {_n(counts['excluded'])} left out"


def _n(count: str) -> str:
    return f"{int(count):,}"


def _show_inputs(inputs: list[dict[str, Any]]) -> None:
    headers = ("input", "version", "rows", "committed, UTC", "opens until", "where")
    say()
    tell(headers, [_input(pin) for pin in inputs], numbers=("version", "rows"))


def _input(pin: dict[str, Any]) -> tuple[object, ...]:
    times = (_minute(pin["committed_at"]), _minute(pin["opens_until"]) or "not known")
    return (pin["table"], int(pin["version"]), int(pin["rows"]), *times, pin["location"])


def departures(said: dict[str, Any]) -> list[str]:
    """Every rule and gate that this build went without, with the reason given."""
    rules = [f"rule {off['rule']} is off: {off['because']}" for off in said["policy"]["values"].get("rules_off", [])]
    gates = [gate for gate in said["gates"] if gate["outcome"] not in {"passed", "refused"}]
    return rules + [f"gate {gate['gate']} is {_outcome(gate)}" for gate in gates]


def _outcome(gate: dict[str, Any]) -> str:
    because = f": {gate['because']}" if gate.get("because") else ""
    return f"{gate['outcome'].replace('_', ' ')}{because}"


def _show_notes(said: dict[str, Any]) -> None:
    """Departures, the rules that had nothing to judge by, and what was not compared in full."""
    notes = departures(said)
    notes += [f"{name} has no data to judge by, so it leaves every post out" for name in said["without_data"]]
    capped = int(said["funnel"].get("capped", 0))
    notes += [f"{capped:,} posts resemble so many that they were compared with a few only"] if capped else []
    if notes:
        say()
        tell(("departures and gaps",), [(note,) for note in notes])


def funnel(said: dict[str, Any], most: int | None = None) -> None:
    """Why posts were left out, the commonest reason first: as the first reason of a post, and wherever it occurs."""
    first, wherever = said["funnel"]["primary"], said["funnel"]["any"]
    names = sorted(wherever, key=lambda name: (-int(first.get(name, 0)), -int(wherever[name])))
    rows = [(name, int(first.get(name, 0)), int(wherever[name]), meaning(name)) for name in names]
    tell(("left out because", "first", "in all", "what it means"), rows[:most], numbers=("first", "in all"))


def diff(answer: Diff, with_text: bool = False) -> None:
    """What came and went, by cause; the counts add up."""
    away, come = answer.total("removed"), answer.total("added")
    before, after = f"{answer.before}: {answer.rows_before:,}", f"{answer.after}: {answer.rows_after:,}"
    say(f"{before} documents - {away:,} removed + {come:,} added = {after} documents")
    say()
    headers = ("", "cause", "documents", "what it means")
    tell(headers, [(c.side, c.cause, c.documents, c.meaning) for c in answer.changes], numbers=("documents",))
    shown = [_sample(change, sample, with_text) for change in answer.changes for sample in change.samples]
    if shown:
        say()
        tell(("", "for example", "post", "document", *(["text"] if with_text else [])), shown)


def _sample(change: Change, sample: dict[str, Any], with_text: bool) -> tuple[object, ...]:
    text = shorten(sample["text"] or "", 200, placeholder=" …")
    return (change.side, change.cause, sample["post_id"], sample["doc_id"], *([text] if with_text else []))


def why(verdicts: list[Verdict]) -> None:
    """What the version asked for says of a post, and where it stands in the others."""
    asked, *others = verdicts
    say(_headline(asked), style="bold")
    _why_in(asked) if asked.place == "in" else _why_out(asked)
    if asked.place == "unknown" and all(other.place == "unknown" for other in others):
        say("No version of the dataset has judged a post with this id.")
    elif others:
        say()
        tell(("other versions", "", "first reason"), [(v.version, v.place, v.primary_reason) for v in others])


def _headline(verdict: Verdict) -> str:
    said = {"in": "is in", "out": "is left out of", "unknown": "is not among the posts judged for"}[verdict.place]
    return f"Post {verdict.post_id} {said} {verdict.version}"


def _why_in(verdict: Verdict) -> None:
    row, shown = verdict.document or {}, ("doc_id", "platform", "surface", "lang", "created_on", "copies", "text")
    tell(("", ""), [(key, row[key]) for key in shown])


def _why_out(verdict: Verdict) -> None:
    if verdict.reasons:
        order = sorted(verdict.reasons, key=lambda name: name != verdict.primary_reason)
        tell(("because", ""), [(name, meaning(name)) for name in order])
    if verdict.grounds:
        tell(("by", "", ""), [(g["reason"], f"{g['ground']} {g['ground_id']}", about(g)) for g in verdict.grounds])
    if verdict.kept_instead:
        alike = f" (similarity {verdict.similarity:.2f})" if verdict.similarity is not None else ""
        say(f"kept instead: {verdict.kept_instead}{alike}")
    if verdict.texts:
        tell(("", "this post", "kept instead"), differences(*verdict.texts))


def about(ground: dict[str, Any]) -> str:
    """The platform and the time that an objection is about, where they have bounds."""
    times = [f"{word} {str(ground[key])[:16]}" for word, key in (("from", "since"), ("to", "until")) if ground[key]]
    return " ".join([f"on {ground['platform']}"] * bool(ground["platform"]) + times)


def differences(one: str, other: str) -> list[tuple[str, str, str]]:
    """Two texts side by side, a row for each run of words that they share or that is marked because they do not.

    >>> differences("rain in Leeds today", "rain in York today")
    [('', 'rain in', 'rain in'), ('≠', 'Leeds', 'York'), ('', 'today', 'today')]
    """
    ours, theirs = one.split()[:WORDS_SHOWN], other.split()[:WORDS_SHOWN]
    runs = SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes()
    return [("" if run == "equal" else "≠", " ".join(ours[a:b]), " ".join(theirs[c:d])) for run, a, b, c, d in runs]
