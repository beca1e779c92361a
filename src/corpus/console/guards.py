"""What stands round every page: who may ask, what a browser may do with the answer, and a log that names nobody."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from corpus.evidence.journal import moment

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
"""On every answer: nothing runs, nothing is framed, kept or fetched from elsewhere."""


def tell(line: str) -> None:
    """One line of the log, on stderr."""
    print(line, file=sys.stderr, flush=True)


def own_hosts(port: int) -> frozenset[str]:
    """The names under which this console may be asked; a page elsewhere cannot make its own name lead here."""
    return frozenset({f"127.0.0.1:{port}", f"localhost:{port}"})


def guarded(site: ASGIApp, hosts: frozenset[str], log: Callable[[str], None] = tell) -> ASGIApp:
    """The site behind its guards: foreign hosts and posts from elsewhere are turned away, every answer is logged."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # neither websockets nor what else there may be
        began, seen = time.monotonic(), {"status": 500}
        sent = _with_headers(send, seen)
        try:
            await (_refusal(scope, hosts) or site)(scope, receive, sent)
        except Exception as broken:  # its message may hold an id: the log gets its kind and place
            log(f"{_now()} {_place(broken)}")
            if "began" not in seen:
                await _page("Something failed that should not have. Nothing was changed.", 500)(scope, receive, sent)
        log(_line(scope, seen["status"], time.monotonic() - began))

    return answer


def _with_headers(send: Send, seen: dict[str, int]) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            seen.update(status=message["status"], began=1)
            MutableHeaders(scope=message).update(HEADERS)
        await send(message)

    return sent


def _refusal(scope: Scope, hosts: frozenset[str]) -> ASGIApp | None:
    """What turns a request away: a host that is not ours, or a form that some other page sent."""
    headers = Headers(scope=scope)
    if headers.get("host") not in hosts:
        return _page(f"This console answers at http://{min(hosts)}/ alone.", 421)
    if scope["method"] not in {"GET", "POST"}:
        return _page("This console reads: it answers GET, and POST for its own forms.", 405)
    if scope["method"] == "POST" and not _is_own(headers, hosts):
        return _page(
            "This form was not sent by a page of this console. Open the console's own page and try again.", 403
        )
    return None


def _is_own(headers: Headers, hosts: frozenset[str]) -> bool:
    """Whether a browser says that one of our pages sent this; with no-referrer, `Origin` may be null."""
    origin, site = headers.get("origin", ""), headers.get("sec-fetch-site")
    return site == "same-origin" if site else origin.removeprefix("http://") in hosts and origin.startswith("http://")


def _page(text: str, status: int) -> ASGIApp:
    return PlainTextResponse(text + "\n", status)


def _line(scope: Scope, status: int, seconds: float) -> str:
    """When, what kind of page, with what outcome: never an address as it was typed, nor what was sent."""
    route = getattr(scope.get("route"), "path", "-")
    return f"{_now()} {scope['method'][:8]} {route} {status} {seconds * 1000:.0f} ms"


def _place(broken: BaseException) -> str:
    """The kind of a fault, and where it arose."""
    trace = broken.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "?"
    return f"fault {type(broken).__name__} at {where}"


def _now() -> str:
    return moment(datetime.now(UTC))
