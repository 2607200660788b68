"""What the pictures show: people, organizations and the states that their pages can be in."""

from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

from playwright.async_api import Page, Route

from billing.coupons import redeem
from billing.credits import grant_credit
from billing.dunning import observe
from billing.invoices.closing import Closer
from billing.terms.service import change_plan, set_addon, set_budget, set_over, set_thresholds, start_trial
from billing.usage import ledger, rollup
from billing.usage.ledger import Entry
from billing.usage.periods import month_bounds
from billing.usage.quota import QuotaKeeper
from control_plane.accounts.addresses import request_change
from control_plane.accounts.client import Client
from control_plane.accounts.local import create_outbox_link, open_local
from control_plane.accounts.reset import request_reset
from control_plane.accounts.sign_in import sign_in
from control_plane.accounts.sign_up import sign_up
from control_plane.apps.service import rename_app, set_allowed_origins
from control_plane.context import Actor
from control_plane.keys.api_keys import create_publishable_key, create_secret_key
from control_plane.members.invitations import invite
from control_plane.members.scope import Member
from control_plane.organizations.closing import close_organization
from control_plane.organizations.details import Details, set_billing_details
from control_plane.organizations.ownership import offer_ownership
from control_plane.organizations.service import require_two_step
from kernel.clock import month_of
from kernel.ids import format_id
from tests.billing.planted import plant_dead_letter, plant_refused
from tests.portal.harness import CLIENT, PASSWORD, Portal, newcomer
from tests.portal.screens import Scene, Shot
from tests.portal.security import changed_address, two_step_on

PHONE = Client("2001:db8::7", "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1 Safari/605.1")
NAMES = (
    "Grace Hopper", "Alan Turing", "Katherine Johnson", "Edsger Dijkstra", "Barbara Liskov", "Tony Hoare",
    "Radia Perlman", "Donald Knuth", "Frances Allen", "John McCarthy", "Adele Goldberg", "Niklaus Wirth",
)  # fmt: skip
ROLES = ("admin", "developer", "developer", "billing", "viewer")


async def door(portal: Portal) -> list[Shot]:
    """Before somebody is signed in."""
    await portal.account("known@example.com")

    async def fill_badly(page: Page) -> None:
        await page.fill("[name=email]", "ada at example")
        await page.fill("[name=password]", "short")
        await page.click("main form button:not([type=button])")

    async def wrong_password(page: Page) -> None:
        await page.fill("[name=email]", "known@example.com")
        await page.fill("[name=password]", "not the password")
        await page.click("main form button:not([type=button])")

    async def ask_for_reset(page: Page) -> None:
        await page.fill("[name=email]", "known@example.com")
        await page.click("main form button:not([type=button])")

    async def sign_up_well(page: Page) -> None:
        await page.fill("[name=name]", "Ada Lovelace")
        await page.fill("[name=email]", "ada@example.com")
        await page.fill("[name=password]", PASSWORD)
        await page.click("main form button:not([type=button])")

    cookie = await sign_up(portal.deps, email="new@example.com", name="New", password=PASSWORD, client=CLIENT)
    verify = urlsplit(await portal.link("new@example.com")).path
    await request_reset(portal.deps, email="known@example.com", client=CLIENT)
    reset = urlsplit(await portal.link("known@example.com")).path
    async with portal.deps.change(Actor("operator:test")) as ctx:
        local = urlsplit(await create_outbox_link(ctx)).path
    return [
        Shot("sign-in", "/sign-in"),
        Shot("sign-in-wrong", "/sign-in", act=wrong_password),
        Shot("sign-up", "/sign-up"),
        Shot("sign-up-errors", "/sign-up", act=fill_badly),
        Shot("check-mail", "/sign-up", act=sign_up_well),
        Shot("verify", verify, cookies=(("natter_signup", cookie),)),
        Shot("verify-elsewhere", verify),
        Shot("reset", "/reset"),
        Shot("reset-mailed", "/reset", act=ask_for_reset),
        Shot("new-password", reset),
        Shot("link-ended", "/verify/nothing"),
        Shot("local", local),
        Shot("not-found", "/nothing/here"),
        Shot("csrf-refused", "/sign-in", act=_spoil_token),
    ]


