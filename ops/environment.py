"""Settings as environment variables: how a supervisor hands them to its children, secrets included."""

import dataclasses
import os

import msgspec

from kernel.settings import Settings


def environment_of(settings: Settings) -> dict[str, str]:
    """The environment of a child that shall see exactly these settings, whatever file or variables are around.

    Every setting is named, so that none is read from a `natter.toml` in the child's working directory.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NATTER_")}
    return inherited | {
        f"NATTER_{field.name.upper()}": _as_text(getattr(settings, field.name))
        for field in dataclasses.fields(Settings)
    }


def _as_text(value: object) -> str:
    if isinstance(value, tuple):
        return msgspec.json.encode(value).decode()
    return str(value)
