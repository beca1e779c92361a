"""A dry run: what a build would read, whether its gates let it, what it would cost and write. It writes nothing itself."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from pyspark.sql import SparkSession

from corpus import snapshot, tables
from corpus.abreast import abreast
from corpus.build import identified, made_before
from corpus.clearance import looked_at
from corpus.dataset_key import read_own_key
from corpus.errors import GateRefused
from corpus.evidence.keys import signer_of
from corpus.evidence.statement import instant
from corpus.gates import Gate, refusal, refusing
from corpus.operations.costs import Estimate, estimate
from corpus.progress import step
from corpus.request import BuildRequest, check_names, require_writable
from corpus.rules import without_data
from corpus.seal import unsealed
from corpus.session import require_contract
from corpus.sources import Pin, delta_place, find_delta, pin, read_inputs, retention_warnings

Row = dict[str, Any]
LATER = {"RELEASE_LAG": "known just before the commit", "EXCLUSION_ANOMALY": "known once every post is judged"}
"""The gates that a dry run cannot know."""


@dataclass(frozen=True)
class Plan:
    """What a build would do now; `made_before` is its version where it is finished already."""

    dataset: str
    build_id: str
    base_version: int
    made_before: int | None
    pins: list[Row]
    gates: dict[str, str]
    refused_by: list[str]
    refusal: str | None
    estimate: Estimate | None
    writes: list[str]
    warnings: list[str]

    def require(self) -> None:
        """Raises GateRefused where the build would."""
        if self.refusal:
            raise GateRefused(f"{self.refusal}\nThis was a dry run: nothing was written.", self.refused_by)


def plan(spark: SparkSession, request: BuildRequest) -> Plan:
    """What this build would do now. Raises what the build would, but for a gate's refusal, which is told."""
    require_contract(spark)
    check_names(request)
    require_writable(request.warehouse)
    pins = pin(spark, request.source)
    identity, build_id = identified(request, pins)
    made, base = made_before(spark, request, build_id, identity), _base(spark, request)
    known = {
        "dataset": request.dataset,
        "build_id": build_id,
        "base_version": base,
        "pins": _pins(spark, request, pins),
    }
    warnings = retention_warnings(pins, request.policy.retention_days)
    if made:
        writes = ["its statement and its record"] if made.version in unsealed(request.folder) else []
        nothing: Row = {"gates": {}, "refused_by": [], "refusal": None, "estimate": None}
        return Plan(**known, **nothing, made_before=made.version, writes=writes, warnings=warnings)
    gates, failed, empty = _gates(spark, request, pins)
    cost = estimate(request.warehouse, request.dataset, pins["posts"].rows)
    return Plan(
        **known,
        made_before=None,
        gates=gates,
        refused_by=[gate.gate for gate in failed],
        refusal=refusal(failed) if failed else None,
        estimate=cost,
        writes=_writes(request, base),
        warnings=[*warnings, *empty, *_too_large(cost)],
    )


def _base(spark: SparkSession, request: BuildRequest) -> int:
    """The version that the build would follow; 0 where there is no dataset. Raises DatasetError for another's key."""
    folder = request.folder
    if not tables.exists(spark, folder):
        return 0
    read_own_key(request.key_file, request.dataset, tables.property_of(spark, folder, "corpus.keyId"))
    signer_of(folder, request.signing_key)
    return snapshot.newest_version(spark, folder)


def _pins(spark: SparkSession, request: BuildRequest, pins: dict[str, Pin]) -> list[Row]:
    with step("sizing the inputs"):
        sizes = abreast(lambda table: _bytes(spark, request, table), pins)
    return [
        {
            "table": p.table,
            "location": p.location,
            "version": p.version,
            "rows": p.rows,
            "bytes": sizes[p.table],
            "opens_until": instant(p.opens_until) if p.opens_until else None,
        }
        for p in pins.values()
    ]


def _bytes(spark: SparkSession, request: BuildRequest, table: str) -> int | None:
    """The size of a table's newest version: that which was pinned, a moment ago."""
    found = find_delta(spark, delta_place(request.source, table))
    return int(found.detail().collect()[0]["sizeInBytes"]) if found else None


def _gates(
    spark: SparkSession, request: BuildRequest, pins: dict[str, Pin]
) -> tuple[dict[str, str], list[Gate], list[str]]:
    """What each gate says, in the contract's order; those that refuse; and the rules that would leave out every post."""
    inputs = read_inputs(spark, request.source, pins)
    with step("checking the gates"):
        _, gates = looked_at(spark, request, inputs, pins)
    off = {off.gate: off for off in (*request.policy.gates_off, *request.gates_off)}
    failed = refusing(gates, off)
    said = {gate.gate: gate.outcome(off.get(gate.gate), request.gates_off)["outcome"] for gate in gates}
    said |= dict.fromkeys((gate.gate for gate in failed), "refuses")
    later = {name: "off" if name in off else when for name, when in LATER.items()}
    unfed = without_data(inputs, request.policy)
    return (
        said | later,
        failed,
        [f"{rule.name} has no data in this source and leaves out every post." for rule in unfed],
    )


def _writes(request: BuildRequest, base: int) -> list[str]:
    """What the build would write, and make where it is not there."""
    places: Collection[tuple[str, Any]] = (("key", request.key_file), ("signing key", request.signing_key))
    new = [f"a {what} in {place}, if none is there" for what, place in places] if not base else []
    new += [f"the dataset's tables in {request.folder}"] if not base else []
    return [
        *new,
        f"version {base + 1} of {request.folder}/snapshot, in one commit",
        f"rows of this build in {', '.join(tables.SIDE_TABLES)}",
        f"its intent, statement and record in {request.folder}/evidence",
    ]


def _too_large(cost: Estimate) -> list[str]:
    if cost.written_bytes is None or cost.written_bytes < cost.free_bytes:
        return []
    return [
        f"The warehouse has {cost.free_bytes:,} bytes free, and the build would write about {cost.written_bytes:,}."
    ]
