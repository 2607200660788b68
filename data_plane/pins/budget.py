"""The most SQL statements that each call may need, without those that open and close a transaction."""

from typing import Final

STATEMENTS: Final = {
    "pinMessage": 11,
    "unpinMessage": 7,
    "listPins": 4,
    "message.pin": 10,
    "message.unpin": 8,
}
"""By operation or event; `tests/api/test_budget.py` counts them."""
