"""A version is sealed if it is what its build intended, whatever a crash left; anything else is named, not sealed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, NoReturn

import pytest
from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession

from corpus import build as building
from corpus import seal as sealing
from corpus import snapshot, tables
from corpus.build import commit_version
from corpus.errors import DatasetError, EnvironmentFault
from corpus.evidence.commits import commits
from corpus.evidence.envelope import INTENT, STATEMENT, newest_statement, opened, payload_of, sealed
from corpus.evidence.keys import make_signer, public_key, signer_of
from corpus.evidence.record import digest_of_record, records
from corpus.evidence.store import digest_of, intent_path, read_document, statement_path, write_document
from corpus.founding import founded
from corpus.request import BuildRequest
from corpus.schemas import SNAPSHOT
from corpus.seal import Outcome, Sealing, seal, unsealed
from tests.small_inputs import request_of, source_of
from tests.statements import some_signer


class Killed(BaseException):
    """Ends a build as a power cut would: nothing that handles errors sees it."""


DIGESTS: dict[str, str] = {}
NO_TREE = {"root": sha256().hexdigest(), "ids": "0", "buckets": "0"}
"""Of a build whose leaves these tests leave out."""


@dataclass(frozen=True)
class World:
    """A dataset that is empty as yet, and documents to put in."""

    spark: SparkSession
    request: BuildRequest

    @property
    def folder(self) -> Path:
        return self.request.folder

    def documents(self, text: str) -> DataFrame:
        rows = f"SELECT 'd1', '{text}', 'facebook', 'post', 'en', DATE'2026-05-01', 5, 1L, 0"
        return self.spark.sql(
            f"SELECT * FROM ({rows} UNION ALL SELECT 'd2', 'tea', null, null, null, null, 3, 1L, 1)"
        ).toDF(*(part.split()[0] for part in SNAPSHOT.split(",")))

    def digest(self, text: str) -> str:
        """Of these documents, which are the same in all worlds."""
        if text not in DIGESTS:
            DIGESTS[text] = snapshot.row_digest(self.documents(text))
        return DIGESTS[text]

    def intent(self, build_id: str, text: str = "rain", now: str = "2026-11-20T00:00:00Z") -> dict[str, Any]:
        base = snapshot.newest_version(self.spark, self.folder)
        return {
            "dataset": "uk-social",
            "build_id": build_id,
            "base_version": str(base),
            "cutoff": "2026-11-20T00:00:00Z",
            "now": now,
            "snapshot": {"rows": "2", "digest": self.digest(text), "bucket_bits": "4"},
            "trees": {"documents": NO_TREE, "persons": NO_TREE},
        }

    def build(self, build_id: str, text: str = "rain", **said: str) -> int:
        """Commits and seals a version; what was committed already under this id is sealed."""
        if made := snapshot.commit_of(self.spark, self.folder, build_id):
            self.seal().require_none_refused()
            return made.version
        intent = self.intent(build_id, text, **said)
        return commit_version(self.spark, self.request, self.documents(text), intent, lambda: None)[0]

    def seal(self) -> Sealing:
        return seal(self.folder, self.request.signing_key, lambda: nullcontext(self.spark), 0)


@pytest.fixture(scope="module")
def empty(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("sealed")
    request = request_of(
        source_of(folder, ["posts", "profiles", "objections"]), folder / "warehouse", folder / "keys/uk-social.key"
    )
    founded(spark, request, 0)
    return World(spark, request)


@pytest.fixture
def world(empty: World, tmp_path: Path) -> World:
    """A copy of the empty dataset."""
    shutil.copytree(empty.request.warehouse, tmp_path / "warehouse")
    shutil.copytree(empty.request.key_file.parent, tmp_path / "keys")
    request = replace(
        empty.request, warehouse=tmp_path / "warehouse", key_file=tmp_path / "keys" / empty.request.key_file.name
    )
    return World(empty.spark, request)


def no_spark() -> NoReturn:
    raise AssertionError("nothing is left to read")


def kinds(found: Sealing) -> list[str]:
    return [outcome.kind for outcome in found.outcomes]


def refused(found: Sealing) -> Outcome:
    (one,) = found.of("refused")
    return one


PROTOCOL: list[tuple[Any, str]] = [
    (building, "write_intent"),
    (snapshot, "commit"),
    (snapshot, "committed"),
    (building, "require_content"),
    (sealing, "write_document"),
    (sealing, "append"),
    (tables, "sweep"),
]
"""The steps of a build that holds the lease, in their order: what is called, and where its caller finds it."""


def boundaries() -> Iterator[tuple[Any, str, bool]]:
    for module, name in PROTOCOL:
        yield module, name, False
    yield (*PROTOCOL[-1], True)


def dying(step: Callable[..., Any], after: bool) -> Callable[..., Any]:
    def stepped(*arguments: Any) -> NoReturn:
        if after:
            step(*arguments)
        raise Killed

    return stepped


def test_a_build_that_dies_between_any_two_steps_is_completed_by_a_rerun(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, (module, name, after) in enumerate(boundaries(), 1):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, dying(getattr(module, name), after))
            with pytest.raises(Killed):
                world.build(f"b{number}")
        assert world.build(f"b{number}", now="2026-11-21T00:00:00Z") == number
        assert unsealed(world.folder) == []
    assert_whole(world, [f"b{number}" for number in range(1, number + 1)])
    found = seal(world.folder, world.request.signing_key, no_spark, 0)
    assert kinds(found) == ["expected", *["finished"] * number]


def assert_whole(world: World, builds: list[str]) -> None:
    """One version a build, in order, stated, signed and in the log, which is a chain."""
    made = [commit for commit in commits(world.folder) if commit.build_id]
    assert [commit.build_id for commit in made] == builds
    previous = ""
    for commit, record in zip(made, records(world.folder), strict=True):
        envelope = read_document(statement_path(world.folder, commit.version))
        statement = opened(envelope or {}, STATEMENT, public_key(world.folder))
        assert (record["version"], record["statement"]) == (str(commit.version), digest_of(statement))
        assert record["previous"] == previous
        previous = digest_of_record(record)


def test_the_commit_of_a_try_that_was_begun_again_is_sealed_by_its_own_intent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Java that outlives its Python commits what the first try meant, after the second has written its intent."""
    documents, first = world.documents("rain"), world.intent("b1")
    signer = signer_of(world.folder, world.request.signing_key)
    sealing.write_intent(world.folder, first, signer)
    sealing.write_intent(world.folder, first | {"now": "2026-11-21T00:00:00Z"}, signer)
    snapshot.commit(documents, world.folder, snapshot.Said("b1", digest_of(first)))
    assert kinds(world.seal()) == ["expected", "sealed"]
    assert (newest_statement(world.folder) or {})["predicate"]["now"] == first["now"]


