"""A declared index as the customer's server sees it."""

from typing import TypedDict

from data_plane.query.models import FieldIndex, IndexedResource, IndexState, IndexType
from data_plane.query.parse import CUSTOM
from data_plane.views import Timestamp
from kernel.clock import rfc3339


class IndexView(TypedDict):
    """A declared custom field."""

    resource: IndexedResource
    field: str
    """As filters and sorts name it: `custom.team`."""
    type: IndexType
    state: IndexState
    """While it is `building`, queries answer without it."""
    created_at: Timestamp


class Indexes(TypedDict):
    """All declared fields of an app."""

    indexes: list[IndexView]


def index_view(row: FieldIndex) -> IndexView:
    """The declaration."""
    return {
        "resource": row.resource,  # type: ignore[typeddict-item]
        "field": CUSTOM + row.field,
        "type": row.type,  # type: ignore[typeddict-item]
        "state": row.state,  # type: ignore[typeddict-item]
        "created_at": rfc3339(row.created_at),
    }
