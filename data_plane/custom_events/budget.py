"""The most SQL statements that each call may need, without those that open and close a transaction."""

from typing import Final

STATEMENTS: Final = {
    "sendEvent": 3,
    "sendUserEvent": 1,
    "event.send": 2,
}
"""By operation or event; `tests/api/test_budget.py` counts them."""
