"""The most SQL statements that each call may need, without those that open and close a transaction."""

from typing import Final

STATEMENTS: Final = {
    "putIndex": 7,
    "listIndexes": 2,
    "getIndex": 2,
    "deleteIndex": 3,
}
"""By operation or event; `tests/api/test_budget.py` counts them."""
