"""The most SQL statements that each call may need, without those that open and close a transaction."""

from typing import Final

STATEMENTS: Final = {
    "addReaction": 10,
    "removeReaction": 6,
    "listReactions": 3,
    "reaction.add": 9,
    "reaction.remove": 9,
}
"""By operation or event; `tests/api/test_budget.py` counts them."""
