"""What the two planes say to each other. The only place where they meet; frozen, versioned by adding fields.

Configuration flows down as `AppSnapshot`, usage flows up as `UsageReport`.
"""

from datetime import datetime
from typing import Literal

import msgspec

LIMITED = (
    "messages.user", "messages.app", "messages.channel", "requests.user", "requests.app", "sync.user", "tokens.app",
    "custom.user", "custom.channel", "guests.app", "visitors.app", "events.connection",
)  # fmt: skip
"""The rate limits that a plan can set, by the names of the data plane's policies."""

Environment = Literal["development", "production"]
Meter = Literal["messages", "mau", "peak_connections", "storage_bytes"]
OverLimit = Literal["bill", "throttle", "stop"]
Access = Literal["full", "read_only", "export"]


class _Contract(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Unknown fields are ignored on purpose: the planes are deployed one after the other."""


class SecretKey(_Contract, frozen=True, kw_only=True, omit_defaults=True):
    """A server key as a node needs it: enough to recognise `sk_…`, not enough to use it."""

    id: str
    digest: str
    """Hex HMAC-SHA256 of the whole key, see `kernel.security.keys`."""
    scopes: tuple[str, ...] = ("*",)
    expires_at: datetime | None = None


class SigningKey(_Contract, frozen=True, kw_only=True, omit_defaults=True):
    """A key that verifies user tokens; `kid` names it in the token's header."""

    kid: str
    algorithm: Literal["HS256", "RS256", "ES256", "EdDSA"]
    key: str
    """The shared secret for HS256, a PEM public key otherwise."""
    mint: bool = False
    """Whether `POST /v1/tokens` signs with it (HS256 only; exactly one per app)."""


class Quota(_Contract, frozen=True, kw_only=True, omit_defaults=True):
    """One meter's standing in one billing month, as computed from the ledger."""

    meter: Meter
    period: str
    """`2026-01`; a node ignores a standing of another month."""
    used: int
    limit: int | None
    """`None`: unlimited."""
    over: OverLimit
    exceeded: bool


class RateLimit(_Contract, frozen=True, kw_only=True, omit_defaults=True):
    """A rate that an app's plan sets for one of the node's policies; a node skips one that it does not know."""

    policy: str
    """One of `LIMITED`, but for planes of different releases."""
    per_second: float
    burst: int


class AppSnapshot(_Contract, frozen=True, kw_only=True, omit_defaults=True):
    """Everything a node must know of one app to serve it without asking anybody.

    `version` is the installation-wide configuration version that last changed this app. A node never replaces a
    snapshot by an older one.
    """

    app_id: str
    organization_id: str
    version: int
    shard: str
    environment: Environment
    status: Literal["active", "suspended", "deleted"]
    access: Access = "full"
    """`read_only`: nodes refuse what would change something and serve the rest. `export`, of an app that is suspended:
    they let its servers read, so that its data can be fetched, and nobody else in. A node that does not know it refuses
    a suspended app altogether."""
    publishable_keys: tuple[str, ...] = ()
    secret_keys: tuple[SecretKey, ...] = ()
    signing_keys: tuple[SigningKey, ...] = ()
    allowed_origins: tuple[str, ...] = ("*",)
    guests: bool = False
    """Whether whoever has the publishable key may make itself a guest."""
    anonymous: bool = False
    """Whether whoever has the publishable key may read and watch, as nobody, what the role `anonymous` may see."""
    quotas: tuple[Quota, ...] = ()
    limits: tuple[RateLimit, ...] = ()
    """What the plan sets; every other rate is the node's default."""
    features: dict[str, bool | int] = {}
    """Named features of the plan: on, off or a number. One that is not named is not restricted."""


class SnapshotPage(_Contract, frozen=True, kw_only=True, omit_defaults=True):
    """The apps of a node's shard that changed after the version it asked with, oldest change first.

    When `has_more` is false, the node that has applied all of `apps` stands at `version`.
    """

    version: int
    apps: tuple[AppSnapshot, ...]
    has_more: bool = False


class UsageRow(_Contract, frozen=True, kw_only=True, omit_defaults=True):
    """One counted thing or a batch of them. `(source, boot, seq)` names it for ever."""

    seq: int
    app_id: str
    meter: Meter
    quantity: int
    """Never below zero, but for `storage_bytes`: there it is a change of what is stored."""
    at: datetime
    subject: str | None = None
    """For `mau`: 32 hex characters that stand for the user within its app, without naming it."""


class UsageReport(_Contract, frozen=True, kw_only=True, omit_defaults=True):
    """Rows of one source. Sending it again, in any order, changes no total."""

    source: str
    """The reporter: `relay:<shard>` or `node:<node>`; must be the credential's own."""
    boot: str
    """The life of the source's counter; changes after a restore."""
    rows: tuple[UsageRow, ...]


class UsageReceipt(_Contract, frozen=True, kw_only=True, omit_defaults=True):
    """Every row of the report is in the ledger now; `fresh` of them were not before."""

    fresh: int
