r"""Derive every verdict of a version again, by other code; the answer is the last line on stdout, as JSON.

Ends with 0 only if nothing differs, with 8 if anything does.

spark-submit --properties-file conf/spark/local.conf --py-files dist/corpus.zip jobs/audit_snapshot.py uk-social@1 \
  --warehouse warehouse
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

from corpus.audit.check import audit
from corpus.errors import CorpusError
from corpus.operations.watched import add_options, taken, watched
from corpus.progress import shown_progress
from corpus.session import submitted_session
from corpus.versions import parse_one


def main(argv: list[str]) -> int:
    """Runs the job; 0, or the exit code of what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("version", metavar="DATASET@N")
    parser.add_argument("--warehouse", type=Path, required=True)
    parser.add_argument("--memory", default="4GB", help="how much to take before writing to a temporary folder")
    add_options(parser)
    said = parser.parse_args(argv)
    try:
        dataset, number = parse_one(said.version)
        with watched("audit", dataset, taken(vars(said))), shown_progress():
            found = audit(
                said.warehouse, dataset, number, lambda: nullcontext(submitted_session("corpus audit")), said.memory
            )
            print(json.dumps(asdict(found), sort_keys=True))
            found.require_none()
    except CorpusError as mistake:
        print(f"audit_snapshot: {mistake}", file=sys.stderr)
        return mistake.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
