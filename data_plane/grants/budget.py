"""The most SQL statements that each call may need, without those that open and close a transaction."""

from typing import Final

STATEMENTS: Final = {
    "listChannelTypes": 2,
    "getChannelType": 2,
    "putChannelType": 8,
    "deleteChannelType": 9,
    "listRoles": 2,
    "getRole": 2,
    "putRole": 8,
    "deleteRole": 9,
}
"""By operation or event; `tests/api/test_budget.py` counts them."""
