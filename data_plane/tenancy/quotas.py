"""The plan's limits as a node enforces them: from the snapshot's standings, without asking anybody."""

from datetime import datetime

from data_plane.tenancy.errors import QuotaExceeded
from kernel.clock import month_of
from kernel.contracts import AppSnapshot, Meter, Quota

_NAMES: dict[Meter, str] = {
    "messages": "messages",
    "mau": "monthly active users",
    "peak_connections": "connections at once",
    "storage_bytes": "bytes of stored messages",
}


_WAYS_OUT: dict[Meter, str] = {
    "peak_connections": "Close some, or choose",
    "storage_bytes": "Delete some for good, or choose",
}


def check_messages(app: AppSnapshot, now: datetime) -> None:
    """Raise `QuotaExceeded` when the app may send no more messages this month."""
    quota = _stopped(app, "messages", now)
    if quota is not None:
        raise quota_exceeded(quota)


def check_storage(app: AppSnapshot, now: datetime) -> None:
    """Raise `QuotaExceeded` when the app may store nothing more. What is there can be edited and deleted."""
    quota = _stopped(app, "storage_bytes", now)
    if quota is not None:
        raise quota_exceeded(quota)


def check_new_active(app: AppSnapshot, now: datetime) -> bool:
    """Whether users who were not active yet this month must be refused. Those who were are always served."""
    return _stopped(app, "mau", now) is not None


def new_active_refused(app: AppSnapshot, now: datetime) -> QuotaExceeded:
    """The error for a user whom `check_new_active` shuts out."""
    quota = find_quota(app, "mau")
    return quota_exceeded(quota) if quota is not None else QuotaExceeded(meter="mau", period=month_of(now))


def find_quota(app: AppSnapshot, meter: Meter) -> Quota | None:
    """The snapshot's standing of one meter, of whatever month."""
    for quota in app.quotas:
        if quota.meter == meter:
            return quota
    return None


def quota_exceeded(quota: Quota, *, used: int | None = None) -> QuotaExceeded:
    """The error that names meter, limit, use, month and the way out."""
    used = quota.used if used is None else used
    limit = quota.limit if quota.limit is not None else 0
    over = _WAYS_OUT.get(quota.meter, "Wait for the next month (UTC), or choose")
    return QuotaExceeded(
        f"The app's plan allows {limit:,} {_NAMES[quota.meter]}, and {used:,} are in use ({quota.period}). "
        f"{over} a larger plan in the portal.",
        meter=quota.meter,
        limit=limit,
        used=used,
        period=quota.period,
    )


def kept_for_users(quota: Quota, *, used: int) -> QuotaExceeded:
    """The error for an anonymous visitor when what is left of the plan's connections is for users."""
    limit = quota.limit if quota.limit is not None else 0
    return QuotaExceeded(
        f"The app's plan allows {limit:,} connections at once, and {used:,} are in use; what is left is kept for the "
        "app's users. Close some, or choose a larger plan in the portal.",
        meter=quota.meter,
        limit=limit,
        used=used,
        period=quota.period,
    )


def is_throttled(app: AppSnapshot) -> bool:
    """Whether a limit is reached beyond which the app goes on more slowly."""
    return any(quota.over == "throttle" and quota.exceeded for quota in app.quotas)


def _stopped(app: AppSnapshot, meter: Meter, now: datetime) -> Quota | None:
    quota = find_quota(app, meter)
    # The standing of a past month says nothing about this one; the ledger will tell soon.
    if quota is None or quota.over != "stop" or not quota.exceeded or quota.period != month_of(now):
        return None
    return quota
