"""The most SQL statements that each call may need, without those that open and close a transaction."""

from typing import Final

STATEMENTS: Final = {
    "listMembers": 4,
    "queryMembers": 6,
    "addMembers": 8,
    "putMember": 5,
    "updateMember": 7,
    "removeMember": 5,
    "joinChannel": 7,
    "leaveChannel": 9,
    "arrangeChannel": 5,
    "membership.arrange": 6,
}
"""By operation or event; `tests/api/test_budget.py` counts them."""
