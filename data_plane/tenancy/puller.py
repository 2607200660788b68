"""Pulls configuration from the control plane by long poll, for ever; a node never asks on a request."""

import asyncio
from typing import Any, Final

import httpx
import msgspec

from data_plane.backoff import Backoff
from data_plane.tenancy.copies import SnapshotCopies
from data_plane.tenancy.errors import ConfigurationMissing
from data_plane.tenancy.key_uses import KeyUses, as_parameter
from data_plane.tenancy.store import SnapshotStore
from data_plane.tenancy.unknown_kids import UnknownKids
from kernel.contracts import SnapshotPage
from kernel.logging import get_logger
from kernel.tasks import end_tasks

PATH: Final = "/internal/v1/snapshots"
_log = get_logger(__name__)


class SnapshotPuller:
    """Keeps a `SnapshotStore` and its copies up to date.

    `ready` is set once everything that the control plane had at the time is applied. A version counts as applied, and
    is told to the control plane as such, only when it is in memory and among the copies: otherwise a restart without
    the control plane could bring a revoked key back.
    """

    def __init__(
        self,
        *,
        store: SnapshotStore,
        copies: SnapshotCopies,
        control_url: str,
        credential: str,
        public_url: str = "",
        worker: int = 0,
        wait: float = 25.0,
        transport: httpx.AsyncBaseTransport | None = None,
        backoff: Backoff | None = None,
        uses: KeyUses | None = None,
        unknown: UnknownKids | None = None,
    ) -> None:
        self.ready = asyncio.Event()
        self.failure: str | None = None
        """Why the last poll failed; null after a success."""
        self._store = store
        self._copies = copies
        self._public_url = public_url
        self._worker = worker
        self._wait = wait
        self._backoff = backoff or Backoff()
        self._uses = uses
        self._unknown = unknown
        self._task: asyncio.Task[None] | None = None
        self._http = httpx.AsyncClient(
            base_url=control_url,
            headers={"authorization": f"Bearer {credential}"},
            timeout=httpx.Timeout(5.0, read=wait + 10.0),
            transport=transport,
            # A proxy of the environment is for the outside; the control plane is inside.
            trust_env=False,
        )

    async def start(self, *, patience: float = 15.0, settle: float = 2.0) -> None:
        """Load the copies, begin to pull, and return when the node knows enough to serve.

        With copies the control plane gets `settle` seconds to answer, then the node serves from them. Without any it
        gets `patience` seconds; then `ConfigurationMissing` is raised. Raises the database's error when that is away.
        """
        loaded = await self._copies.load()
        for snapshot in loaded.snapshots:
            self._store.apply(snapshot)
        self._store.advance(loaded.version)
        self._task = asyncio.create_task(self.run(), name="snapshot-puller")
        try:
            async with asyncio.timeout(settle if loaded.snapshots else patience):
                await self.ready.wait()
        except TimeoutError:
            if not loaded.snapshots:
                failure = self.failure or "no answer"
                await self.stop()
                raise ConfigurationMissing(
                    f"The control plane at {self._http.base_url} gave no configuration ({failure}), and the shard "
                    "holds no copy of an earlier one. Check NATTER_CONTROL_URL and NATTER_CREDENTIAL."
                ) from None
            _log.warning("snapshots.from_copies", apps=len(loaded.snapshots), version=loaded.version)

    async def stop(self) -> None:
        """Stop pulling; what is known stays known."""
        if self._task is not None:
            await end_tasks([self._task])
        await self._http.aclose()

    async def run(self) -> None:
        """Pull for ever, with jittered back-off while the control plane or the shard's database is away."""
        while True:
            try:
                await self.pull()
            except Exception as error:
                self.failure = _describe(error)
                wait = self._backoff.next()
                _log.warning("snapshots.pull_failed", error=self.failure, retryIn=round(wait, 1))
                await asyncio.sleep(wait)
            else:
                self.failure = None
                self._backoff.reset()

    async def pull(self) -> None:
        """One request, and its page applied in order. Waits at the control plane once this node is up to date."""
        params: dict[str, Any] = {
            "since": self._store.version,
            "wait": self._wait if self.ready.is_set() else 0,
            "worker": self._worker,
        }
        if self._public_url:
            params["url"] = self._public_url
        uses = self._uses.due() if self._uses is not None else {}
        if uses:
            params["used"] = as_parameter(uses)
        unknown = self._unknown.due() if self._unknown is not None else []
        if unknown:
            params["unknown_kids"] = ",".join(unknown)
        response = await self._http.get(PATH, params=params)
        if self._unknown is not None and response.status_code < 500:
            # Also where it was refused, as by a control plane of the release before: what is strange must not keep the
            # node from its configuration.
            self._unknown.told(unknown)
        response.raise_for_status()
        if self._uses is not None:
            self._uses.told(uses)
        page = msgspec.json.decode(response.content, type=SnapshotPage)
        # Memory first: a revocation acts at once, also while the database is away.
        for snapshot in page.apps:
            self._store.apply(snapshot)
        await self._copies.save(page.apps)
        if page.has_more and page.apps:
            self._store.advance(max(snapshot.version for snapshot in page.apps))
            return
        if page.version < self._store.version:
            _log.error("snapshots.control_is_behind", version=page.version, applied=self._store.version)
        self._store.advance(page.version)
        self.ready.set()


def _describe(error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        status = error.response.status_code
        hint = ": the credential is refused" if status in (401, 403) else ""
        if status == 409:
            hint = ": this node knows a newer configuration than the control plane; was its database restored?"
        return f"HTTP {status}{hint}"
    return f"{type(error).__name__}: {error}"
