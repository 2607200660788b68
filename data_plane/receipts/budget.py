"""The most SQL statements that each call may need, without those that open and close a transaction."""

from typing import Final

STATEMENTS: Final = {
    "markRead": 4,
    "markUnread": 1,
    "markDelivered": 1,
    "readAll": 1,
    "getUnread": 2,
    "listReceipts": 3,
    "listReaders": 4,
    "getPrivacy": 1,
    "putPrivacy": 5,
    "receipt.read": 1,
    "receipt.delivered": 1,
    "receipt.read_all": 1,
    "unread.mark": 1,
}
"""By operation or event; `tests/api/test_budget.py` counts them."""
