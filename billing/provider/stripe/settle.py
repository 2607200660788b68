"""What must follow from what is known: commands for whatever is not yet as it should be.

Every round looks at levels, so that it does not matter which of its causes was seen, or how often. `ask` drops what was
asked for before, by its subject.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from billing.alerts.letters import system_context
from billing.invoices.document import DocumentLine, decode
from billing.invoices.wording import describe
from billing.money import overage
from billing.plans import load_catalog
from billing.provider.stripe.catalog import pack_sizes
from billing.provider.stripe.client import seconds
from billing.provider.stripe.commands import ask, differs
from billing.provider.stripe.meters import month_packs, packs, sums
from billing.provider.stripe.subscriptions import SYSTEM, Seen, agreed_items, every_seen
from billing.terms.facts import ENDED, load, newest
from billing.terms.force import in_force
from billing.usage.periods import month_bounds
from billing.usage.recompute import count
from billing.words import METERS as WORDS
from control_plane.context import Context, Deps
from control_plane.entitlements import METERS
from kernel.clock import month_of
from kernel.ids import format_id, parse_id
from kernel.logging import get_logger

LOOK_BACK: Final = timedelta(days=100)
SHORT: Final = timedelta(days=3)
"""For how long an invoice is held against its month after it was final, and after the last of its month's usage was
settled, which after an outage may be weeks later. Each time costs a count of the ledger."""

_GRANTS = text(
    """
    select g.id, g.organization_id, g.reason, e.balance
    from control.credit_grants g
    join control.stripe_customers c on c.organization_id = g.organization_id and c.customer_id is not null
    join lateral (select balance from control.credit_entries x where x.grant_id = g.id order by seq desc limit 1) e
        on true
    where e.balance > 0 and (g.expires_at is null or g.expires_at > :now) and not exists (
        select from control.stripe_commands s where s.organization_id = g.organization_id and s.kind = 'credit'
            and s.subject = 'cred ' || g.id::text)
    order by g.id
    """
)
_REDEEMED = text(
    """
    select r.organization_id, r.code, r.first_month, s.app_id, s.subscription_id from control.coupon_redemptions r
    join control.stripe_subscriptions s on s.organization_id = r.organization_id
    where s.status in ('trialing', 'active', 'past_due', 'unpaid') and not exists (
        select from control.stripe_commands c where c.organization_id = r.organization_id and c.kind = 'coupon'
            and c.subject = r.code || ' ' || s.subscription_id)
    order by r.redeemed_at, r.code
    """
)
_DRAFTS = text(
    """
    select i.invoice_id, i.organization_id, i.app_id, i.period_begin from control.stripe_invoices i
    where i.status = 'draft' and i.reason = 'subscription_cycle' and i.app_id is not null and exists (
        select from control.stripe_commands h where h.organization_id = i.organization_id and h.kind = 'hold'
            and h.subject = i.invoice_id and h.state = 'done')
    order by i.created_at, i.invoice_id
    """
)
_CUT = text("select cut from control.billing_months where organization_id = :organization and month = :month")
_STATEMENTS = text(
    """
    select organization_id, month, document from control.stripe_statements
    where made_at > :since and document like '%"kind":"adjustment"%' order by month, organization_id
    """
)
_ERASED = text(
    """
    select c.organization_id, c.customer_id from control.stripe_customers c
    join control.organizations o on o.id = c.organization_id
    where o.erased_at is not null and c.customer_id is not null and not exists (
        select from control.stripe_commands f where f.organization_id = c.organization_id and f.kind = 'forget')
    order by 1
    """
)
_FINAL = text(
    """
    select i.organization_id, i.app_id, i.invoice_id, i.lines, i.period_begin, b.month, b.cut
    from control.stripe_invoices i
    join control.billing_months b on b.organization_id = i.organization_id
        and b.month = to_char(i.period_begin at time zone 'UTC', 'YYYY-MM')
    where i.status in ('open', 'paid', 'uncollectible') and i.reason = 'subscription_cycle' and i.app_id is not null
        and i.finalized_at > :oldest and (i.finalized_at > :since or exists (
            select from control.stripe_meter_events e
            where e.app_id = i.app_id and e.month = b.month and e.settled_at > :since))
    order by i.created_at, i.invoice_id
    """
)


_log = get_logger(__name__)


class Settler:
    """Writes commands; calls nobody."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def step(self) -> int:
        """One round; returns how many commands were written."""
        asked = 0
        async with self._deps.database.unit_of_work(read_only=True) as uow:
            known = await every_seen(uow.session)
        for each in known:
            if each.live:
                try:
                    async with self._deps.database.unit_of_work() as uow:
                        asked += await _follow_terms(system_context(self._deps, uow, actor=SYSTEM), each)
                except Exception:
                    # One app's trouble, such as terms that Stripe cannot have, must not hold up the others.
                    _log.exception("stripe.settle_failed", appId=format_id("app", each.app_id))
        async with self._deps.database.unit_of_work() as uow:
            ctx = system_context(self._deps, uow, actor=SYSTEM)
            asked += await _erased(ctx)
            asked += await _credits(ctx)
            asked += await _coupons(ctx)
            asked += await _drafts(ctx)
            asked += await _adjustments(ctx)
            asked += await _short(ctx)
        return asked


async def usage_complete(
    session: AsyncSession, organization_id: UUID, app_id: UUID, month: str, *, now: datetime
) -> bool:
    """Whether the month is closed and Stripe has all of its usage, as the cut says."""
    if await session.scalar(_CUT, {"organization": organization_id, "month": month}) is None:
        return False
    grown = await month_packs(session, organization_id, app_id, month, before=now)
    for meter, hours in grown.items():
        found = await sums(session, app_id, meter, month)
        if found.open or found.accepted + found.adjusted != sum(hours.values()):
            return False
    return True


