"""The way of the machine's owner to the outbox: whoever may run `natter` there may read what lies there anyway."""

from control_plane import audit
from control_plane.accounts import tokens
from control_plane.accounts.client import Client
from control_plane.accounts.sessions import NewSession, begin_session
from control_plane.context import Actor, Context, Deps
from kernel.ids import format_id


async def create_outbox_link(ctx: Context) -> str:
    """An address that opens the outbox once, within 24 hours."""
    token, token_id = tokens.issue(ctx, "outbox", None)
    await audit.record(ctx, "outbox.link_created", format_id("tok", token_id))
    return f"{ctx.settings.portal}/local/{token}"


async def look_up_local(deps: Deps, token: str) -> None:
    """Raises `LinkInvalid` unless the link would open the outbox."""
    async with deps.database.unit_of_work(read_only=True) as uow:
        await tokens.find(uow.session, deps.vault, "outbox", token, now=deps.clock.now())


async def open_local(deps: Deps, token: str, *, client: Client) -> NewSession:
    """Use the link up: a session of kind `owner`, for 12 hours. Raises `LinkInvalid`."""
    async with deps.change(Actor("operator:local", client.request_id)) as ctx:
        found = await tokens.find(ctx.session, ctx.vault, "outbox", token, now=ctx.now)
        await tokens.spend(ctx.session, found.id, now=ctx.now)
        return await begin_session(ctx, None, client)
