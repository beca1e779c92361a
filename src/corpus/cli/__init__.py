"""The command line: what people type, and how answers and mistakes come back."""

from __future__ import annotations

import sys

from corpus import __version__
from corpus.cli import checking, examining, logs, looking, making, policies, proving, reading, sealing, using, verifying
from corpus.cli.options import app
from corpus.errors import CorpusError

# ruff: noqa: PLC0415 (what a mistake looks like is loaded when there is one)

__all__ = [
    "app",
    "checking",
    "examining",
    "logs",
    "looking",
    "main",
    "making",
    "policies",
    "proving",
    "reading",
    "sealing",
    "using",
    "verifying",
]


def main() -> None:
    """Run the command line; a mistake is told in a message without a traceback, and by the exit code."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        app()
    except KeyboardInterrupt:
        print("corpus: stopped", file=sys.stderr)
        sys.exit(130)
    except CorpusError as mistake:
        from corpus.render import clean

        lines = (clean(line) for line in str(mistake).splitlines())
        print("corpus: " + "\n".join(lines), file=sys.stderr)
        sys.exit(mistake.exit_code)


@app.command()
def version() -> None:
    """The version of this program.

    Example: corpus version
    """
    print(__version__)
