"""Mail: letters as sealed rows of the transaction that needs them. Delivery reads these rows, the outbox page too."""

from control_plane.mail.letters import (
    Letter,
    account_exists,
    confirm_address,
    invitation,
    invoice_ready,
    no_account,
    password_changed,
    reset_password,
    usage_alert,
)
from control_plane.mail.service import post

__all__ = [
    "Letter",
    "account_exists",
    "confirm_address",
    "invitation",
    "invoice_ready",
    "no_account",
    "password_changed",
    "post",
    "reset_password",
    "usage_alert",
]
