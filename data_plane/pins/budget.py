"""The most SQL statements that each call may need, without those that open and close a transaction."""

from typing import Final

STATEMENTS: Final = {
    "pinMessage": 10,
    "unpinMessage": 6,
    "listPins": 3,
    "message.pin": 9,
    "message.unpin": 7,
}
"""By operation or event; `tests/api/test_budget.py` counts them."""
