"""The most SQL statements that each call may need, without those that open and close a transaction."""

from typing import Final

STATEMENTS: Final = {
    "createChannel": 10,
    "listChannels": 3,
    "queryChannels": 6,
    "getChannel": 2,
    "updateChannel": 5,
    "truncateChannel": 9,
    "deleteChannel": 7,
}
"""By operation or event; `tests/api/test_budget.py` counts them."""
