"""Nobody takes the money: plans change at once by a fact, and the invoices are our own."""

from datetime import datetime
from uuid import UUID

from billing.invoices.wording import line_words
from billing.plans import load_catalog
from billing.provider.port import (
    NoSubscription,
    Preview,
    PreviewLine,
    ProviderInvoice,
    Standing,
)
from billing.terms.service import change_plan, keep_plan
from billing.usage.spend import preview_change
from control_plane.apps import repository
from control_plane.context import Deps
from control_plane.members import Member
from kernel.errors import NotFound


class NullProvider:
    """Implements `Provider`."""

    takes_money = False

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def checkout(
        self,
        member: Member,
        app_id: UUID,
        plan_id: str,
        *,
        return_url: str,
        cancel_url: str | None = None,
        request_id: str | None = None,
    ) -> str:
        """There is nothing to pay: the plan is changed, and the way leads back."""
        await self.change(member, app_id, plan_id, request_id=request_id)
        return return_url

    async def portal(self, member: Member, *, return_url: str, request_id: str | None = None) -> str:
        """Raises `NoSubscription`: nobody keeps cards here."""
        member.require("billing.manage")
        raise NoSubscription("No payment service is connected to this installation.")

    async def preview(self, member: Member, app_id: UUID, plan_id: str) -> Preview:
        """The running month with the plan, as its invoice will say it."""
        member.require("billing.manage")
        now, catalog = self._deps.clock.now(), load_catalog()
        async with self._deps.read(member) as uow:
            await repository.get(uow.session, app_id)
            change = await preview_change(uow.session, app_id, plan_id, now=now)
        lines = tuple(PreviewLine(line_words(line), line.amount, line.begin, line.end) for line in change.lines)
        return Preview(
            plan_id=change.plan.id,
            lines=lines,
            due_now=0,
            tax=0,
            monthly=change.plan.price,
            currency=catalog.currency,
            takes_effect=change.begins,
            at=now,
        )

    async def change(
        self,
        member: Member,
        app_id: UUID,
        plan_id: str,
        *,
        at: datetime | None = None,
        request_id: str | None = None,
    ) -> datetime:
        """State the fact."""
        member.require("billing.manage")
        async with self._deps.change_as(member, request_id) as ctx:
            return await change_plan(ctx, app_id, plan_id)

    async def keep(self, member: Member, app_id: UUID, *, request_id: str | None = None) -> bool:
        """Take the fact that waits back."""
        member.require("billing.manage")
        async with self._deps.change_as(member, request_id) as ctx:
            return await keep_plan(ctx, app_id)

    async def cancel(self, member: Member, app_id: UUID, *, request_id: str | None = None) -> datetime:
        """The free plan, from the month's end on."""
        return await self.change(member, app_id, "free", request_id=request_id)

    async def invoices(self, member: Member, *, limit: int = 24) -> list[ProviderInvoice]:
        """None: ours are in `billing.invoices`."""
        member.require("usage.read")
        return []

    async def invoice(self, member: Member, invoice_id: str) -> ProviderInvoice:
        """Raises `NotFound`."""
        raise NotFound()

    async def standing(self, member: Member) -> Standing:
        """Nothing is paid here."""
        member.require("usage.read")
        return Standing(
            takes_money=False,
            has_card=False,
            card=None,
            balance=0,
            currency=load_catalog().currency,
            away_since=None,
            apps=(),
        )
