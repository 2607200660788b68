"""The apps of this node's shard as it knows them, in memory: what every request is judged by."""

import hmac
from collections.abc import Callable, Iterator, Mapping
from typing import Final
from uuid import UUID

from data_plane.tenancy.errors import AppDeleted, AppReadOnly, AppSuspended
from kernel.contracts import AppSnapshot, SecretKey, SigningKey
from kernel.errors import InvalidInput
from kernel.ids import parse_id
from kernel.logging import get_logger

_log = get_logger(__name__)
_NO_KEYS: Final[Mapping[str, SigningKey]] = {}


class SnapshotStore:
    """Snapshots by app and by key. An app's snapshot is never replaced by an older one.

    `version` is the configuration version up to which this node has applied and kept everything.
    """

    def __init__(self) -> None:
        self.version = 0
        self._apps: dict[UUID, AppSnapshot] = {}
        self._publishable: dict[str, UUID] = {}
        self._secret: dict[str, UUID] = {}
        self._signing: dict[UUID, dict[str, SigningKey]] = {}
        self._listeners: list[Callable[[UUID], None]] = []

    def __len__(self) -> int:
        return len(self._apps)

    def __iter__(self) -> Iterator[AppSnapshot]:
        return iter(list(self._apps.values()))

    def on_change(self, callback: Callable[[UUID], None]) -> None:
        """Call this with the app whenever its snapshot was replaced, after lookups show the new one."""
        self._listeners.append(callback)

    def apply(self, snapshot: AppSnapshot) -> bool:
        """Take a snapshot. False, and nothing changes, when the held one is as new or newer."""
        app_id = parse_id("app", snapshot.app_id, field="app_id")
        held = self._apps.get(app_id)
        if held is not None and held.version >= snapshot.version:
            return False
        if held is not None:
            for publishable in held.publishable_keys:
                self._publishable.pop(publishable, None)
            for secret in held.secret_keys:
                self._secret.pop(secret.digest, None)
        self._apps[app_id] = snapshot
        self._publishable.update(dict.fromkeys(snapshot.publishable_keys, app_id))
        self._secret.update({secret.digest: app_id for secret in snapshot.secret_keys})
        self._signing[app_id] = {key.kid: key for key in snapshot.signing_keys}
        for listener in self._listeners:
            try:
                listener(app_id)
            except Exception:
                # One listener's defect must not keep the others, or the next snapshots, from being heard.
                _log.exception("snapshots.listener_failed", appId=snapshot.app_id)
        return True

    def advance(self, version: int) -> None:
        """Everything up to this version is applied and kept. An older version is ignored."""
        self.version = max(self.version, version)

    def get(self, app_id: UUID | str) -> AppSnapshot | None:
        """An app by its UUID or its `app_…` id; null for any other string."""
        if isinstance(app_id, str):
            try:
                app_id = parse_id("app", app_id)
            except InvalidInput:
                return None
        return self._apps.get(app_id)

    def by_publishable_key(self, key: str) -> AppSnapshot | None:
        """The app that a `pk_…` names."""
        app_id = self._publishable.get(key)
        return None if app_id is None else self._apps[app_id]

    def by_secret_digest(self, digest: str) -> tuple[AppSnapshot, SecretKey] | None:
        """The app and key behind the digest of an `sk_…`.

        The digest is keyed, so how long the look-up takes tells nothing about stored keys; the final comparison takes
        the same time for any digest.
        """
        app_id = self._secret.get(digest)
        if app_id is None:
            return None
        snapshot = self._apps[app_id]
        for key in snapshot.secret_keys:
            if hmac.compare_digest(key.digest, digest):
                return snapshot, key
        return None

    def signing_keys(self, app_id: UUID) -> Mapping[str, SigningKey]:
        """An app's signing keys by `kid`."""
        return self._signing.get(app_id, _NO_KEYS)


def require_active(app: AppSnapshot) -> AppSnapshot:
    """Return the app. Raises `AppSuspended` or `AppDeleted` when it may not be served."""
    if app.status == "suspended":
        raise AppSuspended("This app is suspended. Its owner can see why in the portal.", app_id=app.app_id)
    if app.status == "deleted":
        raise AppDeleted("This app was deleted.", app_id=app.app_id)
    return app


def require_readable(app: AppSnapshot) -> AppSnapshot:
    """The same for the customer's own server, which may read in a suspended app's export window."""
    return app if app.access == "export" and app.status == "suspended" else require_active(app)


def require_writable(app: AppSnapshot) -> None:
    """Raise `AppReadOnly` when nothing of the app may change."""
    if app.access != "full":
        raise AppReadOnly("This app is read-only. Its owner can see why in the portal.", app_id=app.app_id)
