"""Kills real builds at random moments, and counts what a rerun finds: `make faults`, ARGS="--kills 10 --seed 7".

A child process builds one version after another; the parent kills it (Python alone, or its Java too) in a build:
anywhere, from the intent on, or from the commit on. The next child begins the same build again. Then every
version must be there once, hold the rows of the undisturbed first version, and stand in the log in order.
The world is tiny, and its policy without duplicates: what is killed is the protocol, whatever was judged.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from corpus import build as building
from corpus.errors import CorpusError
from corpus.evidence.commits import commits
from corpus.evidence.envelope import STATEMENT, opened
from corpus.evidence.keys import public_key
from corpus.evidence.record import digest_of_record, records
from corpus.evidence.store import digest_of, read_document, statement_path
from corpus.policy import Policy, read_policy
from corpus.request import BuildRequest
from corpus.schemas import INPUTS, REQUIRED_INPUTS
from corpus.seal import seal
from corpus.session import open_session
from tests.conftest import ROOT, SETTINGS_FOR_TESTS
from tests.small_inputs import source_of

NOW, OLD = datetime(2026, 11, 20, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)
PERSON = {"platform": "stackexchange", "account_type": "person", "status": "active", "country": "GB"}
POST = {"platform": "stackexchange", "surface": "post", "coauthor_ids": [], "mentions": [], "tags": [], "flags": []}
SEEN = {"visibility": "public", "created_at": OLD, "recorded_at": OLD}
OBJECTION = {"kind": "object", "subject_type": "account", "status": "upheld", "channel": "form"}
WORLD: dict[str, list[dict[str, Any]]] = {
    "posts": [
        POST | SEEN | {"post_id": f"p{n}", "account_id": f"a{n % 6}", "text": f"tram number {n}", "public_since": OLD}
        for n in range(24)
    ],
    "profiles": [
        PERSON | SEEN | {"account_id": f"a{n}", "person_id": f"h{n}", "visibility_since": OLD, "country_since": OLD}
        for n in range(6)
    ],
    "objections": [
        OBJECTION
        | {"objection_id": "o1", "subject_id": "a1"}
        | dict.fromkeys(("effective_at", "received_at", "recorded_at"), OLD)
    ],
}


@dataclass
class Found:
    """What the kills did, and what was wrong after the reruns."""

    moments: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    repaired: int = 0


def child(folder: Path, first: int, seals: bool) -> None:
    """Builds one version after another until somebody kills it; says on stdout where it is."""
    own = {"spark.driver.memory": "1g", "spark.sql.warehouse.dir": str(folder / "spark"), "spark.master": "local[1]"}
    spark = open_session("faults", ROOT / "conf/spark/local.conf", SETTINGS_FOR_TESTS | own)
    if not (folder / "inputs").is_dir():
        write_world(folder / "inputs")
    commit_version = building.commit_version

    def seen(*arguments: Any) -> Any:
        tell("commit")
        return commit_version(*arguments)

    building.commit_version = seen  # type: ignore[assignment]
    number = first
    while True:
        request = numbered(folder, number)
        tell(f"begin {number}")
        if seals and (request.folder / "snapshot/_delta_log").is_dir():
            seal(request.folder, request.signing_key, lambda: nullcontext(spark), 60)
        made = building.build(spark, request)
        tell(f"built {number} {made.version}")
        if not sys.stdin.readline():  # the parent has looked, or is gone
            return
        number, seals = number + 1, False


def tell(what: str) -> None:
    print(what, flush=True)


def numbered(folder: Path, number: int) -> BuildRequest:
    """The request of a build; each has another cutoff, and the same posts before it."""
    return BuildRequest(
        dataset="uk-social",
        warehouse=folder / "warehouse",
        source=source_of(folder / "inputs", [*REQUIRED_INPUTS]),
        policy=policy(),
        cutoff=NOW - timedelta(seconds=number),
        now=NOW,
        key_file=folder / "keys/uk-social.key",
        wait_seconds=60,
    )


def policy() -> Policy:
    """That of forums, which needs three tables, without the search for duplicates."""
    whole = read_policy(ROOT / "conf/policies/forum.toml")
    no_search = {"exact": False, "near": False}
    parts = {name: getattr(whole, name).model_copy(update=no_search) for name in ("dedup", "objector_copies")}
    return whole.model_copy(update=parts)


def write_world(inputs: Path) -> None:
    """The tiny world's tables."""
    for table, found in WORLD.items():
        schema = to_arrow_schema(cast("StructType", StructType.fromDDL(INPUTS[table])), timezone="UTC")
        write_deltalake(inputs / table, pa.Table.from_pylist(found, schema))


