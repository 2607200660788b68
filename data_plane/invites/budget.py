"""The most SQL statements that each call may need, without those that open and close a transaction."""

from typing import Final

STATEMENTS: Final = {
    "inviteMembers": 12,
    "listChannelInvites": 4,
    "revokeInvite": 7,
    "listInvites": 2,
    "acceptInvite": 12,
    "rejectInvite": 7,
}
"""By operation or event; `tests/api/test_budget.py` counts them."""
