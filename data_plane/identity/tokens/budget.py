"""The most SQL statements that each call may need, without those that open and close a transaction."""

from typing import Final

STATEMENTS: Final = {
    "mintTokens": 3,
    "refreshTokens": 5,
    "revokeUser": 2,
}
"""By operation or event; `tests/api/test_budget.py` counts them."""
