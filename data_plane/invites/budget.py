"""The most SQL statements that each call may need, without those that open and close a transaction."""

from typing import Final

STATEMENTS: Final = {
    "inviteMembers": 11,
    "listChannelInvites": 3,
    "revokeInvite": 6,
    "listInvites": 1,
    "acceptInvite": 11,
    "rejectInvite": 6,
}
"""By operation or event; `tests/api/test_budget.py` counts them."""
