"""The event about the app's table of grants."""

from typing import Final

from data_plane.events import Data, Place, ServerEvent


class GrantsUpdated(Data):
    """Data of `grants.updated`."""

    types: dict[str, dict[str, list[str]] | None]
    """`{type: {role: [permission]}}`, of the types that changed."""


EVENTS: Final = (
    ServerEvent(
        "grants.updated",
        Place.APP,
        GrantsUpdated,
        "What roles may do in some channel types changed. `types` holds these types' rows of the table, "
        "whole; null for a type that is no more.",
    ),
)
