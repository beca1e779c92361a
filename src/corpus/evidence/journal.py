"""What a dataset's log says, entry by entry: of its versions, of who used one, and of which ones are recalled."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from corpus.errors import ConfigError, DatasetError
from corpus.evidence.store import canonical, digest_of, log_folder, read_document, statement_path

# ruff: noqa: PLC0415 (a dataset without a log is read without what signs one)

USE_FORMAT = "corpus-use/v1"
RECALL_FORMAT = "corpus-recall/v1"

Entry = dict[str, Any]


def entries(dataset: Path) -> list[Entry]:
    """Every entry of the log, oldest first, as its checkpoint has them; none where there is no log."""
    if not log_folder(dataset).is_dir():
        return []
    from corpus.evidence.log import entries as leaves

    return [json.loads(leaf) for leaf in leaves(log_folder(dataset))]


def of_kind(found: list[Entry], kind: str, version: int | None = None) -> list[Entry]:
    """The entries of one kind, about one version or all."""
    return [e for e in found if e["kind"] == kind and (version is None or e["version"] == str(version))]


def append(dataset: Path, entry: Entry, signer: Any) -> int:
    """Adds an entry for who holds the dataset's lease; its index. Raises DatasetError where the log was changed."""
    from corpus.evidence.log import append as append_leaf
    from corpus_verify.records import origin_of

    leaf, origin = canonical(entry), origin_of(dataset.name)
    return append_leaf(log_folder(dataset), origin, leaf, signer.sign, signer.public)


def require_recorded(dataset: Path, version: int, found: list[Entry]) -> dict[str, Any]:
    """A version's statement, signed by the dataset's key and recorded in the log. Raises DatasetError."""
    from corpus.evidence.envelope import STATEMENT
    from corpus.evidence.envelope import opened as opened_by
    from corpus.evidence.keys import public_key

    name, path = f"{dataset.name}@{version}", statement_path(dataset, version)
    written = read_document(path)
    records = of_kind(found, "version", version)
    if written is None or not records:
        raise DatasetError(f"{name} is not sealed: it has no {'record in the log' if written else 'statement'}.")
    try:
        statement: dict[str, Any] = opened_by(written, STATEMENT, public_key(dataset))
    except DatasetError as wrong:
        raise DatasetError(f"The statement of {name} ({path}) is not {dataset.name}'s own: {wrong}") from None
    if digest_of(statement) != records[-1]["statement"]:
        raise DatasetError(
            f"The statement of {name} ({path}) is not the one that the log records: somebody changed it."
        )
    return statement


MOST_CHARACTERS = 200


def require_line(text: str, option: str) -> None:
    """Raises ConfigError for what cannot stand in a log or register: nothing, more than a line, or too long a one."""
    if not text.strip() or len(text) > MOST_CHARACTERS or not text.isprintable():
        raise ConfigError(f"{option}: write one line of at most {MOST_CHARACTERS} characters, found {text!r}.")


def moment(now: datetime) -> str:
    """An instant as entries have it, to the second."""
    return now.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
