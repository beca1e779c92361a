"""Queries typed one after the other, or read from a pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from corpus import schemas
from corpus.errors import CorpusError, EnvironmentFault
from corpus.render import clean, say, tell
from corpus.sql.tables import FUNNEL, VERSIONS

# ruff: noqa: PLC0415 (one query needs no readline, and the parser in its own process alone)

HISTORY = 1000
SNAPSHOT = {column.name: column.type for column in schemas.columns(schemas.SNAPSHOT)}
TABLES = {
    "snapshot": ("a row for each document; snapshot VERSION AS OF 3 is that of another version", SNAPSHOT),
    "versions": ("a row for each version", VERSIONS),
    "funnel": ("a row for each version and reason for which posts are left out", FUNNEL),
}
MEANINGS = {
    "doc_id": "names the document, the same in every version of this dataset",
    "text": "what was posted",
    "platform": "where it was posted",
    "surface": "what kind of post: post, comment, photo_caption, …",
    "lang": "the language that the platform gives it",
    "created_on": "the day it was posted, UTC",
    "chars": "how long the text is",
    "copies": "how many posts it stands for: those with the same text, or almost",
    "bucket": "a part of all authors; tells no author from another",
    "number": "what stands behind the @",
    "kind": "build; else empty, maintenance or unsealed: without a statement",
    "build_id": "the build that made it",
    "cutoff": "its posts were made before this instant, UTC",
    "released_at": "when it could first be read, UTC",
    "rows": "how many documents it holds",
    "policy": "the policy that decided",
    "policy_digest": "SHA-256 of that policy",
    "version": "the number of the version",
    "reason": "the name of a reason of the policy",
    "meaning": "what it says",
    "first": "posts of which this is the first reason; null is hidden",
    "anywhere": "posts that have it among their reasons, to the nearest ten; null is hidden",
}
HELP = r"""A query ends with a semicolon.
\d        the tables and their columns
\q        the end (or Ctrl-D)
Ctrl-C    stops a query, or forgets what was typed"""


def commands(read: Callable[[bool], str | None]) -> Iterator[str]:
    r"""Queries and \commands out of lines; `read` is told whether one has begun, and returns None to forget it."""
    pending = ""
    while True:
        try:
            line = read(bool(pending.strip()))
        except EOFError:
            break
        if line is None:
            pending = ""
        elif not pending.strip() and line.lstrip().startswith("\\"):
            yield line.strip()
        else:
            *whole, pending = split(f"{pending}{line}\n")
            yield from map(str.strip, whole)
    if pending.strip():
        yield pending.strip()


def split(text: str) -> list[str]:
    """The text at its semicolons, those in quotes and comments not counted; what is not finished comes last.

    >>> split("select ';' ; select 2")
    ["select ';' ", ' select 2']
    """
    import sqlglot
    from sqlglot.errors import SqlglotError
    from sqlglot.tokenizer_core import TokenType

    from corpus.sql.grammar import Engine

    try:
        tokens = sqlglot.tokenize(text, dialect=Engine)
    except SqlglotError:  # a quote is open
        return [text]
    ends = [token.start for token in tokens if token.token_type == TokenType.SEMICOLON]
    pieces = [text[start:end] for start, end in zip([0, *(end + 1 for end in ends)], [*ends, len(text)], strict=True)]
    return [*(piece for piece in pieces[:-1] if piece.strip()), pieces[-1]]


def from_pipe(run: Callable[[str], None]) -> None:
    """Runs what stands on stdin; the first mistake ends it."""
    lines = iter(sys.stdin)

    def read(_: bool) -> str:
        try:
            return next(lines).rstrip("\n")
        except StopIteration:
            raise EOFError from None

    for command in commands(read):
        obey(command, run)


def converse(name: str, run: Callable[[str], None]) -> None:
    r"""A prompt, until \q or the end of input; a mistake is told, and the next query asked for."""
    say(rf"{name}: \d lists the tables, \? says more, \q ends.")
    with _history():
        for command in commands(lambda begun: _typed(" " * len(name) + "-> " if begun else f"{name}=> ")):
            if command == r"\q":
                return
            try:
                obey(command, run)
            except CorpusError as mistake:
                print("\n".join(clean(line) for line in str(mistake).splitlines()))
            except KeyboardInterrupt:
                print("stopped")


def obey(command: str, run: Callable[[str], None]) -> None:
    r"""Does what a \command says; runs anything else."""
    if not command.startswith("\\"):
        run(command)
    elif command.split(maxsplit=1)[0] == r"\d":
        _describe()
    elif command != r"\q":
        say(HELP)


def _describe() -> None:
    for table, (meaning, kinds) in TABLES.items():
        say(f"{table}: {meaning}")
        tell(("", "", ""), [(f"  {name}", kind.lower(), MEANINGS[name]) for name, kind in kinds.items()])


def _typed(prompt: str) -> str | None:
    """A line from the terminal; None where Ctrl-C takes it back."""
    try:
        return input(prompt)
    except KeyboardInterrupt:
        print()
        return None


@contextmanager
def _history() -> Iterator[None]:
    """Lines can be edited, completed and found again next time; the file that keeps them is their owner's alone."""
    try:
        import readline
    except ImportError:
        yield
        return
    place = _history_place()
    readline.read_history_file(place)
    readline.set_history_length(HISTORY)
    readline.parse_and_bind("tab: complete")
    readline.set_completer(_completion)
    try:
        yield
    finally:
        readline.write_history_file(place)


def _history_place() -> Path:
    folder = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "corpus"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(folder / "sql_history", os.O_CREAT | os.O_RDONLY, 0o600))
        (folder / "sql_history").chmod(0o600)
    except OSError as cannot:
        raise EnvironmentFault(
            f"The queries typed cannot be kept: {cannot}; name a folder by XDG_STATE_HOME."
        ) from None
    return folder / "sql_history"


def _completion(begun: str, number: int) -> str | None:
    """The word of this number that begins so: a table, or a column of one."""
    words = {word for name, (_, kinds) in TABLES.items() for word in (name, *kinds)}
    return next(islice(sorted(word for word in words if word.startswith(begun.casefold())), number, None), None)
