"""Moments that clients give."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec

from kernel.clock import truncate_ms
from kernel.errors import InvalidInput

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""RFC 3339 with an offset."""


def in_utc(at: datetime, *, field: str) -> datetime:
    """The same moment in UTC, in whole milliseconds. Raises `InvalidInput` for one that no calendar has there, as
    `9999-12-31T23:59:59-01:00`."""
    try:
        return truncate_ms(at.astimezone(UTC))
    except OverflowError:
        raise InvalidInput(f"`{field}` must be between the years 1 and 9999 in UTC.", field=field) from None
