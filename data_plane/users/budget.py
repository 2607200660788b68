"""The most SQL statements that each call may need, without those that open and close a transaction."""

from typing import Final

STATEMENTS: Final = {
    "upsertUsers": 4,
    "updateUsers": 4,
    "queryUsers": 5,
    "deactivateUser": 9,
    "reactivateUser": 3,
    "putUser": 7,
    "updateUser": 4,
    "updateMe": 7,
    "getUser": 2,
    "getMe": 2,
}
"""By operation or event; `tests/api/test_budget.py` counts them."""
