"""One build is one commit is one version, with evidence beside it, and a rerun mends whatever a crash left."""

from __future__ import annotations

import hmac
import json
import re
import shutil
import stat
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from delta.tables import DeltaTable
from deltalake import DeltaTable as Reader
from jsonschema import Draft202012Validator
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from corpus import render, snapshot, tables
from corpus.build import Built, build, commit_version
from corpus.clearance import require_fresh, with_what_is_known
from corpus.cli.policies import tell_changes, tell_moves
from corpus.config import validated
from corpus.dataset_key import keyed_by, keyed_hash
from corpus.dataset_key import snapshot_key as derived_snapshot_key
from corpus.errors import ConfigError, Conflict, CorpusError, DatasetError, GateRefused, SourceError
from corpus.evidence.buckets import as_bucket
from corpus.evidence.lease import lease
from corpus.evidence.store import (
    canonical,
    digest_of,
    intent_path,
    payload_of,
    read_document,
    statement_path,
    trees_path,
)
from corpus.facts import Facts, Feed
from corpus.keyed import keyed, with_key
from corpus.operations.plan import plan
from corpus.operations.watched import Told, watched
from corpus.pipeline import judge
from corpus.policy import GATES, Accepted, Governance
from corpus.policy_changes import changes
from corpus.policy_impact import Impact, Moved, impact
from corpus.query import why
from corpus.reasons import Reason, reasons_in
from corpus.registering import build_registered
from corpus.request import BuildRequest
from corpus.rereading import inputs_of_version
from corpus.resolution import resolved_objections
from corpus.schemas import SNAPSHOT, columns
from corpus.sources import Place, Source, pin
from corpus.vectors import complete_feeds, inputs_of
from tests.conftest import ROOT
from tests.small_inputs import WORLDS, as_one, at, request_of, source_of, write_inputs


@dataclass(frozen=True)
class Made:
    """A dataset with one version, and how it was asked for."""

    request: BuildRequest
    built: Built
    told: Path

    @property
    def folder(self) -> Path:
        return self.request.folder