async def _spoil_token(page: Page) -> None:
    await page.eval_on_selector("main form [name=csrf]", "field => { field.value = 'spoiled' }")
    await page.click("main form button:not([type=button])")


async def beginning(portal: Portal) -> list[Shot]:
    """Somebody new: nothing is there yet."""
    ada = await portal.account("ada@example.com")
    viewer = await portal.account("viewer@example.com", "Vera Viewer")
    owner = await portal.account("owner@example.com", "Olga Owner")
    organization = await portal.organization(owner, "Empty Rooms")
    await portal.join(organization, viewer, "viewer")
    base = f"/organizations/{organization.public_organization_id}"

    async def submit(page: Page) -> None:
        await page.click("main form:not(.theme) button:not([type=button])")

    async def welcome_blank(page: Page) -> None:
        await page.click("main form button:has-text('Create app')")

    async with portal.deps.change(Actor("operator:test")) as ctx:
        link = await create_outbox_link(ctx)
    opened = await open_local(portal.deps, link.rpartition("/")[2], client=CLIENT)
    await portal.sql("delete from control.mails")
    return [
        Shot("welcome", "/welcome", ada),
        Shot("welcome-errors", "/welcome", ada, welcome_blank),
        Shot("organization-empty", base, owner),
        Shot("organization-empty-viewer", base, viewer),
        Shot("members-alone", f"{base}/members", owner),
        Shot("members-viewer", f"{base}/members", viewer),
        Shot("audit-forbidden", f"{base}/audit", viewer),
        Shot("organization-settings-viewer", f"{base}/settings", viewer),
        Shot("organizations-new", "/organizations/new", ada),
        Shot("organizations-new-error", "/organizations/new", ada, submit),
        Shot("outbox-empty", "/outbox", cookies=(("natter_owner", opened.token),)),
    ]


