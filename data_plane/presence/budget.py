"""The most SQL statements that each call may need, without those that open and close a transaction."""

from typing import Final

STATEMENTS: Final = {
    "getPresence": 2,
    "putPresence": 3,
    "queryPresence": 2,
    "listWatchers": 3,
    "presence.set": 3,
    "presence.subscribe": 2,
    "presence.unsubscribe": 0,
}
"""By operation or event; `tests/api/test_budget.py` counts them."""
