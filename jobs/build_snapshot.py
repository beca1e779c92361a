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

from corpus.errors import CorpusError
from corpus.operations.plan import Plan, plan
from corpus.operations.watched import add_options, taken, watched
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
    parser.add_argument("--plan", action="store_true", help="say what it would do and what refuses it; write nothing")
    add_options(parser, lineage=True)
    given = vars(parser.parse_args(argv))
    told, is_plan = taken(given), given.pop("plan")
    try:
        with watched("plan" if is_plan else "build", given["dataset"], told), shown_progress():
            request = request_from(**given)
            spark = submitted_session(f"corpus build {request.dataset}")
            found = plan(spark, request) if is_plan else build_registered(spark, request)
            print(json.dumps(found.answer(), sort_keys=True, default=str))
            if isinstance(found, Plan):
                found.require()
    except CorpusError as mistake:
        print(f"build_snapshot: {mistake}", file=sys.stderr)
        return mistake.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
