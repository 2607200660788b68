"""The most SQL statements that each call may need, without those that open and close a transaction."""

from typing import Final

STATEMENTS: Final = {
    "addReaction": 11,
    "removeReaction": 7,
    "listReactions": 4,
    "reaction.add": 10,
    "reaction.remove": 10,
}
"""By operation or event; `tests/api/test_budget.py` counts them."""
