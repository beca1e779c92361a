"""What people type, made into values: files by name, times with a zone, gates with a reason."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from corpus.config import AnyModel, validated
from corpus.errors import ConfigError, nearest
from corpus.policy import GATES, Accepted, GateOff, RuleOff
from corpus.reasons import Reason

AnyName = TypeVar("AnyName", bound=StrEnum)


def conf_file(kind: str, name: str) -> Path:
    """The file that an argument names: a path, or a bare name in conf/, here or in the project. Raises ConfigError."""
    if Path(name).is_file():
        return Path(name)
    ending = ".conf" if kind == "spark" else ".toml"
    folders = [root / "conf" / kind for root in (Path.cwd(), Path(__file__).parents[2])]
    for folder in folders:
        if (folder / f"{name}{ending}").is_file():
            return folder / f"{name}{ending}"
    known = sorted({path.stem for folder in folders for path in folder.glob(f"*{ending}")})
    hint = f"{nearest(name, known)}; there are: {', '.join(known)}."
    raise ConfigError(f"There is no file '{name}', nor '{name}{ending}' in conf/{kind}{hint}")


def instant(text: str, option: str) -> datetime:
    """A time with its zone, in UTC. Raises ConfigError without one."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{option} is no time: found '{text}'; write it as 2026-11-20T00:00:00Z.") from None
    if read.tzinfo is None:
        raise ConfigError(
            f"{option} is a time without a zone: found '{text}'; write it with Z or an offset, as {text}Z."
        )
    return read.astimezone(UTC)


def size(text: str, option: str) -> int:
    """A number of bytes, from 256MB. Raises ConfigError."""
    read = re.fullmatch(r"([0-9]{1,12})(k|M|G|T)?B", text)
    if not read or not int(read[1]):
        raise ConfigError(f"{option} is no size: found '{text}'; write it as 256MB, with kB, MB, GB or TB.")
    return int(read[1]) * int(1000 ** " kMGT".index(read[2] or " "))


def gate_off(text: str) -> GateOff:
    """A gate and the reason to go on without it, from GATE=REASON. Raises ConfigError."""
    return _with_reason(GateOff, text, "--override", GATES)


def anomaly(text: str) -> RuleOff:
    """A reason of exclusion whose share may have jumped, and why, from RULE=REASON. Raises ConfigError."""
    return _with_reason(RuleOff, text, "--accept-anomaly", tuple(Reason.__members__))


def objection(text: str) -> Accepted:
    """An objection that may resolve to nobody, and why, from ID=REASON. Raises ConfigError."""
    return _with_reason(Accepted, text, "--accept-objection")


def one_of(names: type[AnyName], text: str, option: str) -> AnyName:
    """The name that was typed, if it is one of these. Raises ConfigError that lists them."""
    known = [name.value for name in names]
    if text in known:
        return names(text)
    raise ConfigError(f"{option}: there is no '{text}'{nearest(text, known)}; there are: {', '.join(known)}.")


def filled(texts: Iterable[str]) -> dict[str, str]:
    """Blanks and what fills them, from NAME=TEXT. Raises ConfigError where there is no text."""
    pairs = [text.partition("=") for text in texts]
    for name, _, said in pairs:
        if not said.strip():
            raise ConfigError(f"--fill: write NAME=TEXT; found '{name}' without a text.")
    return {name: said.strip() for name, _, said in pairs}


def _with_reason(kind: type[AnyModel], text: str, option: str, known: tuple[str, ...] = ()) -> AnyModel:
    """The thing named before `=` and the reason given after it."""
    name, _, because = text.partition("=")
    what = next(iter(kind.model_fields))
    if known and name not in known:
        raise ConfigError(
            f"{option}: there is no {what} '{name}'{nearest(name, known)}; there are: {', '.join(known)}."
        )
    return validated(kind, {what: name, "because": because}, f"{option} {name}=REASON")