def test_a_commit_of_other_rows_than_were_judged_stays_unsealed(world: World) -> None:
    intent = world.intent("b1", "rain")
    with pytest.raises(DatasetError, match="uk-social@1 was committed by this build, but it holds 2 rows with the dig"):
        commit_version(world.spark, world.request, world.documents("snow"), intent, lambda: None)
    assert unsealed(world.folder) == [1]


def test_what_was_released_twice_says_the_same(world: World) -> None:
    world.build("b1")
    path = statement_path(world.folder, 1)
    before, record = path.read_bytes(), records(world.folder)
    path.unlink()
    assert kinds(world.seal()) == ["expected", "sealed"]
    assert (path.read_bytes(), records(world.folder)) == (before, record)


Forgery = Callable[[World], object]


def committed(world: World, build_id: str = "b1", text: str = "rain", **said: Any) -> None:
    """A version that its build did not come to seal; the intent may say another thing, or be signed by another."""
    intent = world.intent(build_id) | {name: value for name, value in said.items() if name != "signer"}
    signer = said.get("signer") or signer_of(world.folder, world.request.signing_key)
    write_document(intent_path(world.folder, build_id), sealed(intent, INTENT, signer))
    snapshot.commit(world.documents(text), world.folder, snapshot.Said(build_id, digest_of(intent)))


def forged_commit(world: World) -> None:
    snapshot.commit(world.documents("rain"), world.folder, snapshot.Said("b1", "0" * 64))


def copied_commit(world: World) -> None:
    world.build("b1")
    snapshot.commit(world.documents("rain"), world.folder, snapshot.Said("b1-again", "0" * 64))
    log = world.folder / "snapshot/_delta_log"
    said = json.dumps({"build_id": "b1", "intent": commits(world.folder)[1].intent}, sort_keys=True)
    lines = [json.loads(line) for line in (log / f"{2:020d}.json").read_text().splitlines()]
    for line in lines:
        if "commitInfo" in line:
            line["commitInfo"]["userMetadata"] = said
    (log / f"{2:020d}.json").write_text("\n".join(map(json.dumps, lines)))


def appended(world: World) -> None:
    world.documents("rain").write.format("delta").mode("append").save(str(world.folder / "snapshot"))


