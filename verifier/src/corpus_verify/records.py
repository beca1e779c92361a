"""The record of a version, as it stands in the log and in every proof."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from corpus_verify.documents import Document, canonical, fields, instant, number, octets, require_format, text
from corpus_verify.errors import Refused
from corpus_verify.ids import TREES, depth_for

_NAME = re.compile(r"[a-z0-9](?!.*\.\.)[a-z0-9._-]*")


@dataclass(frozen=True)
class Tree:
    """What a record commits to of the ids of one kind."""

    root: bytes
    ids: int
    depth: int


@dataclass(frozen=True)
class Record:
    """What a log says of a version; `leaf` is how it stands there."""

    dataset: str
    version: int
    cutoff: str
    released_at: str
    rows: int
    trees: dict[str, Tree]
    statement: str
    previous: str
    leaf: bytes


def read_record(document: Any) -> Record:
    """The record in a document that says that, all of that and nothing else. Raises Refused."""
    if not isinstance(document, dict):
        raise Refused("the record is not a JSON object")
    names = "kind format dataset version cutoff released_at rows documents persons statement previous"
    require_format(document, "corpus-record", "record")
    kind, _, dataset, version, cutoff, released_at, rows, documents, persons, statement, previous = fields(
        document, "record", *names.split()
    )
    text(kind, "record's kind", "version")
    if not _NAME.fullmatch(text(dataset, "record's dataset")):
        raise Refused("the record's dataset is no name of one")
    return Record(
        dataset,
        number(version, "record's version"),
        instant(cutoff, "record's cutoff"),
        instant(released_at, "record's released_at"),
        number(rows, "record's rows"),
        dict(zip(TREES, (_tree(documents, "documents"), _tree(persons, "persons")), strict=True)),
        octets(statement, 32, "record's statement").hex(),
        "" if previous == "" else octets(previous, 32, "record's previous").hex(),
        canonical(document),
    )


def origin_of(dataset: str) -> str:
    """The name of a dataset's log."""
    return f"corpus/{dataset}"


def _tree(document: Document, name: str) -> Tree:
    root, ids, buckets = fields(document, f"record's {name}", "root", "ids", "buckets")
    count, depth = number(ids, f"record's {name}.ids"), depth_for(number(ids, f"record's {name}.ids"))
    if number(buckets, f"record's {name}.buckets") != 1 << depth:
        raise Refused(f"{count} {name} stand in {1 << depth} buckets; the record says {buckets}")
    return Tree(octets(root, 32, f"record's {name}.root"), count, depth)
