"""An app as sections reach it: what nodes hold by their API, what the control plane holds by its use cases."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select

from control_plane import placement
from control_plane.apps import repository
from control_plane.apps.models import App
from control_plane.context import Actor, Context, Deps
from control_plane.keys.api_keys import create_secret_key, revoke_api_key
from control_plane.keys.models import ApiKey
from control_plane.locate.service import shard_url
from kernel.errors import Conflict, InvalidInput, Unavailable
from kernel.ids import parse_id
from kernel.security import keys
from natter import APIError, AsyncNatter
from natter import NatterError as ServerError

ACTOR: Final = Actor("operator:cli")
SCOPES: Final = ("grants", "indexes")
_LIFETIME: Final = timedelta(minutes=15)
_PATIENCE: Final = 40
"""Seconds until every live node knows a key: more than one that has just died counts as live."""
_PAUSE: Final = 0.1


class NodeRefused(Conflict):
    """A node could not be reached, or would not do what a section asked of it."""

    code = "node_refused"
    title = "The app's node refused"


def words_of(error: ServerError) -> str:
    """What a node's refusal or silence is called."""
    return error.detail if isinstance(error, APIError) else str(error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One app. `confirm` is its name where somebody typed it; `features` are what its plan names."""

    deps: Deps
    app_id: UUID
    public_id: str
    server: AsyncNatter
    features: dict[str, Any]
    confirm: str | None = None

    def confirmed(self, name: str | None) -> "Target":
        """The same with what was typed."""
        return replace(self, confirm=name)

    async def app(self) -> App:
        """The app's record as it is now. Raises `NotFound`."""
        async with self.deps.database.unit_of_work(read_only=True) as uow:
            return await repository.get(uow.session, self.app_id)

    def change(self) -> AbstractAsyncContextManager[Context]:
        """A transaction of the control plane, in the operator's name."""
        return self.deps.change(ACTOR)


@asynccontextmanager
async def reach(
    deps: Deps, public_id: str, *, secret_key: str | None = None, url: str | None = None
) -> AsyncIterator[Target]:
    """The app, for as long as the block lasts.

    `secret_key` is one of its own, with the scopes `grants` and `indexes`. Without one a key is made that ends after 15
    minutes and is revoked at the block's end; both are in the audit log. `url`: where a node is reached, if not where
    the control plane says. Raises `NotFound`, `InvalidInput` for another app's key, `Unavailable` without a node, and
    in place of the SDK's errors `NodeRefused`.
    """
    app_id = parse_id("app", public_id, field="app")
    async with deps.database.unit_of_work(read_only=True) as uow:
        app = await repository.get(uow.session, app_id)
        if secret_key is not None:
            await _check_key(uow.session, deps, app, secret_key)
        url = url or await shard_url(uow.session, deps.settings, app.shard, now=deps.clock.now())
    if url is None:
        raise Unavailable(
            f"No node of the shard {app.shard} is running, so the configuration of {public_id} cannot be reached."
        )
    try:
        async with _key(deps, app, secret_key) as key, AsyncNatter(key, url=url) as server:
            yield Target(
                deps=deps,
                app_id=app_id,
                public_id=app.public_id,
                server=server,
                features=dict(app.settings.get("features", {})),
            )
    except ServerError as error:
        raise NodeRefused(words_of(error)) from None


async def check_promotion(deps: Deps, source_id: str, target_id: str) -> None:
    """Raises `Conflict` unless it goes from development to production within an organization, and `NotFound`."""
    async with deps.database.unit_of_work(read_only=True) as uow:
        source = await repository.get(uow.session, parse_id("app", source_id, field="app"))
        target = await repository.get(uow.session, parse_id("app", target_id, field="app"))
    if source.organization_id != target.organization_id:
        raise Conflict("The two apps are of different organizations.")
    if source.environment != "development" or target.environment != "production":
        raise Conflict("A configuration is promoted from an app in development to one in production.")


async def _check_key(session: Any, deps: Deps, app: App, secret_key: str) -> None:
    """A key says which app a node changes, so it must be this one's."""
    digest = keys.digest(deps.vault.key("secret-keys"), secret_key)
    query = select(ApiKey.id).where(ApiKey.app_id == app.id, ApiKey.digest == digest, ApiKey.revoked_at.is_(None))
    if (await session.execute(query)).scalar_one_or_none() is None:
        raise InvalidInput(f"The secret key is none of {app.public_id}.", field="secret_key")


@asynccontextmanager
async def _key(deps: Deps, app: App, given: str | None) -> AsyncIterator[str]:
    if given is not None:
        yield given
        return
    async with deps.change(ACTOR) as ctx:
        made = await create_secret_key(ctx, app.id, scopes=SCOPES, expires_at=ctx.now + _LIFETIME)
        version = (await repository.get(ctx.session, app.id)).version
    try:
        await _known(deps, app, version)
        yield made.value
    finally:
        async with deps.change(ACTOR) as ctx:
            await revoke_api_key(ctx, app.id, parse_id("key", made.id), confirm=app.name)


async def _known(deps: Deps, app: App, version: int) -> None:
    """Wait until every live node of the shard has applied the version."""
    for _ in range(int(_PATIENCE / _PAUSE)):
        if await _applied(deps, app, version):
            return
        await asyncio.sleep(_PAUSE)
    raise Unavailable("The nodes do not take up their configuration; natter doctor looks closer.")


async def _applied(deps: Deps, app: App, version: int) -> bool:
    async with deps.database.unit_of_work(read_only=True) as uow:
        nodes = await placement.live_nodes(uow.session, app.shard, now=deps.clock.now())
    return bool(nodes) and all(node.applied_version >= version for node in nodes)
