"""The most SQL statements that each call may need, without those that open and close a transaction."""

from typing import Final

STATEMENTS: Final = {
    "listMessages": 1,
    "getMessage": 3,
    "editMessage": 7,
    "deleteMessage": 9,
    "sendMessage": 1,
    "message.send": 1,
    "message.update": 8,
    "message.delete": 9,
}
"""By operation or event; `tests/api/test_budget.py` counts them."""
