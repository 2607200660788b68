"""What customers go through with a real installation: from `natter up` to the first message that is counted, and from
a sign-up to the invoice with what was used beyond the plan."""

import asyncio
import base64
import csv
import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from playwright.async_api import Browser, Locator, Page, expect

from billing.invoices.closing import Closer
from billing.tenants import open_tenant
from billing.terms.service import set_override
from billing.usage.periods import month_bounds
from billing.usage.spend import spend
from control_plane.accounts import totp
from control_plane.context import Actor, Deps
from control_plane.tenants import NewApp, NewTenant
from kernel.clock import ManualClock, month_of
from kernel.db import Database
from kernel.ids import parse_id
from kernel.security.vault import Vault
from natter import AsyncNatter, Retry
from natter.errors import AppReadOnly, QuotaExceeded, RateLimited, Unauthenticated
from ops.cli import cli
from ops.installation import installed_settings
from ops.outbox import make_outbox_link
from ops.ports import free_port, is_free
from tests.engines import reachable_folder
from tests.portal.browser import Watch, sign_in
from tests.portal.harness import PASSWORD
from tests.portal.till import open_till

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(240)]

WITHIN = 120.0
"""Seconds of waiting and clicking; nobody types or reads as fast as this test, so it must stay far below."""
INCLUDED = 20
"""Messages that the plan includes by an operator's override: so few that people can send more."""
ONCE = Retry(attempts=1)
"""What is refused is to be seen."""
SHOTS = os.environ.get("NATTER_TEST_WALK_SHOTS")
"""A folder for pictures of the way."""


@pytest.fixture(scope="module")
def up() -> Iterator[dict[str, Any]]:
    """What `natter up --json` said once it was ready."""
    folder = reachable_folder()
    base = free_port(highest=21_000)
    while not is_free(base + 100):
        base = free_port(highest=21_000)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NATTER_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "ops.cli", "up", "--json", "--nodes", "2", "--port-base", str(base)],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=(folder / "said").open("w"),
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, (folder / "said").read_text()
    ready = json.loads(line)
    yield ready
    process.send_signal(signal.SIGINT)
    process.wait(60)


async def test_a_newcomer_sees_two_users_chat_and_finds_it_counted(browser: Browser, up: dict[str, Any]) -> None:
    context = await browser.new_context(base_url=up["portal_url"], viewport={"width": 1280, "height": 800})
    context.set_default_timeout(20_000)
    page = await context.new_page()
    watch = Watch(page)
    began = time.monotonic()

    await page.goto("/")
    await page.get_by_role("link", name="Sign up").first.click()
    await _sign_up(page, "Ada Lovelace", "ada@example.com")
    await _shoot(page, "1-check-mail")
    await page.goto(up["outbox_url"])
    await page.get_by_role("button", name="Open outbox").click()
    await _follow_mail(page, "Confirm your address", "ada@example.com", "verify")
    await page.get_by_role("button", name="Confirm address").click()

    await page.get_by_label("Organization").fill("Analytical Engines")
    await page.get_by_label("App", exact=True).fill("Support chat")
    await _shoot(page, "2-welcome")
    await page.get_by_role("button", name="Create app").click()
    await expect(page.get_by_role("heading", name="Quickstart")).to_be_visible()
    text = await page.locator("main").inner_text()
    assert re.search(r"\bsk_[0-9a-z]{39}\b", text), "the secret key is shown, once, in the code"
    assert re.search(r"\bpk_[0-9a-z]{39}\b", text)
    await _shoot(page, "3-quickstart")

    await page.get_by_role("link", name="Open live demo").click()
    ada, grace = (
        page.locator("section.pane[data-user='demo-ada']"),
        page.locator("section.pane[data-user='demo-grace']"),
    )
    for number, (pane, other) in enumerate([(ada, grace), (grace, ada), (ada, grace)]):
        words = f"Message number {number + 1}"
        await pane.get_by_role("textbox").fill(words)
        await pane.get_by_role("textbox").press("Enter")
        await expect(other.get_by_text(words)).to_be_visible()
    await _shoot(page, "4-demo")

    await _until_usage_says(page, "Messages", 3)
    await _until_usage_says(page, "Active users", 2)
    await _shoot(page, "5-usage")
    took = time.monotonic() - began
    watch.check()
    await context.close()
    print(f"from the first page to the counted messages: {took:.1f} s")
    assert took < WITHIN


