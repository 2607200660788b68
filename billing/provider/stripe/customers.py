"""An organization as Stripe's customer: made once, and what is known of its card and balance."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from billing.alerts.letters import recipients
from billing.provider.stripe.client import Object, StripeApi
from control_plane.context import Deps
from kernel.ids import format_id

_BEGIN = text(
    "insert into control.stripe_customers (organization_id, key, created_at) values (:organization, :key, :now) "
    "on conflict (organization_id) do nothing"
)
_FIND = text("select customer_id, key from control.stripe_customers where organization_id = :organization")
_NAME = text("select name from control.organizations where id = :organization")
_MADE = text(
    "update control.stripe_customers set customer_id = :customer "
    "where organization_id = :organization and customer_id is null"
)
_SEEN = text(
    "update control.stripe_customers set card = :card, balance = :balance, fetched_at = :asked "
    "where customer_id = :customer and (fetched_at is null or fetched_at <= :asked)"
)
_OWNER = text("select organization_id from control.stripe_customers where customer_id = :customer")


async def organization_of(session: AsyncSession, customer_id: str) -> UUID | None:
    """Whose customer it is; `None`: not ours."""
    found: UUID | None = await session.scalar(_OWNER, {"customer": customer_id})
    return found


class Customers:
    """Makes and looks at them."""

    def __init__(self, deps: Deps, api: StripeApi) -> None:
        self._deps = deps
        self._api = api

    async def ensure(self, organization_id: UUID) -> str:
        """The customer's id; it is made if there is none. Raises `ProviderAway`."""
        values = {"organization": organization_id, "now": self._deps.clock.now()}
        async with self._deps.database.unit_of_work() as uow:
            # The key is there before the call, so that one that is repeated after a crash makes nothing new.
            await uow.session.execute(_BEGIN, values | {"key": f"natter-{self._deps.ids.uuid7()}"})
            row = (await uow.session.execute(_FIND, {"organization": organization_id})).one()
            if row.customer_id is not None:
                return str(row.customer_id)
            name = await uow.session.scalar(_NAME, {"organization": organization_id})
            people = await recipients(uow.session, organization_id)
        public_id = format_id("org", organization_id)
        made = await self._api.call(
            self._api.v1.customers.create_async,
            key=row.key,
            name=name or public_id,
            **({"email": people[0]} if people else {}),
            metadata={"natter_organization": public_id},
        )
        async with self._deps.database.unit_of_work() as uow:
            await uow.session.execute(_MADE, {"organization": organization_id, "customer": made["id"]})
        return str(made["id"])

    async def refresh(self, customer_id: str) -> None:
        """Look at its card and balance."""
        asked = self._deps.clock.now()
        customer = await self._api.call(self._api.v1.customers.retrieve_async, customer_id)
        if customer.get("deleted"):
            await self._seen(customer_id, None, 0, asked)
            return
        cards = await self._api.call(self._api.v1.payment_methods.list_async, customer=customer_id, limit=10)
        default = (customer.get("invoice_settings") or {}).get("default_payment_method")
        found = sorted(cards["data"], key=lambda method: method["id"] != default)
        # Stripe's balance is what the customer owes; ours is what the customer has.
        await self._seen(customer_id, _card(found[0]) if found else None, -customer["balance"], asked)

    async def _seen(self, customer_id: str, card: str | None, balance: int, asked: datetime) -> None:
        values = {"customer": customer_id, "card": card, "balance": balance, "asked": asked}
        async with self._deps.database.unit_of_work() as uow:
            await uow.session.execute(_SEEN, values)


def _card(method: Object) -> str:
    card = method.get("card")
    if not card:
        return str(method["type"]).replace("_", " ")
    return f"{str(card['brand']).title()} ending in {card['last4']}"
