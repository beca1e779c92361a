"""The command line: what people type, and how answers and mistakes come back."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from corpus import __version__
from corpus.cli import (
    checking,
    examining,
    exporting,
    logs,
    looking,
    making,
    policies,
    proving,
    querying,
    reading,
    reporting,
    sealing,
    serving,
    using,
    verifying,
)
from corpus.cli.options import app
from corpus.errors import CorpusError

# ruff: noqa: PLC0415 (what a mistake looks like is loaded when there is one)

__all__ = [
    "app",
    "checking",
    "examining",
    "exporting",
    "logs",
    "looking",
    "main",
    "making",
    "policies",
    "proving",
    "querying",
    "reading",
    "reporting",
    "sealing",
    "serving",
    "using",
    "verifying",
]

READER_LEFT = 141
"""The exit code where whoever read our output went away, as `head` does: as if the signal for that had ended us."""


def main() -> None:
    """Run the command line; a mistake is told in a message without a traceback, and by the exit code."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        app()
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):
            sys.exit(READER_LEFT)
        raise
    except KeyboardInterrupt:
        print("corpus: stopped", file=sys.stderr)
        sys.exit(130)
    except CorpusError as mistake:
        from corpus.render import clean

        lines = (clean(line) for line in str(mistake).splitlines())
        print("corpus: " + "\n".join(lines), file=sys.stderr)
        sys.exit(mistake.exit_code)


def _tell_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _program(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version of this program."),
    ] = False,
) -> None:
    pass


@app.command()
def version() -> None:
    """The version of this program, as --version prints it.

    Example: corpus version
    """
    print(__version__)
