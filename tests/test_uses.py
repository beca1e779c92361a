"""A version is handed out only while it may be used; the log says to whom, and what objections since call back."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import SparkSession
from typer.testing import CliRunner

from corpus.cli import app
from corpus.errors import ConfigError, Conflict, DatasetError, UseRefused
from corpus.evidence.journal import entries, of_kind
from corpus.evidence.lease import lease
from corpus.evidence.store import log_folder, statement_path, write_document
from corpus.policy import read_policy
from corpus.reader import read_version
from corpus.reasons import Reason
from corpus.recalls import preview, recall
from corpus.receipts import receipt
from corpus.uses import Asked, Handed, hand_out, signer_for, uses, uses_of_account
from tests.sealed_dataset import seal, stated
from tests.small_dataset import Out, Said, at, build, small_dataset

POLICY = read_policy(Path(__file__).parent.parent / "conf/policies/uk-social.toml")
NOW = datetime(2026, 11, 4, 12, tzinfo=UTC)
RUN = Asked("tram-7b", "pretraining", "A. Lovelace")


@dataclass(frozen=True)
class World:
    """A sealed dataset, the key that signs for it, and its table of objections."""

    warehouse: Path
    key: Path
    objections: Path

    @property
    def folder(self) -> Path:
        return self.warehouse / "uk-social"

    def use(self, number: int, asked: Asked = RUN, now: datetime = NOW, **options: Any) -> Handed:
        return hand_out(self.warehouse, "uk-social", number, asked, self.key, now, **options)

    def recall(self, now: datetime = NOW) -> Any:
        return recall(self.warehouse, "uk-social", self.key, now)

    def object(self, who: str) -> None:
        write_deltalake(self.objections, pa.table({"objection_id": [who]}), mode="append")

    def logged(self, kind: str) -> list[dict[str, Any]]:
        return of_kind(entries(self.folder), kind)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Versions 1, 3 and 4 sealed, 5 not; the table of objections stands where it was when they were built."""
    return sealed_world(tmp_path_factory.mktemp("used"))


def sealed_world(folder: Path) -> World:
    world = World(folder / "warehouse", folder / "uk-social.ed25519.pem", folder / "objections")
    small_dataset(world.warehouse)
    write_deltalake(world.objections, pa.table({"objection_id": ["o-1"]}))
    pin: dict[str, Any] = {"table": "objections", "location": f"file:{world.objections}", "version": "0", "rows": "1"}
    pin |= {"id": str(DeltaTable(world.objections).metadata().id), "opens_until": None}
    seal(world.folder, world.key, POLICY, inputs=[pin])
    return world


@pytest.fixture
def world(made: World, tmp_path: Path) -> World:
    """A copy of it, to use up; key and inputs are those of the first."""
    shutil.copytree(made.warehouse, tmp_path / "warehouse")
    return replace(made, warehouse=tmp_path / "warehouse")


def test_a_use_is_logged_and_names_exactly_the_version(world: World) -> None:
    found = world.use(3)
    assert found.sql == f"SELECT * FROM delta.`{world.folder}/snapshot` VERSION AS OF 3"
    (entry,) = world.logged("use")
    assert entry == found.entry == {
        "kind": "use", "format": "corpus-use/v1", "dataset": "uk-social", "version": "3", "run": "tram-7b",
        "purpose": "pretraining", "approved_by": "A. Lovelace", "at": "2026-11-04T12:00:00Z",
    }  # fmt: skip


def test_a_run_that_asks_again_gets_the_same_and_nothing_is_logged_twice(world: World) -> None:
    first, again = world.use(3), world.use(3, now=NOW + timedelta(hours=2))
    assert (first.was_there, again.was_there, again.entry) == (False, True, first.entry)
    world.use(4)
    world.use(3, replace(RUN, run="tram-13b"))
    assert [(entry["version"], entry["run"]) for entry in world.logged("use")] == [
        ("3", "tram-7b"), ("4", "tram-7b"), ("3", "tram-13b"),
    ]  # fmt: skip
    with pytest.raises(ConfigError, match=r"has uk-social@3 for 'pretraining', approved by 'A\. Lovelace'"):
        world.use(3, replace(RUN, purpose="advertising"))


def test_many_that_ask_at_once_are_logged_once_each(world: World) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: world.use(3, replace(RUN, run=f"r{n % 3}")), range(9)))
    assert sorted(entry["run"] for entry in world.logged("use")) == ["r0", "r1", "r2"]


