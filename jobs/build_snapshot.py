r"""Judge every post and commit one version of a dataset; the answer is the last line on stdout, as JSON.

spark-submit --properties-file conf/spark/local.conf --py-files dist/corpus.zip jobs/build_snapshot.py uk-social \
  --source conf/sources/uk-social.toml --policy conf/policies/uk-social.toml --cutoff 2026-11-20T00:00:00Z \
  --warehouse warehouse --key ~/.config/corpus/uk-social.key
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from corpus.build import Built
from corpus.errors import CorpusError
from corpus.progress import shown_progress
from corpus.registering import build_registered
from corpus.request import request_from
from corpus.session import submitted_session


def main(argv: list[str]) -> int:
    """Runs the job; 0, or the exit code of what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    for name in ("--source", "--policy", "--warehouse", "--key"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--cutoff", required=True, help="with a zone, as 2026-11-20T00:00:00Z")
    parser.add_argument("--signer", help="the signing key, or its URI in a key service; else beside the key")
    parser.add_argument("--schema", help="where its tables get their names in a catalog: spark_catalog.uk_social")
    parser.add_argument("--build-id", help="the same id again builds nothing new")
    for name, what in (("override", "GATE"), ("accept-anomaly", "RULE"), ("accept-objection", "ID")):
        parser.add_argument(f"--{name}", action="append", default=[], metavar=f"{what}=REASON")
    try:
        with shown_progress():
            request = request_from(**vars(parser.parse_args(argv)))
            print(answer(build_registered(submitted_session(f"corpus build {request.dataset}"), request)))
    except CorpusError as mistake:
        print(f"build_snapshot: {mistake}", file=sys.stderr)
        return mistake.exit_code
    return 0


def answer(built: Built) -> str:
    """The version that was made, and what became of the posts, as JSON."""
    said = {name: getattr(built, name) for name in ("dataset", "version", "build_id", "was_there", "warnings")}
    return json.dumps(said | {"funnel": built.statement["predicate"]["funnel"]}, sort_keys=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
