"""The build protocol: pin, gate, judge, write the side tables, intend, commit once, state.

A crash anywhere is mended by a rerun.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from corpus import snapshot, tables
from corpus.accounts import judged_people
from corpus.archive import write_archive
from corpus.clearance import cleared, outcomes, require_fresh
from corpus.cluster import require_shared
from corpus.dataset_key import snapshot_key
from corpus.errors import Conflict, DatasetError
from corpus.evidence.commits import commits
from corpus.evidence.keys import signer_of
from corpus.evidence.lease import lease
from corpus.evidence.statement import as_statement, code_identity, instant, texts
from corpus.evidence.store import digest_of, intent_path, payload_of, read_document
from corpus.evidence.trees import write_trees
from corpus.founding import founded
from corpus.funnel import funnel_of
from corpus.grounds import as_grounds, as_register
from corpus.mapping import reading
from corpus.mishaps import plainly_told
from corpus.pipeline import judge
from corpus.progress import step, tell
from corpus.request import BuildRequest, check_request
from corpus.rules import unfed, without_data
from corpus.seal import (
    complete,
    open_book,
    require_clock,
    require_content,
    seal,
    seal_version,
    statement_if_sealed,
    unsealed,
    write_intent,
)
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

    def answer(self) -> dict[str, Any]:
        """What programs are told: the version that was made, and what became of the posts."""
        said = {name: getattr(self, name) for name in ("dataset", "version", "build_id", "was_there", "warnings")}
        return said | {"funnel": self.statement["predicate"]["funnel"]}


def build(spark: SparkSession, request: BuildRequest) -> Built:
    """Makes the next version of a dataset; a build that is finished already is returned as it is, and writes nothing.

    Raises GateRefused, DatasetError (a key that is missing or another's), Conflict (another commit came in between).
    """
    require_contract(spark)
    check_request(request)
    require_shared(spark, request.warehouse)
    pins = pin(spark, request.source)
    identity, build_id = identified(request, pins)
    known = {"location": str(request.folder.absolute()), "inputs": [_input(p) for p in pins.values()]}
    tell("pinned", build_id=build_id, **known)
    warnings = retention_warnings(pins, request.policy.retention_days)
    finished = _finished(spark, request, build_id, identity)
    if finished:
        version, statement = finished
        return _told(Built(request.dataset, version, build_id, True, statement, warnings))
    try:
        with plainly_told(request.source.name, request.warehouse):
            version, statement = _make_version(spark, request, pins, build_id, identity)
    finally:
        spark.catalog.clearCache()
    warnings += unfed(statement["predicate"]["without_data"])
    names = [f"{request.dataset}@{number}" for number in unsealed(request.folder)]
    warnings += [f"{name} is not sealed, and is not for training; `corpus seal` says why." for name in names]
    return _told(Built(request.dataset, version, build_id, False, statement, warnings))


def commit_version(
    spark: SparkSession,
    request: BuildRequest,
    documents: DataFrame,
    intent: dict[str, Any],
    require_fresh: Callable[[], None],
) -> tuple[int, dict[str, Any]]:
    """Writes the intent and, alone and on the base version that it names, the commit; then seals it.

    Raises Conflict where another builder holds the lease, or the dataset has moved; and what `require_fresh` raises.
    """
    folder, build_id, base = request.folder, intent["build_id"], int(intent["base_version"])
    signer = signer_of(folder, request.signing_key)
    with lease(folder, f"build {build_id}", request.wait_seconds):
        newest = snapshot.newest_version(spark, folder)
        if newest != base:
            raise Conflict(
                f"{request.dataset} moved from version {base} to {newest} while this build ran; it was made for "
                f"version {base}. Nothing was committed. Run it again."
            )
        book = open_book(folder, signer)
        complete(book, lambda: nullcontext(spark))
        require_clock(book, datetime.now(UTC), request.policy.clock_skew_minutes)
        require_fresh()
        write_intent(folder, intent, signer)
        said = snapshot.Said(build_id, digest_of(intent))
        snapshot.commit(documents, folder, said)
        made = snapshot.committed(spark, folder, said, base + 1)
        statement = as_statement(intent, made.version, made.released_at)
        _require_content(spark, request, statement)
        seal_version(book, statement)
        tables.sweep(spark, folder, {commit.build_id for commit in commits(folder)})
    return made.version, statement


def digest_and_trees(
    request: BuildRequest, build_id: str, verdicts: DataFrame, keyed: tuple[bytes, int, SparkSession]
) -> tuple[str, dict[str, dict[str, str]]]:
    """The digest of the rows to be committed, and the trees of their posts and people, whose leaves are written."""
    hashed = snapshot.as_row_hashes(verdicts).persist()
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
    key, bits = founded(spark, request, pins["profiles"].rows)
    tables.create_side_tables(spark, folder, policy)
    tables.with_longer_retention(spark, folder, policy)
    base = snapshot.newest_version(spark, folder)
    keyed = (key, bits, spark)
    with step("judging every post"), reading(f"An input of {request.source.name}"):
        people = judged_people(inputs, policy, clock)
        verdicts = judge(inputs, policy, clock, people).transform(snapshot.with_ids, *keyed).persist()
        funnel = funnel_of(verdicts)
        gates = outcomes(request, clearance, funnel)
    with step("writing the side tables"):
        grounds = as_grounds(inputs, people, policy).transform(snapshot.with_bucket, F.col("subject_id"), *keyed)
        named = F.get("account_ids", F.lit(0))
        register = as_register(inputs, clearance.resolved).transform(snapshot.with_bucket, named, *keyed)
        tables.write_side_table(snapshot.as_exclusions(verdicts), folder, "exclusions", build_id, "post_id")
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
    documents = snapshot.as_documents(verdicts)
    with step("committing the version"):
        return commit_version(spark, request, documents, intent, lambda: require_fresh(spark, request, pins, facts))


def _told(built: Built) -> Built:
    """The build as it is, once who listens knows of it: totals alone."""
    said = built.statement["predicate"]
    totals = {name: int(said["funnel"][name]) for name in ("posts", "kept", "excluded")}
    gates = {gate["gate"]: gate["outcome"] for gate in said["gates"]}
    tell("made", version=built.version, was_there=built.was_there, **totals, gates=gates)
    return built


def _finished(
    spark: SparkSession, request: BuildRequest, build_id: str, identity: dict[str, Any]
) -> tuple[int, dict[str, Any]] | None:
    """The version that this build made before, if it did; seals it where a crash came in between."""
    made = made_before(spark, request, build_id, identity)
    return (made.version, _sealed(spark, request, made.version)) if made else None


def made_before(
    spark: SparkSession, request: BuildRequest, build_id: str, identity: dict[str, Any]
) -> snapshot.Commit | None:
    """The commit that this build made before, if it did. Raises DatasetError where it was begun with other inputs."""
    folder = request.folder
    if not tables.exists(spark, folder):
        return None
    envelope = read_document(intent_path(folder, build_id))
    intent = payload_of(envelope) if envelope else None
    if intent and any(intent[name] != value for name, value in identity.items()):
        raise DatasetError(
            f"The build {build_id} of {request.dataset} was begun with other inputs, policy or cutoff. Use another "
            "--build-id, or leave it out."
        )
    return snapshot.commit_of(spark, folder, build_id)


def _sealed(spark: SparkSession, request: BuildRequest, version: int) -> dict[str, Any]:
    """The statement of a version, which is sealed if it was not. Raises DatasetError where it cannot be."""
    folder = request.folder
    name = f"{request.dataset}@{version}"
    try:
        statement = statement_if_sealed(folder, version)
    except DatasetError as wrong:
        raise DatasetError(f"{name} was committed by this build, but {wrong}") from None
    if statement is None:
        sealing = seal(folder, request.signing_key, lambda: nullcontext(spark), request.wait_seconds)
        if refused := next((one for one in sealing.of("refused") if one.version == version), None):
            raise DatasetError(f"{name} was committed by this build, but {refused.said}")
        statement = statement_if_sealed(folder, version)
    return statement or {}


def _require_content(spark: SparkSession, request: BuildRequest, statement: dict[str, Any]) -> None:
    """Raises DatasetError, and leaves the commit unsealed, where it does not hold what was judged."""
    try:
        require_content(spark, request.folder, statement)
    except DatasetError as wrong:
        name = f"{request.dataset}@{statement['predicate']['version']}"
        raise DatasetError(f"{name} was committed by this build, but {wrong}") from None


def identified(request: BuildRequest, pins: dict[str, Pin]) -> tuple[dict[str, Any], str]:
    """What makes two builds the same (what they read, under which policy, as of when), and the id of this one."""
    identity = {
        "dataset": request.dataset,
        "cutoff": instant(request.clock.cutoff),
        "policy_digest": request.policy.digest,
        "pinned": {name: [p.table_id, str(p.version)] for name, p in pins.items()},
    }
    return identity, request.build_id or digest_of(identity | {"code": code_identity()["digest"]})[:32]


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
