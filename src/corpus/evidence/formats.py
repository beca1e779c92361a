"""The formats of the evidence, and a clear word where a newer program wrote one."""

from __future__ import annotations

import re
from typing import Any

from corpus.errors import DatasetError

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:corpus:training-snapshot:v1"
RECORD_FORMAT = "corpus-record/v1"


def require_known(statement: dict[str, Any]) -> None:
    """Raises DatasetError unless this is a statement as this program writes and reads them."""
    found = (statement.get("_type"), statement.get("predicateType"))
    if found == (STATEMENT_TYPE, PREDICATE_TYPE):
        said = statement.get("predicate")
        if isinstance(said, dict) and "build_id" in said and isinstance(said.get("snapshot"), dict):
            return
        raise DatasetError("it does not say its build and its rows.")
    for name, known in zip(found, (STATEMENT_TYPE, PREDICATE_TYPE), strict=True):
        require_version(str(name), known)
    raise DatasetError(f"it is a {found[1]} in a {found[0]}; expected {PREDICATE_TYPE} in {STATEMENT_TYPE}.")


def require_version(found: str, known: str) -> None:
    """Raises DatasetError if a format is a later version of the one that is known."""
    stem, number = known[:-1], int(known[-1])
    later = re.fullmatch(re.escape(stem) + r"(\d{1,9})", found)
    if later and int(later[1]) > number:
        raise DatasetError(f"it has the format {found}; this program knows {known}: install a newer version of it.")
