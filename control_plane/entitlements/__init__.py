"""Entitlements: what an app may do and where it stands. Billing reaches nodes through this alone."""

from control_plane.entitlements.due import mark_due
from control_plane.entitlements.features import FEATURES, WORDS, Feature
from control_plane.entitlements.grants import METERS, Grant, PlanGrant, apply, write_grants
from control_plane.entitlements.standings import Standing, is_exceeded, lock, outdated, read, write_standings

__all__ = [
    "FEATURES",
    "METERS",
    "WORDS",
    "Feature",
    "Grant",
    "PlanGrant",
    "Standing",
    "apply",
    "is_exceeded",
    "lock",
    "mark_due",
    "outdated",
    "read",
    "write_grants",
    "write_standings",
]
