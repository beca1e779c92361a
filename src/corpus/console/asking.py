"""The pages about one post or account: for the privacy team, after signing in, each look-up registered first."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from corpus import lookups, query
from corpus.console import door, shelf
from corpus.console.site import Console, console_of, cookie_of, page, session_in
from corpus.errors import ConfigError
from corpus.proving import file_name, prove
from corpus.subject import NobodyKnows, subject
from corpus.versions import parse_name, parse_one

router = APIRouter()

MOST_BYTES = 20_000
MOST_POSTS = 200
KINDS: dict[str, Literal["post", "account"]] = {"post": "post", "account": "account"}


async def fields(request: Request) -> dict[str, str]:
    """What a form holds. Raises ConfigError for more than a form of ours can hold."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise ConfigError("The form holds more than can be asked at once. Ask about one post or one account.")
    try:
        return dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True, max_num_fields=20))
    except ValueError:
        raise ConfigError("This is no form of this console.") from None


Form = Annotated[dict[str, str], Depends(fields)]


@router.get("/-/sign-in")
def sign_in_page(request: Request, to: str = "") -> Response:
    """Where the token is typed."""
    return page(request, "sign_in.html", {"to": to, "wrong": ""})


@router.post("/-/sign-in")
def sign_in(request: Request, form: Form) -> Response:
    """A session for who has the token; it is spent then."""
    console, to = console_of(request), form.get("to", "")
    if not console.is_restricted:
        return sign_in_page(request)
    place, who = f"/{parse_name(to)}/ask" if to else "/", f"{_name(form)} ({lookups.user()})"
    try:
        key = door.sign_in(console.door, form.get("token", ""), who)
    except door.Shut as shut:
        return page(request, "sign_in.html", {"to": to, "wrong": str(shut)}, 429)
    if key is None:
        wrong = "That is not the token. The one that counts is the last that the console printed where it was started."
        return page(request, "sign_in.html", {"to": to, "wrong": wrong}, 403)
    done = RedirectResponse(place, 303)
    done.set_cookie(cookie_of(request), key, httponly=True, samesite="strict", path="/")
    return done


def _name(form: dict[str, str]) -> str:
    name = form.get("name", "").strip()
    if not name or len(name) > 60 or not name.isprintable():
        raise ConfigError("Your name: write one line of at most 60 characters; the register of look-ups keeps it.")
    return name


@router.post("/-/sign-out")
def sign_out(request: Request, form: Form) -> Response:
    """Ends the session."""
    _require_own(request, form)
    door.sign_out(console_of(request).door, request.cookies.get(cookie_of(request)))
    done = RedirectResponse("/", 303)
    done.delete_cookie(cookie_of(request), httponly=True, samesite="strict")
    return done


@router.get("/{dataset}/ask")
def question(request: Request, dataset: str) -> Response:
    """Where a post or an account is asked about."""
    console = console_of(request)
    shelf.known(console.warehouse, dataset)
    if not console.is_restricted:
        return page(request, "off.html", {"dataset": dataset})
    if session_in(request) is None:
        return RedirectResponse(f"/-/sign-in?to={parse_name(dataset)}", 303)
    return page(request, "ask.html", {"dataset": dataset})


@router.post("/{dataset}/ask")
def answer(request: Request, dataset: str, form: Form) -> Response:
    """Whether a post or an account is in, why, and who used it; the register knows before the answer is made."""
    kind, name = _registered(request, dataset, form, "console look-up")
    console = console_of(request)
    moments = [each for each in shelf.moments(console.warehouse, dataset) if each.version.build_id][::-1]
    values = {
        "dataset": dataset, "moments": {each.version.name: each for each in moments},
        "name": name, "kind": kind, "purpose": form["purpose"], "key": console.key_of(dataset),
        "has_key": console.key_of(dataset).is_file(),
    }  # fmt: skip
    if kind == "post":
        verdicts = query.why(console.warehouse, dataset, None, name)
        return page(request, "post.html", values | {"asked": verdicts[0], "verdicts": verdicts})
    try:
        found = subject(console.warehouse, dataset, name)
    except NobodyKnows as unknown:
        return page(request, "nobody.html", values | {"message": str(unknown)})
    return page(request, "account.html", values | {"found": found, "most": MOST_POSTS})


@router.post("/{dataset}/proof")
def proof(request: Request, dataset: str, form: Form) -> Response:
    """A proof to download, under a name that tells nobody the id."""
    kind, name = _registered(request, dataset, form, "console proof")
    console, version = console_of(request), parse_one(f"{dataset}@{form.get('number', '')}")
    made = prove(console.warehouse, version, (kind, name), console.key_of(dataset))
    headers = {"Content-Disposition": f'attachment; filename="{file_name(made.verdict)}"'}
    return Response(made.content, media_type="application/json", headers=headers)


def _registered(
    request: Request, dataset: str, form: dict[str, str], verb: str
) -> tuple[Literal["post", "account"], str]:
    """What is asked about, once the register holds who asks and what for. Raises ConfigError."""
    who = _require_own(request, form)
    shelf.known(console_of(request).warehouse, dataset)
    kind, name, purpose = KINDS.get(form.get("kind", "")), form.get("id", "").strip(), form.get("purpose", "").strip()
    if kind is None or not name:
        raise ConfigError("Say whether it is a post or an account, and give its id.")
    try:
        lookup = lookups.LookUp(who, purpose, verb, kind, name)
    except ConfigError as wrong:
        raise ConfigError(str(wrong).replace("--purpose", "What the look-up is for")) from None
    lookups.register(_folder(console_of(request), dataset), lookup)
    return kind, name


def _folder(console: Console, dataset: str) -> Path:
    return console.warehouse / parse_name(dataset)


def _require_own(request: Request, form: dict[str, str]) -> str:
    """Who asks. Raises HTTPException where nobody is signed in, or the form is of another session."""
    session = session_in(request)
    if session is None:
        raise HTTPException(401, "Nobody is signed in any more: a session ends after 30 minutes without use. Sign in.")
    if not door.is_own_form(session, form.get("form", "")):
        raise HTTPException(403, "This form was not made for this session. Open the page again and send it anew.")
    return session.who