class Builder:
    """A child process, and what it has said so far."""

    def __init__(self, folder: Path, first: int, seals: bool) -> None:
        command = [sys.executable, "-m", "tests.faults_seal", "--child", str(folder), "--first", str(first)]
        with (folder / "child.log").open("a") as log:
            self.process = subprocess.Popen(
                [*command, *(["--seals"] if seals else [])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=ROOT,
                start_new_session=True,
            )

    def until(self, words: str) -> str:
        """Reads on to a line that begins so. Raises RuntimeError where the child ends first."""
        for line in self.process.stdout or ():
            if line.startswith(words):
                return line.strip()
        raise RuntimeError(f"a builder ended by itself with {self.process.wait()} before it said '{words}'")

    def go_on(self) -> None:
        """Lets it begin the next build."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def kill(self, with_java: bool) -> None:
        """Ends it at once, as a power cut would; Java alone may live on a moment."""
        if with_java:
            os.killpg(self.process.pid, signal.SIGKILL)
        else:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(OSError):
                pipe.close()  # type: ignore[union-attr]


def moment(dataset: Path, number: int, before: int) -> str:
    """How far the killed build had come, by what lies on disk."""
    made = [commit for commit in commits(dataset) if commit.build_id][before:]
    if not made:
        return "before the commit"
    if not statement_path(dataset, made[0].version).exists():
        return "committed, not stated"
    recorded = {int(record["version"]) for record in records(dataset)}
    return "sealed" if made[0].version in recorded else "stated, not in the log"


def faults(dataset: Path, reference: list[dict[str, Any]]) -> Iterator[str]:
    """What is wrong with a dataset whose builds all ended well."""
    public, previous, seen = public_key(dataset), "", set[str]()
    made = [commit for commit in commits(dataset) if commit.build_id]
    known = records(dataset)
    if [int(record["version"]) for record in known] != [commit.version for commit in made]:
        yield f"the log holds {[record['version'] for record in known]}, the table {[c.version for c in made]}"
    for commit, record in zip(made, known, strict=False):
        statement = opened(read_document(statement_path(dataset, commit.version)) or {}, STATEMENT, public)
        if record["previous"] != previous or record["statement"] != digest_of(statement):
            yield f"the record of version {commit.version} does not follow, or is of another statement"
        if commit.build_id in seen or statement["predicate"]["build_id"] != commit.build_id:
            yield f"version {commit.version} is a build's that has another"
        if rows(dataset, commit.version) != reference:
            yield f"version {commit.version} holds other rows than the first"
        previous = digest_of_record(record)
        seen.add(commit.build_id)


def rows(dataset: Path, version: int) -> list[dict[str, Any]]:
    table = DeltaTable(dataset / "snapshot", version=version).to_pyarrow_table()
    return sorted(table.to_pylist(), key=lambda row: str(row["doc_id"]))


def run(folder: Path, kills: int, seed: int) -> Found:
    """Kills so many builders, and looks at the dataset after each rerun."""
    chance, found, dataset = random.Random(seed), Found(), folder / "warehouse/uk-social"
    folder.mkdir()
    builder = Builder(folder, 0, seals=False)
    builder.until("built 0")
    reference, stated = rows(dataset, 1), dict[Path, bytes]()
    lasts = {since: duration(builder, dataset, since) for since in ("begin", "commit", "made")}
    number = 4
    for kill in range(kills):
        since, with_java = chance.choice(["begin", "commit", "made"]), chance.random() < 0.5
        before = sum(bool(commit.build_id) for commit in commits(dataset))
        builder.go_on()
        reach(builder, dataset, since)
        time.sleep(chance.uniform(0, lasts[since]))
        builder.kill(with_java)
        found.moments[moment(dataset, number, before)] += 1
        builder = Builder(folder, number, seals=chance.random() < 0.5)
        builder.until(f"built {number}")
        wrong = list(faults(dataset, reference))
        found.wrong += wrong
        found.lost += [
            path.name for path, content in stated.items() if not path.exists() or path.read_bytes() != content
        ]
        found.repaired += not wrong
        stated = {path: path.read_bytes() for path in (dataset / "evidence/statements").glob("*.json")}
        number += 1
        print(
            f"lane {seed}: {kill + 1} kills: {dict(found.moments)}; wrong {found.wrong}, lost {found.lost}", flush=True
        )
    builder.kill(with_java=True)
    return found


def reach(builder: Builder, dataset: Path, since: str) -> None:
    """Waits until a build begins, comes to its intent, or has made its commit."""
    newest = max((dataset / "snapshot/_delta_log").glob("*.json"))
    builder.until("begin")
    if since == "begin":
        return
    builder.until("commit")
    while since == "made" and not newest.with_stem(f"{int(newest.stem) + 1:020d}").exists():
        time.sleep(0.001)


def together(some: Found, others: Found) -> Found:
    """What two lanes found."""
    both = (some.wrong + others.wrong, some.lost + others.lost, some.repaired + others.repaired)
    return Found(some.moments + others.moments, *both)


def duration(builder: Builder, dataset: Path, since: str) -> float:
    """How long an undisturbed build takes from there to its end."""
    builder.go_on()
    reach(builder, dataset, since)
    began = time.monotonic()
    builder.until("built")
    return time.monotonic() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lanes", type=int, default=2, help="datasets that are built, and builders killed, abreast")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--seals", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        try:
            child(given.child, given.first, given.seals)
        except CorpusError as mistake:
            print(f"faults: {mistake}", file=sys.stderr)
            return mistake.exit_code
        return 0
    shares = [given.kills // given.lanes + (lane < given.kills % given.lanes) for lane in range(given.lanes)]
    with TemporaryDirectory(prefix="corpus-faults-") as folder, ThreadPoolExecutor(given.lanes) as side_by_side:
        lanes = [Path(folder) / str(lane) for lane in range(given.lanes)]
        seeds = range(given.seed, given.seed + given.lanes)
        found = reduce(together, side_by_side.map(run, lanes, shares, seeds))
    print(f"{given.kills} kills (seeds from {given.seed}): {', '.join(f'{n} {m}' for m, n in found.moments.items())}")
    print(f"wrong versions {len(found.wrong)}, lost {len(found.lost)}, repaired by a rerun {found.repaired}")
    return 1 if found.wrong or found.lost or found.repaired < given.kills else 0


if __name__ == "__main__":
    sys.exit(main())
