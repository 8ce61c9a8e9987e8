"""The settings as a relay with this file would have them, each with the place that it came from."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from posthouse.admin.administration import Administration
from posthouse.organization import Organization
from posthouse.settings import Settings, Sources, flatten, without_password


@dataclass(frozen=True, slots=True)
class SettingInForce:
    """`origin` is a variable, a file, `organization` or `default`."""

    key: str
    value: object
    origin: str


def settings_in_force(config: Path | None = None) -> tuple[SettingInForce, ...]:
    """Every setting. A value set in the organization wins over the node's. No store is made for this."""
    sources = Sources.read(config)
    settings = sources.settings()
    overrides = dict(_overrides(settings))
    return tuple(
        SettingInForce(key, overrides[key], "organization")
        if key in overrides
        else SettingInForce(key, without_password(settings.store) if key == "store" else value, sources.origin(key))
        for key, value in flatten(settings)
    )


def _overrides(settings: Settings) -> Iterator[tuple[str, object]]:
    if settings.store == "sqlite" and not (settings.data_dir / "posthouse.db").exists():
        return
    with Administration.opened(settings) as administration:
        organization: Organization = administration.organization()
    for section in ("delivery", "limits"):
        overrides = getattr(organization, section)
        for field in dataclasses.fields(overrides):
            if (value := getattr(overrides, field.name)) is not None:
                yield f"{section}.{field.name}", value
