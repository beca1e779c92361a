"""A build as OpenLineage events: it began, it read these versions of these tables, it made this version of another."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5

import attr
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState, set_producer
from openlineage.client.facet_v2 import (
    JobFacet,
    RunFacet,
    dataset_version_dataset,
    datasource_dataset,
    input_statistics_input_dataset,
    job_type_job,
    nominal_time_run,
    output_statistics_output_dataset,
    schema_dataset,
)
from openlineage.client.serde import Serde

from corpus.evidence.store import digest_of
from corpus.exports.subject import Subject
from corpus.schemas import INPUTS, SNAPSHOT, columns

BUCKETS = ("s3", "s3a", "gs")
"""Where an object's name has no leading slash."""


@attr.define
class VersionRunFacet(RunFacet):
    """What OpenLineage has no words for: clocks, policy, code, and the digests by which a version is known."""

    cutoff: str
    policy: str
    policyDigest: str  # noqa: N815 (as OpenLineage writes names)
    codeDigest: str  # noqa: N815
    rowDigest: str  # noqa: N815
    statement: str

    @staticmethod
    def _get_schema() -> str:
        return "urn:corpus:facet:version:v1"


def events(subject: Subject) -> list[RunEvent]:
    """The build's two events, START and COMPLETE, with the same run, inputs and output."""
    said = subject.said
    producer = produced_by(said["code"])
    times = ((RunState.START, said["now"]), (RunState.COMPLETE, said["released_at"]))
    return [
        RunEvent(
            eventType=state,
            eventTime=time,
            run=_run(subject),
            job=job_of(said["dataset"]),
            inputs=[input_of(pinned) for pinned in said["inputs"]],
            outputs=[_output(subject)],
            producer=producer,
        )
        for state, time in times
    ]


def produced_by(code: dict[str, str]) -> str:
    """The producer, as events name it: this code, which stands in all facets that are made from now on."""
    producer = f"urn:corpus:code:{code['version']}:{code['digest']}"
    set_producer(producer)
    return producer


def run_id(dataset: str, build_id: str) -> str:
    """The id of a build's run, the same however often it is told."""
    return str(uuid5(NAMESPACE_URL, f"urn:corpus:{dataset}:{build_id}"))


def job_of(dataset: str) -> Job:
    """What runs again and again: the building of this dataset."""
    return Job("corpus", f"{dataset}.build", _job_facets())


def as_lines(found: list[RunEvent]) -> str:
    """The events as JSON, one a line."""
    return "\n".join(Serde.to_json(event) for event in found)


def dataset_name(location: str) -> tuple[str, str]:
    """A place as OpenLineage names datasets: a namespace, and a name in it.

    >>> dataset_name("s3://lake/social/posts"), dataset_name("file:/lake/posts")
    (('s3://lake', 'social/posts'), ('file', '/lake/posts'))
    """
    place = urlsplit(location)
    if not place.netloc:
        return ("file", place.path)
    path = place.path.lstrip("/") if place.scheme in BUCKETS else place.path
    return (f"{place.scheme.replace('s3a', 's3')}://{place.netloc}", path)


def _run(subject: Subject) -> Run:
    said = subject.said
    version = VersionRunFacet(
        said["cutoff"],
        said["policy"]["name"],
        said["policy"]["digest"],
        said["code"]["digest"],
        said["snapshot"]["digest"],
        digest_of(subject.version.statement or {}),
    )
    time = nominal_time_run.NominalTimeRunFacet(said["now"], said["released_at"])
    return Run(run_id(said["dataset"], said["build_id"]), {"nominalTime": time, "corpus_version": version})


def _job_facets() -> dict[str, JobFacet]:
    return {"jobType": job_type_job.JobTypeJobFacet("BATCH", "SPARK", "JOB")}


def input_of(pinned: dict[str, Any]) -> InputDataset:
    """A pinned table, with its version, rows and columns."""
    facets: dict[str, Any] = _facets(pinned["location"], pinned["version"], INPUTS[pinned["table"]])
    rows = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(rowCount=int(pinned["rows"]))
    return InputDataset(*dataset_name(pinned["location"]), inputFacets={"inputStatistics": rows}, facets=facets)


def _output(subject: Subject) -> OutputDataset:
    location, number = f"{subject.folder}/snapshot", str(subject.version.number)
    rows = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=subject.version.rows)
    facets: dict[str, Any] = _facets(location, number, SNAPSHOT)
    return OutputDataset(*dataset_name(location), outputFacets={"outputStatistics": rows}, facets=facets)


def _facets(location: str, version: str, ddl: str) -> dict[str, Any]:
    """Which version of which table, and its columns as rules read them."""
    fields = [schema_dataset.SchemaDatasetFacetFields(column.name, column.type) for column in columns(ddl)]
    return {
        "version": dataset_version_dataset.DatasetVersionDatasetFacet(version),
        "dataSource": datasource_dataset.DatasourceDatasetFacet("delta", location),
        "schema": schema_dataset.SchemaDatasetFacet(fields),
    }
