"""Who may look people up: a token that works once, and the sessions of those who had one."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from corpus.errors import ConfigError

LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""32 signs that nobody takes for each other; 20 of them are 100 bits."""

IDLE, LONGEST = 30 * 60, 8 * 3600
"""After how many seconds a session ends: unused, and in any case."""

TRIES, PAUSE = 5, 60
"""So many wrong tokens in so many seconds, and nobody gets in for as long."""


class Shut(ConfigError):
    """The door, after too many wrong tokens."""


@dataclass(frozen=True)
class Session:
    """Somebody who signed in: under which name, and what their forms must carry."""

    who: str
    form_token: str
    began: float


@dataclass(frozen=True)
class Door:
    """The token of the next sign-in, who is in, since when unused, and when wrong tokens were tried."""

    announce: Callable[[str], None] = print
    clock: Callable[[], float] = time.monotonic
    token: list[str] = field(default_factory=list)
    sessions: dict[str, Session] = field(default_factory=dict)
    used: dict[str, float] = field(default_factory=dict)
    wrong: list[float] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)


def new_token(door: Door) -> None:
    """Announces what opens the door once."""
    token = "".join(secrets.choice(LETTERS) for _ in range(20))
    door.token[:] = [token]
    door.announce("-".join(token[n : n + 5] for n in range(0, 20, 5)))


def sign_in(door: Door, token: str, who: str) -> str | None:
    """The key of a new session, if the token is right; it is spent then. Raises Shut after too many wrong ones."""
    with door.lock:
        if is_shut(door):
            raise Shut(f"Too many wrong tokens. Wait {PAUSE} seconds; until then, no token is looked at.")
        return _session(door, token, who)


def _session(door: Door, token: str, who: str) -> str | None:
    typed = "".join(token.split()).replace("-", "").upper()
    if not door.token or not secrets.compare_digest(typed.encode(), door.token[0].encode()):
        door.wrong.append(door.clock())
        return None
    key, now = secrets.token_urlsafe(32), door.clock()
    door.sessions[key], door.used[key] = Session(who, secrets.token_urlsafe(32), now), now
    new_token(door)
    return key


def is_shut(door: Door) -> bool:
    """Whether too many wrong tokens were tried lately."""
    door.wrong[:] = [at for at in door.wrong if at > door.clock() - PAUSE]
    return len(door.wrong) >= TRIES


def session_of(door: Door, key: str | None) -> Session | None:
    """The session of a cookie, if there is one that has not ended."""
    session, now = door.sessions.get(key or ""), door.clock()
    if session is None or key is None:
        return None
    if now - door.used[key] > IDLE or now - session.began > LONGEST:
        sign_out(door, key)
        return None
    door.used[key] = now
    return session


def sign_out(door: Door, key: str | None) -> None:
    """Ends a session."""
    door.sessions.pop(key or "", None)
    door.used.pop(key or "", None)


def is_own_form(session: Session, form_token: str) -> bool:
    """Whether a form was made for this session."""
    return secrets.compare_digest(session.form_token.encode(), form_token.encode())
