"""The pages that name nobody: the timeline, a version, what changed between two, uses and recalls."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from corpus.changes import diff as changes_of
from corpus.console import shelf, telling
from corpus.console.site import console_of, page, session_in
from corpus.evidence.store import dataset_names
from corpus.uses import uses
from corpus.versions import parse_reference, parse_span

router = APIRouter()


@router.get("/")
def datasets(request: Request) -> Response:
    """The datasets of the warehouse; where there is one, its own page."""
    warehouse = console_of(request).warehouse
    names = dataset_names(warehouse)
    if len(names) == 1:
        return RedirectResponse(f"/{names[0]}", 303)
    return page(request, "datasets.html", {"names": names, "warehouse": warehouse})


@router.get("/{reference}")
def reference(request: Request, reference: str) -> Response:
    """What people write is where it stands: uk-social, uk-social@3, uk-social@2..3."""
    if ".." in reference:
        return changes(request, *parse_span(reference))
    dataset, number = parse_reference(reference)
    return timeline(request, dataset) if number is None else version(request, dataset, number)


def timeline(request: Request, dataset: str) -> Response:
    """Every version, newest first."""
    moments = shelf.moments(console_of(request).warehouse, dataset)
    builds = [moment.version for moment in moments if moment.version.build_id]
    most, newest = max((v.rows or 0 for v in builds), default=0), builds[-1] if builds else None
    values = {"dataset": dataset, "moments": moments, "builds": builds, "most": most, "newest": newest}
    return page(request, "versions.html", values)


def version(request: Request, dataset: str, number: int) -> Response:
    """What one version is."""
    moments = shelf.moments(console_of(request).warehouse, dataset)
    found = shelf.build([moment.version for moment in moments], number)
    values = {"dataset": dataset, "v": found, "moment": next(each for each in moments if each.version == found)}
    if found.statement is None:
        return page(request, "unsealed.html", values)
    return page(
        request, "version.html", values | {"said": found.predicate, "told": telling.told(found, _exact(request))}
    )


def _exact(request: Request) -> bool:
    """Whether small numbers may be seen: by who signed in, and may look at single people."""
    return session_in(request) is not None


@router.get("/{dataset}/changes")
def choice(request: Request, dataset: str, before: str = "", after: str = "") -> Response:
    """Which two versions to compare."""
    if before and after:
        parse_span(f"{dataset}@{before}..{after}")
        return RedirectResponse(f"/{dataset}@{before}..{after}", 303)
    builds = [v for v in shelf.known(console_of(request).warehouse, dataset) if v.build_id]
    chosen = [v.number for v in builds[-2:]]
    return page(request, "changes.html", {"dataset": dataset, "builds": builds, "chosen": chosen, "found": None})


def changes(request: Request, dataset: str, span: tuple[int, int]) -> Response:
    """What came and what went between two versions, by cause."""
    warehouse = console_of(request).warehouse
    known = shelf.known(warehouse, dataset)
    for number in span:
        shelf.build(known, number)
    found, builds = changes_of(warehouse, dataset, span, samples=1), [v for v in known if v.build_id]
    return page(
        request,
        "changes.html",
        {
            "dataset": dataset,
            "builds": builds,
            "chosen": span,
            "found": found,
            "moved": telling.moved(found, _exact(request)),
        },
    )


@router.get("/{dataset}/uses")
def used(request: Request, dataset: str) -> Response:
    """Which runs used which versions, newest first."""
    warehouse = console_of(request).warehouse
    shelf.known(warehouse, dataset)
    return page(request, "uses.html", {"dataset": dataset, "uses": uses(warehouse, dataset)[::-1]})


@router.get("/{dataset}/recalls")
def recalled(request: Request, dataset: str) -> Response:
    """Which versions are called back, and who used them."""
    moments = shelf.moments(console_of(request).warehouse, dataset)
    return page(request, "recalls.html", {"dataset": dataset, "moments": [m for m in moments if m.recalled_at][::-1]})
