"""Erase what deleted apps left on their shards, 30 days after they were deleted.

The control plane knows which apps, each shard's database holds what goes; only this layer knows both. The worker that
has the shard does it. A shard that is away is asked again later.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

from sqlalchemy import select, update

from control_plane import audit
from control_plane.apps.models import App
from control_plane.context import Actor, Deps
from control_plane.organizations.closing import KEPT_FOR
from data_plane.erasure import erase_app
from kernel.db import Database
from kernel.logging import get_logger

EVERY: Final = 600.0
_AT_ONCE: Final = 20
_ACTOR: Final = Actor("system:erasure")

_log = get_logger(__name__)


class ChatEraser:
    """`shards`: by name the databases that this worker has, under `natter_engine`."""

    def __init__(self, deps: Deps, shards: Mapping[str, Database]) -> None:
        self._deps = deps
        self._shards = shards

    async def step(self) -> int:
        """Erase what is due, the longest deleted first; returns how many apps."""
        deps = self._deps
        due = (
            select(App)
            .where(
                App.status == "deleted",
                App.deleted_at <= deps.clock.now() - KEPT_FOR,
                App.chat_erased_at.is_(None),
                App.shard.in_(list(self._shards)),
            )
            .order_by(App.deleted_at)
            .limit(_AT_ONCE)
        )
        async with deps.database.unit_of_work(read_only=True) as uow:
            apps = list((await uow.session.execute(due)).scalars())
        for app in apps:
            rows = await erase_app(self._shards[app.shard], app.id, now=deps.clock.now)
            async with deps.change(_ACTOR) as ctx:
                # Two workers may have done it; the first one says so.
                mark = update(App).where(App.id == app.id, App.chat_erased_at.is_(None)).values(chat_erased_at=ctx.now)
                if (await ctx.session.execute(mark.returning(App.id))).first() is not None:
                    await audit.record(
                        ctx,
                        "app.chat_erased",
                        app.public_id,
                        organization_id=app.organization_id,
                        app_id=app.id,
                        rows=rows,
                    )
            _log.info("erasure.chat_erased", app=app.public_id, shard=app.shard, rows=rows)
        return len(apps)

    async def run(self) -> None:
        """Step every ten minutes, at once while there is work. Runs until it is cancelled."""
        while True:
            busy = 0
            try:
                busy = await self.step()
            except Exception:
                _log.exception("erasure.failed")
            if not busy:
                await asyncio.sleep(EVERY)
