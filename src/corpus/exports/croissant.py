"""A version as Croissant 1.1 (JSON-LD): what catalogues of training data read, and loaders can open."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from deltalake import DeltaTable

from corpus.evidence.store import digest_of
from corpus.exports.figures import at_least, figures
from corpus.exports.measures import MEASURES, checked
from corpus.exports.subject import Subject
from corpus.schemas import SNAPSHOT, columns

TYPES = {"STRING": "sc:Text", "DATE": "sc:Date", "INT": "sc:Integer", "BIGINT": "sc:Integer"}
FILLED = {"license": "license", "url": "url", "citation": "citeAs"}
"""Blanks that are texts, and the properties that they fill."""

NAMES_PEOPLE = "Texts are people's own words and may name people; what nobody flagged is not looked for."
MEANINGS = {
    "doc_id": "keyed pseudonym of the post, the same in every version",
    "text": "the post's own text",
    "platform": "where it was posted",
    "surface": "what kind of post it is",
    "lang": "its language (BCP 47), where known",
    "created_on": "the day on which it was posted, in UTC",
    "chars": "length of the text in characters",
    "copies": "how many eligible posts it stands for, itself among them",
    "bucket": "first bits of a keyed hash of the author; tells no author from another",
}


def as_croissant(subject: Subject) -> str:
    """The version's description; what nobody filled in is left out, and validators say so."""
    said, counts = subject.said, figures(subject)
    filled = subject.filled
    own: dict[str, Any] = {FILLED[name]: filled[name] for name in FILLED if name in filled}
    own |= {"creator": {"@type": "sc:Organization", "name": filled["creator"]}} if "creator" in filled else {}
    described = {
        "@context": json.loads((files("corpus.exports") / "croissant_context.json").read_text(encoding="utf-8")),
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": said["dataset"],
        "version": f"{said['version']}.0.0",
        "identifier": f"urn:corpus:statement:sha256:{digest_of(subject.version.statement or {})}",
        "description": _description(subject, at_least(counts.documents)),
        "datePublished": said["released_at"][:10],
        "temporalCoverage": f"{counts.first}/{counts.last}",
        "isLiveDataset": False,
        **own,
        **_responsibly(subject),
        "distribution": [_files(subject)],
        "recordSet": [_documents()],
    }
    return json.dumps(described, indent=2, ensure_ascii=False)


def _description(subject: Subject, documents: str) -> str:
    said, policy = subject.said, subject.policy
    return (
        f"Version {said['version']} of {said['dataset']}: {documents} posts made before {said['cutoff']}, each of "
        f"which the policy {policy.name} allows for the purpose {policy.purpose}. Rows hold no account, name or handle."
    )


def _responsibly(subject: Subject) -> dict[str, Any]:
    """The vocabulary of responsible AI: what the policy asks for, in its own sentences."""
    chapters = {title: [said.says for said in said_of] for title, said_of in checked(subject.policy).items()}
    (people, told, objections, others, posts, copies) = (chapters.get(title, []) for title in MEASURES)
    return {
        "rai:dataCollection": " ".join([*people, *told, *posts]),
        "rai:dataPreprocessingProtocol": copies,
        "rai:personalSensitiveInformation": [*objections, *others, NAMES_PEOPLE],
        "rai:dataUseCases": [f"Only for the purpose {subject.policy.purpose}."],
        "rai:dataReleaseMaintenancePlan": "Each version stays as it is. Objections that come later are honoured by "
        "the next version, and versions that hold such posts are recalled.",
    }


def _files(subject: Subject) -> dict[str, Any]:
    """The version's own files: those of other versions lie in the same folder."""
    table = DeltaTable(subject.folder / "snapshot", version=subject.version.number)
    names = sorted(f"snapshot/{path.rpartition('/snapshot/')[2]}" for path in table.file_uris())
    return {
        "@type": "cr:FileSet",
        "@id": "parquet-files",
        "name": "parquet-files",
        "description": f"The Parquet files of version {subject.version.number} of a Delta table, in the dataset's "
        "folder; whoever has Delta opens the table VERSION AS OF that number instead.",
        "encodingFormat": "application/x-parquet",
        "includes": names,
    }


def _documents() -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": "documents",
        "name": "documents",
        "description": "One row per kept post.",
        "key": {"@id": "documents/doc_id"},
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"documents/{column.name}",
                "name": column.name,
                "description": MEANINGS[column.name],
                "dataType": TYPES[column.type],
                "source": {"fileSet": {"@id": "parquet-files"}, "extract": {"column": column.name}},
            }
            for column in columns(SNAPSHOT)
        ],
    }