@pytest.mark.parametrize("run", ["", "  ", "a\nb", "x" * 201, "\x1b[31m"])
def test_what_cannot_stand_in_a_log_is_refused(run: str) -> None:
    with pytest.raises(ConfigError, match="--run: write one line"):
        replace(RUN, run=run)


def test_a_version_without_statement_record_or_signature_is_not_sealed(world: World) -> None:
    with pytest.raises(UseRefused, match=r"uk-social@5 is not sealed.*corpus seal uk-social"):
        world.use(5)
    statement = stated(statement_path(world.folder, 3))
    statement["predicate"]["cutoff"] = "2027-01-01T00:00:00Z"
    from corpus.evidence.envelope import STATEMENT, sealed  # noqa: PLC0415
    from corpus.evidence.keys import make_signer  # noqa: PLC0415

    own, stranger = signer_for(world.folder, world.key), make_signer(world.key.with_name("stranger.ed25519.pem"))
    for signer, says in ((stranger, "is not uk-social's own"), (own, "not the one that the log records")):
        write_document(statement_path(world.folder, 3), sealed(statement, STATEMENT, signer))
        with pytest.raises(UseRefused, match=says):
            world.use(3)
    shutil.rmtree(log_folder(world.folder))
    with pytest.raises(UseRefused, match="uk-social@4 is not sealed: it has no record in the log"):
        world.use(4)
    assert not log_folder(world.folder).exists()


def test_another_key_or_none_hands_nothing_out(world: World, tmp_path: Path) -> None:
    from corpus.evidence.keys import make_signer  # noqa: PLC0415

    make_signer(tmp_path / "other.ed25519.pem")
    for place in ("other.ed25519.pem", "none.pem"):
        with pytest.raises(DatasetError, match=place):
            hand_out(world.warehouse, "uk-social", 3, RUN, tmp_path / place, NOW)
    assert world.logged("use") == []


def test_maintenance_and_versions_that_are_not_there_are_named(world: World) -> None:
    with pytest.raises(DatasetError, match="uk-social@2 is no build"):
        world.use(2)
    with pytest.raises(DatasetError, match="has no version 9"):
        world.use(9)


def test_an_expired_version_is_refused_to_everybody(world: World) -> None:
    released = datetime(2026, 11, 3, 2, tzinfo=UTC)
    last = released + timedelta(days=3650) - timedelta(seconds=1)
    world.use(3, now=last)
    with pytest.raises(UseRefused, match=r"uk-social@3 expired at 2036-10-31T02:00:00Z"):
        world.use(3, now=last + timedelta(seconds=1))


def test_a_version_is_stale_once_people_have_spoken_and_its_time_is_over(tmp_path: Path) -> None:
    world, known = sealed_world(tmp_path), datetime(2026, 11, 3, 1, tzinfo=UTC)
    years = known + timedelta(days=700)
    world.use(3, replace(RUN, run="r0"), now=years)
    DeltaTable(world.objections).optimize.compact()
    DeltaTable(world.objections).alter.set_table_properties({"delta.appendOnly": "false"})
    world.use(3, replace(RUN, run="r1"), now=years)
    world.object("o-new")
    world.use(3, replace(RUN, run="r2"), now=known + timedelta(hours=24))
    with pytest.raises(
        UseRefused, match=r"uk-social@3 is stale.* 24\.1 hours ago, where its policy allows 24; and obj"
    ):
        world.use(3, replace(RUN, run="r3"), now=known + timedelta(hours=24, minutes=6))
    assert world.use(3, replace(RUN, run="r0"), now=years).was_there
    shutil.rmtree(world.objections)
    with pytest.raises(UseRefused, match="cannot be looked at"):
        world.use(3, replace(RUN, run="r4"), now=years)


def test_a_use_waits_for_a_builder_and_then_gives_up(world: World) -> None:
    with lease(world.folder, "somebody", 0), pytest.raises(Conflict, match="build somebody"):
        world.use(3, wait=0)


