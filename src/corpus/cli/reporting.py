"""The command that writes a report for people who do not type commands: no JVM, and no name of a person in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from corpus.cli.options import HERE, Json, Warehouse, app

# ruff: noqa: PLC0415 (each command imports what it needs: reading starts no JVM and loads no pyspark)


@app.command()
def report(
    version: Annotated[str, typer.Argument(metavar="DATASET[@N]")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The HTML file to write.")],
    warehouse: Warehouse = HERE,
    json: Json = False,
) -> None:
    """Write what a version is for a privacy officer: one HTML file with pictures, in plain words.

    Example: corpus report uk-social@3 -o report.html
    """
    from corpus import render
    from corpus.report import write_report
    from corpus.versions import parse_reference

    name = write_report(warehouse, *parse_reference(version), out)
    render.as_json({"version": name, "file": out}) if json else render.say(f"{name} is reported in {out}")