async def busy(portal: Portal) -> list[Shot]:
    """An organization at work: long names, many rows, pending invitations."""
    ada = await portal.account("ada@example.com", staff=True)
    organization = await portal.organization(ada)
    await portal.organization(ada, "A second organization whose name is too long for any switcher that was ever drawn")
    made = [await portal.app_of(organization, name) for name in ("Support chat", "Marketplace", "Field service")]
    await portal.app_of(organization, "Live shop", "production")
    await _use(portal, organization)
    people = []
    for index, name in enumerate(NAMES):
        person = await portal.account(f"{name.lower().replace(' ', '.')}@example.com", name)
        people.append(person)
        await portal.join(organization, person, ROLES[index % len(ROLES)])
    async with portal.deps.change_as(organization, "req_test") as ctx:
        for email, role in (("margaret@example.com", "developer"), ("hedy@example.com", "viewer")):
            await invite(ctx, organization, email=email, role=role)
        await create_secret_key(ctx, made[0].app.id)
        for index in range(30):
            await set_allowed_origins(ctx, made[0].app.id, [f"https://shop{index}.example"])
            await rename_app(ctx, made[index % 3].app.id, ("Support chat", "Marketplace", "Field service")[index % 3])
            if index % 5 == 0:
                await create_publishable_key(ctx, made[1].app.id)
    await portal.sign_in("ada@example.com", client=PHONE)
    await portal.sign_in("ada@example.com", client=Client("203.0.113.9", "curl/8.15.0"))
    invitation = urlsplit(await portal.link("margaret@example.com")).path
    guest = await portal.account("margaret@example.com", "Margaret Hamilton")
    base = f"/organizations/{organization.public_organization_id}"
    grace = f"{base}/members/{people[0].person.public_id}"
    crowd = await portal.organization(ada, "Crowd")
    for index in range(26):
        await portal.app_of(crowd, f"App number {index + 1} of a customer with many")
    async with portal.deps.database.unit_of_work(read_only=True) as uow:
        from control_plane.mail.outbox import list_letters

        letters = (await list_letters(uow.session, portal.deps.vault)).items
    mail, refused, late = (each.public_id for each in letters[:3])
    await portal.sql("update control.mails set state = 'sent', attempts = 1, delivered_at = created_at")
    await portal.sql(
        "update control.mails set state = 'failed', attempts = 1, delivered_at = null, reply_code = 550, "
        "reply = '550 5.1.1 <the address> mailbox unavailable' where id = $1",
        letters[1].id,
    )
    await portal.sql(
        "update control.mails set state = 'waiting', attempts = 4, delivered_at = null, reply_code = 451, "
        "due_at = $2, reply = '451 4.7.1 greylisted, come back later' where id = $1",
        letters[2].id,
        portal.deps.clock.now() + timedelta(minutes=2),
    )

    crowd_path = f"/organizations/{crowd.public_organization_id}"

    async def open_menu(page: Page) -> None:
        summary = ".bar summary" if narrow(page) else ".side .switcher"
        await page.locator(summary).first.click()

    async def open_account(page: Page) -> None:
        if narrow(page):
            await page.locator(".bar summary").first.click()
            await page.locator(".bar .nav-foot summary").click()
        else:
            await page.locator(".side .nav-foot summary").click()

    async def invite_badly(page: Page) -> None:
        await page.fill("[name=email]", "grace.hopper@example.com")
        await page.click("main .form button:has-text('Send invitation')")

    async def remove_badly(page: Page) -> None:
        await page.fill("[name=email]", "somebody.else@example.com")
        await page.click("main .form button:has-text('Remove member')")

    async def last_owner(page: Page) -> None:
        await page.fill("[name=organization]", "Analytical Engines")
        await page.click("main .form button:has-text('Leave')")

    async def search_nothing(page: Page) -> None:
        await page.fill("[name=search]", "zzz")
        await page.wait_for_selector(".empty")

    async def search_slowly(page: Page) -> None:
        async def never(_: Route) -> None:
            pass

        await page.route("**/organizations/**", never)
        await page.fill("[name=search]", "number")
        await page.wait_for_timeout(900)

    async def rename(page: Page) -> None:
        await page.fill("[name=organization]", "Analytical Engines")
        await page.click("main .form button:has-text('Save name')")
        await page.wait_for_selector(".toast")

    async def open_entry(page: Page) -> None:
        await page.locator(".more summary").first.click()

    async def wrong_current(page: Page) -> None:
        await page.fill("[name=current]", "not the password")
        await page.fill("[name=new]", "short")
        await page.click("main .form button:has-text('Change password')")

    await _age(portal)
    return [
        Shot("organization", base, ada),
        Shot("organization-menu", base, ada, open_menu),
        Shot("account-menu", base, ada, open_account),
        Shot("organization-many", crowd_path, ada),
        Shot("organization-search-nothing", crowd_path, ada, search_nothing),
        Shot("organization-loading", crowd_path, ada, search_slowly, settled=False),
        Shot("app-new", f"{base}/apps/new", ada),
        Shot("members", f"{base}/members", ada),
        Shot("members-invite", f"{base}/members/invite", ada),
        Shot("members-invite-error", f"{base}/members/invite", ada, invite_badly),
        Shot("member", grace, ada),
        Shot("member-remove-error", grace, ada, remove_badly),
        Shot("member-not-mine", f"{base}/members/{ada.person.public_id}", people[0]),
        Shot("leave-last-owner", f"{base}/leave", ada, last_owner),
        Shot("audit", f"{base}/audit", ada),
        Shot("audit-details", f"{base}/audit", ada, open_entry),
        Shot("audit-checked", f"{base}/audit?check=yes&since=2026-01-01&action=app.renamed", ada),
        Shot("audit-filtered-nothing", f"{base}/audit?actor=system%3Aquota", ada),
        Shot("organization-settings", f"{base}/settings", ada),
        Shot("organization-settings-saved", f"{base}/settings", ada, rename),
        Shot("account", "/account", ada),
        Shot("security-errors", "/account/security", ada, wrong_current),
        Shot("outbox", "/outbox", ada),
        Shot("mail", f"/outbox/{mail}", ada),
        Shot("mail-refused", f"/outbox/{refused}", ada),
        Shot("mail-waiting", f"/outbox/{late}", ada),
        Shot("mail-text", f"/outbox/{mail}?form=text", ada),
        Shot("invitation", invitation),
        Shot("invitation-mine", invitation, guest),
        Shot("invitation-not-mine", invitation, people[1]),
    ]


