"""Bring a source's files into Delta tables; the same file twice changes nothing.

spark-submit --properties-file conf/spark/local.conf jobs/ingest.py conf/sources/uk-social-files.toml
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import astuple, fields
from pathlib import Path

from corpus.errors import CorpusError
from corpus.ingest import Counted, ingest, quarantine_warnings
from corpus.operations.watched import add_options, taken, watched
from corpus.session import submitted_session
from corpus.sources import read_source


def main(argv: Sequence[str] | None = None) -> int:
    """Ingests, and prints one line per table: what became of its rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="a source file, as conf/sources/uk-social-files.toml")
    add_options(parser)
    arguments = parser.parse_args(argv)
    try:
        with watched("ingest", arguments.source.stem, taken(vars(arguments))):
            source = read_source(arguments.source)
            counted = ingest(submitted_session(f"corpus ingest {source.name}"), source)
    except CorpusError as wrong:
        print(wrong, file=sys.stderr)
        return wrong.exit_code
    print(*(field.name for field in fields(Counted)), sep="\t")
    for table in counted:
        print(*astuple(table), sep="\t")
    for warning in quarantine_warnings(source, counted):
        print(warning, file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
