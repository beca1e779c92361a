"""Another verifier, written from docs/proofs.md alone; it shares no line with corpus_verify."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from itertools import pairwise
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

NUMBER = r"(?:0|[1-9][0-9]{0,17})\Z"
INSTANT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{6})?Z\Z"
DATASET = r"[a-z0-9][a-z0-9._-]*\Z"
RECORD = {"kind", "format", "dataset", "version", "cutoff", "released_at", "rows"} | {
    "documents", "persons", "statement", "previous",
}  # fmt: skip
SPACES = " \t\n\x0b\x0c\r"


class Bad(Exception):
    pass


def need(holds: object) -> None:
    if not holds:
        raise Bad


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def leaf(data: bytes) -> bytes:
    return sha(b"\0" + data)


def node(left: bytes, right: bytes) -> bytes:
    return sha(b"\1" + left + right)


def no_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    need(len({name for name, _ in pairs}) == len(pairs))
    return dict(pairs)


def no_number(_: str) -> None:
    raise Bad


def names(value: Any, *wanted: str) -> dict[str, Any]:
    need(isinstance(value, dict) and set(value) == set(wanted))
    return dict(value)


def like(pattern: str, value: Any) -> str:
    need(isinstance(value, str) and re.match(pattern, value))
    return str(value)


def number(value: Any) -> int:
    return int(like(NUMBER, value))


def hexed(value: Any, length: int) -> bytes:
    return bytes.fromhex(like(rf"[0-9a-f]{{{2 * length}}}\Z", value))


def path_of(value: Any) -> list[bytes]:
    need(isinstance(value, list))
    return [hexed(one, 32) for one in value]


def up(h: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    need(index < size)
    rest, i, last = list(path), index, size - 1
    while last > 0:
        if i % 2 == 1 or i < last:
            need(rest)
            other = rest.pop(0)
            h = node(other, h) if i % 2 else node(h, other)
        i, last = i // 2, last // 2
    need(not rest)
    return h


def tree(value: Any) -> tuple[bytes, int]:
    """Its root and depth."""
    found = names(value, "root", "ids", "buckets")
    depth = 0
    while 16 * 2**depth < number(found["ids"]):
        depth += 1
    need(number(found["buckets"]) == 2**depth)
    return hexed(found["root"], 32), depth


def signed(note: Any, origin: str, public: bytes) -> tuple[int, bytes]:
    """The size and root of a checkpoint."""
    need(isinstance(note, str) and not re.search(r"[\x00-\x09\x0b-\x1f]", note))
    text, empty, below = note.rpartition("\n\n")
    need(empty and below.endswith("\n"))
    lines = [re.match(r"— ([^\s+]+) ([A-Za-z0-9+/]+=*)\Z", line) for line in below[:-1].split("\n")]
    need(all(lines) and len(lines) <= 32)
    signatures = [(m[1], unbase(m[2])) for m in lines if m]
    own = sha(origin.encode() + b"\n\x01" + public)[:4]
    mine = [blob[4:] for name, blob in signatures if name == origin and blob[:4] == own]
    need(len(mine) == 1 and len(mine[0]) == 64)
    Ed25519PublicKey.from_public_bytes(public).verify(mine[0], (text + "\n").encode())
    said = text.split("\n")
    need(len(said) == 3 and said[0] == origin)
    root = unbase(said[2])
    need(len(root) == 32)
    return number(said[1]), root


def unbase(text: str) -> bytes:
    blob = base64.b64decode(text, validate=True)
    need(blob and base64.b64encode(blob).decode() == text)
    return blob


def verify(content: bytes, public: bytes) -> tuple[str, str, str, str, int]:
    """Kind, id, in or not in, dataset and version; any exception means no."""
    need(len(content) <= 65536)
    proof = json.loads(
        content.decode("utf-8"), object_pairs_hook=no_twice, parse_int=no_number, parse_float=no_number,
        parse_constant=no_number,
    )  # fmt: skip
    names(proof, "format", "claim", "bucket", "tokens", "path", "record", "log", "checkpoint")
    claim, bucket = names(proof["claim"], "kind", "id", "is"), names(proof["bucket"], "index", "key", "count")
    kind, name, says = (like(r"[\s\S]+", claim[key]) for key in ("kind", "id", "is"))
    need(proof["format"] == "corpus-proof/v1" and kind in ("post", "account") and says in ("in", "not in"))
    need(name[0] not in SPACES and name[-1] not in SPACES)
    record = names(proof["record"], *RECORD)
    need(record["kind"] == "version" and record["format"] == "corpus-record/v1")
    need(".." not in like(DATASET, record["dataset"]))
    [like(INSTANT, record[key]) for key in ("cutoff", "released_at")]
    version, _ = number(record["version"]), number(record["rows"])
    hexed(record["statement"], 32)
    need(record["previous"] == "" or hexed(record["previous"], 32))
    trees = {"post": tree(record["documents"]), "account": tree(record["persons"])}
    root, depth = trees[kind]
    bits = int.from_bytes(sha(b"corpus bucket v1\0" + kind.encode() + b"\0" + name.encode()), "big")
    index, key, count = number(bucket["index"]), hexed(bucket["key"], 32), number(bucket["count"])
    need(index == bits // 2 ** (256 - depth))
    own, shown, roots = hmac.new(key, name.encode(), "sha256").digest(), [], set()
    need(isinstance(proof["tokens"], list))
    for one in proof["tokens"]:
        token = names(one, "index", "leaf", "path")
        data = hexed(token["leaf"], 64 if kind == "post" else 32)
        roots.add(up(leaf(data), number(token["index"]), count, path_of(token["path"])))
        shown.append((number(token["index"]), data[:32]))
    need(len(roots) == 1 if count else not shown)
    tokens = roots.pop() if count else sha(b"")
    need(up(leaf(sha(key) + count.to_bytes(8, "big") + tokens), index, 2**depth, path_of(proof["path"])) == root)
    if says == "in":
        need([token for _, token in shown] == [own])
    else:
        places = [(-1, b""), *shown, (count, b"\xff" * 33)] if len(shown) < 2 else shown
        need(len(shown) <= 2 and any(
            a[1] < own < b[1] and a[0] + 1 == b[0] for a, b in pairwise(places)
        ))  # fmt: skip
    log = names(proof["log"], "index", "size", "path")
    size, log_root = signed(proof["checkpoint"], "corpus/" + record["dataset"], public)
    canonical = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    need(number(log["size"]) == size)
    need(up(leaf(canonical), number(log["index"]), size, path_of(log["path"])) == log_root)
    return kind, name, says, record["dataset"], version
