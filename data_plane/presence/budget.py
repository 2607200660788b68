"""The most SQL statements that each call may need, without those that open and close a transaction."""

from typing import Final

STATEMENTS: Final = {
    "getPresence": 1,
    "putPresence": 2,
    "queryPresence": 1,
    "listWatchers": 2,
    "presence.set": 2,
    "presence.subscribe": 1,
    "presence.unsubscribe": 0,
}
"""By operation or event; `tests/api/test_budget.py` counts them."""
