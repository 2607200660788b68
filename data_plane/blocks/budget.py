"""The most SQL statements that each call may need, without those that open and close a transaction."""

from typing import Final

STATEMENTS: Final = {
    "listBlocks": 2,
    "blockUser": 7,
    "unblockUser": 5,
}
"""By operation or event; `tests/api/test_budget.py` counts them."""
