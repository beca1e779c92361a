"""Kills real builds at random moments, and looks at what a rerun makes of them.

A child process builds one version after another; the parent kills it (Python alone, or its Java too) in a build:
anywhere, from the intent on, or from the commit on. The next child begins the same build again. Then every
version must be there once, hold the rows of the undisturbed first version, and stand in the log in order.
The world is tiny, and its policy without duplicates: what is killed is the protocol, whatever was judged.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from datetime import timedelta
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

from deltalake import DeltaTable

from corpus import build as building
from corpus.errors import CorpusError
from corpus.evidence.commits import commits
from corpus.evidence.envelope import STATEMENT, opened
from corpus.evidence.keys import public_key
from corpus.evidence.record import digest_of_record, records
from corpus.evidence.store import digest_of, read_document, statement_path
from corpus.request import BuildRequest
from corpus.schemas import REQUIRED_INPUTS
from corpus.seal import seal
from corpus.session import open_session
from tests.conftest import ROOT, SETTINGS_FOR_TESTS
from tests.faults.scene import Tried
from tests.faults.world import NOW, policy, write_world
from tests.small_inputs import source_of


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
        policy=policy(searches=False),
        cutoff=NOW - timedelta(seconds=number),
        now=NOW,
        key_file=folder / "keys/uk-social.key",
        wait_seconds=60,
    )


class Builder:
    """A child process, and what it has said so far."""

    def __init__(self, folder: Path, first: int, seals: bool) -> None:
        command = [sys.executable, "-m", "tests.faults.driver", str(folder), str(first)]
        with (folder / "child.log").open("a") as log:
            self.process = subprocess.Popen(
                [*command, *(["seals"] if seals else [])],
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


def moment(dataset: Path, before: int) -> str:
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


def driver(folder: Path, kills: int, seed: int) -> Iterator[Tried]:
    """Kills so many builders, of two datasets abreast."""
    done: Queue[Tried | BaseException] = Queue()
    lanes = [Thread(target=lane, args=(folder / str(n), kills // 2 + kills % 2 * n, seed + n, done)) for n in (0, 1)]
    for each in lanes:
        each.start()
    for _ in range(kills):
        one = done.get()
        if isinstance(one, BaseException):
            raise one
        yield one


def lane(folder: Path, kills: int, seed: int, done: Queue[Tried | BaseException]) -> None:
    try:
        for one in killed(folder, kills, random.Random(seed)):
            done.put(one)
    except BaseException as broken:
        done.put(broken)
        raise


def killed(folder: Path, kills: int, chance: random.Random) -> Iterator[Tried]:
    """Kills a builder, and looks at the dataset after its rerun, so many times."""
    dataset = folder / "warehouse/uk-social"
    folder.mkdir(parents=True)
    builder = Builder(folder, 0, seals=False)
    try:
        builder.until("built 0")
        reference, stated = rows(dataset, 1), dict[Path, bytes]()
        lasts = {since: duration(builder, dataset, since) for since in ("begin", "commit", "made")}
        for number in range(4, 4 + kills):
            since, with_java = chance.choice(["begin", "commit", "made"]), chance.random() < 0.5
            before = sum(bool(commit.build_id) for commit in commits(dataset))
            builder.go_on()
            reach(builder, dataset, since)
            time.sleep(chance.uniform(0, lasts[since]))
            builder.kill(with_java)
            what = f"{'Python and Java' if with_java else 'Python'} killed {moment(dataset, before)}"
            builder = Builder(folder, number, seals=chance.random() < 0.5)
            said = builder.until(f"built {number}")
            wrong = list(faults(dataset, reference))
            lost = [path.name for path, held in stated.items() if not path.exists() or path.read_bytes() != held]
            yield Tried(what, said, wrong, lost, not wrong)
            stated = {path: path.read_bytes() for path in (dataset / "evidence/statements").glob("*.json")}
    finally:
        builder.kill(with_java=True)


def reach(builder: Builder, dataset: Path, since: str) -> None:
    """Waits until a build begins, comes to its intent, or has made its commit."""
    newest = max((dataset / "snapshot/_delta_log").glob("*.json"))
    builder.until("begin")
    if since == "begin":
        return
    builder.until("commit")
    while since == "made" and not newest.with_stem(f"{int(newest.stem) + 1:020d}").exists():
        time.sleep(0.001)


def duration(builder: Builder, dataset: Path, since: str) -> float:
    """How long an undisturbed build takes from there to its end."""
    builder.go_on()
    reach(builder, dataset, since)
    began = time.monotonic()
    builder.until("built")
    return time.monotonic() - began


def main() -> int:
    """The child's."""
    folder, first, *seals = sys.argv[1:]
    try:
        child(Path(folder), int(first), bool(seals))
    except CorpusError as mistake:
        print(f"faults: {mistake}", file=sys.stderr)
        return mistake.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
