"""The small dataset sealed: its statements signed by a key of its own, its versions recorded in its log."""

from __future__ import annotations

import base64
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from corpus.evidence.envelope import STATEMENT, sealed
from corpus.evidence.journal import append, entries
from corpus.evidence.keys import SIGNER_PROPERTY, make_signer, read_signer
from corpus.evidence.statement import texts
from corpus.evidence.store import digest_of, read_document, statement_path, write_document
from corpus.policy import Policy


def seal(folder: Path, key: Path, policy: Policy, **changes: Any) -> None:
    """Signs and records every statement of a dataset, under this policy and with these changes."""
    signer = read_signer(key) if key.exists() else make_signer(key)
    shutil.copy(key.with_suffix(".public.pem"), folder / "evidence/public.pem")
    _sign_for(folder, signer.id)
    own = {"name": policy.name, "digest": policy.digest, "values": texts(policy.as_json())}
    recorded = {entry["version"] for entry in entries(folder)}
    for path in sorted((folder / "evidence/statements").glob("*.json")):
        statement = stated(path)
        statement["predicate"] |= {"policy": own} | changes
        number = statement["predicate"]["version"]
        if number not in recorded:
            write_document(path, sealed(statement, STATEMENT, signer))
            append(folder, _record(folder, statement), signer)


def restate(path: Path, **changes: Any) -> None:
    """Changes what a statement says, as somebody would who does not have its key."""
    statement = stated(path)
    statement["predicate"] |= changes
    with tempfile.TemporaryDirectory() as folder:
        write_document(path, sealed(statement, STATEMENT, make_signer(Path(folder) / "some.ed25519.pem")))


def stated(path: Path) -> dict[str, Any]:
    """The statement in a file, in its envelope or bare."""
    document = read_document(path)
    assert document is not None
    return dict(json.loads(base64.b64decode(document["payload"]))) if "payload" in document else document


def _sign_for(folder: Path, signer_id: str) -> None:
    """Has the table name who signs for it, as one does that a build made."""
    for path in (folder / "snapshot/_delta_log").glob("*.json"):
        actions = [json.loads(line) for line in path.read_text().splitlines()]
        for action in actions:
            if "metaData" in action:
                action["metaData"]["configuration"][SIGNER_PROPERTY] = signer_id
        path.write_text("".join(json.dumps(action) + "\n" for action in actions))


def _record(folder: Path, statement: dict[str, Any]) -> dict[str, Any]:
    number = int(statement["predicate"]["version"])
    assert statement_path(folder, number).exists()
    own = {"kind": "version", "format": "corpus-record/v1", "dataset": folder.name, "version": str(number)}
    return own | {"statement": digest_of(statement)}
