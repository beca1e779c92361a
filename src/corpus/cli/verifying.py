"""The command that checks everything that a dataset's evidence says, without a JVM."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from corpus.cli.logs import text_of
from corpus.cli.options import HERE, Json, OrNewest, Warehouse, app
from corpus.errors import ConfigError, DatasetError

# ruff: noqa: PLC0415 (each command imports what it needs)
# ruff: noqa: PLR0913, PLR0917 (an option is a parameter)

if TYPE_CHECKING:
    from corpus.verification.findings import Finding, Report


@app.command()
def verify(
    dataset: OrNewest,
    key: Annotated[
        Path | None,
        typer.Option(envvar="CORPUS_KEY", help="The dataset's key: the trees are derived again from ids and rows."),
    ] = None,
    public: Annotated[
        Path | None, typer.Option(metavar="PEM", help="The dataset's public key, kept elsewhere.")
    ] = None,
    since: Annotated[
        Path | None, typer.Option(metavar="CHECKPOINT", help="An older checkpoint of the log, kept elsewhere.")
    ] = None,
    export: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="An export of the version: its manifest, files and rows.")
    ] = None,
    memory: Annotated[str, typer.Option(help="How much memory to take before writing to a temporary folder.")] = "2GB",
    warehouse: Warehouse = HERE,
    json: Json = False,
) -> None:
    """Check files, rows, trees, statements, log and history against what was signed; exit code 8 if one differs.

    Example: corpus verify uk-social@3 --public kept.pem --since kept.checkpoint
    """
    from datetime import UTC, datetime

    from corpus import render
    from corpus.progress import shown_on_a_terminal
    from corpus.verification.whole import verify as run
    from corpus.versions import parse_reference

    name, number = parse_reference(dataset)
    if export and number is None:
        raise ConfigError(f"--export is of one version: write {name}@N.")
    kept = text_of(since) if since else None
    with shown_on_a_terminal():
        found = run(warehouse, name, number, datetime.now(UTC), key, _public(public), kept, memory, export)
    render.as_json(as_json(found)) if json else tell(found)
    found.require_none_failed()


def tell(report: Report) -> None:
    """A line for each check, what failed in full, and how many there are of each kind."""
    from corpus import render

    of_each = {outcome: len(report.of(outcome)) for outcome in ("passed", "FAILED", "not checked")}
    render.tell(("", "of", "check", "found"), [(f.outcome, f.about, f.check, f.found) for f in report.findings])
    for each in report.of("FAILED"):
        render.say()
        render.say(f"FAILED: {each.check} of {each.about}", style="bold red")
        lines = (("found", each.found), ("expected", each.expected), ("meaning", each.means), ("to do", each.to_do))
        for what, text in lines:
            if text:
                render.say(f"  {what + ':':10}{text}")
    render.say()
    render.say(f"{report.dataset}: {of_each['passed']} checks passed, {of_each['FAILED']} failed, "
               f"{of_each['not checked']} could not be made.", style="bold")  # fmt: skip
    if of_each["not checked"]:
        render.say("What was not checked is not thereby right; each line above says what it needs.")


def as_json(report: Report) -> dict[str, Any]:
    """The report for programs: counts, and every finding with its meaning."""
    counts = {name: len(report.of(outcome)) for name, outcome in _COUNTED}
    return {"dataset": report.dataset, **counts, "findings": [_as_row(finding) for finding in report.findings]}


_COUNTED: tuple[tuple[str, Any], ...] = (("passed", "passed"), ("failed", "FAILED"), ("not_checked", "not checked"))


def _as_row(finding: Finding) -> dict[str, str]:
    names = ("check", "about", "outcome", "found", "expected", "means", "to_do")
    return {name: getattr(finding, name) for name in names}


def _public(place: Path | None) -> bytes | None:
    from corpus.evidence.keys import read_public

    try:
        return read_public(place) if place else None
    except DatasetError as wrong:
        raise ConfigError(f"--public: {wrong}") from None
