r"""Seal what builds of a dataset committed and did not come to seal; what became of each commit is printed as JSON.

spark-submit --properties-file conf/spark/local.conf --py-files dist/corpus.zip jobs/seal_versions.py uk-social \
  --warehouse warehouse --key ~/.config/corpus/uk-social.key
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

from corpus.errors import CorpusError
from corpus.evidence.keys import signing_key
from corpus.operations.watched import add_options, taken, watched
from corpus.seal import seal
from corpus.session import submitted_session
from corpus.versions import dataset_folder


def main(argv: list[str]) -> int:
    """Runs the job; 0, or the exit code of what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    for name in ("--warehouse", "--key"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--signer", help="the signing key, or its URI in a key service; else beside the key")
    parser.add_argument("--wait", type=float, default=600, help="seconds to wait for a builder")
    add_options(parser)
    given = parser.parse_args(argv)
    try:
        with watched("seal", given.dataset, taken(vars(given))):
            folder, place = dataset_folder(given.warehouse, given.dataset), signing_key(given.key, given.signer)
            sealing = seal(folder, place, lambda: nullcontext(submitted_session("corpus seal")), given.wait)
            print(json.dumps([asdict(outcome) for outcome in sealing.outcomes]))
            sealing.require_none_refused()
    except CorpusError as mistake:
        print(f"seal_versions: {mistake}", file=sys.stderr)
        return mistake.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
