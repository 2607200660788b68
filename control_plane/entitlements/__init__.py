"""Entitlements: what an app may do and where it stands. Billing reaches nodes through this alone."""

from control_plane.entitlements.due import mark_due
from control_plane.entitlements.grants import METERS, Grant, PlanGrant, write_grants
from control_plane.entitlements.standings import Standing, is_exceeded, lock, outdated, read, write_standings

__all__ = [
    "METERS",
    "Grant",
    "PlanGrant",
    "Standing",
    "is_exceeded",
    "lock",
    "mark_due",
    "outdated",
    "read",
    "write_grants",
    "write_standings",
]
