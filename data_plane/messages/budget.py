"""The most SQL statements that each call may need, without those that open and close a transaction."""

from typing import Final

STATEMENTS: Final = {
    "listMessages": 1,
    "getMessage": 3,
    "editMessage": 9,
    "listVersions": 4,
    "deleteMessage": 9,
    "restoreMessage": 8,
    "hideMessage": 6,
    "sendMessage": 1,
    "message.send": 1,
    "message.update": 9,
    "message.delete": 9,
    "message.restore": 8,
    "message.hide": 6,
}
"""By operation or event; `tests/api/test_budget.py` counts them."""
