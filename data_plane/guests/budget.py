"""The most SQL statements that each call may need, without those that open and close a transaction."""

from typing import Final

STATEMENTS: Final = {
    "createGuest": 7,
}
"""By operation or event; `tests/api/test_budget.py` counts them."""