@dataclass
class Behind:
    """The installation as its operator has it, beside the pages."""

    deps: Deps
    nodes: list[str]

    async def natter(self, *command: str) -> str:
        """A command of `natter` in the installation's folder, which must succeed; what it printed."""
        ran = await asyncio.to_thread(CliRunner().invoke, cli, command)
        assert ran.exit_code == 0, ran.output
        return ran.output

    async def invoice_of_this_month(self) -> None:
        """Close the month as the worker does, when it is over: this closer's clock is that far."""
        _, end = month_bounds(month_of(self.deps.clock.now()))
        closer = Closer(dataclasses.replace(self.deps, clock=ManualClock(end + timedelta(hours=2))))
        assert await closer.step() > 0

    async def tenant(self, name: str) -> NewTenant:
        async with self.deps.change(Actor("operator:cli")) as ctx:
            return await open_tenant(ctx, email=f"{name}@example.com", organization=name, app=name)

    async def until_used(self, tenant: NewTenant | NewApp, meter: str, quantity: int) -> None:
        """Until the spend guard shows that much."""
        app_id = tenant.app.id if isinstance(tenant, NewApp) else parse_id("app", tenant.app_id)
        deadline = time.monotonic() + 10
        while True:
            async with self.deps.database.unit_of_work(read_only=True) as uow:
                found = await spend(uow.session, app_id, now=self.deps.clock.now())
            assert found is not None
            if found.used.get(meter, 0) == quantity:
                return
            assert time.monotonic() < deadline, f"{meter}: {found.used} instead of {quantity}"
            await asyncio.sleep(0.1)


@pytest.fixture(scope="module")
async def behind(up: dict[str, Any]) -> AsyncIterator[Behind]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NATTER_DATA_DIR", up["data_dir"])
        settings = installed_settings()
        deps = Deps(
            settings=settings,
            database=Database(settings.database_url, role="natter_control", pool_size=2),
            portal_database=Database(settings.database_url, role="natter_portal", pool_size=2),
            vault=Vault(settings.master_key),
        )
        yield Behind(deps, [node["url"] for node in up["nodes"]])
        await deps.close()


