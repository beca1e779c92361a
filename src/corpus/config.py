"""TOML files as checked values: a key that is not known is an error that names the nearest one that is."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from corpus.errors import ConfigError, nearest

AnyModel = TypeVar("AnyModel", bound=BaseModel)


class Part(BaseModel):
    """Any table of a file: immutable, no key that is not known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """A TOML file's tables. Raises ConfigError where there is no such file or it does not parse."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        beside = [p.name for p in path.parent.glob("*.toml")] if path.parent.is_dir() else []
        raise ConfigError(f"There is no {what} file {path}{nearest(path.name, beside)}.") from None
    except (OSError, UnicodeDecodeError) as cannot:
        raise ConfigError(f"The {what} file {path} cannot be read: {cannot}.") from None
    except tomllib.TOMLDecodeError as broken:
        raise ConfigError(f"The {what} file {path} is not TOML: {broken}.") from None


def validated(model: type[AnyModel], tables: dict[str, Any], what: str) -> AnyModel:
    """These tables as a model.

    Raises ConfigError that names each wrong key, and the nearest known one for an unknown key.
    """
    try:
        return model.model_validate(tables)
    except ValidationError as wrong:
        lines = [_complaint(model, error) for error in wrong.errors(include_url=False)]
        raise ConfigError(f"{what} is not valid:\n" + "\n".join(f"  - {line}" for line in lines)) from None


def _complaint(model: type[BaseModel], error: Any) -> str:
    path = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"'{path}' is not a known key{nearest(str(error['loc'][-1]), _keys_beside(model, error['loc']))}"
    if error["type"] == "missing":
        return f"'{path}' is missing"
    if error["type"] == "timezone_aware":
        return f"'{path}' is a time without a zone: {error['input']}; write it with Z, as 2026-11-20T00:00:00Z"
    return f"'{path}': found {error['input']!r}; {error['msg'][0].lower()}{error['msg'][1:]}"


def _keys_beside(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """The keys known at the place where the unknown one stands, wherever in the model that is."""
    schema = model.model_json_schema(by_alias=True)
    node: dict[str, Any] = schema
    for part in path[:-1]:
        node = _resolved(node, schema)
        node = (
            node.get("items", {})
            if isinstance(part, int)
            else node.get("properties", {}).get(part, node.get("additionalProperties", {}))
        )
    return list(_resolved(node, schema).get("properties", {}))


def _resolved(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    for choice in (node, *node.get("anyOf", [])):
        if "$ref" in choice:
            found: dict[str, Any] = schema["$defs"][choice["$ref"].rsplit("/", 1)[-1]]
            return found
    return node