async def security(portal: Portal) -> list[Shot]:
    """Two-step sign-in, the question who it is, addresses that change, and organizations that change hands or close."""
    ada, bob = await portal.account("ada@example.com"), await portal.account("bob@example.com", "Bob Bernoulli")
    grace = await portal.account("grace@example.com", "Grace Hopper")
    eve = await portal.account("eve@example.com", "Eve Moneypenny")
    organization = await portal.organization(ada)
    await portal.app_of(organization)
    await portal.join(organization, grace, "admin")
    await portal.join(organization, eve, "viewer")
    codes = await two_step_on(portal, ada)
    step = await sign_in(portal.deps, email="ada@example.com", password=PASSWORD, client=newcomer())
    assert codes
    await request_change(portal.deps, ada.person, email="countess@example.com", client=newcomer())
    link = urlsplit(await portal.link("countess@example.com")).path
    back = await changed_address(portal, bob, "bernoulli@example.com")
    offered = await portal.organization(ada, "Difference Engines")
    await portal.join(offered, grace, "admin")
    strict = await portal.organization(ada, "Strict House")
    await portal.join(strict, eve, "viewer")
    closed = await portal.organization(ada, "Steam Looms")
    await portal.join(closed, eve, "viewer")
    async with portal.deps.change_as(offered, "req_test") as ctx:
        await offer_ownership(ctx, offered, grace.person.account_id)
    async with portal.deps.change_as(strict, "req_test") as ctx:
        await require_two_step(ctx, strict, True)
    async with portal.deps.change_as(closed, "req_test") as ctx:
        await close_organization(ctx, closed)
    stale = await portal.account("stale@example.com", "Charles Babbage")
    # Its session was confirmed an hour ago.
    await portal.sql(
        "update control.sessions set confirmed_at = confirmed_at - interval '1 hour' where account_id = $1",
        stale.person.account_id,
    )
    base = f"/organizations/{organization.public_organization_id}"

    async def set_up(page: Page) -> None:
        await page.get_by_role("button", name="Set up").click()
        await page.wait_for_selector(".qr")

    async def wrong_code(page: Page) -> None:
        await set_up(page)
        await page.fill("[name=code]", "000000")
        await page.click("main form button:has-text('Turn on')")
        await page.wait_for_selector(".error")

    async def renew(page: Page) -> None:
        await page.click("main form button:has-text('Make new codes')")
        await page.wait_for_selector("text=I have stored them")

    async def ask(page: Page) -> None:
        await page.fill("[name=email]", "babbage@example.com")
        await page.click("main form button:has-text('Send link')")
        await page.wait_for_selector("text=Confirm and go on")

    async def confirm_wrongly(page: Page) -> None:
        await ask(page)
        await page.fill("[name=confirm_password]", "not the password")
        await page.click("text=Confirm and go on")
        await page.wait_for_selector(".error")

    async def close_blank(page: Page) -> None:
        await page.click("main form button:has-text('Close organization')")
        await page.wait_for_selector(".error")

    async def common_password(page: Page) -> None:
        await page.fill("[name=current]", PASSWORD)
        await page.fill("[name=new]", "password1234")
        await page.click("main form button:has-text('Change password')")
        await page.wait_for_selector(".error")

    return [
        Shot("security", "/account/security", ada),
        Shot("security-off", "/account/security", grace),
        Shot("security-common-password", "/account/security", grace, common_password),
        Shot("two-step", "/account/security", grace, set_up),
        Shot("two-step-wrong", "/account/security", grace, wrong_code),
        Shot("two-step-off", "/account/two-step/off", ada),
        Shot("recovery-codes", "/account/recovery-codes", ada),
        Shot("recovery-codes-once", "/account/recovery-codes", ada, renew),
        Shot("sign-in-code", "/sign-in/code", cookies=(("natter_second", step.token),)),
        Shot("confirm", "/confirm", ada),
        Shot("confirm-kept", "/account/security", stale, ask),
        Shot("confirm-wrong", "/account/security", stale, confirm_wrongly),
        Shot("email", link, ada),
        Shot("email-back", back),
        Shot("organization-life", f"{base}/settings", ada),
        Shot("transfer", f"{base}/transfer", ada),
        Shot("transfer-viewer", f"{base}/transfer", eve),
        Shot("transfer-offered", f"/organizations/{offered.public_organization_id}/transfer", ada),
        Shot("transfer-offer", f"/organizations/{offered.public_organization_id}/transfer", grace),
        Shot("close", f"{base}/close", ada, close_blank),
        Shot("closed", f"/organizations/{closed.public_organization_id}/closed", ada),
        Shot("closed-viewer", f"/organizations/{closed.public_organization_id}", eve),
        Shot("two-step-required", f"/organizations/{strict.public_organization_id}", eve),
    ]