def test_uses_are_listed_by_version_run_and_person(world: World) -> None:
    for number, run in ((1, "a"), (3, "a"), (4, "b")):
        world.use(number, replace(RUN, run=run))
    listed = [(use.version, use.run) for use in uses(world.warehouse, "uk-social")]
    assert listed == [("uk-social@1", "a"), ("uk-social@3", "a"), ("uk-social@4", "b")]
    assert [use.version for use in uses(world.warehouse, "uk-social", run="a")] == ["uk-social@1", "uk-social@3"]
    assert [use.run for use in uses(world.warehouse, "uk-social", number=4)] == ["b"]
    with pytest.raises(DatasetError, match="has no version 9"):
        uses(world.warehouse, "uk-social", number=9)


@pytest.mark.parametrize(
    ("account", "expected"),
    [
        ("account of p2", [(1, 1, 0), (3, 1, 0), (4, 0, 1)]),  # in 4 its words are kept through p5
        (" account of p6", [(3, 1, 0), (4, 0, 1)]),
        ("account of p9", []),
        ("' OR '1'='1", []),
    ],
)
def test_a_person_is_in_a_use_by_own_posts_or_by_words_kept_through_others(
    world: World, account: str, expected: list[tuple[int, int, int]]
) -> None:
    for number in (1, 3, 4):
        world.use(number)
    found = uses_of_account(world.warehouse, "uk-social", account)
    assert [(int(use.version[-1]), use.documents, use.through_others) for use in found] == expected


def objected(world: World) -> None:
    """Version 6: the author of p2 has objected; p5, whose words p2's were in version 4, is in no input any more."""
    said = {"o-7": Said(at(6, 0), ("account of p2",)), "o-8": Said(at(6, 0), ("account of p9",))}
    build(world.folder, {"p7": "scone"}, {"p2": Out((Reason.OBJECTED,)), "p4": Out((Reason.DELETED,))}, said=said)
    seal(world.folder, world.key, POLICY, inputs=[])


def test_an_objection_recalls_every_version_with_the_persons_posts_or_words(world: World) -> None:
    world.use(3)
    world.use(4, replace(RUN, run="b"))
    objected(world)
    foreseen = preview(world.warehouse, "uk-social")
    assert world.logged("recall") == []
    found = world.recall()
    assert found == foreseen
    assert [(each.version, each.objections, each.documents, each.runs) for each in found.recalled] == [
        ("uk-social@1", 1, 1, []), ("uk-social@3", 1, 1, ["tram-7b"]), ("uk-social@4", 1, 1, ["b"]),
    ]  # fmt: skip
    listed = _recalls(world)
    assert [(row["version"], row["objection_id"], row["post_id"], row["held"]) for row in listed] == [
        (1, "o-7", "p2", "author"), (3, "o-7", "p2", "author"), (4, "o-7", "p2", "through"),
    ]  # fmt: skip
    logged = world.logged("recall")
    assert {entry["digest"] for entry in logged} == {row["digest"] for row in listed}
    assert "o-7" not in json.dumps(logged)


def test_a_recalled_version_is_refused_to_everybody_and_a_later_one_is_not(world: World) -> None:
    world.use(4)
    objected(world)
    world.recall()
    for run in ("tram-7b", "another"):
        with pytest.raises(UseRefused, match=r"uk-social@4 was recalled at 2026-11-04T12:00:00Z.*\(1 objections\)"):
            world.use(4, replace(RUN, run=run))
    world.use(6)
    assert [(use.version, use.is_recalled) for use in uses(world.warehouse, "uk-social")] == [
        ("uk-social@4", True), ("uk-social@6", False),
    ]  # fmt: skip


def test_a_second_recall_tells_the_same_and_records_nothing(world: World) -> None:
    objected(world)
    world.recall()
    before = entries(world.folder)
    again = world.recall(now=NOW + timedelta(days=1))
    assert [each.is_new for each in again.recalled] == [False, False, False]
    assert entries(world.folder) == before


def test_statistics_of_the_restricted_list_tell_nothing_of_a_person(world: World) -> None:
    objected(world)
    world.recall()
    logged = [json.loads(line) for path in (world.folder / "recalls/_delta_log").glob("*.json")
              for line in path.read_text().splitlines()]  # fmt: skip
    stats = [json.loads(entry["add"]["stats"]) for entry in logged if "add" in entry]
    assert {name for each in stats for name in each["minValues"]} == {"version", "known_by"}