async def test_a_customer_goes_beyond_a_limit_and_follows_the_invoice_to_its_rows(
    browser: Browser, up: dict[str, Any], behind: Behind
) -> None:
    began = time.monotonic()
    context, other = [
        await browser.new_context(base_url=up["portal_url"], viewport={"width": 1280, "height": 800}) for _ in range(2)
    ]
    outbox = await (await browser.new_context(base_url=up["portal_url"])).new_page()
    page, colleague = await context.new_page(), await other.new_page()
    watches = [Watch(one) for one in (page, colleague, outbox)]
    for one in (page, colleague, outbox):
        one.set_default_timeout(20_000)
    await outbox.goto(await make_outbox_link(behind.deps.settings))
    await outbox.get_by_role("button", name="Open outbox").click()

    # Sign up, and two steps from now on.
    await page.goto("/sign-up")
    await _sign_up(page, "Charles Babbage", "charles@example.com")
    await page.goto(await _link(outbox, "Confirm your address", "charles@example.com"))
    await page.get_by_role("button", name="Confirm address").click()
    await expect(page.get_by_role("heading", name="Welcome, Charles")).to_be_visible()
    await page.goto("/account/security")
    await page.get_by_role("button", name="Set up").click()
    secret = (await page.locator(".code.line pre").first.inner_text()).strip()
    await _shoot(page, "walk-01-two-step")
    step = totp.step_of(behind.deps.clock.now())
    await page.get_by_label("Enter the code").fill(_code(secret, step))
    await page.get_by_role("button", name="Turn on").click()
    await expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    await _shoot(page, "walk-02-recovery-codes")
    await page.get_by_role("link", name="I have stored them").click()
    await expect(page.get_by_text("10 of 10 left")).to_be_visible()
    await _shoot(page, "walk-03-security")
    await context.clear_cookies()
    await page.goto("/sign-in")
    await page.get_by_label("E-mail").fill("charles@example.com")
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    # The next code: the last one works no second time.
    await page.get_by_label("Code").fill(_code(secret, step + 1))
    await _shoot(page, "walk-04-sign-in-code")
    await page.get_by_role("button", name="Sign in").click()

    # An organization with a colleague, and an app on a plan.
    await page.get_by_label("Organization").fill("Difference Engines")
    await page.get_by_label("App", exact=True).fill("Marketplace")
    await page.get_by_role("button", name="Create app").click()
    await expect(page.get_by_role("heading", name="Quickstart")).to_be_visible()
    found = re.search(r"\bsk_[0-9a-z]{39}\b", await page.locator("main").inner_text())
    assert found is not None
    await page.get_by_role("link", name="Members", exact=True).first.click()
    await page.get_by_role("link", name="Invite member").click()
    await page.get_by_label("E-mail").fill("georg@example.com")
    await page.get_by_text("Billing", exact=True).last.click()
    await _shoot(page, "walk-05-invite")
    await page.get_by_role("button", name="Send invitation").click()
    await expect(page.get_by_role("heading", name="Pending invitations")).to_be_visible()
    await colleague.goto(await _link(outbox, "invites you", "georg@example.com"))
    await _shoot(colleague, "walk-06-invitation")
    await colleague.get_by_role("link", name="Sign up with this address").click()
    await _sign_up(colleague, "Georg Scheutz", "georg@example.com")
    await colleague.goto(await _link(outbox, "Confirm your address", "georg@example.com"))
    await colleague.get_by_role("button", name="Confirm address").click()
    await colleague.get_by_role("button", name="Accept invitation").click()
    await expect(colleague.get_by_text("You are a member now.")).to_be_visible()
    await _shoot(colleague, "walk-07-colleague")
    await page.reload()
    await expect(page.get_by_text("Georg Scheutz")).to_be_visible()
    await _shoot(page, "walk-08-members")

    organization = re.search(r"org_[0-9a-z]+", page.url)
    assert organization is not None
    await page.goto(f"/organizations/{organization[0]}")
    await page.locator("main").get_by_role("link", name="Marketplace").click()
    await page.wait_for_url(re.compile("/apps/app_"))
    app = re.search(r"app_[0-9a-z]+", page.url)
    assert app is not None
    await page.get_by_role("link", name="Plan", exact=True).first.click()
    await page.get_by_role("link", name="Change to Starter").click()
    await _shoot(page, "walk-09-change-plan")
    await page.get_by_role("button", name="Change to Starter").click()
    await expect(page.get_by_role("heading", name="Starter, version 1")).to_be_visible()
    for path, value in (("messages.included", f"{INCLUDED}"), ("messages.overage", '{"price": 10, "per": 1}')):
        terms = ("--app", app[0], "--path", path, "--value", value, "--reason", "Pilot")
        await behind.natter("billing", "override", *terms)
    await page.reload()
    await expect(page.get_by_text("0.10 USD for every message")).to_be_visible()
    await _shoot(page, "walk-10-plan")
    await page.get_by_role("link", name="Spend guard", exact=True).first.click()
    # The plan's share of the month depends on the day; the budget is one dollar more, which is ten messages.
    so_far = page.locator(".stat", has=page.get_by_text("So far", exact=True)).locator("dd").first
    budget = f"{Decimal((await so_far.inner_text()).split()[0].replace(',', '')) + 1:.2f}"
    await page.get_by_label("Budget a month").fill(budget)
    await page.get_by_label("Once it is spent").select_option(label="Slow down, and go on billing")
    await page.get_by_role("button", name="Save budget").click()
    await expect(page.get_by_text(f"of a budget of {budget} USD")).to_be_visible()

    # People chat: beyond what the plan includes, and beyond the budget.
    async with AsyncNatter(found[0], url=behind.nodes[0], retry=ONCE) as natter:
        await natter.users.upsert([{"id": "buyer"}, {"id": "seller"}])
        await natter.channels.create(id="deal", members=["buyer", "seller"])
        for number in range(INCLUDED + 10):
            await natter.messages.send("deal", text=f"{number} shillings?", user_id=("buyer", "seller")[number % 2])
        sent = INCLUDED + 10
        await _until_mail(outbox, "Marketplace: 100 % of the monthly budget used", "charles@example.com")
        await _until_mail(outbox, "Marketplace: 100 % of the messages used", "georg@example.com")
        told = outbox.locator("tr").filter(has_text=re.compile("100 % of the (monthly budget|messages) used"))
        await expect(told).to_have_count(4)  # two limits, two who look after billing, once each
        await _shoot(outbox, "walk-11-outbox")
        await outbox.get_by_role("link", name="100 % of the monthly budget used").first.click()
        await expect(outbox.frame_locator("iframe.mail").get_by_text("Marketplace").first).to_be_visible()
        await _shoot(outbox, "walk-12-alert")

        async def until_throttled() -> int:
            done = 0
            while True:
                try:
                    await natter.messages.send("deal", text="Going once", user_id="buyer")
                except RateLimited:
                    return done
                done += 1
                assert done < 600

        sent += sum(await asyncio.gather(*(until_throttled() for _ in range(8))))
        await page.reload()
        await expect(page.get_by_text(re.compile("The budget of .* is spent"))).to_be_visible()
        await _shoot(page, "walk-13-throttled", small=True)
        await page.goto(f"/apps/{app[0]}/usage")
        await _shoot(page, "walk-14-usage")
        await page.goto(f"/apps/{app[0]}")
        await expect(page.get_by_text("The app is served more slowly")).to_be_visible()
        await _shoot(page, "walk-15-overview", small=True)
        await page.goto(f"/apps/{app[0]}/spend")
        await page.get_by_label("Budget a month").fill("1000")
        await page.get_by_role("button", name="Save budget").click()
        await expect(page.get_by_text("of a budget of 1,000.00 USD")).to_be_visible()
        await _shoot(page, "walk-16-raised")
        assert not await page.get_by_text(re.compile("The budget of .* is spent")).count()
        deadline, row = time.monotonic() + 10, 0
        while row < 100:  # as many at once as a throttled app may not send
            assert time.monotonic() < deadline, "the app is still slow"
            try:
                await natter.messages.send("deal", text="Sold", user_id="seller")
            except RateLimited:
                row = 0
                await asyncio.sleep(0.1)
            else:
                row, sent = row + 1, sent + 1

    # The month ends. Its invoice leads to the rows that it rests on.
    await _until_usage_says(page, "Messages", sent)
    await expect(page.get_by_text("0.10 USD for every message.")).to_be_visible()
    await _shoot(page, "walk-17-usage")
    await behind.invoice_of_this_month()
    await page.get_by_role("link", name="Billing", exact=True).first.click()
    await _shoot(page, "walk-18-billing")
    await page.locator("section", has=page.get_by_role("heading", name="Invoices")).locator("a.row-link").click()
    charged = f"{(sent - INCLUDED) / 10:,.2f}"
    line = page.locator("table.invoice-lines tr", has=page.get_by_role("link", name=re.compile("[Mm]essages")))
    await expect(line.get_by_text(charged)).to_be_visible()
    await _shoot(page, "walk-19-invoice", small=True)
    await line.get_by_role("link").click()
    await expect(page.get_by_role("heading", name="Rows of the ledger")).to_be_visible()
    await _shoot(page, "walk-20-line")
    async with page.expect_download() as downloading:
        await page.get_by_role("link", name="All rows as CSV").click()
    rows = list(csv.DictReader((await (await downloading.value).path()).open()))
    assert sum(int(one["quantity"]) for one in rows) == sent
    await outbox.goto("/outbox")
    await outbox.get_by_role("link", name=re.compile("^Invoice ")).first.click()
    await _shoot(outbox, "walk-21-invoice-mail")

    # Who did what, to be kept, and proofs that all of it fits together.
    await page.get_by_role("link", name="Audit log", exact=True).first.click()
    await page.get_by_role("link", name="Check the log").click()
    await expect(page.get_by_text("The log is whole.")).to_be_visible()
    await _shoot(page, "walk-22-audit", small=True)
    async with page.expect_download() as downloading:
        await page.get_by_role("button", name="Export").click()
    entries = [json.loads(one) for one in (await (await downloading.value).path()).open()]
    done = [one["action"] for one in entries]
    assert done[:2] == ["organization.created", "app.created"]
    assert done.count("app.budget_changed") == 2
    assert done[-2:] == ["invoice.finalized", "audit.exported"]
    assert "All counts agree." in await behind.natter("usage", "recompute", "--app", app[0])
    assert "BROKEN" not in await behind.natter("audit", "verify")
    assert "1 of 1 invoices" in await behind.natter("billing", "verify")
    for watch in watches:
        watch.check()
    for each in (context, other, outbox.context):
        await each.close()
    print(f"from the sign-up to the proofs: {time.monotonic() - began:.1f} s")


