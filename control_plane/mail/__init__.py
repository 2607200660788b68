"""Mail: letters as sealed rows of the transaction that needs them. Delivery reads these rows, the outbox page too."""

from control_plane.mail.letters import (
    Letter,
    account_exists,
    address_changed,
    billing_difference,
    confirm_address,
    confirm_new_address,
    dunning_notice,
    invitation,
    invoice_ready,
    key_exposed,
    no_account,
    organization_notice,
    ownership_offered,
    password_changed,
    reset_password,
    security_notice,
    usage_alert,
)
from control_plane.mail.service import post

__all__ = [
    "Letter",
    "account_exists",
    "address_changed",
    "billing_difference",
    "confirm_address",
    "confirm_new_address",
    "dunning_notice",
    "invitation",
    "invoice_ready",
    "key_exposed",
    "no_account",
    "organization_notice",
    "ownership_offered",
    "password_changed",
    "post",
    "reset_password",
    "security_notice",
    "usage_alert",
]