@pytest.mark.parametrize(
    ("bounds", "versions"),
    [
        ({"platform": "instagram"}, []),
        ({"since": at(1, 0)}, []),
        ({"since": datetime(2026, 5, 1, 23, tzinfo=UTC)}, [1, 3]),
        ({"until": datetime(2026, 4, 30, tzinfo=UTC)}, []),
        ({"platform": "facebook", "until": datetime(2026, 5, 1, 1, tzinfo=UTC)}, [1, 3]),
    ],
)
def test_of_posts_that_are_in_no_input_any_more_platform_and_day_decide_and_words_kept_through_others_are_called_back(
    world: World, bounds: dict[str, Any], versions: list[int]
) -> None:
    _with_ground(world, {"p7": "scone"}, {}, **bounds)
    assert world.recall().recalled
    held = [(row["version"], row["held"]) for row in _recalls(world)]
    assert held == [*((number, "author") for number in versions), (4, "through")]


@pytest.mark.parametrize(
    ("kept", "out"),
    [({"p2": "tea"}, {}), ({"p5": "bus"}, {"p2": Out((Reason.DELETED,))})],
    ids=["still in", "out for something else"],
)
def test_what_the_newest_version_says_of_a_post_decides_over_an_objections_days(
    world: World, kept: dict[str, str], out: dict[str, Out]
) -> None:
    _with_ground(world, kept, out, since=datetime(2026, 5, 1, 23, tzinfo=UTC))
    assert world.recall().recalled == []


def _recalls(world: World) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = DeltaTable(world.folder / "recalls").to_pyarrow_table().to_pylist()
    return sorted(rows, key=lambda row: row["version"])


def _with_ground(world: World, kept: dict[str, str], out: dict[str, Out], **bounds: Any) -> None:
    """Version 6 with these posts, in which an objection reaches the account of p2 within these bounds."""
    build(world.folder, kept, out, said={"o-7": Said(at(6, 0), ("account of p2",))})
    table = DeltaTable(world.folder / "grounds")
    rows = table.to_pyarrow_table(filters=[("build_id", "=", "build-6")]).to_pylist()
    changed = [row | {"platform": None} | bounds for row in rows]
    write_deltalake(
        world.folder / "grounds",
        pa.Table.from_pylist(changed, pa.schema(table.schema().to_arrow())),
        mode="overwrite",
        predicate="build_id = 'build-6'",
    )
    seal(world.folder, world.key, POLICY, inputs=[])


def test_a_receipt_names_the_runs_that_used_the_persons_posts(world: World) -> None:
    world.use(1)
    assert receipt(world.warehouse, "uk-social", "o-1").uses == ["tram-7b used uk-social@1 on 2026-11-04"]


def test_spark_reads_exactly_the_version_that_was_handed_out(spark: SparkSession, world: World) -> None:
    wanted = {"run": "spark-run", "purpose": "evaluation", "approved_by": "G. Hopper", "signer": world.key}
    rows = read_version(spark, world.warehouse, "uk-social@3", **wanted)  # type: ignore[arg-type]
    assert {row["text"] for row in rows.select("text").collect()} == {"tea", "queue", "bus", "scone"}
    assert [entry["run"] for entry in world.logged("use")] == ["spark-run"]


def test_the_commands_say_what_they_did(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORPUS_WAREHOUSE", str(world.warehouse))
    monkeypatch.setenv("CORPUS_SIGNER", str(world.key))

    def said(*arguments: str) -> str:
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, done.exception
        return done.output

    asked = ("--run", "r1", "--purpose", "pretraining", "--approved-by", "Ada")
    first = said("use", "uk-social@3", *asked)
    assert "uk-social@3 is r1's to use, logged at" in first
    assert "VERSION AS OF 3" in first
    assert "as logged at" in said("use", "uk-social@3", *asked)
    assert json.loads(said("use", "uk-social@3", *asked, "--json"))["was_there"]
    assert "uk-social@3  r1   pretraining" in said("uses", "uk-social", "--version", "3")
    assert "words through others" in said("uses", "uk-social", "--account", "account of p2", "--restricted")
    assert said("uses", "uk-social", "--run", "nobody") == "No use is logged.\n"
    objected(world)
    assert "would be recalled" in said("recall", "uk-social", "--dry-run")
    assert "uk-social@3  recalled now" in said("recall", "uk-social")
    assert "recalled before" in said("recall", "uk-social")
    assert isinstance(CliRunner().invoke(app, ["use", "uk-social@3", *asked]).exception, UseRefused)
