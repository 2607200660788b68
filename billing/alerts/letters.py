"""What an alert's outbox row leads to: a letter to everybody who looks after billing."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from billing.alerts.service import BUDGET, TOPIC
from billing.money import amount_text
from billing.plans import load_catalog
from billing.terms import in_force, load
from billing.words import METERS, amount
from control_plane import mail
from control_plane.apps.models import App
from control_plane.context import Actor, Context, Deps
from kernel.clock import truncate_ms
from kernel.db import UnitOfWork
from kernel.ids import parse_id
from kernel.outbox import Handler

# An organization that nobody has claimed yet has its owner's address alone.
_RECIPIENTS = text(
    """
    select a.email from control.memberships m join control.accounts a on a.id = m.account_id
    where m.organization_id = :organization and m.role in ('owner', 'admin', 'billing')
    union
    select o.owner_email from control.organizations o where o.id = :organization
        and not exists (select from control.memberships m where m.organization_id = o.id)
    order by 1
    """
)
BEYOND: Final = {
    "bill": "What is used beyond it is billed as the plan says.",
    "throttle": "Beyond it the app is served more slowly, until the month ends or you raise it.",
    "stop": "Beyond it the nodes refuse what would be charged, until the month ends or you raise it.",
}


async def recipients(session: AsyncSession, organization_id: UUID) -> list[str]:
    """The addresses of those who look after billing: owners, admins and the role billing."""
    return list((await session.execute(_RECIPIENTS, {"organization": organization_id})).scalars())


def system_context(deps: Deps, uow: UnitOfWork, *, actor: Actor | None = None) -> Context:
    """The surroundings of what the system does by itself."""
    return Context(
        uow=uow,
        actor=actor or Actor("system:billing"),
        now=truncate_ms(deps.clock.now()),
        ids=deps.ids,
        vault=deps.vault,
        settings=deps.settings,
    )


class AlertJobs:
    """The handlers. A letter and the row's deletion are one transaction: it goes out once."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def handlers(self) -> Mapping[str, Handler]:
        """By topic, for the control plane's outbox runner."""
        return {TOPIC: self.tell}

    async def tell(self, uow: UnitOfWork, payload: dict[str, Any]) -> None:
        """Write to those who look after billing."""
        if not payload["mail"]:
            return
        app = await uow.session.get(App, parse_id("app", payload["app_id"]))
        if app is None or app.status == "deleted":
            return
        ctx, at = system_context(self._deps, uow), datetime.fromisoformat(payload["at"])
        terms = in_force(await load(uow.session, app.id), at, load_catalog())
        subject, currency = payload["subject"], load_catalog().currency
        if subject == BUDGET:
            name, over = "monthly budget", terms.budget.over if terms and terms.budget else "bill"
            used, limit = amount_text(payload["used"], currency), amount_text(payload["limit"], currency)
        else:
            name, over = METERS[subject].lower(), terms.meters[subject].over if terms else "stop"
            used, limit = amount(subject, payload["used"]), amount(subject, payload["limit"])
        for to in await recipients(uow.session, app.organization_id):
            letter = mail.usage_alert(
                self._deps.settings,
                to=to,
                app=app.name,
                app_id=app.public_id,
                what=name,
                threshold=payload["threshold"],
                used=used,
                limit=limit,
                month=datetime.strptime(payload["period"], "%Y-%m").strftime("%B %Y"),
                beyond=BEYOND[over],
            )
            mail.post(ctx, letter)