async def test_a_customer_pays_falls_behind_and_is_back_within_seconds_of_paying(
    browser: Browser, behind: Behind
) -> None:
    """On the simulator, whose clock and cards this test moves; the nodes and their traffic are real."""
    async with open_till(behind.deps, free_port()) as till:
        portal, simulator = till.portal, till.simulator
        ada = await portal.account("ada@payer.example")
        member = await portal.organization(ada, "Payer Engines")
        made = await portal.app_of(member, "Paid chat")
        app_id, app, base = (
            made.app.id,
            f"/apps/{made.app.public_id}",
            f"/organizations/{member.public_organization_id}",
        )
        async with portal.deps.change(Actor("operator:cli")) as ctx:
            await set_override(ctx, app_id, "mau.included", 2, reason="Pilot")
            await set_override(ctx, app_id, "mau.overage", {"price": 200, "per": 1}, reason="Pilot")
        context = await browser.new_context(base_url=portal.url, viewport={"width": 1280, "height": 800})
        page = await context.new_page()
        page.set_default_timeout(15_000)
        watch = Watch(page)
        await sign_in(context, portal, ada)

        # Choose a plan, pay for it on Checkout, come back.
        await page.goto(f"{app}/plan")
        await _shoot(page, "pay-01-plan")
        await page.get_by_role("link", name="Change to Starter").click()
        await expect(page.get_by_role("heading", name="Charged now")).to_be_visible()
        due = (await page.locator(".billing-sum b").inner_text()).split()[0]
        await _shoot(page, "pay-02-preview", small=True)
        await page.get_by_role("button", name="Continue to payment").click()
        await page.wait_for_url(re.compile(re.escape(simulator.url)))
        await _shoot(page, "pay-03-checkout")
        if await page.get_by_label("E-mail").count():
            await page.get_by_label("E-mail").fill("ada@payer.example")
        await page.get_by_role("button", name="Subscribe").click()
        await expect(page.get_by_text("Waiting for the payment")).to_be_visible()
        await _shoot(page, "pay-04-waiting")

        await till.until("stripe_subscriptions", app_id, "active", column="status")
        await expect(page.get_by_text("Thank you, it is paid")).to_be_visible()
        await _shoot(page, "pay-05-paid")
        await page.get_by_role("link", name="See the plan").click()
        await expect(page.get_by_role("heading", name="Starter, version 1")).to_be_visible()
        await page.goto(f"{base}/billing")
        await expect(
            page.locator("section", has=page.get_by_role("heading", name="Bills")).get_by_text(due)
        ).to_be_visible()
        await _shoot(page, "pay-06-billing", small=True)

        # More people chat than the plan includes.
        assert made.secret_key is not None
        async with AsyncNatter(made.secret_key, url=behind.nodes[0], retry=ONCE) as natter:
            await _until_known(natter)
            people = [f"user{number}" for number in range(6)]
            await natter.users.upsert([{"id": each} for each in people])
            await natter.channels.create(id="den", members=people)
            for each in people:
                await natter.messages.send("den", text="Hello", user_id=each)
            await behind.until_used(made, "mau", 6)

            # The month ends, and the card does not work any more.
            simulator.decline("card_declined")
            _, end = month_bounds(month_of(portal.clock.now()))
            till.move(end - portal.clock.now() + timedelta(minutes=2))
            for _ in range(3):
                await till.round()  # the draft is held until all that was used is with Stripe
            till.move(timedelta(minutes=65))
            for _ in range(6):
                await till.round()  # the month is closed and its bill final; an hour later the card is charged
            till.move(timedelta(minutes=60))

            await till.until("dunning", app_id, "past_due")
            await natter.messages.send("den", text="Everything works", user_id="user1")
            await sign_in(context, portal, await portal.sign_in("ada@payer.example"))
            await page.goto(app)
            await expect(page.get_by_text("A payment is overdue")).to_be_visible()
            await _shoot(page, "pay-07-past-due", small=True)
            await page.goto(f"{base}/billing")
            await page.locator("tr", has=page.get_by_text("Due", exact=True)).get_by_role("link").click()
            line = page.locator("table.invoice-lines tr", has=page.get_by_role("link"))
            await expect(line.filter(has_text="8.00")).to_have_count(1)  # four more people, two dollars each
            await _shoot(page, "pay-08-bill", small=True)
            await line.filter(has_text="8.00").get_by_role("link").click()
            await expect(page.get_by_role("heading", name="Rows of the ledger")).to_be_visible()
            await _shoot(page, "pay-09-rows")

            # Two weeks later nothing can be sent any more, on the real nodes, and everything can be read.
            till.move(timedelta(days=14))
            began = time.monotonic()
            await till.round()
            await _until_refused(natter)
            print(f"read-only on the nodes after {time.monotonic() - began:.2f} s")
            assert len((await natter.messages.list("den")).messages) == 7
            await sign_in(context, portal, await portal.sign_in("ada@payer.example"))
            await page.goto(f"{app}/plan")
            await expect(page.get_by_text("Read-only: a bill is unpaid")).to_be_visible()
            await _shoot(page, "pay-10-read-only", small=True)

            # Pay; it works again within seconds.
            simulator.decline(None)
            await page.get_by_role("link", name="Pay now").click()
            await page.wait_for_url(re.compile(re.escape(simulator.url)))
            await _shoot(page, "pay-11-pay")
            await page.get_by_role("button", name=re.compile("^Pay ")).click()
            began = time.monotonic()
            await till.round()
            await _until_sent(natter)
            took = time.monotonic() - began
            print(f"sending again {took:.2f} s after the payment")
            assert took < 10
        await page.goto(app)
        await expect(page.get_by_role("heading", name="Paid chat")).to_be_visible()
        assert not await page.get_by_text("is unpaid since").count()
        await _shoot(page, "pay-12-restored")
        subjects = [letter.subject for letter in await portal.letters("ada@payer.example")][::-1]
        wanted = ["A payment for Paid chat is overdue", "Paid chat is read-only", "Paid chat is paid for again"]
        assert [each for each in subjects if each in wanted] == wanted
        watch.check()
        await context.close()


