"""Refusals that concern a whole app, or one user's share of it."""

from kernel.errors import Forbidden, NatterError, RateLimited


class AppSuspended(Forbidden):
    """The app is suspended. Its owner finds the reason and the way back in the portal."""

    code = "app_suspended"
    title = "The app is suspended"


class AppReadOnly(Forbidden):
    """The app takes nothing new at the moment; reading, connecting and syncing go on. Trying again does not help until
    its owner has put right what the portal says."""

    code = "app_read_only"
    title = "The app is read-only"


class AppDeleted(Forbidden):
    """The app was deleted; its keys and tokens work no more."""

    code = "app_deleted"
    title = "The app was deleted"


class QuotaExceeded(Forbidden):
    """The plan's limit of one meter is reached and the plan stops there.

    `meter`, `limit`, `used` and `period` (a UTC month, `2026-01`) say which; the same call works again when the month
    ends or the plan changes.
    """

    code = "quota_exceeded"
    title = "A limit of the app's plan is reached"


class TooManyConnections(RateLimited):
    """The user has as many connections at once as the installation allows one user (`limit`), or anonymous visitors at
    one address have as many as it allows them; the newest is refused.

    Those that are open stay. Close one, or stop opening several on one device: a page needs one.
    """

    code = "too_many_connections"
    title = "There are too many connections"
    default_retry_after = 30.0


class ConfigurationMissing(NatterError):
    """A node has neither the control plane nor a copy of any app's configuration, so it could serve nobody."""

    code = "configuration_missing"
    status = 503
    retryable = True
    default_retry_after = 5.0
    title = "The node has no configuration yet"
