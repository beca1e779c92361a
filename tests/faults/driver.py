"""Kills real drivers at random moments, and looks at what a rerun makes of their builds.

A child process builds the next versions of four datasets, side by side and each at its own pace; the parent kills it
(Python alone, or its Java too): anywhere, or when one of them has come to its commit. The next child begins the same
builds again, and is perhaps killed as well. Once they are all made, every version must be there once, hold the rows of
the undisturbed first version, and stand in the log in order. The world is tiny, and its policy without duplicates: what
is killed is the protocol, whatever was judged.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from deltalake import DeltaTable
from pyspark.sql import SparkSession

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

CREW = 4
"""So many datasets are built by one driver: Java's start is dear, and builds meet its end at different moments."""
APART = 12.0
"""Seconds within which they begin."""


def child(folder: Path, first: int, seals: bool) -> None:
    """Builds one version of each dataset after another until somebody kills it; says on stdout where it is."""
    own = {"spark.driver.memory": "2g", "spark.sql.warehouse.dir": str(folder / "spark"), "spark.master": "local[2]"}
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
        tell(f"begin {number}")
        with ThreadPoolExecutor(CREW) as crew:
            list(crew.map(partial(made, spark, seals), [numbered(folder, number, place) for place in range(CREW)]))
        tell(f"built {number}")
        if not sys.stdin.readline():  # the parent has looked, or is gone
            return
        number, seals = number + 1, False


def made(spark: SparkSession, seals: bool, request: BuildRequest) -> None:
    """Makes one version of one of the datasets, a little after the others or before them."""
    time.sleep(random.Random(f"{request.cutoff} {request.warehouse.name}").uniform(0, APART))
    if seals and (request.folder / "snapshot/_delta_log").is_dir():
        seal(request.folder, request.signing_key, lambda: nullcontext(spark), 60)
    building.build(spark, request)


def tell(what: str) -> None:
    print(what, flush=True)


def numbered(folder: Path, number: int, place: int) -> BuildRequest:
    """The request of a build; each has another cutoff, and the same posts before it."""
    return BuildRequest(
        dataset="uk-social",
        warehouse=folder / str(place),
        source=source_of(folder / "inputs", [*REQUIRED_INPUTS]),
        policy=policy(searches=False),
        cutoff=NOW - timedelta(seconds=number),
        now=NOW,
        key_file=folder / f"keys/{place}/uk-social.key",
        wait_seconds=60,
    )


class Builder:
    """A child process, and what it has said so far."""

    def __init__(self, folder: Path, first: int, seals: bool) -> None:
        command = [sys.executable, "-m", "tests.faults.driver", str(folder), str(first)]
        self.log = folder / "child.log"
        with self.log.open("a") as log:
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
        last = self.log.read_text(encoding="utf-8").splitlines()[-1:]
        raise RuntimeError(f"a builder ended by itself ({self.process.wait()}) before it said '{words}': {last}")

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
    made = [commit for commit in commits(dataset) if commit.build_id][before:]  # before: what there was
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
    """Kills drivers until so many builds were killed, four at a time, and looks at the datasets after each rerun."""
    chance, places = random.Random(seed), [folder / str(place) / "uk-social" for place in range(CREW)]
    folder.mkdir(parents=True)
    builder = Builder(folder, 0, seals=False)
    try:
        cold = duration(builder, "begin", "built 0")
        reference = [rows(dataset, 1) for dataset in places]
        stated = [statements(dataset) for dataset in places]
        builder.go_on()
        warm = {"begin": duration(builder, "begin", "built 1")}
        builder.go_on()
        warm["commit"] = duration(builder, "commit", "built 2") / 2
        number = 3
        while kills > 0:
            builder, killed = killed_in_turn(builder, folder, number, chance, warm | {"cold": cold})
            said = builder.until(f"built {number}")
            wrong = [list(faults(*each)) for each in zip(places, reference, strict=True)]
            lost = [gone(before) for before in stated]
            for place, what in killed:
                yield Tried(what, f"dataset {place}: {said}", wrong[place], lost[place], not wrong[place])
            stated = [statements(dataset) for dataset in places]
            kills, number = kills - len(killed), number + 1
    finally:
        builder.kill(with_java=True)


def killed_in_turn(
    builder: Builder, folder: Path, number: int, chance: random.Random, lasts: dict[str, float]
) -> tuple[Builder, list[tuple[int, str]]]:
    """Kills the builder in its next builds, and perhaps who mends them; who comes last, and what was killed where."""
    places = [folder / str(place) / "uk-social" for place in range(CREW)]
    before, killed = [built(dataset) for dataset in places], list[tuple[int, str]]()
    builder.go_on()
    for turn in range(chance.choice([1, 1, 2, 3])):
        since, with_java = chance.choice(["begin", "commit"]), chance.random() < 0.5
        builder.until("begin")
        for _ in range(chance.randint(1, CREW) if since == "commit" and not turn else 0):
            builder.until("commit")
        time.sleep(chance.uniform(0, lasts["cold" if turn else since]))
        builder.kill(with_java)
        who = "Python and Java" if with_java else "Python"
        killed += [(at, f"{who} killed {moment(places[at], before[at])}") for at in range(CREW)]
        builder = Builder(folder, number, seals=chance.random() < 0.5)
    return builder, killed


def duration(builder: Builder, begin: str, end: str) -> float:
    """How long undisturbed builds take from there to there."""
    builder.until(begin)
    began = time.monotonic()
    builder.until(end)
    return time.monotonic() - began


def built(dataset: Path) -> int:
    """How many versions builds have made."""
    return sum(bool(commit.build_id) for commit in commits(dataset))


def statements(dataset: Path) -> dict[Path, bytes]:
    """Every statement as it stands."""
    return {path: path.read_bytes() for path in (dataset / "evidence/statements").glob("*.json")}


def gone(before: dict[Path, bytes]) -> list[str]:
    """The statements that are not there any more, or are others."""
    return [path.name for path, held in before.items() if not path.exists() or path.read_bytes() != held]


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
