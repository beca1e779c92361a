"""A whole log, checked: its signature, every entry and hash, the chain of its records, and an older checkpoint."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from corpus.errors import DatasetError
from corpus.evidence.log import checkpoint, consistency, entries
from corpus.evidence.store import canonical
from corpus.evidence.tiles import WIDTH, read_hashes
from corpus_verify.errors import Refused
from corpus_verify.merkle import check_consistency, leaf_hash, root_of
from corpus_verify.notes import Checkpoint, read_checkpoint, signers
from corpus_verify.records import origin_of, read_record

FORMATS = {"version": "corpus-record/v1", "use": "corpus-use/v1", "recall": "corpus-recall/v1"}
"""What may stand in a log."""


@dataclass(frozen=True)
class Checked:
    """A log that holds: its checkpoint, how many entries of each kind it has, who signed the checkpoint."""

    checkpoint: Checkpoint
    kinds: dict[str, int]
    signers: list[str]
    since: Checkpoint | None


def checked(folder: Path, dataset: str, public: bytes, since: str | None = None) -> Checked:
    """The log, if all of it is what the key signed, and if it extends the older checkpoint `since`.

    Raises DatasetError that names what does not hold.
    """
    note, origin = checkpoint(folder), origin_of(dataset)
    if note is None:
        raise DatasetError(
            f"There is no log of {dataset}: expected {folder}/checkpoint. It begins with the first build."
        )
    try:
        known = read_checkpoint(note, origin, public)
        old = read_checkpoint(since, origin, public) if since is not None else None
        leaves = entries(folder)
        _check_tiles(folder, leaves)
        kinds = _check_records(dataset, leaves)
        if old:
            _check_extends(folder, old, known)
    except Refused as refused:
        raise DatasetError(f"The log of {dataset} in {folder} does not hold: {refused}.") from None
    return Checked(known, kinds, signers(note), old)


def _check_tiles(folder: Path, leaves: list[bytes]) -> None:
    """Every hash in every tile is the one that the entries give."""
    level, hashes = 0, [leaf_hash(leaf) for leaf in leaves]
    while hashes:
        for index in range(-(-len(hashes) // WIDTH)):
            expected = hashes[index * WIDTH : (index + 1) * WIDTH]
            if read_hashes(folder, level, index, len(expected)) != expected:
                raise Refused(f"tile {index} of level {level} is not what the entries give")
        hashes = [root_of(hashes[at : at + WIDTH]) for at in range(0, len(hashes) - WIDTH + 1, WIDTH)]
        level += 1


def _check_records(dataset: str, leaves: list[bytes]) -> dict[str, int]:
    """Every entry is a version's record in the chain of them, or a use or recall of a version before it."""
    kinds: Counter[str] = Counter()
    versions: dict[int, bytes] = {}
    for index, leaf in enumerate(leaves):
        document = _document(index, leaf)
        kind = str(document.get("kind"))
        if document.get("format") != FORMATS.get(kind) or document.get("dataset") != dataset:
            raise Refused(
                f"entry {index} is none that this version of corpus knows, or of another dataset than {dataset}"
            )
        if kind == "version":
            _check_chain(index, document, versions)
            versions[int(document["version"])] = leaf
        elif not str(document.get("version")).isdecimal() or int(document["version"]) not in versions:
            raise Refused(
                f"entry {index} is a {kind} of version {document.get('version')}, of which no record is before it"
            )
        kinds[kind] += 1
    return dict(kinds)


def _check_chain(index: int, document: dict[str, Any], before: dict[int, bytes]) -> None:
    """A record names the last one before it, and is of a later version, released no earlier."""
    record = read_record(document)
    last = max(before, default=None)
    previous = sha256(before[last]).hexdigest() if last is not None else ""
    if record.previous != previous or (last is not None and record.version <= last):
        raise Refused(f"entry {index}, the record of version {record.version}, does not follow that of {last}")
    if last is not None and record.released_at < json.loads(before[last])["released_at"]:
        raise Refused(f"entry {index}, version {record.version}, was released before version {last}")


def _check_extends(folder: Path, old: Checkpoint, new: Checkpoint) -> None:
    if old.size > new.size:
        raise Refused(
            f"it has {new.size} entries, and had {old.size} when the older checkpoint was signed: some are gone"
        )
    check_consistency(old.size, old.root, new.size, new.root, consistency(folder, old.size, new.size))


def _document(index: int, leaf: bytes) -> dict[str, Any]:
    try:
        document = json.loads(leaf)
        if isinstance(document, dict) and canonical(document) == leaf:
            return document
    except (ValueError, RecursionError):
        pass
    raise Refused(f"entry {index} is not canonical JSON")
