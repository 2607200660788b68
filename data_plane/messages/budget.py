"""The most SQL statements that each call may need, without those that open and close a transaction."""

from typing import Final

STATEMENTS: Final = {
    "listMessages": 1,
    "getMessage": 2,
    "editMessage": 6,
    "listVersions": 3,
    "deleteMessage": 8,
    "restoreMessage": 6,
    "hideMessage": 5,
    "sendMessage": 1,
    "message.send": 1,
    "message.update": 8,
    "message.delete": 8,
    "message.restore": 7,
    "message.hide": 5,
}
"""By operation or event; `tests/api/test_budget.py` counts them."""
