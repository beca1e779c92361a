"""The build protocol: pin, gate, judge, write the side tables, intend, commit once, state.

A crash anywhere is mended by a rerun.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from corpus import snapshot, tables
from corpus.accounts import judged_people
from corpus.archive import write_archive
from corpus.clearance import cleared, outcomes, require_fresh
from corpus.dataset_key import key_id, make_key, read_key, snapshot_key
from corpus.errors import Conflict, DatasetError
from corpus.evidence.lease import lease
from corpus.evidence.statement import as_statement, code_identity, instant, texts
from corpus.evidence.store import (
    digest_of,
    intent_path,
    read_document,
    statement_path,
    write_document,
)
from corpus.evidence.trees import write_trees
from corpus.funnel import funnel_of
from corpus.grounds import as_grounds, as_register
from corpus.mapping import reading
from corpus.pipeline import judge
from corpus.progress import step
from corpus.request import BuildRequest, check_request
from corpus.rules import without_data
from corpus.session import require_contract
from corpus.sources import Pin, pin, read_inputs, retention_warnings


@dataclass(frozen=True)
class Built:
    """The version that a build made, or had made before (`was_there`)."""

    dataset: str
    version: int
    build_id: str
    was_there: bool
    statement: dict[str, Any]
    warnings: list[str]


def build(spark: SparkSession, request: BuildRequest) -> Built:
    """Makes the next version of a dataset; a build that is finished already is returned as it is, and writes nothing.

    Raises GateRefused, DatasetError (a key that is missing or another's), Conflict (another commit came in between).
    """
    require_contract(spark)
    check_request(request)
    pins = pin(spark, request.source)
    identity = _identity(request, pins)
    build_id = request.build_id or digest_of(identity | {"code": code_identity()["digest"]})[:32]
    warnings = retention_warnings(pins, request.policy.retention_days)
    finished = _finished(spark, request, build_id, identity)
    if finished:
        version, statement = finished
        return Built(request.dataset, version, build_id, True, statement, warnings)
    try:
        version, statement = _make_version(spark, request, pins, build_id, identity)
    finally:
        spark.catalog.clearCache()
    unfed = statement["predicate"]["without_data"]
    warnings += [f"{name} has no data in this source and leaves out every post." for name in unfed]
    return Built(request.dataset, version, build_id, False, statement, warnings)


def dataset_key(spark: SparkSession, request: BuildRequest, accounts: int) -> tuple[bytes, int]:
    """The dataset's key and its bucket width; makes both, and the tables, at the first build.

    Raises DatasetError if the dataset is there and its key is not, or is another's.
    """
    is_there = tables.exists(spark, request.folder)
    if is_there and not request.key_file.exists():
        raise DatasetError(
            f"The key of {request.dataset} is missing: expected in {request.key_file}. Restore it from your backup, or "
            "name its place with --key; without it documents would get other ids."
        )
    key = read_key(request.key_file) if request.key_file.exists() else make_key(request.key_file)
    if not is_there:
        bits = request.bucket_bits if request.bucket_bits is not None else snapshot.bucket_bits_for(accounts)
        tables.create_tables(spark, request.folder, request.policy, key_id(key), bits)
    found = tables.property_of(spark, request.folder, "corpus.keyId")
    if found != key_id(key):
        raise DatasetError(
            f"The key in {request.key_file} ({key_id(key)}) is not that of {request.dataset} ({found}). Name the right "
            "one with --key."
        )
    return key, int(tables.property_of(spark, request.folder, "corpus.bucketBits"))


def commit_version(
    spark: SparkSession,
    request: BuildRequest,
    documents: DataFrame,
    intent: dict[str, Any],
    require_fresh: Callable[[], None],
) -> tuple[int, dict[str, Any]]:
    """Writes the intent and, alone and on the base version that it names, the commit and its statement.

    Raises Conflict where another builder holds the lease, or the dataset has moved; and what `require_fresh` raises.
    """
    folder, build_id, base = request.folder, intent["build_id"], int(intent["base_version"])
    write_document(intent_path(folder, build_id), intent)
    with lease(folder, build_id, request.wait_seconds):
        newest = snapshot.newest_version(spark, folder)
        if newest != base:
            raise Conflict(
                f"{request.dataset} moved from version {base} to {newest} while this build ran; it was made for "
                f"version {base}. Nothing was committed. Run it again."
            )
        require_fresh()
        said = snapshot.Said(build_id, digest_of(intent))
        snapshot.commit(documents, folder, said)
        made = snapshot.committed(spark, folder, said, base + 1, int(intent["snapshot"]["rows"]))
        statement = as_statement(intent, made.version, made.released_at)
        write_document(statement_path(folder, made.version), statement)
        tables.sweep(spark, folder)
    return made.version, statement


def digest_and_trees(
    request: BuildRequest, build_id: str, verdicts: DataFrame, keyed: tuple[bytes, int, SparkSession]
) -> tuple[str, dict[str, dict[str, str]]]:
    """The digest of the rows to be committed, and the trees of their posts and people, whose leaves are written."""
    hashed = snapshot.as_row_hashes(verdicts, *keyed).persist()
    digest = snapshot.digest_of_hashes(hashed)
    accounts = snapshot.as_members(verdicts, *keyed).select("account_id")
    own = snapshot_key(keyed[0], request.dataset, build_id)
    trees = write_trees(request.folder, build_id, hashed, accounts, own)
    hashed.unpersist()
    return digest, trees


def _make_version(
    spark: SparkSession, request: BuildRequest, pins: dict[str, Pin], build_id: str, identity: dict[str, Any]
) -> tuple[int, dict[str, Any]]:
    policy, clock, folder = request.policy, request.clock, request.folder
    inputs = read_inputs(spark, request.source, pins)
    with step("checking the gates"):
        clearance = cleared(spark, request, inputs, pins)
        facts = clearance.facts
    key, bits = dataset_key(spark, request, pins["profiles"].rows)
    tables.create_side_tables(spark, folder, policy)
    tables.with_longer_retention(spark, folder, policy)
    base = snapshot.newest_version(spark, folder)
    with step("judging every post"), reading(f"An input of {request.source.name}"):
        people = judged_people(inputs, policy, clock)
        verdicts = judge(inputs, policy, clock, people).persist()
        funnel = funnel_of(verdicts)
        gates = outcomes(request, clearance, funnel)
    with step("writing the side tables"):
        keyed = (key, bits, spark)
        grounds = as_grounds(inputs, people, policy).transform(snapshot.with_bucket, F.col("subject_id"), *keyed)
        named = F.get("account_ids", F.lit(0))
        register = as_register(inputs, clearance.resolved).transform(snapshot.with_bucket, named, *keyed)
        tables.write_side_table(snapshot.as_exclusions(verdicts, *keyed), folder, "exclusions", build_id, "post_id")
        tables.write_side_table(snapshot.as_members(verdicts, *keyed), folder, "members", build_id, "doc_id")
        tables.write_side_table(grounds, folder, "grounds", build_id, "subject_id")
        tables.write_side_table(register, folder, "objections", build_id, "objection_id")
        if request.source.archive == "people":
            write_archive(inputs, folder, build_id, policy)
    with step("computing the row digest and the trees"):
        digest, trees = digest_and_trees(request, build_id, verdicts, keyed)
    intent = identity | {
        "dataset": request.dataset,
        "build_id": build_id,
        "base_version": str(base),
        "now": instant(clock.now),
        "policy": {"name": policy.name, "digest": policy.digest, "values": texts(policy.as_json())},
        "code": code_identity(),
        "source": texts(request.source.model_dump(mode="json", by_alias=True, exclude_defaults=True)),
        "inputs": [_input(p) for p in pins.values()],
        "gates": texts(gates),
        "accepted": _accepted(request),
        "without_data": [reason.name for reason in without_data(inputs, policy)],
        "funnel": texts(funnel),
        "snapshot": {"rows": str(funnel["kept"]), "digest": digest, "bucket_bits": str(bits)},
        "trees": trees,
    }
    documents = snapshot.as_documents(verdicts, *keyed)
    with step("committing the version"):
        return commit_version(spark, request, documents, intent, lambda: require_fresh(spark, request, pins, facts))


def _finished(
    spark: SparkSession, request: BuildRequest, build_id: str, identity: dict[str, Any]
) -> tuple[int, dict[str, Any]] | None:
    """The version that this build made before, if it did; writes the statement that a crash may have left out."""
    if not tables.exists(spark, request.folder):
        return None
    intent = read_document(intent_path(request.folder, build_id))
    made = snapshot.commit_of(spark, request.folder, build_id)
    if intent and any(intent[name] != value for name, value in identity.items()):
        raise DatasetError(
            f"The build {build_id} of {request.dataset} was begun with other inputs, policy or cutoff. Use another "
            "--build-id, or leave it out."
        )
    if made is None:
        return None
    if intent is None or digest_of(intent) != made.intent:
        raise DatasetError(
            f"{request.dataset}@{made.version} was committed by build {build_id}, whose intent is missing or another; "
            "it cannot be stated. Restore evidence/intents from a backup."
        )
    path = statement_path(request.folder, made.version)
    statement = read_document(path)
    if statement is None:
        statement = as_statement(intent, made.version, made.released_at)
        write_document(path, statement)
    return made.version, statement


def _identity(request: BuildRequest, pins: dict[str, Pin]) -> dict[str, Any]:
    """What makes two builds the same: what they read, under which policy, as of when."""
    return {
        "dataset": request.dataset,
        "cutoff": instant(request.clock.cutoff),
        "policy_digest": request.policy.digest,
        "pinned": {name: [p.table_id, str(p.version)] for name, p in pins.items()},
    }


def _accepted(request: BuildRequest) -> dict[str, Any]:
    accepted = {"anomalies": request.accepted_anomalies, "objections": request.accepted_objections}
    return {kind: [each.model_dump() for each in some] for kind, some in accepted.items()}


def _input(pinned: Pin) -> dict[str, Any]:
    return {
        "table": pinned.table,
        "location": pinned.location,
        "id": pinned.table_id,
        "version": str(pinned.version),
        "schema_digest": pinned.schema_digest,
        "rows": str(pinned.rows),
        "committed_at": instant(pinned.committed_at),
        "opens_until": None if pinned.opens_until is None else instant(pinned.opens_until),
    }