def called_optimize(world: World) -> None:
    """Rows more than the version before had, in a commit that says it moved them."""
    world.build("b1")
    appended(world)
    log = world.folder / f"snapshot/_delta_log/{2:020d}.json"
    said = log.read_text().replace('"operation":"WRITE"', '"operation":"OPTIMIZE"')
    log.write_text(said.replace('"dataChange":true', '"dataChange":false'))
    for checksum in log.parent.glob("*.crc"):  # hidden ones too
        checksum.unlink()


def optimized(world: World) -> None:
    world.spark.sql(f"OPTIMIZE delta.`{world.folder}/snapshot` ZORDER BY (platform)")


def changed_row(world: World) -> None:
    committed(world, text="Rain")


def lost_file(world: World) -> None:
    committed(world)
    for path in (world.folder / "snapshot").glob("*.parquet"):
        path.unlink()


def unsigned_intent(world: World) -> None:
    committed(world)
    path = intent_path(world.folder, "b1")
    write_document(path, (read_document(path) or {}) | {"signatures": []})


def plain_intent(world: World) -> None:
    committed(world)
    path = intent_path(world.folder, "b1")
    write_document(path, payload_of(read_document(path) or {}))


def statement_as_intent(world: World) -> None:
    committed(world)
    path = intent_path(world.folder, "b1")
    signer = signer_of(world.folder, world.request.signing_key)
    write_document(path, sealed(payload_of(read_document(path) or {}), STATEMENT, signer))


def other_statement(world: World) -> None:
    committed(world)
    statement = {"predicate": {"version": "1"}}
    signer = signer_of(world.folder, world.request.signing_key)
    write_document(statement_path(world.folder, 1), sealed(statement, STATEMENT, signer))


def out_of_order(world: World) -> None:
    committed(world)
    intent = intent_path(world.folder, "b1")
    intent.rename(intent.with_suffix(".away"))
    world.build("b2")
    intent.with_suffix(".away").rename(intent)


FORGERIES: dict[str, tuple[Forgery, str]] = {
    "a commit without an intent": (forged_commit, "the intent of build b1 is missing or another"),
    "the metadata of another commit": (
        copied_commit,
        "its intent is for uk-social@1 by build b1; the commit is uk-social@2",
    ),
    "a commit that is no build's": (appended, "WRITE by something that is no build, and changes files"),
    "rows changed in the name of OPTIMIZE": (called_optimize, "OPTIMIZE of version 1, but it holds 4 rows"),
    "a changed row": (changed_row, "it holds 2 rows with the digest"),
    "another number of rows": (
        lambda w: committed(w, snapshot={"rows": "3", "digest": "0" * 64}),
        "its intent says 3 with",
    ),
    "a lost file": (lost_file, "its rows cannot be read"),
    "an intent that nobody signed": (unsigned_intent, "signed by nobody"),
    "an intent without an envelope": (plain_intent, "it is no signed envelope"),
    "an intent of another type": (statement_as_intent, "It is of type application/vnd.in-toto"),
    "an intent by another key": (lambda w: committed(w, signer=some_signer()), "It is not signed by"),
    "an intent for another dataset": (lambda w: committed(w, dataset="eu-social"), "its intent is for eu-social@1"),
    "an intent for another version": (lambda w: committed(w, base_version="7"), "its intent is for uk-social@8"),
    "leaves that are not there": (
        lambda w: committed(w, trees={"documents": NO_TREE | {"buckets": "1"}, "persons": NO_TREE}),
        "its documents tree is",
    ),
    "another statement": (other_statement, "its statement 00000000000000000001.json is not what intent and commit say"),
    "a version before one that is sealed": (out_of_order, "versions are sealed in order"),
}


@pytest.mark.parametrize("case", FORGERIES)
def test_what_is_no_builds_own_version_is_named_and_not_sealed(world: World, case: str) -> None:
    forge, message = FORGERIES[case]
    forge(world)
    known = records(world.folder)
    one = refused(world.seal())
    assert message in one.said
    assert records(world.folder) == known
    assert one.version not in {int(record["version"]) for record in known}


def test_housekeeping_that_touches_no_data_is_expected(world: World) -> None:
    world.spark.sql(f"ALTER TABLE delta.`{world.folder}/snapshot` SET TBLPROPERTIES ('a' = 'b')")
    assert kinds(world.seal()) == ["expected", "expected"]


def test_an_optimize_is_expected_whose_rows_are_those_of_the_version_before(world: World) -> None:
    world.build("b1")
    optimized(world)
    assert kinds(world.seal()) == ["expected", "finished", "expected"]
    assert world.build("b2", text="hail") == 3
    assert kinds(world.seal()) == ["expected", "finished", "expected", "finished"]


