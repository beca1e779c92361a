"""The small dataset sealed: its statements signed by a key of its own, its versions recorded in its log.

Where the modules that sign and keep the log are not there, the few lines below stand in for them, with the same
interface: signatures that prove nothing, and a log without tiles.
"""

from __future__ import annotations

import base64
import hmac
import json
import shutil
import sys
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from corpus.errors import DatasetError
from corpus.evidence.journal import append, entries
from corpus.evidence.statement import texts
from corpus.evidence.store import canonical, digest_of, read_document, statement_path, write_document
from corpus.policy import Policy


@dataclass(frozen=True)
class StandInSigner:
    public: bytes
    id: str

    def sign(self, message: bytes) -> bytes:
        return hmac.digest(self.public, message, "sha256")


def _signer(public: bytes) -> StandInSigner:
    return StandInSigner(public, sha256(public).hexdigest())


def _make_signer(path: Path) -> StandInSigner:
    public = sha256(str(path).encode()).digest()
    for place in (path, path.with_suffix(".public.pem")):
        place.write_text(public.hex())
    return _signer(public)


def _read_signer(path: Path | str, public: bytes | None = None) -> StandInSigner:
    if not Path(path).exists():
        raise DatasetError(f"The signing key {path} is missing.")
    return _signer(bytes.fromhex(Path(path).read_text()))


def _public_key(dataset: Path) -> bytes:
    return bytes.fromhex((dataset / "evidence/public.pem").read_text())


def _sealed(payload: dict[str, Any], payload_type: str, signer: StandInSigner) -> dict[str, Any]:
    said = canonical(payload)
    signature = signer.sign(payload_type.encode() + said).hex()
    return payload | {"payload": base64.b64encode(said).decode(), "payloadType": payload_type, "sig": signature}


def _opened(envelope: dict[str, Any], payload_type: str, public: bytes) -> Any:
    said = base64.b64decode(envelope["payload"])
    if envelope["sig"] != _signer(public).sign(payload_type.encode() + said).hex():
        raise DatasetError("It is not signed by the dataset's key.")
    return json.loads(said)


def _append(folder: Path, origin: str, leaf: bytes, sign: Any, public: bytes) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "entries").open("ab") as file:
        file.write(leaf + b"\n")
    return len(_entries(folder)) - 1


def _entries(folder: Path, size: int | None = None) -> list[bytes]:
    return (folder / "entries").read_bytes().splitlines()[:size]


def stand_in() -> None:
    """Puts stand-ins where modules are missing, and only there."""
    interfaces: dict[str, dict[str, Any]] = {
        "log": {"append": _append, "entries": _entries},
        "keys": {"make_signer": _make_signer, "read_signer": _read_signer, "public_key": _public_key},
        "envelope": {"STATEMENT": "application/vnd.in-toto+json", "sealed": _sealed, "opened": _opened},
    }
    for name, functions in interfaces.items():
        full = f"corpus.evidence.{name}"
        if full not in sys.modules and find_spec(full) is None:
            module = ModuleType(full)
            vars(module).update(functions)
            sys.modules[full] = module


stand_in()


def seal(folder: Path, key: Path, policy: Policy, **changes: Any) -> None:
    """Signs and records every statement of a dataset, under this policy and with these changes."""
    from corpus.evidence.envelope import STATEMENT, sealed  # noqa: PLC0415
    from corpus.evidence.keys import make_signer, read_signer  # noqa: PLC0415

    signer = read_signer(key) if key.exists() else make_signer(key)
    shutil.copy(key.with_suffix(".public.pem"), folder / "evidence/public.pem")
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
    from corpus.evidence.envelope import STATEMENT, sealed  # noqa: PLC0415
    from corpus.evidence.keys import make_signer  # noqa: PLC0415

    statement = stated(path)
    statement["predicate"] |= changes
    with tempfile.TemporaryDirectory() as folder:
        write_document(path, sealed(statement, STATEMENT, make_signer(Path(folder) / "some.ed25519.pem")))


def stated(path: Path) -> dict[str, Any]:
    """The statement in a file, in its envelope or bare."""
    document = read_document(path)
    assert document is not None
    return dict(json.loads(base64.b64decode(document["payload"]))) if "payload" in document else document


def _record(folder: Path, statement: dict[str, Any]) -> dict[str, Any]:
    number = int(statement["predicate"]["version"])
    assert statement_path(folder, number).exists()
    own = {"kind": "version", "format": "corpus-record/v1", "dataset": folder.name, "version": str(number)}
    return own | {"statement": digest_of(statement)}
