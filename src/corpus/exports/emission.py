"""OpenLineage events sent: to a server by HTTP, or added to a file."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import RunEvent
from openlineage.client.transport import Transport
from openlineage.client.transport.file import FileConfig, FileTransport
from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport

from corpus.errors import ConfigError, EnvironmentFault

KEY = "OPENLINEAGE_API_KEY"
"""Where the server's key stands, as OpenLineage's own clients have it."""


def emit(events: list[RunEvent], to: str) -> None:
    """Sends the events, in order. Raises ConfigError for another kind of address, EnvironmentFault if it fails."""
    client = client_for(to, "--to")
    for event in events:
        try:
            client.emit(event)
        except Exception as failed:  # the transports raise what their libraries do
            raise EnvironmentFault(
                f"The {event.eventType.value if event.eventType else ''} event was not taken by {to}: {failed}. "
                "The same events may be sent again: their run has the same id."
            ) from None


def client_for(to: str, option: str, **patience: Any) -> OpenLineageClient:
    """Who sends events to an address that an option named. Raises ConfigError for another kind of address."""
    return OpenLineageClient(transport=_transport(to, option, patience))


def _transport(to: str, option: str, patience: dict[str, Any]) -> Transport:
    place = urlsplit(to)
    if place.scheme == "file":
        return FileTransport(FileConfig(place.path, append=True))
    if place.scheme not in {"http", "https"} or not place.netloc:
        raise ConfigError(f"{option} is '{to}'; expected https://…, http://… or file:///….")
    endpoint = place.path.strip("/") or "api/v1/lineage"
    config = HttpConfig(url=f"{place.scheme}://{place.netloc}", endpoint=endpoint, **patience)
    if key := os.environ.get(KEY):
        config.auth = ApiKeyTokenProvider({"apiKey": key})
    return HttpTransport(config)