async def _follow_terms(ctx: Context, known: Seen) -> int:
    facts = await load(ctx.session, known.app_id)
    held = newest(facts, ctx.now)
    organization, app = known.organization_id, known.app_id
    if ("plan", ENDED) in held:
        return await _asked(ctx, organization, app, "end", {}, f"{known.subscription_id}")
    base = held.get(("plan", ""))
    if base is None or (base.value["plan"], base.value["version"]) != (known.plan, known.version):
        # The plan is on its way here, or from here: items follow once both agree.
        return 0
    wanted = await agreed_items(ctx.session, app, known.slot, now=ctx.now, plan=(known.plan or "", known.version or 0))
    if wanted is None or not differs(known, wanted):
        return 0
    begun = max((fact for fact in facts if fact.began_at <= ctx.now), key=lambda fact: (fact.began_at, fact.id))
    # Priced from when it was agreed on, as our own statement does.
    at = max(begun.began_at, known.period_begin or begun.began_at)
    keys = sorted(f"{each.price.key} {each.quantity}" for each in wanted)
    digest = hashlib.sha256("\n".join(keys).encode()).hexdigest()[:16]
    subject = f"{known.subscription_id} {begun.id} {month_of(ctx.now)} {digest}"
    return await _asked(ctx, organization, app, "items", {"at": seconds(at)}, subject)


async def _erased(ctx: Context) -> int:
    asked = 0
    for row in (await ctx.session.execute(_ERASED)).all():
        asked += await _asked(ctx, row.organization_id, None, "forget", {}, row.customer_id)
    return asked


async def _credits(ctx: Context) -> int:
    asked = 0
    for row in (await ctx.session.execute(_GRANTS, {"now": ctx.now})).all():
        params = {"amount": row.balance, "text": row.reason}
        asked += await _asked(ctx, row.organization_id, None, "credit", params, f"cred {row.id}")
    return asked


async def _coupons(ctx: Context) -> int:
    asked, catalog = 0, load_catalog()
    for row in (await ctx.session.execute(_REDEEMED)).all():
        coupon = catalog.coupon(row.code)
        begin, _ = month_bounds(row.first_month)
        months = (ctx.now.astimezone(UTC).year - begin.year) * 12 + ctx.now.astimezone(UTC).month - begin.month
        if 0 <= months < coupon.months:
            params = {"code": row.code}
            subject = f"{row.code} {row.subscription_id}"
            asked += await _asked(ctx, row.organization_id, row.app_id, "coupon", params, subject)
    return asked


async def _drafts(ctx: Context) -> int:
    asked = 0
    for row in (await ctx.session.execute(_DRAFTS)).all():
        month = month_of(row.period_begin)
        if await usage_complete(ctx.session, row.organization_id, row.app_id, month, now=ctx.now):
            asked += await _asked(ctx, row.organization_id, row.app_id, "finalize", {}, row.invoice_id)
    return asked


async def _adjustments(ctx: Context) -> int:
    """What arrived after a month's cut, as our statement of the next month prices it."""
    asked = 0
    for row in (await ctx.session.execute(_STATEMENTS, {"since": ctx.now - LOOK_BACK})).all():
        for place, line in enumerate(decode(row.document).lines, 1):
            if line.kind == "adjustment" and line.amount:
                params = _item(line.amount, describe(line), line)
                app = parse_id("app", line.app.id)
                subject = f"statement {row.month} {place}"
                asked += await _asked(ctx, row.organization_id, app, "adjust", params, subject)
    return asked


async def _short(ctx: Context) -> int:
    """An invoice that was final before Stripe had all of its month's usage, because we were away for days or because
    that was too old: the difference that it makes is an item on the next one."""
    asked, catalog = 0, load_catalog()
    sizes = pack_sizes(catalog)
    lately = {"since": ctx.now - SHORT, "oldest": ctx.now - LOOK_BACK}
    for row in (await ctx.session.execute(_FINAL, lately)).all():
        begin, end = month_bounds(row.month)
        terms = in_force(await load(ctx.session, row.app_id), end - timedelta(microseconds=1), catalog)
        if terms is None:
            continue
        used = await count(ctx.session, row.app_id, row.month, cut=row.cut)
        for meter in METERS:
            over, included = terms.meters[meter].overage, terms.meters[meter].included
            lines = [line for line in row.lines if line["meter"] == meter and line["month"] == row.month]
            billed = sum(line["quantity"] or 0 for line in lines)
            if over is None or not lines or billed == packs(used[meter], sizes[meter]):
                continue
            charged = overage(billed * sizes[meter], included, over.price, over.per)
            amount = overage(used[meter], included, over.price, over.per) - charged
            if amount:
                words = f"{WORDS[meter]} of {begin:%B %Y}, received late"
                params = {"amount": amount, "text": words, "begin": seconds(begin), "end": seconds(end)}
                subject = f"short {format_id('app', row.app_id)} {meter} {row.month}"
                asked += await _asked(ctx, row.organization_id, row.app_id, "adjust", params, subject)
    return asked


def _item(amount: int, words: str, line: DocumentLine) -> dict[str, object]:
    begin, end = datetime.fromisoformat(line.begin), datetime.fromisoformat(line.end)
    return {"amount": amount, "text": words, "begin": seconds(begin), "end": seconds(end)}


async def _asked(
    ctx: Context, organization_id: UUID, app_id: UUID | None, kind: str, params: dict[str, object], subject: str
) -> int:
    return await ask(ctx, organization_id, app_id, kind, params, subject=subject) is not None
