"""What a build is asked to make, and what is wrong with that before anything is read."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from corpus.arguments import anomaly, gate_off, instant, objection
from corpus.catalogs import SCHEMA, parts_of
from corpus.errors import ConfigError, EnvironmentFault
from corpus.evidence.keys import signing_key
from corpus.policy import Accepted, Clock, GateOff, Policy, RuleOff, read_policy
from corpus.sources import Source, read_source
from corpus.versions import parse_name


@dataclass(frozen=True)
class BuildRequest:
    """What to build, from what, under which policy, as of when, and with which key."""

    dataset: str
    warehouse: Path
    source: Source
    policy: Policy
    cutoff: datetime
    now: datetime
    key_file: Path
    signer: str | None = None
    schema: str | None = None
    build_id: str | None = None
    bucket_bits: int | None = None
    wait_seconds: float = 600
    gates_off: tuple[GateOff, ...] = ()
    accepted_anomalies: tuple[RuleOff, ...] = ()
    accepted_objections: tuple[Accepted, ...] = ()

    started: float = field(default_factory=time.monotonic)

    @property
    def folder(self) -> Path:
        """Where the dataset stands."""
        return self.warehouse / self.dataset

    @property
    def signing_key(self) -> Path | str:
        """Where the signing key is: a file, or the URI of one in a key service."""
        return signing_key(self.key_file, self.signer)

    @property
    def clock(self) -> Clock:
        """The build's two instants."""
        return Clock(cutoff=self.cutoff, now=self.now)

    @property
    def now_later(self) -> datetime:
        """The clock by now: `now`, and what has passed since."""
        return self.now + timedelta(seconds=time.monotonic() - self.started)


def request_from(  # noqa: PLR0913 (an option is a parameter)
    dataset: str,
    *,
    source: Path,
    policy: Path,
    cutoff: str,
    warehouse: Path,
    key: Path,
    signer: str | None = None,
    schema: str | None = None,
    build_id: str | None = None,
    override: Sequence[str] = (),
    accept_anomaly: Sequence[str] = (),
    accept_objection: Sequence[str] = (),
    wait: float = 600,
) -> BuildRequest:
    """The request that people's words make, as of now. Raises ConfigError."""
    return BuildRequest(
        dataset=dataset,
        warehouse=warehouse,
        source=read_source(source),
        policy=read_policy(policy),
        cutoff=instant(cutoff, "--cutoff"),
        now=datetime.now(UTC),
        key_file=key,
        signer=signer,
        schema=schema,
        build_id=build_id,
        wait_seconds=wait,
        gates_off=tuple(map(gate_off, override)),
        accepted_anomalies=tuple(map(anomaly, accept_anomaly)),
        accepted_objections=tuple(map(objection, accept_objection)),
    )


def check_request(request: BuildRequest) -> None:
    """Raises ConfigError or EnvironmentFault for what is wrong before anything is read; makes the warehouse."""
    check_names(request)
    try:
        request.warehouse.mkdir(parents=True, exist_ok=True)
    except OSError as cannot:
        raise EnvironmentFault(f"The warehouse {request.warehouse} cannot be made: {cannot.strerror}.") from None
    require_writable(request.warehouse)


def check_names(request: BuildRequest) -> None:
    """Raises ConfigError for a dataset, build or key that may not be called, or lie, so."""
    parse_name(request.dataset)
    if request.schema is not None:
        parts_of(request.schema, SCHEMA)
    if request.build_id is not None and not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", request.build_id):
        raise ConfigError(f"'{request.build_id}' is not a build id: use at most 64 letters, digits, - and _.")
    for option, place in (("--key", request.key_file), ("--signer", request.signing_key)):
        if isinstance(place, Path) and request.warehouse.absolute() in place.absolute().parents:
            raise ConfigError(f"The key file {place} lies inside the warehouse; keep it elsewhere ({option}).")


def require_writable(warehouse: Path) -> None:
    """Raises EnvironmentFault where nothing can be written in this folder or, while it is not there, above it."""
    if not os.access(standing(warehouse), os.W_OK):
        raise EnvironmentFault(f"The warehouse {warehouse} cannot be written; check who owns {standing(warehouse)}.")


def standing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
