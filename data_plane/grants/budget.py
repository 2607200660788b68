"""The most SQL statements that each call may need, without those that open and close a transaction."""

from typing import Final

STATEMENTS: Final = {
    "listChannelTypes": 3,
    "getChannelType": 3,
    "putChannelType": 9,
    "deleteChannelType": 10,
    "listRoles": 3,
    "getRole": 3,
    "putRole": 9,
    "deleteRole": 10,
}
"""By operation or event; `tests/api/test_budget.py` counts them."""
