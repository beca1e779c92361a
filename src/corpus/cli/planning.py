"""How a dry run is answered: what would be read, what the gates say, what it would cost, and what it would write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corpus.cli.options import spark_session

# ruff: noqa: PLC0415 (each command imports what it needs: reading starts no JVM and loads no pyspark)

if TYPE_CHECKING:
    from corpus.operations.costs import Estimate
    from corpus.operations.plan import Plan
    from corpus.request import BuildRequest


def planned(request: BuildRequest, spark_conf: str, json: bool) -> None:
    """Answers a dry run of a build. Raises what the build would."""
    from corpus import render
    from corpus.operations.plan import plan

    with spark_session(f"corpus build {request.dataset} --plan", spark_conf) as spark:
        found = plan(spark, request)
    render.as_json(found) if json else _tell(found)
    found.require()


def _tell(found: Plan) -> None:
    from corpus import render

    render.say(_headline(found), style="bold")
    render.say()
    rows = [(p["table"], p["version"], p["rows"], p["bytes"], (p["opens_until"] or "")[:10]) for p in found.pins]
    render.tell(("would read", "version", "rows", "bytes", "opens until"), rows, ("version", "rows", "bytes"))
    if found.gates:
        render.say()
        render.tell(("gate", "says"), list(found.gates.items()))
    if found.estimate:
        render.say()
        _tell_cost(found.estimate)
    render.say()
    render.tell(("would write",), [(what,) for what in found.writes] or [("nothing",)])
    for warning in found.warnings:
        render.say(f"! {warning}", style="yellow")


def _headline(found: Plan) -> str:
    if found.made_before is not None:
        return f"{found.dataset}@{found.made_before} is this build ({found.build_id}): it would be answered as it is"
    name = f"{found.dataset}@{found.base_version + 1}"
    return f"{name} would be {'refused' if found.refusal else 'built'} (build {found.build_id})"


def _tell_cost(cost: Estimate) -> None:
    from corpus import render

    seconds = f"{cost.seconds[0]:,} to {cost.seconds[1]:,} s" if cost.seconds else "unknown"
    written = f"about {cost.written_bytes:,} bytes" if cost.written_bytes is not None else "unknown"
    rows = [("time", seconds), ("written", written), ("free in the warehouse", f"{cost.free_bytes:,} bytes")]
    render.tell(("cost", ""), rows)
    render.say(f"({cost.said}; what Spark spills while it works is not in it)")
