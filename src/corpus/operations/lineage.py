"""A build as OpenLineage events while it runs: it began, each step that is done, and how it ended."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import attr
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import RunFacet, error_message_run

from corpus.errors import EnvironmentFault
from corpus.evidence.statement import code_identity
from corpus.exports.emission import client_for
from corpus.exports.lineage import dataset_name, events, input_of, job_of, produced_by, run_id
from corpus.exports.subject import subject
from corpus.operations.stages import Row
from corpus.progress import Hears

PATIENCE = {"timeout": 5.0, "retry": {"total": 1}}
"""A server that is down must not hold up a build."""


@attr.define
class StepRunFacet(RunFacet):
    """A step of the run that is done: what Spark measured in it."""

    step: str
    seconds: float
    tasks: int
    inputRows: int  # noqa: N815 (as OpenLineage writes names)
    outputRows: int  # noqa: N815
    shuffleBytes: int  # noqa: N815

    @staticmethod
    def _get_schema() -> str:
        return "urn:corpus:facet:step:v1"


def teller(to: str) -> Hears:
    """Sends events to an address. Raises ConfigError for another kind of address."""
    client, code = client_for(to, "--openlineage", **PATIENCE), code_identity()
    produced_by(code)  # before any facet is made
    return partial(_hear, client, to, {"code": code})


def _hear(client: OpenLineageClient, to: str, known: dict[str, Row], said: Row) -> None:
    """Sends what is an event; where one was not taken, the next that is sent is how the run ended."""
    known[said["event"]] = said
    event = _event(known, said)
    if event is None or ("deaf" in known and said["event"] != "end"):
        return
    try:
        client.emit(event)
    except Exception as failed:  # the transports raise what their libraries do
        known["deaf"] = said
        raise EnvironmentFault(f"{to} did not take the {event.eventType} event: {failed}") from None


def _event(known: dict[str, Row], said: Row) -> RunEvent | None:
    """What happened as an event; none before the build has an id, unless it ends, and none of a step that failed."""
    makers: dict[str, Callable[[dict[str, Row], Row], RunEvent]] = {"pinned": _start, "step": _running, "end": _ended}
    maker = makers.get(said["event"])
    return maker(known, said) if maker and (maker is _ended or ("pinned" in known and said.get("ok", True))) else None


def _start(known: dict[str, Row], said: Row) -> RunEvent:
    event = _bare(known, RunState.START, said)
    output = OutputDataset(*dataset_name(f"{said['location']}/snapshot"))
    return attr.evolve(event, inputs=[input_of(pinned) for pinned in said["inputs"]], outputs=[output])


def _running(known: dict[str, Row], said: Row) -> RunEvent:
    shuffled = said["shuffle_read_bytes"] + said["shuffle_write_bytes"]
    figures = (said["seconds"], said["tasks"], said["input_rows"], said["output_rows"], shuffled)
    return _bare(known, RunState.RUNNING, said, corpus_step=StepRunFacet(said["step"], *figures))


def _ended(known: dict[str, Row], said: Row) -> RunEvent:
    """The end with all that is known of the version; or with the kind of failure, whose message may name people."""
    if said["ok"]:
        made = known["made"]
        folder = Path(known["pinned"]["location"])
        whole = events(subject(folder.parent, folder.name, made["version"], "openlineage", {}))[-1]
        return attr.evolve(whole, eventTime=said["time"])
    kind = f"{said['error']} (exit code {said['exit_code']}, retry: {said['retry']})"
    told = ". ".join([kind, *(f"Refused by {gate}" for gate in said["refused_by"])])
    message = error_message_run.ErrorMessageRunFacet(told, "PYTHON")
    return _bare(known, RunState.FAIL, said, errorMessage=message)


def _bare(known: dict[str, Row], state: RunState, said: Row, **facets: RunFacet) -> RunEvent:
    """An event with nothing but what all of a run's have; a run without a build's id is known by its end."""
    run = Run(run_id(said["dataset"], said.get("build_id") or said["time"]), facets)
    own = (produced_by(known["code"]), job_of(said["dataset"]))
    return RunEvent(eventType=state, eventTime=said["time"], run=run, producer=own[0], job=own[1])