def test_a_build_after_a_forged_commit_goes_on_and_the_forged_one_stays_unsealed(world: World) -> None:
    forged_commit(world)
    assert world.build("b2") == 2
    assert unsealed(world.folder) == [1]
    assert refused(world.seal()).version == 1


def replaced(key: Path) -> None:
    key.unlink()
    make_signer(key)


def made_a_folder(key: Path) -> None:
    key.unlink()
    key.mkdir(0o700)


def corpus(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    places = ["--warehouse", str(world.request.warehouse), "--key", str(world.request.key_file)]
    command = [sys.executable, "-c", "from corpus.cli import main; main()", *arguments, *places]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_says_what_became_of_each_commit_and_fails_if_one_is_refused(world: World) -> None:
    world.build("b1")
    done = corpus(world, "seal", "uk-social", "--json")
    assert done.returncode == 0, done.stderr
    assert [outcome["kind"] for outcome in json.loads(done.stdout)] == ["expected", "finished"]
    snapshot.commit(world.documents("rain"), world.folder, snapshot.Said("b2", "0" * 64))
    failed = corpus(world, "seal", "uk-social")
    assert (failed.returncode, "Traceback" in failed.stderr) == (6, False)
    assert "uk-social@2 is not sealed: the intent of build b2 is missing or another" in failed.stderr
    assert "uk-social@1  finished" in failed.stdout


KEYS: dict[str, tuple[Callable[[Path], object], str]] = {
    "lost": (lambda key: key.unlink(), "signing key of uk-social is missing"),
    "readable by others": (lambda key: key.chmod(0o640), "can be read by others; run: chmod 600"),
    "no key": (lambda key: key.write_text("hello"), "does not hold an Ed25519 signing key"),
    "of another dataset": (replaced, "is not that of uk-social"),
    "a folder": (made_a_folder, "cannot be read: Is a directory"),
}


@pytest.mark.parametrize("mistake", KEYS)
def test_without_its_own_signing_key_nothing_is_committed_or_sealed(world: World, mistake: str) -> None:
    spoil, message = KEYS[mistake]
    spoil(Path(world.request.signing_key))
    with pytest.raises(DatasetError, match=message):
        world.build("b1")
    with pytest.raises(DatasetError, match=message):
        world.seal()
    assert [commit.version for commit in commits(world.folder)] == [0]


def test_a_public_key_that_somebody_changed_is_noticed(world: World, tmp_path: Path) -> None:
    make_signer(tmp_path / "other.pem")
    shutil.copy(tmp_path / "other.public.pem", world.folder / "evidence/public.pem")
    with pytest.raises(DatasetError, match="holds another key than the one that signs"):
        world.seal()


def test_a_clock_before_the_last_release_stops_a_build(world: World) -> None:
    world.build("b1")
    book = sealing.open_book(world.folder, signer_of(world.folder, world.request.signing_key))
    sealing.require_clock(book, datetime.now(UTC) - timedelta(minutes=4), 5)
    with pytest.raises(EnvironmentFault, match=r"clock of this machine says .* but uk-social@1 was released at"):
        sealing.require_clock(book, datetime.now(UTC) - timedelta(minutes=6), 5)


def test_a_commit_older_than_the_last_release_is_not_sealed(world: World) -> None:
    world.build("b1")
    committed(world, "b2")
    log = world.folder / f"snapshot/_delta_log/{2:020d}.json"
    said = str(json.loads(log.read_text().splitlines()[0])["commitInfo"]["inCommitTimestamp"])
    log.write_text(log.read_text().replace(said, str(int(said) - 3_600_000)))
    assert "clock of the machine went backwards" in refused(world.seal()).said


def test_a_lost_commit_is_named(world: World) -> None:
    world.build("b1")
    world.build("b2")
    (world.folder / f"snapshot/_delta_log/{1:020d}.json").unlink()
    with pytest.raises(DatasetError, match="has lost the commit of version 1"):
        world.seal()


def test_sealing_reads_the_release_as_delta_does(world: World) -> None:
    world.build("b1")
    row = DeltaTable.forPath(world.spark, str(world.folder / "snapshot")).history(1).select("timestamp").first()
    assert row is not None
    assert commits(world.folder)[1].released_at == row["timestamp"].astimezone(UTC)


def test_the_payload_is_what_the_record_names(world: World) -> None:
    world.build("b1")
    envelope = read_document(statement_path(world.folder, 1)) or {}
    (record,) = records(world.folder)
    assert (
        sha256(json.dumps(payload_of(envelope), sort_keys=True, separators=(",", ":")).encode()).hexdigest()
        == (record["statement"])
    )
