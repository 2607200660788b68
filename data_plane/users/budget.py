"""The most SQL statements that each call may need, without those that open and close a transaction."""

from typing import Final

STATEMENTS: Final = {
    "upsertUsers": 3,
    "updateUsers": 3,
    "queryUsers": 4,
    "deactivateUser": 8,
    "reactivateUser": 2,
    "putUser": 6,
    "updateUser": 3,
    "updateMe": 6,
    "getUser": 1,
    "getMe": 1,
}
"""By operation or event; `tests/api/test_budget.py` counts them."""
