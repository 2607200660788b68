"""Billing months. Always UTC."""

import re
from datetime import UTC, datetime
from typing import Final

from kernel.errors import InvalidInput

_MONTH: Final = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


def month_bounds(month: str) -> tuple[datetime, datetime]:
    """`2026-01` as its first instant and the first instant after it. Raises `InvalidInput`."""
    match = _MONTH.fullmatch(month)
    if match is None or not 1970 <= int(match[1]) <= 9998:
        raise InvalidInput("`month` must be a year and a month, such as 2026-01.", field="month")
    year, number = int(match[1]), int(match[2])
    after = (year + 1, 1) if number == 12 else (year, number + 1)
    return datetime(year, number, 1, tzinfo=UTC), datetime(*after, 1, tzinfo=UTC)
