"""What people type, made into values: files by name, times with a zone, gates with a reason."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from corpus.config import validated
from corpus.errors import ConfigError, nearest
from corpus.policy import GATES, GateOff


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


def gate_off(text: str) -> GateOff:
    """A gate and the reason to go on without it, from GATE=REASON. Raises ConfigError."""
    gate, _, because = text.partition("=")
    if gate not in GATES:
        raise ConfigError(
            f"--override: there is no gate '{gate}'{nearest(gate, GATES)}; there are: {', '.join(GATES)}."
        )
    return validated(GateOff, {"gate": gate, "because": because}, f"--override {gate}=REASON")
