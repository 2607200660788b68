"""The most SQL statements that each call may need, without those that open and close a transaction."""

from typing import Final

STATEMENTS: Final = {
    "createChannel": 11,
    "listChannels": 4,
    "queryChannels": 7,
    "getChannel": 3,
    "updateChannel": 6,
    "truncateChannel": 12,
    "deleteChannel": 8,
}
"""By operation or event; `tests/api/test_budget.py` counts them."""
