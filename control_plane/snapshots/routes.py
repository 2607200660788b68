"""`GET /internal/v1/snapshots`: nodes pull the configuration of their shard."""

import math
from typing import Annotated, Any
from urllib.parse import urlsplit

from litestar import get
from litestar.params import FromQuery, QueryParameter

from control_plane.credentials.service import record_poll
from control_plane.dependencies import CredentialDependency, DepsDependency, WatcherDependency
from control_plane.keys.key_sets import parse_apps, want_reading
from control_plane.keys.uses import parse_uses, record_uses
from control_plane.snapshots.builder import build_page
from kernel.contracts import SnapshotPage
from kernel.errors import Forbidden, InvalidInput

MAX_WAIT = 25.0
MAX_WORKERS = 64


@get("/internal/v1/snapshots")
async def pull_snapshots(
    deps: DepsDependency,
    watcher: WatcherDependency,
    credential: CredentialDependency,
    since: Annotated[int, QueryParameter(ge=0, le=2**62)] = 0,
    wait: FromQuery[float] = 0.0,
    url: FromQuery[str | None] = None,
    worker: Annotated[int, QueryParameter(ge=0, lt=MAX_WORKERS)] = 0,
    used: FromQuery[str] = "",
    unknown_kids: FromQuery[str] = "",
) -> SnapshotPage:
    """A `SnapshotPage` after version `since`: at once when there is one, else after up to `wait` seconds.

    `since` is what this worker of the node has applied, `url` where clients reach the node; both are remembered.
    `used` tells when secret keys were last used there: `key_…@seconds,…`;
    `unknown_kids` names apps of which tokens came that name a signing key it does not know: `app_…,…`.
    """
    if credential.kind != "node":
        raise Forbidden("Snapshots are for nodes; this is the credential of a relay.")
    if not (math.isfinite(wait) and 0 <= wait <= MAX_WAIT):
        raise InvalidInput(f"`wait` must be 0 to {MAX_WAIT:g} seconds.", field="wait")
    check_node_url(url)
    uses, unknown = parse_uses(used), parse_apps(unknown_kids)
    async with deps.database.unit_of_work() as uow:
        now = deps.clock.now()
        await record_poll(uow.session, credential, worker=worker, applied_version=since, public_url=url, now=now)
        await record_uses(uow.session, credential, uses, now=now)
        await want_reading(uow.session, credential, unknown, now=now)
    deadline = deps.clock.monotonic() + wait
    seen = since
    while True:
        # No transaction is open while it waits: a poll costs a socket, not a connection to the database.
        async with deps.database.unit_of_work(read_only=True) as uow:
            page = await build_page(uow.session, deps.vault, shard=credential.shard, since=since, now=deps.clock.now())
        seen = max(seen, page.version)
        left = deadline - deps.clock.monotonic()
        if page.apps or left <= 0 or not await watcher.wait_beyond(seen, left):
            return page


def check_node_url(url: str | None) -> None:
    """Raises `InvalidInput` unless it is absent or an http(s) address without query."""
    if url is None:
        return
    try:
        parts: Any = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query and not parts.fragment
        _ = parts.port
    except ValueError:
        good = False
    if not good or len(url) > 500 or "@" in url:
        raise InvalidInput("`url` must be the http or https address of the node.", field="url")
