"""A part that several views share."""

from typing import Annotated, TypeAlias

import msgspec

Timestamp: TypeAlias = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
"""RFC 3339, UTC, with milliseconds."""