async def _until_refused(natter: AsyncNatter) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            await natter.channels.update("den", name="Den")
        except AppReadOnly:
            return
        assert time.monotonic() < deadline, "nodes still let write"
        await asyncio.sleep(0.05)


async def _until_sent(natter: AsyncNatter) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            await natter.messages.send("den", text="Back", user_id="user1")
            return
        except AppReadOnly:
            assert time.monotonic() < deadline, "nodes still refuse"
            await asyncio.sleep(0.05)


async def test_a_limit_reaches_the_node_that_passed_it_and_the_others(behind: Behind) -> None:
    rounds = []
    for number in range(3):
        tenant = await behind.tenant(f"round{number}")
        await behind.natter(
            *("billing", "override", "--app", tenant.app_id, "--reason", "Test"),
            *("--path", "messages.included", "--value", f"{INCLUDED}"),
        )
        async with (
            AsyncNatter(tenant.secret_key, url=behind.nodes[0], retry=ONCE) as same,
            AsyncNatter(tenant.secret_key, url=behind.nodes[1], retry=ONCE) as far,
        ):
            await _until_known(same, far)
            await same.channels.create(id="den", members=["ann"])
            for _ in range(INCLUDED):
                await same.messages.send("den", text="Within", user_id="ann")
            passed = time.monotonic()

            async def until_refused(natter: AsyncNatter, passed: float = passed) -> tuple[float, int]:
                beyond = 0
                while True:
                    try:
                        await natter.messages.send("den", text="Beyond", user_id="ann")
                    except QuotaExceeded:
                        return time.monotonic() - passed, beyond
                    beyond += 1
                    assert time.monotonic() < passed + 10, "the node goes on for more than ten seconds"
                    await asyncio.sleep(0.02)

            outcome = await asyncio.gather(until_refused(same), until_refused(far))
        rounds.append(outcome)
        # What came through is told, to the message.
        await behind.until_used(tenant, "messages", INCLUDED + sum(beyond for _, beyond in outcome))
    for (here, some), (there, more) in rounds:
        print(f"same node {here:.2f} s ({some} messages beyond), other node {there:.2f} s ({more} beyond)")
    assert sorted(here for (here, _), _ in rounds)[1] <= 1.0, "the node that passed the limit went on"


