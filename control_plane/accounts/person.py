"""Who is signed in."""

from dataclasses import dataclass
from uuid import UUID

from control_plane.accounts.models import Account
from kernel.ids import format_id


@dataclass(frozen=True, slots=True)
class Person:
    """An account whose address is proven, as pages need it."""

    account_id: UUID
    email: str
    name: str
    staff: bool
    two_step: bool = False
    """Signing in takes a code too."""

    @classmethod
    def of(cls, account: Account) -> "Person":
        """The person behind a row."""
        return cls(account.id, account.email, account.name, account.staff, account.two_step_at is not None)

    @property
    def public_id(self) -> str:
        """`acc_…`"""
        return format_id("acc", self.account_id)

    @property
    def actor(self) -> str:
        """How the audit log names this person."""
        return f"account:{self.public_id}"
