"""A prover that lies: proofs changed at random in every way we can think of. None may be believed unless it is true.

What is believed must be a true claim about a record that was really signed; and two verifiers must agree.
"""

from __future__ import annotations

import argparse
import hmac
import json
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from random import Random
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from corpus_verify.errors import Refused
from corpus_verify.proof import check
from tests import second_verifier
from tests.small_prover import (
    KINDS,
    PUBLIC,
    World,
    bucket_of,
    canonical,
    checkpoint,
    digest,
    neighbours,
    path,
    prove,
    shown_token,
    world,
)

Proof = dict[str, Any]
Said = tuple[str, str, str, str, int] | None
WORLDS = [world(n, n // 2, name) for name in ("uk-social", "other") for n in (0, 1, 2, 16, 17, 33, 200, 1000)]
TRUTH = {canonical(w.record): w for w in WORLDS}
SIZES = {"post": "documents", "account": "persons"}
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(32))
NUMBERS = [
    "0",
    "1",
    "2",
    "3",
    "16",
    "17",
    "-1",
    "01",
    " 1",
    "1 ",
    "+1",
    "1_0",
    "١",
    "１",
    "1e1",
    "1.0",
    "0x1",
    "",
    "9" * 18,
]
NUMBERS += ["9" * 19, "9" * 5000, str(2**63), str(2**64), "True", "null"]
OTHERS: list[Any] = [None, True, False, 0, 1, -1, 1.5, [], {}, "", [[]], {"": ""}, "in", "not in", "post", "account"]
BENT: list[Callable[[str], str]] = [
    str.upper,
    str.title,
    str.swapcase,
    str.strip,
    "{} ".format,
    " {}".format,
    "{}\0".format,
    "{}\n".format,
    "\ufeff{}".format,
]
BENT += [
    "{}\u0301".format,
    "{}\u200b".format,
    "\u202e{}".format,
    "{}\ud800".format,
    lambda s: s.replace("-", "‐"),
    lambda s: s[::-1],
]


@dataclass(frozen=True)
class Tally:
    """How many lies were told, how many changes left a true proof that is still believed, and what went wrong."""

    told: int
    still_true: int
    wrong: list[str]
    seconds: float


def told(proofs: int, seed: int) -> Tally:
    """Tells so many lies to both verifiers."""
    pool = honest()
    began, still_true, wrong = time.monotonic(), 0, []
    for number in range(proofs):
        random = Random(f"{seed} {number}")
        content = lie(random, pool)
        one, other = first(content), second(content)
        if one != other or (one and not is_true(content)):
            wrong.append(f"--seed {seed}, number {number}: {one} / {other}: {content[:200]!r}")
        still_true += one is not None
    return Tally(proofs, still_true, wrong, time.monotonic() - began)


def first(content: bytes) -> Said:
    try:
        found = check(content, PUBLIC)
    except Refused:
        return None
    claim = found.claim
    return claim.kind, claim.id, "in" if claim.is_in else "not in", found.record.dataset, found.record.version


def second(content: bytes) -> Said:
    try:
        return second_verifier.verify(content, PUBLIC)
    except (second_verifier.Bad, InvalidSignature, ValueError, TypeError, KeyError, RecursionError):
        return None


def is_true(content: bytes) -> bool:
    """Whether what a believed proof says is so, of a record that was signed."""
    proof = json.loads(content)
    of, claim = TRUTH.get(canonical(proof["record"])), proof["claim"]
    if of is None:
        return False
    letter, _, number = claim["id"].partition("-")
    ids = int(of.record[KINDS[claim["kind"]]]["ids"])
    is_in = letter == claim["kind"][0] and number.isascii() and number.isdecimal() and str(int(number)) == number
    return bool((is_in and int(number) < ids) == (claim["is"] == "in"))


def honest() -> list[tuple[World, Proof]]:
    """True proofs of all kinds, from all the worlds."""
    return [
        (of, prove(of, kind, f"{kind[0]}-{number}"))
        for of in WORLDS
        for kind in KINDS
        for number in (*range(5), 15, 16, 499, 999, 5000, 5001, 5002, 5003)
    ]


def lie(random: Random, pool: list[tuple[World, Proof]]) -> bytes:
    of, proof = random.choice(pool)
    proof = deepcopy(proof)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        changed = random.choice(LIES)(random, of, proof, random.choice(pool)[1])
        proof = proof if changed is None else deepcopy(changed)  # worlds stay as they are
    content = json.dumps(proof, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")
    return random.choice(SPELLINGS)(random, content) if random.random() < 0.2 else content


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every holder and key in a document."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    return [(value, key) for key in keys] + [place for key in keys for place in places(value[key])]


def any_place(random: Random, proof: Proof) -> tuple[Any, Any]:
    return random.choice(places(proof))


def another_value(random: Random, _: World, proof: Proof, __: Proof) -> None:
    holder, key = any_place(random, proof)
    holder[key] = deepcopy(random.choice(OTHERS))


def bent_text(random: Random, _: World, proof: Proof, __: Proof) -> None:
    holder, key = any_place(random, proof)
    if isinstance(holder[key], str):
        holder[key] = random.choice(BENT)(holder[key])


def one_letter(random: Random, _: World, proof: Proof, __: Proof) -> None:
    holder, key = any_place(random, proof)
    text = holder[key]
    if isinstance(text, str) and text:
        at = random.randrange(len(text))
        new = random.choice((
            text[at] + text[at],
            "",
            random.choice("0123456789abcdef"),
            chr(random.randrange(1, 0x3000)),
        ))
        holder[key] = text[:at] + new + text[at + 1 :]


def another_number(random: Random, _: World, proof: Proof, __: Proof) -> None:
    found = [(h, k) for h, k in places(proof) if isinstance(h[k], str) and h[k].isdecimal()]
    if found:
        holder, key = random.choice(found)
        near = str(int(holder[key]) + random.choice((-1, 1, 2, 16)))
        holder[key] = random.choice([near, near, random.choice(NUMBERS)])


def a_list_changed(random: Random, _: World, proof: Proof, __: Proof) -> None:
    found = [h[k] for h, k in places(proof) if isinstance(h[k], list)]
    if not found:
        return
    values = random.choice(found)
    how = random.randrange(6)
    if how == 0:
        values.append(bytes(random.randrange(256) for _ in range(32)).hex())
    elif values and how == 1:
        values.pop(random.randrange(len(values)))
    elif values and how == 2:
        values.insert(random.randrange(len(values)), deepcopy(random.choice(values)))
    elif how == 3:
        values.reverse()
    elif how == 4:
        values.clear()
    else:
        random.shuffle(values)


def a_name_changed(random: Random, _: World, proof: Proof, __: Proof) -> None:
    found = [proof, *(h[k] for h, k in places(proof) if isinstance(h[k], dict))]
    values = random.choice(found)
    if values and random.random() < 0.6:
        value = values.pop(random.choice(list(values)))
        if random.random() < 0.5:
            values[random.choice(("Claim", "id ", "extra", "ids", "root"))] = value
    else:
        values[random.choice(("extra", "", "format", "is"))] = "x"


def two_swapped(random: Random, _: World, proof: Proof, __: Proof) -> None:
    (one, a), (other, b) = any_place(random, proof), any_place(random, proof)
    if isinstance(one[a], str) and isinstance(other[b], str):
        one[a], other[b] = other[b], one[a]


def from_another_proof(random: Random, _: World, proof: Proof, other: Proof) -> None:
    for name in random.sample(sorted(other), random.randint(1, 4)):
        proof[name] = deepcopy(other[name])


def a_part_from_another(random: Random, _: World, proof: Proof, other: Proof) -> None:
    name = random.choice(("claim", "bucket", "record", "log"))
    if isinstance(proof.get(name), dict) and name in other:
        key = random.choice(sorted(other[name]))
        proof[name][key] = deepcopy(other[name][key])


def the_opposite(_: Random, __: World, proof: Proof, ___: Proof) -> None:
    if isinstance(proof.get("claim"), dict):
        proof["claim"]["is"] = {"in": "not in"}.get(str(proof["claim"].get("is")), "in")


def another_id(random: Random, _: World, proof: Proof, __: Proof) -> None:
    if isinstance(proof.get("claim"), dict):
        letters = random.choice(("p-", "a-", "P-", "p‐", "p- ", "р-", ""))
        number = random.choice(("0", "1", "2", "16", "17", "999", "1000", "5000", "٣", "01", "1\u0301"))
        proof["claim"]["id"] = letters + number


def a_false_proof(random: Random, of: World, _: Proof, __: Proof) -> Proof:
    """Made with all secrets but the signing key: the opposite of the truth, by whatever tokens there are."""
    kind = random.choice(tuple(KINDS))
    name = f"{kind[0]}-{random.choice((*range(20), 999, 5000))}"
    buckets = of.trees[kind]
    at = bucket_of(kind, name, len(buckets).bit_length() - 1)
    bucket = random.choice(buckets) if random.random() < 0.3 else buckets[at]
    true = prove(of, kind, name)
    leaves = sorted(bucket.leaves)
    if random.random() < 0.3:
        own = hmac.digest(bucket.key, name.encode(), "sha256")
        leaves = sorted([*leaves, own + (digest(b"invented") if kind == "post" else b"")])
    some = random.sample(range(len(leaves)), min(len(leaves), random.randrange(3)))
    pairs = neighbours(random.randrange(len(leaves) + 1), len(leaves))
    ends = [[0], [len(leaves) - 1]] if leaves else [[]]
    shown = random.choice([sorted(some), some, pairs, pairs[:1], pairs[-1:], *ends])
    return true | {
        "claim": true["claim"] | {"is": "not in" if true["claim"]["is"] == "in" else "in"},
        "bucket": {"index": str(at), "key": bucket.key.hex(), "count": str(len(leaves))},
        "tokens": [shown_token(n, leaves) for n in shown],
    }


def a_false_log(random: Random, of: World, proof: Proof, _: Proof) -> Proof:
    """Another record in another log, signed by a stranger, or under the signature that was given for the true one."""
    record = of.record | {random.choice(sorted(of.record)): random.choice(("7", "", digest(b"x").hex(), "other"))}
    log = [*of.log[:2], canonical(record), *of.log[3:]]
    note = checkpoint(of.dataset, log, STRANGER)
    if random.random() < 0.5:
        note = note.partition("\n\n")[0] + "\n\n" + checkpoint(of.dataset, of.log).partition("\n\n")[2]
    return proof | {"record": record, "log": {"index": "2", "size": "5", "path": path(2, log)}, "checkpoint": note}


def a_false_note(random: Random, of: World, proof: Proof, _: Proof) -> None:
    note = checkpoint(of.dataset, of.log)
    text, _blank, line = note.partition("\n\n")
    strange = checkpoint(of.dataset, of.log, STRANGER).partition("\n\n")[2]
    notes = [
        note + strange,
        f"{text}\n\n{strange}{line}",
        note + line,
        f"{text}\n\n{strange}",
        f"{text}\nmore\n\n{line}",
    ]
    notes += [
        f"{text}\n\n\n{line}",
        note[:-1],
        note + "\n",
        f"{text}\n{line}",
        note.replace("\n", "\r\n"),
        f"\n{note}",
        text,
    ]
    notes += [note.replace("5", "05", 1), note.replace("5", "6", 1), note.replace("— ", "- "), note.replace("=", "")]
    notes += [note.replace("corpus/", "corpus//", 1), f"{text}\n\n" + strange * 40 + line, note + "— x+y aaaa\n"]
    proof["checkpoint"] = random.choice([*notes, note + "— x aaaa\n", note + "— x aaab\n" * 31])


def cut(random: Random, content: bytes) -> bytes:
    return content[: random.randrange(len(content))]


def byte_changed(random: Random, content: bytes) -> bytes:
    at = random.randrange(len(content))
    return content[:at] + bytes([random.randrange(256)]) + content[at + random.randrange(2) :]


def spelled_otherwise(random: Random, content: bytes) -> bytes:
    otherwise = [
        b"\xef\xbb\xbf" + content,
        content + b"\n",
        content + content,
        content + b"\0",
        content.replace(b'"', b"'"),
    ]
    otherwise += [content.decode("utf-8", "replace").encode("utf-16"), content.replace(b'": "', b'":\n\t "')]
    otherwise += [content.replace(b'"claim"', b'"claim": {}, "claim"', 1), content.replace(b'"is"', b'"\\u0069s"')]
    otherwise += [content.replace(b'"id"', b'"id": "p-1", "id"', 1), content[1:], b"[" + content + b"]", b"[" * 60000]
    otherwise += [
        content.replace(b'"is"', b'"is": "in", "\\u0069s"'),
        content + b" " * 70000,
        b'{"a":' * 10000,
        b"9" * 60000,
    ]
    return random.choice(otherwise)


Lie = Callable[[Random, World, Proof, Proof], Proof | None]
LIES: list[Lie] = [another_value, bent_text, one_letter, another_number, a_list_changed, a_name_changed, two_swapped]
LIES += [from_another_proof, a_part_from_another, the_opposite, another_id, a_false_proof, a_false_proof, a_false_log]
LIES += [a_false_note]
SPELLINGS: list[Callable[[Random, bytes], bytes]] = [cut, byte_changed, spelled_otherwise]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--proofs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    found = told(asked.proofs, asked.seed)
    print("\n".join(found.wrong[:20]))
    print(
        f"{found.told} lies in {found.seconds:.0f} s: {len(found.wrong)} believed wrongly or judged differently;",
        end=" ",
    )
    print(f"{found.still_true} changes left a true proof, which both believed.")
    return bool(found.wrong)


if __name__ == "__main__":
    sys.exit(main())
