"""The most SQL statements that each call may need, without those that open and close a transaction."""

from typing import Final

STATEMENTS: Final = {
    "putIndex": 6,
    "listIndexes": 1,
    "getIndex": 1,
    "deleteIndex": 2,
}
"""By operation or event; `tests/api/test_budget.py` counts them."""
