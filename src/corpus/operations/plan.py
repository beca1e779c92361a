"""A dry run: what a build would read, what its gates say, what it would cost and write. It writes nothing itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from pyspark.sql import SparkSession

from corpus import snapshot, tables
from corpus.abreast import abreast
from corpus.build import identified, made_before
from corpus.catalogs import detail
from corpus.clearance import looked_at
from corpus.dataset_key import read_own_key
from corpus.errors import GateRefused
from corpus.evidence.keys import signer_of
from corpus.evidence.statement import instant
from corpus.gates import refusal, refusing
from corpus.operations.costs import Estimate, estimate
from corpus.progress import step
from corpus.request import BuildRequest, check_names, require_writable
from corpus.rules import unfed, without_data
from corpus.seal import unsealed
from corpus.session import require_contract
from corpus.sources import Pin, delta_place, pin, read_inputs, retention_warnings

Row = dict[str, Any]
REFUSES = "refuses"
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
    refusal: str | None
    estimate: Estimate | None
    writes: list[str]
    warnings: list[str]

    def answer(self) -> Row:
        """What programs are told: all of it."""
        return asdict(self)

    def require(self) -> None:
        """Raises GateRefused where the build would."""
        if self.refusal:
            refused_by = [gate for gate, says in self.gates.items() if says == REFUSES]
            raise GateRefused(f"{self.refusal}\nThis was a dry run: nothing was written.", refused_by)


def plan(spark: SparkSession, request: BuildRequest) -> Plan:
    """What this build would do now. Raises what the build would, but for a gate's refusal, which is told."""
    require_contract(spark)
    check_names(request)
    require_writable(request.warehouse)
    pins = pin(spark, request.source)
    identity, build_id = identified(request, pins)
    made, base = made_before(spark, request, build_id, identity), _base(spark, request)
    own, number = (request.dataset, build_id, base), made.version if made else None
    old = retention_warnings(pins, request.policy.retention_days)
    read = _pins(spark, request, pins)
    if made:
        left = ["its statement and its record"] if made.version in unsealed(request.folder) else []
        return Plan(*own, number, read, {}, None, None, left, old)
    gates, refused, empty = _gates(spark, request, pins)
    cost = estimate(request.warehouse, request.dataset, pins["posts"].rows)
    return Plan(*own, number, read, gates, refused, cost, _writes(request, base), [*old, *empty, *cost.warnings])


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
    said = ("table", "location", "version", "rows")
    return [
        {name: getattr(p, name) for name in said}
        | {"bytes": sizes[p.table], "opens_until": instant(p.opens_until) if p.opens_until else None}
        for p in pins.values()
    ]


def _bytes(spark: SparkSession, request: BuildRequest, table: str) -> int | None:
    """The size of a table's newest version: that which was pinned, a moment ago."""
    found = detail(spark, delta_place(request.source, table).in_sql)
    return int(found["sizeInBytes"]) if found else None


def _gates(
    spark: SparkSession, request: BuildRequest, pins: dict[str, Pin]
) -> tuple[dict[str, str], str | None, list[str]]:
    """What each gate says, in the contract's order; what a refusal says; and which rules would leave out every post."""
    inputs = read_inputs(spark, request.source, pins)
    with step("checking the gates"):
        _, gates = looked_at(spark, request, inputs, pins)
    off = {off.gate: off for off in (*request.policy.gates_off, *request.gates_off)}
    failed = refusing(gates, off)
    said = {gate.gate: gate.outcome(off.get(gate.gate), request.gates_off)["outcome"] for gate in gates}
    said |= {gate.gate: REFUSES for gate in failed} | {name: "off" if name in off else LATER[name] for name in LATER}
    empty = unfed(reason.name for reason in without_data(inputs, request.policy))
    return said, refusal(failed) if failed else None, empty


def _writes(request: BuildRequest, base: int) -> list[str]:
    """What the build would write, and make where it is not there."""
    folder, key, signing_key = request.folder, request.key_file, request.signing_key
    first = [f"keys in {key} and {signing_key}, where none are", f"the dataset's tables in {folder}"]
    return [
        *(first if not base else []),
        f"version {base + 1} of {folder}/snapshot, in one commit",
        f"rows of this build in {', '.join(tables.SIDE_TABLES)}",
        f"its intent, statement and record in {folder}/evidence",
    ]