def narrow(page: Page) -> bool:
    """Whether it is a phone's."""
    size = page.viewport_size
    return size is not None and size["width"] == 390


async def billed(portal: Portal) -> list[Shot]:
    """Plans, the spend guard, and invoices of months that are over; the same of somebody for whom there is nothing."""
    ada, vera = await portal.account("ada@example.com"), await portal.account("viewer@example.com", "Vera Viewer")
    organization = await portal.organization(ada)
    await portal.join(organization, vera, "viewer")
    support = (await portal.app_of(organization, "Support chat")).app
    trial = (await portal.app_of(organization, "Marketplace")).app
    empty = await portal.organization(ada, "Empty Rooms")
    quiet = (await portal.app_of(empty, "Quiet")).app
    deps = portal.deps
    async with deps.change_as(organization, None) as ctx:
        await change_plan(ctx, support.id, "starter")
        await set_addon(ctx, support.id, "storage_100gb", 2)
        await set_budget(ctx, support.id, 10_000, "throttle")
        await set_over(ctx, support.id, "storage_bytes", "throttle")
        await set_thresholds(ctx, support.id, [25, 90])
        await redeem(ctx, organization.organization_id, "WELCOME50")
        await start_trial(ctx, trial.id, "growth")
    async with deps.change(Actor("operator:test")) as ctx:
        await grant_credit(ctx, organization.organization_id, 2_500, reason="For the outage of 3 October")
    async with deps.change_as(organization, None) as ctx:
        address = "Al. Jerozolimskie 12\n00-024 Warszawa\nPoland"
        told = Details(company="Łódź Analytical Engines sp. z o.o.", address=address, tax_number="PL5260001246")
        await set_billing_details(ctx, organization, told)
    seller = replace(
        deps.settings,
        seller_name="Natter Ltd",
        seller_address="1 Engine Row; London; United Kingdom",
        seller_tax_number="GB123456789",
    )
    closing = replace(deps, settings=seller)
    now = deps.clock.now()
    await portal.sql(
        "do $$ begin set session_replication_role = replica; "
        "update control.terms set began_at = began_at - interval '70 days', "
        "created_at = created_at - interval '70 days' "
        f"where app_id = '{support.id}'; end $$"
    )
    months = [month_bounds(month_of(now - timedelta(days=days)))[0] for days in (60, 30, 0)]
    rows = [
        (meter, quantity, begin.replace(day=day), subject)
        for begin in dict.fromkeys(months)
        for meter, quantity, day, subject in (
            ("messages", 1_900_000, 3, None), ("messages", 1_350_000, 9, None), ("messages", 640_000, 14, None),
            ("peak_connections", 512, 11, None), ("storage_bytes", 19_400_000_000, 5, None), ("mau", 1, 4, "0" * 32),
        )
        if begin.replace(day=day) <= now
    ]  # fmt: skip
    entries = [
        Entry(seq=seq, app_id=support.id, meter=meter, quantity=quantity, at=at, subject=subject)
        for seq, (meter, quantity, at, subject) in enumerate(rows)
    ]
    async with deps.database.unit_of_work() as uow:
        # As if they had been received when they were used.
        for entry in entries:
            fresh = await ledger.append_believed(uow.session, "relay:s0", "a1b2c3d4", [entry], now=entry.at)
            await rollup.roll_up(uow.session, "relay:s0", fresh)
    await Closer(closing).step()
    await QuotaKeeper(deps).step()
    invoice = (await portal.sql("select id from control.invoices order by number limit 1"))[0]["id"]
    base, app = f"/organizations/{organization.public_organization_id}", f"/apps/{support.public_id}"
    document = f"{base}/invoices/{format_id('inv', invoice)}"

    async def wrong_budget(page: Page) -> None:
        await page.fill("[name=amount]", "a lot")
        await page.click("button:has-text('Save budget')")

    async def wrong_coupon(page: Page) -> None:
        await page.fill("[name=code]", "NOPE")
        await page.click("button:has-text('Redeem')")

    return [
        Shot("billing", f"{base}/billing", ada),
        Shot("billing-details", f"{base}/billing/details", ada),
        Shot("billing-error", f"{base}/billing", ada, wrong_coupon),
        Shot("billing-empty", f"/organizations/{empty.public_organization_id}/billing", ada),
        Shot("invoice", document, ada),
        Shot("invoice-line", f"{document}/lines/3", ada),
        Shot("credits", f"{base}/credits", ada),
        Shot("credits-empty", f"/organizations/{empty.public_organization_id}/credits", ada),
        Shot("plan", f"{app}/plan", ada),
        Shot("overview-budget", app, ada),
        Shot("plan-viewer", f"{app}/plan", vera),
        Shot("plan-free", f"/apps/{quiet.public_id}/plan", ada),
        Shot("plan-trial", f"/apps/{trial.public_id}/plan", ada),
        Shot("plan-change", f"{app}/plan/growth", ada),
        Shot("plan-change-down", f"{app}/plan/free", ada),
        Shot("spend", f"{app}/spend", ada),
        Shot("spend-error", f"{app}/spend", ada, wrong_budget),
        Shot("spend-free", f"/apps/{quiet.public_id}/spend", ada),
        Shot("spend-viewer", f"{app}/spend", vera),
    ]


