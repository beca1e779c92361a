"""Make an invented UK world of people, posts and objections, the same for the same arguments, one folder per table.

spark-submit --properties-file conf/spark/local.conf --py-files dist/corpus.zip jobs/synth.py --out exports --posts 2e4
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from corpus import synth
from corpus.arguments import instant
from corpus.errors import CorpusError
from corpus.session import submitted_session


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0, or what the mistake says; a line per table on stdout, mistakes on stderr."""
    asked = parser().parse_args(argv)
    try:
        as_of = instant(asked.as_of, "--as-of")
        spark = submitted_session("corpus synth")
        size, in_place = int(asked.posts), asked.format == "delta"
        frames = synth.world(spark, posts=size, seed=asked.seed, as_of=as_of, wave=asked.wave, in_place=in_place)
        written = synth.write_world(frames, asked.out, format=asked.format)
    except CorpusError as mistake:
        print(f"synth: {mistake}", file=sys.stderr)
        return mistake.exit_code
    for table, rows in written.items():
        print(f"{table}\t{rows}")
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    described = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    described.add_argument("--posts", type=float, default=20_000, help="rows of the table of posts, 20000 to 1e9")
    described.add_argument("--seed", type=int, default=1)
    described.add_argument(
        "--as-of", default="2026-11-20T00:00:00Z", help="the instant of the first export, with a zone"
    )
    described.add_argument("--wave", type=int, default=0, help="hours after the first export; each brings objections")
    described.add_argument("--format", default="parquet", help=", ".join(synth.FORMATS))
    described.add_argument("--out", required=True, help="a folder that holds nothing yet")
    return described


if __name__ == "__main__":
    sys.exit(main())