@pytest.fixture(scope="module")
def source(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Source:
    return write_inputs(spark, tmp_path_factory.mktemp("inputs"), archive="people")


@pytest.fixture(scope="module")
def made(spark: SparkSession, source: Source, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("datasets")
    request = request_of(source, folder / "warehouse", folder / "keys" / "uk-social.key")
    told = Told(f"{folder}/log.jsonl", folder / "figures.prom", f"file://{folder}/lineage.jsonl")
    with watched("build", "uk-social", told):
        return Made(request, build(spark, request), folder)


@pytest.fixture(scope="module")
def by_name(spark: SparkSession, source: Source) -> Iterator[Source]:
    """The same tables by their names in the session's catalog."""
    spark.sql("CREATE SCHEMA given")
    for table in source.tables:
        spark.sql(f"CREATE TABLE given.{table} USING delta LOCATION '{source.places(table)[0].path}'")
    yield source.model_copy(update={table: (Place(table=f"spark_catalog.given.{table}"),) for table in source.tables})
    spark.sql("DROP SCHEMA given CASCADE")


def rows_of(table: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = Reader(table).to_pyarrow_table().to_pylist()
    return rows


def log_entries(table: Path, version: int, kind: str) -> list[dict[str, Any]]:
    lines = (table / "_delta_log" / f"{version:020d}.json").read_text().splitlines()
    return [entry[kind] for entry in map(json.loads, lines) if kind in entry]


def test_a_build_decides_every_post_as_the_vectors_say(made: Made) -> None:
    out = {row["post_id"]: {r.name for r in reasons_in(row["reasons"])} for row in rows_of(made.folder / "exclusions")}
    kept = {row["post_id"] for row in rows_of(made.folder / "members")}
    for world in WORLDS:
        assert {world.tag + post for post in world.case.get("kept", [])} <= kept
        for post, reasons in world.case.get("out", {}).items():
            assert out[world.tag + post] == set(reasons)
    assert not kept & set(out)


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_build_that_is_watched_tells_its_steps_what_spark_measured_and_what_it_made(made: Made) -> None:
    told = lines_of(made.told / "log.jsonl")
    of = {event: [line for line in told if line["event"] == event] for event in ("step", "stage", "pinned", "made")}
    steps = {line["step"]: line for line in of["step"]}
    assert list(steps) == [
        "pinning the inputs' versions", "checking the gates", "judging every post", "writing the side tables",
        "computing the row digest and the trees", "committing the version",
    ]  # fmt: skip
    for name, line in steps.items():
        own = [stage for stage in of["stage"] if stage["step"] == name]
        assert line["ok"]
        assert line["stages"] == len(own) > 0
        assert line["tasks"] == sum(stage["tasks"] for stage in own) > 0
    assert steps["committing the version"]["output_rows"] == len(rows_of(made.folder / "snapshot"))
    assert (of["made"][0]["version"], of["made"][0]["kept"]) == (1, len(rows_of(made.folder / "snapshot")))
    assert told[-1]["build_id"] == of["pinned"][0]["build_id"] == made.built.build_id
    assert {name: told[-1][name] for name in ("event", "ok", "exit_code")} == {
        "event": "end",
        "ok": True,
        "exit_code": 0,
    }


def test_lineage_is_told_while_a_build_runs_and_ends_with_its_version(made: Made) -> None:
    start, *running, complete = lines_of(made.told / "lineage.jsonl")
    assert {event["run"]["runId"] for event in (start, *running)} == {complete["run"]["runId"]}
    assert [event["eventType"] for event in (start, *running, complete)] == ["START", *["RUNNING"] * 5, "COMPLETE"]
    assert [event["name"] for event in start["inputs"]] == [event["name"] for event in complete["inputs"]]
    assert [event["name"] for event in start["outputs"]] == [str(made.folder / "snapshot")]
    assert complete["outputs"][0]["facets"]["version"]["datasetVersion"] == "1"
    steps = [event["run"]["facets"]["corpus_step"]["step"] for event in running]
    assert steps[0] == "checking the gates"
    assert steps[-1] == "committing the version"


def test_what_is_told_of_a_build_names_no_person_and_no_post(made: Made) -> None:
    ids = {row[name] for row in rows_of(made.folder / "members") for name in ("account_id", "post_id", "doc_id")}
    ids |= {str(row[name]) for row in rows_of(made.folder / "exclusions") for name in ("account_id", "post_id")}
    ids |= {row["objection_id"] for row in rows_of(made.folder / "objections")}
    for name in ("log.jsonl", "figures.prom", "lineage.jsonl"):
        text = (made.told / name).read_text()
        assert not [one for one in ids if len(one) > 3 and one in text]


def files_in(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_dry_run_says_what_a_build_would_do_and_writes_nothing(spark: SparkSession, made: Made) -> None:
    before = files_in(made.told)
    later = replace(made.request, cutoff=made.request.cutoff - timedelta(hours=1))
    found, finished = plan(spark, later), plan(spark, made.request)
    assert files_in(made.told) == before
    found.require()
    assert (found.base_version, found.made_before) == (1, None)
    assert {p["table"]: (p["version"], p["rows"]) for p in found.pins} == {
        name: (p.version, p.rows) for name, p in pin(spark, later.source).items()
    }
    assert all(p["bytes"] > 0 for p in found.pins)
    assert list(found.gates) == [*GATES]
    said = {gate["gate"]: gate["outcome"] for gate in made.built.statement["predicate"]["gates"]}
    assert {gate: says for gate, says in found.gates.items() if not says.startswith("known")} == {
        gate: says for gate, says in said.items() if gate not in {"RELEASE_LAG", "EXCLUSION_ANOMALY"}
    }
    assert found.estimate is not None
    assert found.estimate.written_bytes == sum(
        path.stat().st_size for path in made.folder.rglob("*.parquet") if "archive" not in path.parts
    )
    assert (finished.made_before, finished.gates, finished.writes) == (1, {}, [])


def test_a_dry_run_sizes_inputs_by_their_names_as_by_their_paths(
    spark: SparkSession, made: Made, by_name: Source
) -> None:
    by_path, named = plan(spark, made.request), plan(spark, replace(made.request, source=by_name))
    assert (named.pins, named.made_before) == (by_path.pins, by_path.made_before)
    assert all(pinned["bytes"] > 0 for pinned in named.pins)


def test_a_dry_run_of_a_first_build_tells_the_gate_that_refuses_and_makes_no_key(
    spark: SparkSession, source: Source, tmp_path: Path
) -> None:
    coming = at("2026-12-01T00:00:00+00:00")
    request = request_of(source, tmp_path / "warehouse", tmp_path / "keys" / "key", cutoff=coming)
    found = plan(spark, request)
    assert not list(tmp_path.iterdir())
    assert found.gates["CUTOFF_IN_FUTURE"] == "refuses"
    assert found.estimate is not None
    assert (found.estimate.seconds, found.estimate.written_bytes) == (None, None)
    assert found.writes[0].startswith(f"keys in {request.key_file}")
    with pytest.raises(GateRefused, match="CUTOFF_IN_FUTURE refuses this build") as refused:
        found.require()
    assert refused.value.gates == ("CUTOFF_IN_FUTURE",)


def test_why_shows_a_dropped_text_beside_the_one_that_was_kept_instead(
    made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    (tag,) = [world.tag for world in WORLDS if world.name == "a copy of a copy that was dropped"]
    for post, said in (("p2", "x24"), ("p3", "x24!")):
        verdicts = why(made.request.warehouse, "uk-social", 1, f"{tag}{post}")
        assert verdicts[0].kept_instead == f"{tag}p1"
        assert verdicts[0].similarity == pytest.approx(22 / 24)
        render.why(verdicts)
        shown = capsys.readouterr().out
        assert f"kept instead: {tag}p1 (similarity 0.92)" in shown
        assert ["≠", said, "w24"] in [line.split() for line in shown.splitlines()]


def test_the_first_build_is_version_1_of_a_table_that_keeps_its_versions(spark: SparkSession, made: Made) -> None:
    detail = DeltaTable.forPath(spark, str(made.folder / "snapshot")).detail().first()
    assert detail is not None
    assert made.built.version == 1
    assert detail["minReaderVersion"] == 1
    expected = tables.properties("bucket,platform,surface,created_on", made.request.policy)
    assert (
        expected["delta.deletedFileRetentionDuration"] == expected["delta.logRetentionDuration"] == "interval 3650 days"
    )
    assert {name: detail["properties"].get(name) for name in expected} == expected


def test_the_commit_names_its_build_and_the_hash_of_its_intent(made: Made) -> None:
    intent = payload_of(read_document(intent_path(made.folder, made.built.build_id)) or {})
    (info,) = log_entries(made.folder / "snapshot", 1, "commitInfo")
    (transaction,) = log_entries(made.folder / "snapshot", 1, "txn")
    assert json.loads(info["userMetadata"]) == {"build_id": made.built.build_id, "intent": digest_of(intent)}
    assert (transaction["appId"], transaction["version"]) == (made.built.build_id, 1)
    assert made.built.statement["predicate"]["intent"] == digest_of(intent)


def test_statistics_tell_nothing_about_a_person(made: Made) -> None:
    allowed = {
        "snapshot": {"bucket", "platform", "surface", "created_on"},
        "exclusions": {"bucket"},
        "members": {"bucket"},
        "grounds": {"bucket"},
        "objections": {"bucket"},
        "leaves": {"tree", "index"},
    }
    for table, columns_allowed in allowed.items():
        for added in log_entries(made.folder / table, 1, "add"):
            assert set(json.loads(added["stats"])["minValues"]) <= columns_allowed


def test_the_snapshot_holds_no_account_and_no_post_id(made: Made) -> None:
    rows = rows_of(made.folder / "snapshot")
    assert list(rows[0]) == [c.name for c in columns(SNAPSHOT)]
    ids = {m[name] for m in rows_of(made.folder / "members") for name in ("account_id", "post_id")}
    assert not ids & {str(value) for row in rows for value in row.values()}


def test_the_statement_counts_what_the_tables_hold(made: Made) -> None:
    predicate = made.built.statement["predicate"]
    funnel = predicate["funnel"]
    kept, out = rows_of(made.folder / "snapshot"), rows_of(made.folder / "exclusions")
    assert int(funnel["kept"]) == int(predicate["snapshot"]["rows"]) == len(kept)
    assert int(funnel["excluded"]) == len(out) == sum(map(int, funnel["primary"].values()))
    assert int(funnel["posts"]) == len(kept) + len(out)
    assert {row["primary_reason"] for row in out} == set(funnel["primary"])
    assert funnel["capped"] == "0"
    assert [entry["table"] for entry in predicate["inputs"]][-2:] == ["objections", "requests"]


def test_every_field_of_the_statement_is_described_and_nothing_else(made: Made) -> None:
    schema = json.loads((ROOT / "docs/statement.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(made.built.statement)
    assert [each for each in described(schema) if "description" not in each] == []
    rows = re.findall(r"^\| `([\w.\[\]]+)` \|", (ROOT / "docs/statement.md").read_text(), re.MULTILINE)
    assert rows == list(fields_of(schema))
    other = {**made.built.statement, "predicate": made.built.statement["predicate"] | {"note": "x"}}
    assert not Draft202012Validator(schema).is_valid(other)


def described(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for each in schema.get("properties", {}).values():
        yield each
        yield from described(each)
        yield from described(each.get("items", {}))


def fields_of(schema: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, each in schema.get("properties", {}).items():
        yield prefix + name
        yield from fields_of(each, f"{prefix}{name}.")
    if "items" in schema:
        yield from fields_of(schema["items"], f"{prefix.removesuffix('.')}[].")


def row_hash(row: dict[str, Any]) -> str:
    """As docs/dataset.md defines it."""

    def field(value: object) -> bytes:
        text = str(value).encode()
        return b"-" if value is None else b"%d:%b" % (len(text), text)

    return sha256(b"".join(field(row[c.name]) for c in columns(SNAPSHOT))).hexdigest()


def test_the_row_digest_is_the_one_that_the_page_defines(made: Made) -> None:
    buckets: dict[int, str] = {}
    for row in sorted(rows_of(made.folder / "snapshot"), key=lambda row: str(row["doc_id"])):
        buckets[row["bucket"]] = buckets.get(row["bucket"], "") + row_hash(row)
    lines = (f"{bucket}:{sha256(rows.encode()).hexdigest()}\n" for bucket, rows in sorted(buckets.items()))
    expected = sha256("".join(lines).encode()).hexdigest()
    assert made.built.statement["subject"][0]["digest"]["sha256"] == expected


def test_the_trees_hold_the_posts_and_people_that_the_tables_hold(made: Made) -> None:
    members, build_id = rows_of(made.folder / "members"), made.built.build_id
    post_of = {row["doc_id"]: row["post_id"] for row in members}
    own = derived_snapshot_key(snapshot_key(made)[0], "uk-social", build_id)
    posts = [
        (post_of[row["doc_id"]].encode(), row["doc_id"].encode(), bytes.fromhex(row_hash(row)))
        for row in rows_of(made.folder / "snapshot")
    ]
    people = [(name.encode(), None, None) for name in {row["account_id"] for row in members}]
    leaves = {row["tree"]: row for row in rows_of(made.folder / "leaves") if row["build_id"] == build_id}
    stated, kept = made.built.statement["predicate"]["trees"], read_document(trees_path(made.folder, build_id))
    for kind, tree, ids in (("post", "documents", posts), ("account", "persons", people)):
        assert len(ids) <= 16, "one bucket is what this test knows"
        bucket = as_bucket(own, kind, 0, ids, keyed_by(own))
        assert leaves[tree] == {"tree": tree, "index": 0, "build_id": build_id} | vars(bucket)
        assert stated[tree] == {"root": bucket.leaf.hex(), "ids": str(len(ids)), "buckets": "1"}
        assert kept is not None
        assert kept[tree] == stated[tree] | {"chunks": [bucket.leaf.hex()]}


def test_the_row_digest_does_not_depend_on_partitions(spark: SparkSession, made: Made) -> None:
    documents = spark.read.format("delta").load(str(made.folder / "snapshot"))
    digests = {snapshot.row_digest(documents.repartition(n, F.col(by))) for n, by in ((1, "text"), (7, "doc_id"))}
    assert digests == {made.built.statement["subject"][0]["digest"]["sha256"]}


def test_documents_are_named_by_the_dataset_key_which_only_its_owner_reads(made: Made) -> None:
    key = bytes.fromhex(made.request.key_file.read_text().strip())
    assert stat.S_IMODE(made.request.key_file.stat().st_mode) == 0o600
    for member in rows_of(made.folder / "members"):
        assert member["doc_id"] == keyed_hash(key, "post", member["post_id"])[:32]


def test_keyed_columns_are_hmac_and_the_key_shows_in_no_plan(
    spark: SparkSession, capsys: pytest.CaptureFixture[str]
) -> None:
    key = bytes(range(32))
    rows = spark.createDataFrame([("p1",), ("żółć",), (None,)], "post_id STRING").transform(with_key, key, spark)
    hashed = rows.select("post_id", keyed("post", F.col("post_id")).alias("hash"))
    expected = {None: None} | {
        name: hmac.digest(key, f"post\0{name}".encode(), "sha256").hex() for name in ("p1", "żółć")
    }
    assert {row["post_id"]: row["hash"] for row in hashed.collect()} == expected
    hashed.explain("extended")
    plan = capsys.readouterr().out
    inner = bytes(b ^ 0x36 for b in key)
    assert "sha2" in plan
    assert not any(secret in plan.lower().replace(" ", "") for secret in (key.hex(), inner.hex(), inner[:8].hex()))


def test_a_finished_build_returns_its_version_and_writes_nothing(spark: SparkSession, made: Made) -> None:
    again = build(spark, made.request)
    assert again.was_there
    assert (again.version, again.statement) == (1, made.built.statement)
    assert snapshot.newest_version(spark, made.folder) == 1


def test_the_same_tables_by_name_are_the_same_build_and_its_rows_have_names_at_once(
    spark: SparkSession, made: Made, by_name: Source
) -> None:
    again = build_registered(spark, replace(made.request, source=by_name, schema="spark_catalog.kept"))
    assert (again.was_there, again.version, again.statement) == (True, 1, made.built.statement)
    assert "ends with this session" in again.warnings[-1]
    row = spark.sql("""
        SELECT (SELECT count(*) FROM spark_catalog.kept.snapshot VERSION AS OF 1) AS kept,
               (SELECT array_agg(number) FROM kept.versions) AS versions,
               (SELECT count(*) FROM spark_catalog.kept_restricted.exclusions WHERE version = 1) AS out
    """).first()
    assert row is not None
    funnel = again.statement["predicate"]["funnel"]
    assert (str(row["kept"]), str(row["out"]), row["versions"]) == (funnel["kept"], funnel["excluded"], [1])
    for schema in ("kept", "kept_restricted"):
        spark.sql(f"DROP SCHEMA {schema} CASCADE")
    assert snapshot.newest_version(spark, made.folder) == 1


def test_a_build_id_stands_for_one_set_of_inputs_and_one_policy(spark: SparkSession, made: Made) -> None:
    other = made.request.policy.model_copy(update={"adult_age": 21})
    with pytest.raises(DatasetError, match="begun with other inputs, policy or cutoff"):
        build(spark, replace(made.request, build_id=made.built.build_id, policy=other))


def test_a_statement_lost_in_a_crash_is_written_by_a_rerun(spark: SparkSession, made: Made) -> None:
    path = statement_path(made.folder, 1)
    before = path.read_bytes()
    path.unlink()
    assert build(spark, made.request).was_there
    assert path.read_bytes() == before


def test_a_commit_whose_intent_was_changed_is_not_stated(spark: SparkSession, made: Made) -> None:
    path = intent_path(made.folder, made.built.build_id)
    before = path.read_bytes()
    envelope = json.loads(before)
    changed = canonical(payload_of(envelope)).replace(b'"kept":"', b'"kept":"9')
    path.write_text(json.dumps(envelope | {"payload": b64encode(changed).decode()}))
    try:
        with pytest.raises(DatasetError, match="It is not signed by"):
            build(spark, made.request)
    finally:
        path.write_bytes(before)


KEY_MISTAKES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda key: key.unlink(), "key of uk-social is missing"),
    "another": (lambda key: key.write_text("ab" * 32), "is not that of uk-social"),
    "readable by others": (lambda key: key.chmod(0o644), "can be read by others"),
    "no key at all": (lambda key: key.write_text("hello"), "does not hold a dataset key"),
}


@pytest.mark.parametrize("mistake", KEY_MISTAKES)
def test_a_dataset_without_its_own_key_refuses_to_build(spark: SparkSession, made: Made, mistake: str) -> None:
    spoil, message = KEY_MISTAKES[mistake]
    key = made.request.key_file
    before = key.read_bytes()
    spoil(key)
    try:
        with pytest.raises(DatasetError, match=message):
            build(spark, replace(made.request, build_id=f"key-{mistake.split(maxsplit=1)[0]}"))
    finally:
        key.write_bytes(before)
        key.chmod(0o600)
    assert snapshot.newest_version(spark, made.folder) == 1


def test_a_second_build_sweeps_what_a_dead_one_left_and_keeps_the_first_version(
    spark: SparkSession, made: Made
) -> None:
    left = spark.read.format("delta").load(str(made.folder / "exclusions")).limit(2)
    tables.write_side_table(left.drop("build_id"), made.folder, "exclusions", "dead", "post_id")
    second = build(spark, replace(made.request, cutoff=at("2026-11-19T00:00:00+00:00")))
    assert second.version == 2
    builds = {row["build_id"] for row in rows_of(made.folder / "exclusions")}
    assert builds == {made.built.build_id, second.build_id}
    first = spark.sql(f"SELECT doc_id FROM delta.`{made.folder}/snapshot` VERSION AS OF 1").count()
    assert first == int(made.built.statement["predicate"]["funnel"]["kept"])


def other_intent(made: Made, build_id: str, base: int) -> dict[str, Any]:
    intent = payload_of(read_document(intent_path(made.folder, made.built.build_id)) or {})
    return intent | {"build_id": build_id, "base_version": str(base)}


def test_a_builder_that_finds_the_lease_held_stops_and_names_the_holder(spark: SparkSession, made: Made) -> None:
    documents = spark.read.format("delta").load(str(made.folder / "snapshot"))
    base = snapshot.newest_version(spark, made.folder)
    with lease(made.folder, "somebody else", 0), pytest.raises(Conflict, match="somebody else, process"):
        commit_version(spark, made.request, documents, other_intent(made, "late", base), lambda: None)
    assert snapshot.newest_version(spark, made.folder) == base


def test_a_builder_that_may_wait_commits_once_the_lease_is_free(made: Made) -> None:
    with ThreadPoolExecutor(1) as pool:
        with lease(made.folder, "first", 0):
            second = pool.submit(held, made.folder)
            sleep(1)
            assert not second.done()
        assert second.result(timeout=30)


def held(folder: Path) -> bool:
    with lease(folder, "second", 20):
        return True


def test_a_builder_whose_base_version_moved_commits_nothing(spark: SparkSession, made: Made) -> None:
    documents = spark.read.format("delta").load(str(made.folder / "snapshot"))
    newest = snapshot.newest_version(spark, made.folder)
    with pytest.raises(Conflict, match=f"moved from version {newest - 1} to {newest}"):
        commit_version(spark, made.request, documents, other_intent(made, "stale", newest - 1), lambda: None)
    assert snapshot.newest_version(spark, made.folder) == newest


def test_the_archive_keeps_the_people_that_decided(made: Made) -> None:
    kept = {row["account_id"] for row in rows_of(made.folder / "archive" / "profiles")}
    posts = {m["account_id"] for m in rows_of(made.folder / "members")}
    assert posts <= kept
    assert len(rows_of(made.folder / "archive" / "objections")) >= 1


def test_objections_that_vanish_refuse_the_next_build(spark: SparkSession, made: Made, tmp_path: Path) -> None:
    world = as_one(WORLDS)
    fewer = {**world.rows, "objections": world.rows["objections"][1:]}
    fewer["feeds"] = complete_feeds(fewer, world.clock["now"])
    source = write_inputs(spark, tmp_path, [replace(world, rows=fewer)])
    with pytest.raises(GateRefused, match=r"OBJECTIONS_SHRANK refuses this build: active = .*active_before = "):
        build(spark, replace(made.request, source=source))


def test_a_build_with_old_objections_or_silent_feeds_is_not_released(spark: SparkSession, made: Made) -> None:
    pins, fresh = (
        pin(spark, made.request.source),
        Facts(feeds=[Feed("objections", "*", made.request.now, 1, False, None)]),
    )
    limits = made.request.policy.gates.model_copy(update={"max_age_hours": {"objections": 24}})
    request = replace(made.request, policy=made.request.policy.model_copy(update={"gates": limits}))
    require_fresh(spark, request, pins, fresh)
    long_known = pins | {
        "requests": replace(pins["requests"], committed_at=pins["requests"].committed_at - timedelta(2))
    }
    with pytest.raises(
        GateRefused, match=r"RELEASE_LAG refuses this build: objections_hours = 0.0, requests_hours = 48.0"
    ):
        require_fresh(spark, request, long_known, fresh)
    a_day_later = replace(request, started=request.started - 86_401)
    with pytest.raises(GateRefused, match=r"FEED_STALE refuses this build: stale = objections/\* \(24\.\d h\)"):
        require_fresh(spark, a_day_later, pins, fresh)


def test_an_objection_resolves_to_whom_an_earlier_build_knew(spark: SparkSession, made: Made) -> None:
    (world,) = (world for world in WORLDS if world.name == "no profile")
    objections = [
        world.rows["objections"][0] | {"objection_id": f"o-{subject}", "subject_id": subject, "subject_type": "account"}
        for subject in (f"{world.tag}ghost", "never-heard-of", "accepted")
    ]
    rows: dict[str, Any] = {table: [] for table in world.rows} | {"objections": objections}
    inputs = inputs_of(spark, [replace(world, rows=rows)])
    request = replace(made.request, accepted_objections=(Accepted(objection_id="o-accepted", because="a test"),))
    known = with_what_is_known(resolved_objections(inputs), request, inputs).select("objection_id", "resolved_as")
    assert {row[0]: row[1] for row in known.collect()} == {
        f"o-{world.tag}ghost": "earlier",
        "o-never-heard-of": None,
        "o-accepted": "accepted",
    }


def test_the_statement_says_how_the_gates_were_passed_and_where_the_inputs_are(made: Made) -> None:
    predicate = made.built.statement["predicate"]
    assert [gate["gate"] for gate in predicate["gates"]] == [*GATES]
    assert {gate["outcome"] for gate in predicate["gates"]} == {"passed", "at_release"}
    assert predicate["source"]["posts"] == [{"path": made.request.source.posts[0].path}]
    assert predicate["accepted"] == {"anomalies": [], "objections": []}


def test_the_statement_says_how_its_inputs_are_read_again(spark: SparkSession, made: Made) -> None:
    said = made.built.statement["predicate"]
    assert validated(Source, said["source"], "source") == made.request.source
    posts = inputs_of_version(spark, made.built.statement).posts
    assert posts.count() == int(next(pinned["rows"] for pinned in said["inputs"] if pinned["table"] == "posts"))


def test_inputs_that_cannot_be_read_again_are_named(spark: SparkSession, made: Made) -> None:
    said = made.built.statement["predicate"]
    with pytest.raises(DatasetError, match="statement of uk-social@1 does not say how its inputs were read"):
        inputs_of_version(spark, {"predicate": {key: value for key, value in said.items() if key != "source"}})
    gone = [pinned | {"version": "99"} if pinned["table"] == "requests" else pinned for pinned in said["inputs"]]
    with pytest.raises(SourceError, match=r"inputs of uk-social@1 do not open any more.*\[requests\]: version 99"):
        inputs_of_version(spark, {"predicate": said | {"inputs": gone}})


def test_changes_of_policy_are_counted_in_posts_each_alone_and_all_together(
    spark: SparkSession, made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = made.request.policy
    other = policy.model_copy(
        update={
            "age_basis": "cutoff",
            "platforms": ["instagram"],
            "retention_days": 100,
        }
    )
    found = changes(policy, other)
    moves = impact(spark, made.built.statement, policy, other, found)
    kept = int(made.built.statement["predicate"]["funnel"]["kept"])
    by_age, by_platform = Moved(comes_in=1), Moved(goes_out=kept)
    assert moves == Impact(kept, {"platforms": by_platform, "age_basis": by_age}, together=by_platform)
    tell_changes(("a", "b"), found)
    tell_moves("uk-social@1", "a", found, moves)
    said = capsys.readouterr().out
    assert "From a to b: 1 different, 1 laxer, 1 stricter" in said
    assert re.search(rf"all changes together +0 +{kept}\n", said)
    assert "The other changes (1) decide about no post." in said


def test_the_same_pins_give_the_same_digest_again_by_path_or_by_name(
    spark: SparkSession, made: Made, by_name: Source
) -> None:
    key, bits = snapshot_key(made)
    source = by_name.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    named = {"predicate": made.built.statement["predicate"] | {"source": source}}
    again = judge(inputs_of_version(spark, named), made.request.policy, made.request.clock)
    documents = again.transform(snapshot.with_ids, key, bits, spark).transform(snapshot.as_documents)
    assert snapshot.row_digest(documents) == made.built.statement["subject"][0]["digest"]["sha256"]


def snapshot_key(made: Made) -> tuple[bytes, int]:
    bits = int(made.built.statement["predicate"]["snapshot"]["bucket_bits"])
    return bytes.fromhex(made.request.key_file.read_text().strip()), bits


BAD_REQUESTS: dict[str, tuple[dict[str, object], type[CorpusError], str]] = {
    "a name with a slash": ({"dataset": "uk/social"}, ConfigError, "not a dataset's name"),
    "a name with dots": ({"dataset": ".."}, ConfigError, "not a dataset's name"),
    "a build id with a quote": ({"build_id": "a'b"}, ConfigError, "not a build id"),
    "a cutoff to come": ({"cutoff": at("2026-12-01T00:00:00+00:00")}, GateRefused, "CUTOFF_IN_FUTURE"),
}


@pytest.mark.parametrize("case", BAD_REQUESTS)
def test_a_wrong_request_is_refused_and_nothing_is_written(
    spark: SparkSession, source: Source, tmp_path: Path, case: str
) -> None:
    changes, error, message = BAD_REQUESTS[case]
    request = request_of(source, tmp_path / "warehouse", tmp_path / "key", **changes)
    with pytest.raises(error, match=message):
        build(spark, request)
    assert not list((tmp_path / "warehouse").glob("*"))
    assert not request.key_file.exists()


def test_a_key_inside_the_warehouse_is_refused(spark: SparkSession, source: Source, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="lies inside the warehouse"):
        build(spark, request_of(source, tmp_path, tmp_path / "keys" / "a.key"))


def test_a_warehouse_that_cannot_be_made_is_refused(spark: SparkSession, source: Source, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(CorpusError, match="cannot be made"):
        build(spark, request_of(source, tmp_path / "file" / "warehouse", tmp_path / "key"))


def test_the_gates_refuse_a_policy_that_nobody_answers_for(spark: SparkSession, source: Source, tmp_path: Path) -> None:
    request = request_of(source, tmp_path / "warehouse", tmp_path / "key")
    with pytest.raises(GateRefused, match="GOVERNANCE_MISSING") as refused:
        build(spark, replace(request, policy=request.policy.model_copy(update={"governance": Governance()})))
    assert "dpia.id" in str(refused.value)
    assert "Nothing was written" in str(refused.value)


def test_a_source_without_notices_leaves_everybody_out_and_says_so(
    spark: SparkSession, made: Made, tmp_path: Path
) -> None:
    folder = Path(str(made.request.source.posts[0].path)).parent
    tables = ["posts", "profiles", "objections", "links", "requests", "feeds"]
    tmp = tmp_path / "inputs"
    tmp.symlink_to(folder)
    built = build(spark, request_of(source_of(tmp, tables), tmp_path / "warehouse", tmp_path / "key"))
    funnel = built.statement["predicate"]["funnel"]
    assert funnel["kept"] == "0"
    assert funnel["any"][Reason.NOTICE_NOT_DELIVERED.name] == funnel["posts"]
    assert any("NOTICE_NOT_DELIVERED has no data" in warning for warning in built.warnings)


def test_the_grounds_name_what_decided(made: Made) -> None:
    rows = [row for row in rows_of(made.folder / "grounds") if row["build_id"] == made.built.build_id]
    found = {(row["subject_id"], row["reason"]): (row["ground"], row["ground_id"], row["platform"]) for row in rows}
    assert (
        found.items()
        >= {
            ("w006-a1", "OBJECTION_PENDING"): ("objection", "w006-o1", None),
            ("w011-i1", "OBJECTED"): ("objection", "w011-o1", "instagram"),
            ("w021-a1", "OBJECTED_LINKED"): ("objection", "w021-o1", None),
            ("w021-b1", "OBJECTED"): ("objection", "w021-o1", None),
            ("w090-p1", "THIRD_PARTY_REQUEST"): ("request", "w090-r1", None),
        }.items()
    )


def test_the_register_says_whom_each_objection_names(made: Made) -> None:
    rows = [row for row in rows_of(made.folder / "objections") if row["build_id"] == made.built.build_id]
    register = {row["objection_id"]: row for row in rows}
    row = register["w011-o1"]
    assert (row["resolved_as"], row["tried"], row["accounts"]) == ("person", ["person"], 2)
    assert row["account_ids"] == ["w011-a1", "w011-i1"]
    assert row["received_at"] == row["begin"] == at("2026-10-01T10:00:00+00:00")
    assert (row["status"], row["kind"], row["post_id"]) == ("upheld", "object", None)


def test_a_dataset_from_before_a_side_table_was_kept_gets_it(spark: SparkSession, made: Made, tmp_path: Path) -> None:
    for name in tables.SIDE_TABLES:
        if name != "grounds":
            shutil.copytree(made.folder / name, tmp_path / name)
    tables.create_side_tables(spark, tmp_path, made.request.policy)
    assert rows_of(tmp_path / "grounds") == []
    assert rows_of(tmp_path / "members") == rows_of(made.folder / "members")
