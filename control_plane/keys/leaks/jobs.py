"""What a report of found keys leads to."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane import audit, configuration, mail
from control_plane.apps.models import App
from control_plane.context import Actor, Context, Deps
from control_plane.keys.api_keys import revoke_api_key
from control_plane.keys.leaks.report import TOPIC
from control_plane.keys.models import ApiKey
from control_plane.members.roles import PERMISSIONS
from kernel.clock import truncate_ms
from kernel.db import UnitOfWork
from kernel.outbox import Handler

_MANAGE_KEYS: Final = sorted(role for role, may in PERMISSIONS.items() if "keys.manage" in may)
# An organization that nobody has claimed yet has its owner's address alone.
_RECIPIENTS: Final = text(
    "select a.email from control.memberships m join control.accounts a on a.id = m.account_id "
    "where m.organization_id = :organization and m.role = any(:roles) "
    "union select o.owner_email from control.organizations o where o.id = :organization "
    "and not exists (select from control.memberships m where m.organization_id = o.id) order by 1"
)


class LeakJobs:
    """The handlers. Whatever a report changes is one transaction with the end of its row."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def handlers(self) -> Mapping[str, Handler]:
        """By topic, for the control plane's outbox runner."""
        return {TOPIC: self.judge}

    async def judge(self, uow: UnitOfWork, payload: dict[str, Any]) -> None:
        """Revoke those that work, or only say so where the app wants that; each key once, however often it is found."""
        ctx = Context(
            uow=uow,
            actor=Actor("system:leaked-keys"),
            now=truncate_ms(self._deps.clock.now()),
            ids=self._deps.ids,
            vault=self._deps.vault,
            settings=self._deps.settings,
        )
        places: dict[str, str | None] = payload["found"]
        unheard = ApiKey.digest.in_(list(places)), ApiKey.exposed_at.is_(None)
        if (await uow.session.execute(select(ApiKey.id).where(*unheard).limit(1))).first() is None:
            return
        # Whatever locks an app holds this lock first.
        await configuration.advance(uow.session)
        query = (
            select(ApiKey, App)
            .join(App, App.id == ApiKey.app_id)
            .where(*unheard)
            .order_by(ApiKey.id)
            .with_for_update(of=ApiKey)
        )
        for key, app in (await uow.session.execute(query)).all():
            key.exposed_at = datetime.fromisoformat(payload["at"])
            key.exposed_by, key.exposed_where = payload["by"], places[key.digest or ""]
            await self._act(ctx, key, app)

    async def _act(self, ctx: Context, key: ApiKey, app: App) -> None:
        works = key.revoked_at is None and (key.expires_at is None or key.expires_at > ctx.now)
        live = works and app.status != "deleted"
        revoke = live and app.revoke_leaked_keys
        await audit.record(
            ctx,
            "api_key.exposed",
            key.public_id,
            organization_id=app.organization_id,
            app_id=app.id,
            last_four=key.last_four,
            found_by=key.exposed_by,
            found_at=key.exposed_where,
            done="revoked" if revoke else "told" if live else "nothing, it had ended",
        )
        if revoke:
            await revoke_api_key(ctx, app.id, key.id, confirm=app.name)
        if live:
            for to in await _recipients(ctx.session, app):
                letter = mail.key_exposed(
                    ctx.settings,
                    to=to,
                    app=app.name,
                    app_id=app.public_id,
                    last_four=key.last_four,
                    # What a stranger types is in no letter.
                    where=key.exposed_where if key.exposed_by == "github" else None,
                    revoked=revoke,
                    at=ctx.now,
                )
                mail.post(ctx, letter)


async def _recipients(session: AsyncSession, app: App) -> list[str]:
    """Those who can make another key."""
    values = {"organization": app.organization_id, "roles": _MANAGE_KEYS}
    return list((await session.execute(_RECIPIENTS, values)).scalars())
