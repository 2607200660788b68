"""`natter billing …`: what only operators do."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import click

from ops.cli.management import management


@click.group()
def billing() -> None:
    """Plans, credits, overrides, invoices: what customers cannot do for themselves."""


@billing.command()
@click.option("--app", "app_id", required=True, help="app_…")
@click.option("--plan", required=True)
@click.option("--at-once", is_flag=True, help="Also a smaller plan.")
def plan(app_id: str, plan: str, at_once: bool) -> None:
    """Put an app on the newest version of a plan, one by contract too."""

    async def change(ctx: Any) -> datetime:
        from billing.terms.service import change_plan
        from kernel.ids import parse_id

        own = parse_id("app", app_id, field="app")
        return await change_plan(ctx, own, plan, by_customer=False, at_once=at_once)

    begins = asyncio.run(_change(change))
    click.echo(f"{app_id} is on {plan} from {begins:%Y-%m-%d %H:%M} UTC on.")


@billing.command()
@click.option("--app", "app_id", required=True, help="app_…")
@click.option("--path", required=True, help="price, mau.included, messages.over, messages.overage, feature.guests …")
@click.option("--value", required=True, help="JSON; null takes the override away.")
@click.option("--reason", required=True, help="The customer sees it in the audit log.")
def override(app_id: str, path: str, value: str, reason: str) -> None:
    """Let something hold for one app that its plan does not say."""
    try:
        decoded = json.loads(value)
    except ValueError as error:
        raise click.BadParameter("it is not JSON", param_hint="--value") from error

    async def change(ctx: Any) -> None:
        from billing.terms.service import set_override
        from kernel.ids import parse_id

        await set_override(ctx, parse_id("app", app_id, field="app"), path, decoded, reason=reason)

    asyncio.run(_change(change))
    click.echo(f"{app_id}: {path} is {value} from now on.")


@billing.command()
@click.option("--organization", required=True, help="org_…")
@click.option("--amount", required=True, type=int, help="Minor units: cents.")
@click.option("--reason", required=True, help="The customer sees it.")
@click.option("--expires", type=click.DateTime(["%Y-%m-%d"]), help="The first day, UTC, on which it is gone.")
@click.option("--priority", default=0, show_default=True, type=int, help="Lower is drawn on first.")
def credit(organization: str, amount: int, reason: str, expires: datetime | None, priority: int) -> None:
    """Give an organization credit."""

    async def change(ctx: Any) -> Any:
        from billing.credits import grant_credit
        from kernel.ids import format_id, parse_id

        own = parse_id("org", organization, field="organization")
        ends = expires.replace(tzinfo=UTC) if expires is not None else None
        made = await grant_credit(ctx, own, amount, reason=reason, expires_at=ends, priority=priority)
        return format_id("cred", made)

    click.echo(asyncio.run(_change(change)))


@billing.command()
@click.option("--app", "app_id", required=True, help="app_…")
@click.option("--since", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), help="UTC; now unless it is given.")
def unpaid(app_id: str, since: datetime | None) -> None:
    """Say that a bill of an app is unpaid: its grace begins, then the steps of the ladder (docs/dunning.md).

    For installations without a payment provider; where there is one, it says so itself.
    """
    click.echo(asyncio.run(_change(lambda ctx: _observe(ctx, app_id, since.replace(tzinfo=UTC) if since else ctx.now))))


@billing.command()
@click.option("--app", "app_id", required=True, help="app_…")
def paid(app_id: str) -> None:
    """Say that nothing of an app's bill is unpaid: whatever was withheld comes back at once."""
    click.echo(asyncio.run(_change(lambda ctx: _observe(ctx, app_id, None))))


async def _observe(ctx: Any, app_id: str, unpaid_since: datetime | None) -> str:
    from billing.dunning import observe
    from kernel.ids import parse_id

    state = await observe(ctx, parse_id("app", app_id, field="app"), unpaid_since)
    return f"{app_id}: {state.replace('_', ' ')}."


@billing.command()
def close() -> None:
    """Close the months that are over, as the worker does an hour after their end."""

    async def run() -> int:
        from billing.invoices.closing import Closer

        async with management() as deps:
            return await Closer(deps).step()

    click.echo(f"{asyncio.run(run())} closed.")


@billing.command()
@click.argument("number", type=int, required=False)
def verify(number: int | None) -> None:
    """Make invoices again from the ledger by their cuts, one or all, and compare bytes. Fails on a difference."""
    checked, wrong = asyncio.run(_verify(number))
    for each in wrong:
        click.echo(f"Invoice {each} is not what the ledger says, or was changed.", err=True)
    click.echo(f"{checked - len(wrong)} of {checked} invoices are intact.")
    if wrong:
        sys.exit(1)


@billing.command()
def sync() -> None:
    """Make products, prices, meters and coupons in Stripe as the plan file says. Running it again changes nothing."""

    async def run() -> dict[str, int]:
        async with _stripe() as worker:
            return dict(await worker.prices.sync())

    found = asyncio.run(run())
    click.echo(f"{found['prices']} prices on offer: {found['made']} made, {found['archived']} not sold any more.")


@billing.command()
@click.option("--json", "as_json", is_flag=True, help="One document with every comparison.")
def reconcile(as_json: bool) -> None:
    """Hold ledger, Stripe's meters and invoices against each other. Fails on a difference."""

    async def run() -> list[Any]:
        async with _stripe() as worker:
            return list(await worker.reconcile())

    checks = asyncio.run(run())
    wrong = [check for check in checks if not check.agrees]
    if as_json:
        document = {"checks": [check.as_dict() for check in checks], "compared": len(checks), "differences": len(wrong)}
        click.echo(json.dumps(document, indent=2, default=str))
    else:
        for check in wrong:
            found = check.as_dict()
            click.echo(
                f"{found['app_id']} {check.month} {check.what}: ledger {check.ledger}, Stripe {check.stripe}, "
                f"invoice {check.invoice}",
                err=True,
            )
        click.echo(f"{len(checks) - len(wrong)} of {len(checks)} comparisons agree.")
    if wrong:
        sys.exit(1)


@asynccontextmanager
async def _stripe() -> AsyncIterator[Any]:
    async with management() as deps:
        if deps.settings.billing != "stripe":
            raise click.ClickException("NATTER_BILLING is not stripe: there is nothing to do.")
        from billing.provider.stripe.worker import StripeWorker

        worker = StripeWorker(deps)
        try:
            yield worker
        finally:
            await worker.close()


async def _verify(number: int | None) -> tuple[int, list[int]]:
    from sqlalchemy import text

    from billing.invoices.reads import intact, recompute_invoice

    async with management() as deps:
        async with deps.database.unit_of_work(read_only=True) as uow:
            last = await uow.session.scalar(text("select last from control.invoice_counter"))
        numbers = [number] if number is not None else list(range(1, (last or 0) + 1))
        wrong = []
        for each in numbers:
            async with deps.database.unit_of_work(read_only=True) as uow:
                if not intact(*await recompute_invoice(uow.session, each)):
                    wrong.append(each)
        return len(numbers), wrong


async def _change(use_case: Any) -> Any:
    from control_plane.context import Actor

    async with management() as deps, deps.change(Actor("operator:cli")) as context:
        return await use_case(context)