async def unpaid(portal: Portal) -> list[Shot]:
    """Apps whose bills are unpaid, one on each step; and what of Stripe's events staff has to look at."""
    ada = await portal.account("ada@example.com", staff=True)
    organization = await portal.organization(ada)
    now, shots, event = portal.deps.clock.now(), [], "evt_1Rf8bLQ0pWmZ4aXc"
    base = f"/organizations/{organization.public_organization_id}"
    nothing = "cursor=0~&refused_cursor=00000000-0000-0000-0000-000000000000"
    shots.append(Shot("unpaid-staff-empty", f"/staff/webhooks?{nothing}", ada))
    for name, days in (("past-due", 3), ("read-only", 15), ("suspended", 30), ("export", 50)):
        app = (await portal.app_of(organization, f"Chat {name}")).app
        async with portal.deps.change(Actor("operator:test")) as ctx:
            await observe(ctx, app.id, now - timedelta(days=days))
        shots.append(Shot(f"unpaid-{name}", f"/apps/{app.public_id}", ada))
    shots.append(Shot("unpaid-plan", f"/apps/{app.public_id}/plan", ada))
    await plant_dead_letter(portal.sql, event, now=now - timedelta(hours=5))
    for hours in (3, 26):
        command = portal.deps.ids.uuid7()
        at = now - timedelta(hours=hours)
        await plant_refused(portal.sql, command, organization=organization.organization_id, now=at)
    return [
        *shots,
        Shot("unpaid-organization", base, ada),
        Shot("unpaid-billing", f"{base}/billing", ada),
        Shot("unpaid-staff", "/staff/webhooks", ada),
    ]


async def _use(portal: Portal, organization: Member) -> None:
    """Some usage of this month, as the rollup keeps it."""
    now = portal.deps.clock.now()
    rows = await portal.sql("select id from control.apps where organization_id = $1", organization.organization_id)
    for index, row in enumerate(rows):
        hour = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=index)
        for meter, quantity in (("messages", 18_214 // (index + 1)), ("mau", 412 // (index + 1))):
            await portal.sql(
                "insert into control.usage_hourly (app_id, meter, hour, quantity) values ($1, $2, $3, $4)",
                row["id"], meter, hour, quantity,
            )  # fmt: skip


async def _age(portal: Portal) -> None:
    """Spread over the past what was made in seconds."""
    for table, column, order in (
        ("memberships", "created_at", "created_at"),
        ("apps", "created_at", "id"),
        ("audit_entries", "at", "id"),
    ):
        await portal.sql(
            "do $$ begin set session_replication_role = replica; "
            f"with numbered as (select ctid as place, row_number() over (order by {order} desc) as n "
            f"from control.{table}) update control.{table} as t set {column} = t.{column} - n * interval '127 minutes' "
            "from numbered where t.ctid = numbered.place; end $$"
        )


SCENES: list[Scene] = [door, beginning, busy, security, billed, unpaid]
