"""The pages put together: the application, what it knows, and how answers and mistakes become pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment
from starlette.exceptions import HTTPException

from corpus.console import wording
from corpus.console.door import Door, Session, session_of
from corpus.console.shelf import NotThere
from corpus.errors import ConfigError, CorpusError, DatasetError


@dataclass(frozen=True)
class Console:
    """What a console shows, where a dataset's key stands, and whether it looks people up."""

    warehouse: Path
    key_of: Callable[[str], Path]
    is_restricted: bool = False
    door: Door = field(default_factory=Door)
    templates: Environment = field(default_factory=wording.environment)


def console_of(request: Request) -> Console:
    """The console that a request came to."""
    found: Console = request.app.state.console
    return found


def cookie_of(request: Request) -> str:
    """The name of the session's cookie; browsers do not keep the cookies of ports apart."""
    return f"corpus_{request.url.port}"


def session_in(request: Request) -> Session | None:
    """Who asks, if they signed in."""
    return session_of(console_of(request).door, request.cookies.get(cookie_of(request)))


def page(request: Request, template: str, values: dict[str, Any], status: int = 200) -> HTMLResponse:
    """A page of a template."""
    console = console_of(request)
    shown = {"session": session_in(request), "is_restricted": console.is_restricted} | values
    return HTMLResponse(console.templates.get_template(template).render(shown), status)


def site(console: Console, *routers: APIRouter) -> FastAPI:
    """The application, without what describes it to programs."""
    made = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    made.state.console = console
    made.get("/-/console.css")(_style)
    for router in routers:
        made.include_router(router)
    made.exception_handler(CorpusError)(_mistake)
    made.exception_handler(HTTPException)(_no_page)
    made.exception_handler(Exception)(_fault)
    return made


def _style() -> Response:
    return Response(files("corpus.console").joinpath("console.css").read_bytes(), media_type="text/css")


_HEADLINES: list[tuple[type[Exception], int, str]] = [
    (NotThere, 404, "That is not here"),
    (ConfigError, 400, "That cannot be answered as it was asked"),
    (DatasetError, 500, "The dataset cannot be read"),
    (CorpusError, 500, "This did not work"),
]


def _mistake(request: Request, mistake: Exception) -> HTMLResponse:
    status, headline = next((status, says) for kind, status, says in _HEADLINES if isinstance(mistake, kind))
    return page(request, "error.html", {"headline": headline, "message": str(mistake)}, status)


def _no_page(request: Request, mistake: Exception) -> HTMLResponse:
    status, detail = (mistake.status_code, mistake.detail) if isinstance(mistake, HTTPException) else (404, "")
    if status in {401, 403}:
        headline = "Please sign in" if status == 401 else "That is not allowed"
        return page(request, "error.html", {"headline": headline, "message": detail}, status)
    says = "There is no such page. A version's page is at /DATASET@N, a dataset's at /DATASET."
    return page(request, "error.html", {"headline": "That is not here", "message": says}, status)


def _fault(request: Request, _: Exception) -> HTMLResponse:
    message = "Something failed that should not have. Nothing was changed; the console's log says where it failed."
    return page(request, "error.html", {"headline": "This did not work", "message": message}, 500)
