"""An installation where Stripe takes the money and does not answer: pages say what was last seen, and nothing stops."""

import dataclasses
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest

from billing.dunning import observe
from control_plane.context import Actor
from control_plane.members.scope import Member
from control_plane.tenants import NewApp
from tests.billing.planted import plant_bill
from tests.engines import Engines
from tests.portal.apps.forms import forms_of
from tests.portal.harness import Portal, Somebody, portal_deps, serve, with_settings
from tests.portal.http.test_headers import STRICT
from tests.portal.pages import PAYING

WORDS = "\"'><img src=x onerror=alert(1)>"
DAY = timedelta(days=1)


@dataclasses.dataclass
class Paying:
    """A customer with a subscription."""

    portal: Portal
    owner: Somebody
    member: Member
    app: NewApp

    @property
    def app_path(self) -> str:
        return f"/apps/{self.app.app.public_id}"

    @property
    def base(self) -> str:
        return f"/organizations/{self.member.public_organization_id}"

    async def subscribed(self, status: str = "active") -> None:
        await self.portal.sql(
            "insert into control.stripe_subscriptions (app_id, organization_id, slot, status, plan, version, "
            "subscription_id, created_at, period_begin, period_end) "
            "values ($1, $2, 1, $3, 'starter', 1, $5, $4, $4, $4::timestamptz + interval '20 days') "
            "on conflict (app_id) do update set status = excluded.status",
            self.app.app.id, self.member.organization_id, status, self.portal.clock.now(), f"sub_{self.app.app.id.hex}",
        )  # fmt: skip

    async def unpaid(self, days: float | None) -> None:
        now = self.portal.clock.now()
        async with self.portal.deps.change(Actor("operator:test")) as ctx:
            await observe(ctx, self.app.app.id, None if days is None else now - days * DAY)


@pytest.fixture(scope="module")
async def portal(engines: Engines, free_ports: Callable[[int], list[int]]) -> AsyncIterator[Portal]:
    database = await engines.fresh_database("control")
    port, closed = free_ports(2)
    deps = with_settings(
        portal_deps(database.url, port),
        billing="stripe",
        stripe_secret_key="sk_test_nobody",
        stripe_webhook_secrets="whsec_nobody",
        stripe_api_url=f"http://127.0.0.1:{closed}",
    )
    async with serve(deps, database.superuser_url) as portal:
        yield portal
    await engines.drop_database(database)


@pytest.fixture
async def paying(portal: Portal, address: Callable[[], str]) -> Paying:
    owner = await portal.account(address())
    member = await portal.organization(owner, WORDS[:60])
    return Paying(portal, owner, member, await portal.app_of(member, WORDS[:60]))


async def test_every_page_of_payment_shows_its_own_and_escapes_what_it_shows(
    paying: Paying, portal: Portal, address: Callable[[], str]
) -> None:
    bill = f"in_{paying.app.app.id.hex}"
    await plant_bill(
        portal.sql, bill, organization=paying.member.organization_id, app=paying.app.app.id, words=WORDS,
        now=portal.clock.now(),
    )  # fmt: skip
    await paying.subscribed()
    stranger = await portal.account(address())
    await portal.organization(stranger)
    mine, theirs = await portal.client(paying.owner), await portal.client(stranger)
    opened = set()
    for route in sorted(PAYING):
        path = route.format(
            app_id=paying.app.app.public_id, organization_id=paying.member.public_organization_id, bill_id=bill, place=2
        )
        answer = await mine.get(path)
        assert answer.status_code == 200, path
        assert (await theirs.get(path)).status_code == 404, path
        if answer.headers["content-type"].startswith("text/html"):
            assert "<img" not in answer.text, path
            assert answer.headers["content-security-policy"] == STRICT
        opened.add(route)
    assert opened == PAYING
    overview = (await mine.get(f"{paying.base}/billing")).text
    assert "Bills and receipts" in overview
    assert "Pay 103.00 USD" in (await mine.get(f"{paying.base}/bills/{bill}")).text
    for wrong in ("0", "1", "3", "x"):
        assert (await mine.get(f"{paying.base}/bills/{bill}/lines/{wrong}")).status_code == 404


async def test_while_stripe_is_away_pages_say_so_and_nothing_is_changed(paying: Paying) -> None:
    await paying.subscribed()
    client = await paying.portal.client(paying.owner)
    page = await client.get(f"{paying.app_path}/plan/growth")
    assert page.status_code == 200
    assert "Stripe does not answer at the moment" in page.text
    assert "Try again" in page.text
    csrf = forms_of(page.text)[0].values["csrf"]
    before = await paying.portal.sql("select plan from control.apps where id = $1", paying.app.app.id)
    asked: dict[str, dict[str, str]] = {
        f"{paying.app_path}/plan/checkout": {"plan": "growth"},
        f"{paying.base}/billing/portal": {},
    }
    for path, form in asked.items():
        answer = await client.post(path, data={"csrf": csrf, **form}, headers={"sec-fetch-site": "same-origin"})
        assert answer.status_code in (409, 503), path
        assert "Stripe does not answer" in answer.text or "subscription already" in answer.text
    # What can wait is kept, and the page says that it is on its way.
    answer = await client.post(
        f"{paying.app_path}/plan/cancel", data={"csrf": csrf}, headers={"sec-fetch-site": "same-origin"}
    )
    assert answer.status_code == 303
    assert "A change is on its way to Stripe" in (await client.get(f"{paying.app_path}/plan")).text
    assert await paying.portal.sql("select plan from control.apps where id = $1", paying.app.app.id) == before


async def test_each_step_of_an_unpaid_bill_is_said_where_it_matters_with_the_way_to_pay(
    paying: Paying, portal: Portal, address: Callable[[], str]
) -> None:
    await paying.subscribed("past_due")
    await plant_bill(
        portal.sql, f"in_{paying.app.app.id.hex}", organization=paying.member.organization_id, app=paying.app.app.id,
        words="Bill", now=portal.clock.now(), url="https://pay.example/this-one",
    )  # fmt: skip
    viewer = await portal.account(address())
    await portal.join(paying.member, viewer, "viewer")
    client, onlooker = await portal.client(paying.owner), await portal.client(viewer)
    places = (paying.app_path, f"{paying.app_path}/plan", paying.base, f"{paying.base}/billing")
    for days, words in ((1, "overdue"), (15, "Read-only"), (30, "Suspended"), (50, "To be erased on")):
        await paying.unpaid(days)
        for place in places:
            text = (await client.get(place)).text
            assert words.lower() in text.lower(), (place, words)
            assert "https://pay.example/this-one" in text or place == paying.base
            assert "https://pay.example/this-one" not in (await onlooker.get(place)).text
    await paying.unpaid(None)
    for place in places:
        assert "is unpaid since" not in (await client.get(place)).text


async def test_back_from_paying_a_page_waits_until_it_is_known(paying: Paying) -> None:
    client, path = await paying.portal.client(paying.owner), f"{paying.app_path}/plan/paid"
    first = (await client.get(path)).text
    assert "Waiting for the payment" in first
    assert f'hx-get="{path}"' in first
    await paying.subscribed("incomplete")
    part = (await client.get(path, headers={"hx-request": "true"})).text
    assert "Waiting" in part
    assert "<html" not in part
    await paying.subscribed("active")
    part = (await client.get(path, headers={"hx-request": "true"})).text
    assert "it is paid" in part
    assert "hx-get" not in part