async def _until_known(*clients: AsyncNatter) -> None:
    """Nodes hear of a new app within moments."""
    deadline = time.monotonic() + 10
    for natter in clients:
        while True:
            try:
                await natter.users.upsert([{"id": "ann"}])
                break
            except Unauthenticated:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)


def _code(secret: str, step: int) -> str:
    """What an authenticator app shows."""
    return totp.code_at(base64.b32decode(secret), step)


async def _sign_up(page: Page, name: str, email: str) -> None:
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("E-mail").fill(email)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Sign up").click()
    await expect(page.get_by_role("heading", name="Check your mail")).to_be_visible()


async def _until_mail(outbox: Page, subject: str, to: str) -> Locator:
    """The row of a mail in the outbox, once it is there."""
    deadline = time.monotonic() + 20
    while True:
        await outbox.goto("/outbox")
        row = outbox.locator("tr", has=outbox.get_by_text(to, exact=True)).filter(has_text=subject)
        if await row.count():
            return row.first
        there = await outbox.locator("td.main").all_inner_texts()
        assert time.monotonic() < deadline, f"no mail about {subject!r} to {to}, but {there}"
        await outbox.wait_for_timeout(250)


async def _follow_mail(page: Page, subject: str, to: str, link: str) -> None:
    row = await _until_mail(page, subject, to)
    await row.get_by_role("link").click()
    await page.get_by_role("link", name="Text").click()
    await page.get_by_role("link", name=re.compile(link)).click()


