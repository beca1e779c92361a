"""The command `corpus-verify`: a verdict in words, and an exit code."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

from corpus_verify.documents import read_file
from corpus_verify.errors import Refused
from corpus_verify.kept import compare
from corpus_verify.keys import read_public
from corpus_verify.notes import Checkpoint, printable, read_checkpoint
from corpus_verify.proof import Verdict, check
from corpus_verify.records import origin_of

_ENDS = "Ends with 0 if the proof holds, with 1 if it does not, and with 2 if asked wrongly."
_NOT_SHOWN = (
    "that the record tells the truth: whoever holds the data can recompute it (corpus verify)",
    "that the same log was shown to everybody: compare checkpoints that were kept elsewhere (--checkpoint)",
    "when: the times are the signer's word; a witness's or an authority's stamp on the checkpoint tells",
    "whose key it is: compare its id with one that you have from elsewhere",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Checks one proof; the verdict is printed, whichever it is."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    asked = _parser().parse_args(argv)
    try:
        verdict = _checked(asked)
    except Refused as refused:
        print(fill(f"NOT SHOWN: {printable(str(refused))}.", 100))
        return 1
    print("\n".join(_told(verdict, asked)))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "corpus-verify",
        description="Checks a proof that a post or an account is, or is not, in a version of a dataset.",
        epilog=_ENDS,
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the proof")
    parser.add_argument("--key", type=Path, required=True, metavar="PEM", help="the dataset's public key (Ed25519)")
    about = parser.add_mutually_exclusive_group()
    about.add_argument("--post", metavar="ID", help="the proof must be about this post")
    about.add_argument("--account", metavar="ID", help="the proof must be about this account")
    parser.add_argument(
        "--checkpoint", type=Path, metavar="FILE", help="a checkpoint of the log that was kept elsewhere"
    )
    parser.add_argument(
        "--consistency", type=Path, metavar="FILE", help="what joins the two if their sizes differ (corpus log prove)"
    )
    return parser


def _checked(asked: argparse.Namespace) -> Verdict:
    public = read_public(asked.key)
    verdict = check(read_file(asked.file), public)
    _require_claim(verdict, asked)
    if asked.checkpoint:
        kept = _kept(asked.checkpoint, origin_of(verdict.record.dataset), public)
        compare(verdict.checkpoint, kept, read_file(asked.consistency) if asked.consistency else None)
    elif asked.consistency:
        raise Refused("--consistency joins a proof to a checkpoint: name that with --checkpoint")
    return verdict


def _kept(path: Path, origin: str, public: bytes) -> Checkpoint:
    try:
        return read_checkpoint(read_file(path).decode(), origin, public)
    except UnicodeDecodeError:
        raise Refused(f"{path} is not a checkpoint") from None


def _require_claim(verdict: Verdict, asked: argparse.Namespace) -> None:
    for kind in ("post", "account"):
        wanted = getattr(asked, kind)
        if wanted is not None and (verdict.claim.kind, verdict.claim.id) != (kind, wanted):
            raise Refused(f"the proof is about {_who(verdict)}, and not about the {kind} {json.dumps(wanted)}")


def _who(verdict: Verdict) -> str:
    return f"the {verdict.claim.kind} {json.dumps(verdict.claim.id)}"


def _told(verdict: Verdict, asked: argparse.Namespace) -> list[str]:
    record, is_in = verdict.record, "is" if verdict.claim.is_in else "is not"
    ids = record.trees[verdict.claim.kind].ids
    among = {"post": "kept posts", "account": "authors and co-authors"}[verdict.claim.kind]
    logged = f"entry {verdict.log_index} of the {verdict.checkpoint.size} in the log {verdict.checkpoint.origin}"
    return [
        f"SHOWN: {_who(verdict)} {is_in} in {record.dataset}@{record.version}.",
        f"  It {is_in} one of the {ids} {among} to which the version's record commits.",
        f"  The version holds {record.rows} posts made before {record.cutoff}, and was released {record.released_at}.",
        f"  Its record is {logged}.",
        f"  Signed by the key {verdict.key_id} ({asked.key}).",
        *(["  That log and the checkpoint kept are of one history."] if asked.checkpoint else []),
        "Not shown:",
        *(f"  - {what}" for what in _NOT_SHOWN if not (asked.checkpoint and "--checkpoint" in what)),
    ]
