"""The most SQL statements that each call may need, without those that open and close a transaction."""

from typing import Final

STATEMENTS: Final = {
    "listMembers": 3,
    "queryMembers": 5,
    "addMembers": 7,
    "putMember": 4,
    "updateMember": 6,
    "removeMember": 4,
    "joinChannel": 6,
    "leaveChannel": 8,
    "arrangeChannel": 3,
    "membership.arrange": 5,
}
"""By operation or event; `tests/api/test_budget.py` counts them."""