async def _link(outbox: Page, subject: str, to: str) -> str:
    """Where a mail leads to."""
    row = await _until_mail(outbox, subject, to)
    await row.get_by_role("link").click()
    await outbox.get_by_role("link", name="Text").click()
    href = await outbox.locator("pre.mail-text a[href^=http]").first.get_attribute("href")
    assert href is not None
    return href


async def _until_usage_says(page: Page, meter: str, value: int) -> None:
    """Usage arrives within seconds; a customer reloads."""
    deadline = time.monotonic() + 30
    while True:
        if "/usage" not in page.url:
            await page.get_by_role("link", name="Usage", exact=True).first.click()
        total = page.locator("section.meter", has=page.get_by_role("heading", name=meter)).locator(".meter-total")
        said = await total.inner_text()
        if said.split()[0] == f"{value:,}":
            return
        assert time.monotonic() < deadline, f"{meter}: {said!r} instead of {value}"
        await page.wait_for_timeout(500)
        await page.reload()


async def _shoot(page: Page, name: str, *, small: bool = False) -> None:
    """A picture as a customer at a desk sees it, and where asked for as one with a phone in the dark does."""
    if not SHOTS:
        return
    Path(SHOTS).mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)
    if small:
        await page.emulate_media(color_scheme="dark")
        await page.set_viewport_size({"width": 390, "height": 800})
        await page.screenshot(path=Path(SHOTS) / f"{name}-phone.png", full_page=True)
        await page.emulate_media(color_scheme="light")
        await page.set_viewport_size({"width": 1280, "height": 800})
