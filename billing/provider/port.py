"""Who takes the money, as pages see it: one Protocol, and the shapes that it answers with.

A `Provider` opens its own transactions, because no call to a payment service is made inside one of ours. Whoever asks
is a `Member`, of whose organization alone anything is read or changed. Amounts are minor units of `currency`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

from control_plane.members import Member
from kernel.errors import Conflict, NatterError
from kernel.ids import format_id

InvoiceStatus = Literal["draft", "open", "paid", "void", "uncollectible"]


class ProviderAway(NatterError):
    """The payment service does not answer, or not in time. Chat and everything else go on without it.

    `kept`: what was asked for is stored, and is done as soon as the service answers; asking again does it once.
    """

    code = "payments_away"
    status = 503
    title = "The payment service does not answer"
    retryable = True
    default_retry_after = 30.0

    def __init__(self, *, kept: bool = False) -> None:
        kept_words = "Stripe does not answer at the moment. What you asked for is kept and is done as soon as it does."
        lost_words = "Stripe does not answer at the moment. Nothing was changed; please try again in a minute."
        super().__init__(kept_words if kept else lost_words, kept=kept)
        self.kept = kept


class PaymentRefused(NatterError):
    """The service answered, and refused: a card, or an amount. The detail is the service's own words to a customer."""

    code = "payment_refused"
    status = 402
    title = "The payment was refused"


class NoSubscription(Conflict):
    """The app has none to change; `checkout` makes one."""

    code = "no_subscription"
    title = "The app has no subscription yet"


class AlreadySubscribed(Conflict):
    """The app has a subscription: it is changed, not bought again."""

    code = "already_subscribed"
    title = "The app has a subscription already"


@dataclass(frozen=True, slots=True)
class PreviewLine:
    """`begin` to before `end` is what the amount is for; credit for what is given back is negative."""

    text: str
    amount: int
    begin: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a change of plan would charge, and when. `due_now` is charged at once (0: nothing), `monthly` is the plan's
    price from then on (`None`: by contract). `at` names the instant that was priced: give it back to `change`, and the
    invoice says the same. `checkout`: there is no subscription yet, so that the way there is `checkout`."""

    plan_id: str
    lines: tuple[PreviewLine, ...]
    due_now: int
    tax: int
    monthly: int | None
    currency: str
    takes_effect: datetime
    at: datetime
    checkout: bool = False

    @property
    def total(self) -> int:
        """What is charged at once, tax included."""
        return self.due_now


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceLine:
    """A line of a payment service's invoice. Of usage `app_id`, `meter` and `month` say which of our rows it rests on;
    `quantity` is in packs as sold (`per` units each)."""

    text: str
    amount: int
    begin: datetime
    end: datetime
    quantity: int | None = None
    app_id: UUID | None = None
    meter: str | None = None
    per: int | None = None
    month: str | None = None
    proration: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderInvoice:
    """An invoice or a draft as the service last showed it. `due` is what is still owed. Addresses are the service's
    own pages; `receipt_url` is there once it is paid."""

    id: str
    number: str | None
    app_id: UUID | None
    status: InvoiceStatus
    currency: str
    subtotal: int
    tax: int
    total: int
    due: int
    begin: datetime
    end: datetime
    created_at: datetime
    finalized_at: datetime | None
    paid_at: datetime | None
    next_attempt_at: datetime | None
    hosted_url: str | None
    pdf_url: str | None
    receipt_url: str | None
    lines: tuple[InvoiceLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppStanding:
    """An app's subscription as it was last seen; `None` for what there is not.

    `status`: the service's word: `active`, `trialing`, `past_due`, `unpaid`, `incomplete`, `canceled` …
    `next_plan` takes effect at `period_end`; `cancels_at`: the subscription ends then. `waiting`: something asked for
    has not reached the service yet.
    """

    app_id: UUID
    plan_id: str | None
    version: int | None
    status: str | None
    period_begin: datetime | None
    period_end: datetime | None
    next_plan: str | None
    cancels_at: datetime | None
    unpaid_since: datetime | None
    waiting: bool

    @property
    def public_id(self) -> str:
        """`app_…`"""
        return format_id("app", self.app_id)

    @property
    def subscribed(self) -> bool:
        """Whether there is a subscription that lives: it can be changed, and another cannot be bought."""
        return self.status is not None and self.status not in ("canceled", "incomplete_expired")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of how an organization pays, without asking the service. `balance` is credit that the service
    holds and takes off the next invoice. `away`: the service did not answer lately, since when."""

    takes_money: bool
    has_card: bool
    card: str | None
    balance: int
    currency: str
    away_since: datetime | None
    apps: tuple[AppStanding, ...]

    def app(self, app_id: UUID) -> AppStanding | None:
        """One of them."""
        return next((each for each in self.apps if each.app_id == app_id), None)


class Provider(Protocol):
    """Takes the money. Calls that reach the service have short time-outs and raise `ProviderAway`; reads never do.

    All of them raise `Forbidden` for who may not look after billing, and `NotFound` for another's app.
    """

    @property
    def takes_money(self) -> bool:
        """Whether there is anybody to pay: pages offer checkout and portal if so."""
        ...

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
        """The address of a page on which the plan is paid for. However often it is asked for, and by how many at once,
        one subscription comes of it. Of an app in a trial: the card is asked for, and the plan begins to cost when the
        trial ends. The page leads to `return_url`, or back to `cancel_url` unpaid. Raises `AlreadySubscribed`,
        `InvalidInput`, `Forbidden` for a plan by contract."""
        ...

    async def portal(self, member: Member, *, return_url: str, request_id: str | None = None) -> str:
        """The address of the service's page for cards, addresses and tax numbers."""
        ...

    async def preview(self, member: Member, app_id: UUID, plan_id: str) -> Preview:
        """What the plan would charge, to the minor unit, if it were chosen now."""
        ...

    async def change(
        self,
        member: Member,
        app_id: UUID,
        plan_id: str,
        *,
        at: datetime | None = None,
        request_id: str | None = None,
    ) -> datetime:
        """Put the app on a plan: a larger one now, with the difference charged; a smaller one when the month ends.
        Returns when. `at` is the preview's. Raises `NoSubscription`, `PaymentRefused`; `ProviderAway` with `kept` when
        it will be done later."""
        ...

    async def keep(self, member: Member, app_id: UUID, *, request_id: str | None = None) -> bool:
        """Take back a smaller plan or a cancellation that waits for the month's end; false when none did."""
        ...

    async def cancel(self, member: Member, app_id: UUID, *, request_id: str | None = None) -> datetime:
        """End the subscription when the month ends; the app is on the free plan then. Returns when."""
        ...

    async def invoices(self, member: Member, *, limit: int = 24) -> list[ProviderInvoice]:
        """The service's invoices as they were last seen, the newest first. Empty where the service makes none."""
        ...

    async def invoice(self, member: Member, invoice_id: str) -> ProviderInvoice:
        """One of them. Raises `NotFound`."""
        ...

    async def standing(self, member: Member) -> Standing:
        """How the organization pays, as it was last seen."""
        ...
