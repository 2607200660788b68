"""The most SQL statements that each call may need, without those that open and close a transaction."""

from typing import Final

STATEMENTS: Final = {
    "auth.refresh": 0,
    "channel.watch": 7,
    "channel.unwatch": 0,
}
"""By operation or event; `tests/api/test_budget.py` counts them."""
