"""What an outbound connector to a well-known service looks like: read from `presets.toml`, which is only data."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from posthouse.admin.errors import AdminError

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Preset:
    """`connector` holds keys of an outbound connector; `needs` the keys that it leaves open, each with an example."""

    name: str
    title: str
    page: str
    connector: Mapping[str, Any]
    needs: Mapping[str, str] = field(default_factory=dict[str, str])
    user: str = ""


@cache
def presets() -> Mapping[str, Preset]:
    """All presets, by name."""
    data = tomllib.loads((files("posthouse.admin") / "presets.toml").read_text("utf-8"))
    return {name: Preset(name, **values) for name, values in data.items()}


def expanded(written: Mapping[str, Any], known: Mapping[str, Any] | None = None) -> Document:
    """A written outbound connector with the values of its `preset` in place of it. What is written counts more.

    `known` is what the connector says already, where it is one that is changed. Raises `AdminError`.
    """
    values = dict(written)
    name = values.pop("preset", None)
    if name is None:
        return values
    preset = presets().get(name) if isinstance(name, str) else None
    if preset is None:
        raise AdminError(f'preset: "{name}" is not known; write one of {", ".join(presets())}')
    for key, example in preset.needs.items():
        if not (values.get(key) or (known or {}).get(key)):
            raise AdminError(f'{key}: preset {preset.name} needs it; write one like "{example}"')
    throttle = {**preset.connector.get("throttle", {}), **(values.get("throttle") or {})}
    return {**preset.connector, **values, **({"throttle": throttle} if throttle else {})}
