"""A tiny world and a dataset of it with one version; every fault strikes the next build of a copy of its own.

What that build must come to is known from one that nothing disturbed: its row digest and the roots of its trees.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from corpus import build as building
from corpus.build import build
from corpus.errors import CorpusError
from corpus.evidence.commits import commits
from corpus.evidence.store import payload_of, read_document, statement_path
from corpus.request import BuildRequest
from corpus.schemas import REQUIRED_INPUTS
from corpus.session import open_session
from corpus.verification.whole import verify
from tests.conftest import ROOT, SETTINGS_FOR_TESTS
from tests.faults.world import NOW, policy, write_world
from tests.small_inputs import source_of

EXPECTED = "expected.json"
JAVA = {"spark.driver.memory": "2g", "spark.master": "local[2]"}


@dataclass(frozen=True)
class Tried:
    """What one fault did to one build, and what was wrong after it; `is_well` if the build has its version at last."""

    what: str
    said: str
    wrong: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    is_well: bool = True


class NotHere(Exception):
    """This machine lacks what a fault is made with."""


@dataclass(frozen=True)
class Scene:
    """The world, the dataset with one version, and what the next build of it must make."""

    folder: Path
    searches: bool
    expected: dict[str, Any] = field(default_factory=dict)

    def request(self, name: str, with_inputs: bool = False) -> BuildRequest:
        """The next build, on a copy of the dataset of this name; on a copy of the inputs too, where they are harmed."""
        copies = {"warehouse": name} | ({"inputs": f"{name} inputs"} if with_inputs else {})
        for kept, copy in copies.items():
            shutil.rmtree(self.folder / copy, ignore_errors=True)
            shutil.copytree(self.folder / kept, self.folder / copy)
        return self.on(name, f"{name} inputs" if with_inputs else "inputs")

    def on(self, warehouse: str, inputs: str = "inputs") -> BuildRequest:
        """The next build of the dataset as it stands in one of the scene's folders."""
        return BuildRequest(
            dataset="uk-social",
            warehouse=self.folder / warehouse,
            source=source_of(self.folder / inputs, [*REQUIRED_INPUTS]),
            policy=policy(self.searches),
            cutoff=NOW,
            now=NOW,
            key_file=self.folder / "keys/uk-social.key",
            build_id="next",
            bucket_bits=1,
            wait_seconds=300,
        )


@contextmanager
def session(**settings: str) -> Iterator[SparkSession]:
    """A Spark of its own in this process's Java, with these settings (_ for .)."""
    own = {key.replace("_", "."): value for key, value in settings.items()}
    spark = open_session("faults", ROOT / "conf/spark/local.conf", SETTINGS_FOR_TESTS | JAVA | own)
    try:
        yield spark
    finally:
        forget_tables(spark)
        spark.stop()


def forget_tables(spark: SparkSession) -> None:
    """Lets Delta look at each table afresh, as another process would."""
    spark.sparkContext._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()  # type: ignore[union-attr]


def make_scene(spark: SparkSession, folder: Path, searches: bool) -> None:
    """Writes the world and the dataset's first version, and what an undisturbed build makes of them next.

    Builds that search for duplicates have all stages, and take twice as long.
    """
    write_world(folder / "inputs")
    scene = Scene(folder, searches)
    first = replace(scene.on("warehouse"), build_id="first", cutoff=NOW - timedelta(days=1))
    build(spark, first)
    undisturbed = scene.request("undisturbed")
    build(spark, undisturbed)
    (folder / EXPECTED).write_text(json.dumps({"searches": searches, "expected": content(undisturbed)}))


def scene_in(folder: Path) -> Scene:
    """The scene that was made in a folder."""
    return Scene(folder, **json.loads((folder / EXPECTED).read_text()))


def content(request: BuildRequest) -> dict[str, Any]:
    """What a build's version holds, wherever and when it was made."""
    (made,) = [commit.version for commit in commits(request.folder) if commit.build_id == request.build_id]
    said = payload_of(read_document(statement_path(request.folder, made)) or {})["predicate"]
    return {"snapshot": said["snapshot"], "trees": said["trees"], "funnel": said["funnel"]}


def answer(spark: SparkSession, request: BuildRequest) -> str:
    """What a build says: that it made a version, or why not."""
    try:
        return f"made version {build(spark, request).version}"
    except CorpusError as refused:
        return f"{type(refused).__name__}: {refused}"
    except Exception as broken:
        return f"a traceback: {type(broken).__name__}: {str(broken).splitlines()[0][:300]}"


def completes(scene: Scene, spark: SparkSession, request: BuildRequest, what: str) -> Tried:
    """The build goes on through the fault."""
    said = answer(spark, request)
    return Tried(what, said, *found(scene, request))


@dataclass(frozen=True)
class Strike:
    """What happens to a build at which moment, what it must say of it, and how that is mended."""

    what: str
    moment: str
    act: Callable[[], object]
    says: str
    mend: Callable[[], object] = lambda: None


def stops(scene: Scene, spark: SparkSession, request: BuildRequest, *strikes: Strike) -> Iterator[Tried]:
    """The build stops at each of these, one after another, and makes no version; run once more, it completes."""
    told = [(strike.what, *struck(spark, request, strike)) for strike in strikes]
    again = answer(spark, request)
    more, lost, is_well = found(scene, request)
    for what, said, wrong in told:
        yield Tried(what, said, wrong + more, lost, is_well and again.startswith("made"))


def struck(spark: SparkSession, request: BuildRequest, strike: Strike) -> tuple[str, list[str]]:
    """What the build said, and what is wrong with that or with what it left; the fault is mended."""
    with when(strike.moment, strike.act):
        said = answer(spark, request)
    wrong = [] if strike.says in said else [f"it does not say '{strike.says}'"]
    made = [commit.version for commit in commits(request.folder) if commit.build_id == request.build_id]
    wrong += [f"it made version {number} all the same" for number in made]
    strike.mend()
    forget_tables(spark)
    return said, wrong


def found(scene: Scene, request: BuildRequest) -> tuple[list[str], list[str], bool]:
    """What is wrong with a dataset, what it has lost, and whether its next version is there and is the right one."""
    made = [commit for commit in commits(request.folder) if commit.build_id]
    ours = [commit.version for commit in made if commit.build_id == request.build_id]
    report = verify(request.warehouse, request.dataset, None, datetime.now(UTC), request.key_file)
    wrong = [f"{each.check} of {each.about}: {each.found}" for each in report.of("FAILED")]
    wrong += [f"build {request.build_id} made {len(ours)} versions: {ours}"] if len(ours) > 1 else []
    is_well = len(ours) == 1 and content(request) == scene.expected
    wrong += ["the version is not what an undisturbed build makes"] if ours and not is_well else []
    before = statement_path(scene.folder / "warehouse/uk-social", 1)
    after = statement_path(request.folder, 1)
    is_lost = not after.exists() or read_document(after) != read_document(before)
    return wrong, ["version 1"] if is_lost else [], is_well


@contextmanager
def when(moment: str, act: Callable[[], object]) -> Iterator[None]:
    """Within this, does something the first time that a build comes to a moment: the name of a function of `build`.

    `pin` is over by then; every other is about to begin.
    """
    own, left = getattr(building, moment), [act]

    def seen(*arguments: Any, **named: Any) -> Any:
        made = own(*arguments, **named) if moment == "pin" else None
        if left:
            left.pop()()
        return made if moment == "pin" else own(*arguments, **named)

    setattr(building, moment, seen)
    try:
        yield
    finally:
        setattr(building, moment, own)
