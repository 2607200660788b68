"""Every page of the portal by its route, in an organization where there is something to see.

A page of the running application that `PATHS` does not name fails the tests that open them all.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from litestar import Litestar

from control_plane.accounts.addresses import request_change
from control_plane.accounts.client import Client
from control_plane.accounts.local import create_outbox_link
from control_plane.accounts.reset import request_reset
from control_plane.accounts.sign_up import sign_up
from control_plane.apps.service import rename_app
from control_plane.context import Actor
from control_plane.keys.signing_keys import add_public_key
from control_plane.mail.outbox import list_letters
from control_plane.members.invitations import invite
from control_plane.organizations.details import Details, set_billing_details
from control_plane.organizations.service import rename_organization
from kernel.ids import format_id
from tests.billing.planted import plant_invoice
from tests.portal.harness import PASSWORD, Portal, Somebody
from tests.portal.harness import newcomer as fresh
from tests.portal.security import changed_address
from tests.portal.unsafe import PEM

NO_PAGES = ("/v1/", "/internal/", "/webhooks/", "/static/", "/healthz", "/readyz", "/metrics")
REDIRECTS = {
    "/",
    "/check-mail",
    "/welcome",
    "/sign-in/code",
    "/account/two-step",
    "/organizations/{organization_id}/closed",
}
"""They lead on to another page, for who has what they are about."""
PAYING = {
    "/apps/{app_id}/plan/paid",
    "/organizations/{organization_id}/bills/{bill_id}",
    "/organizations/{organization_id}/bills/{bill_id}/lines/{place}",
    "/organizations/{organization_id}/bills/{bill_id}/lines/{place}/rows.csv",
}
"""There where somebody is paid; `tests/portal/test_paying.py` opens them."""
FILES = {
    "/organizations/{organization_id}/export",
    "/organizations/{organization_id}/invoices/{invoice_id}/pdf",
    "/organizations/{organization_id}/invoices/{invoice_id}/lines/{place}/rows.csv",
}
"""Not to be looked at in a browser's page: it saves them."""


@dataclass(frozen=True, slots=True)
class House:
    """Somebody's organization with everything in it that a page can show."""

    owner: Somebody
    organization_id: str
    app_id: str
    account_id: str
    key_id: str
    signing_key_id: str
    mail_id: str
    invoice_id: str
    verify: str
    reset: str
    email: str
    email_back: str
    invitation: str
    local: str


async def furnish(portal: Portal, address: Callable[[], str], words: str) -> House:
    """Put the words wherever somebody may write something that is kept."""
    email, guest, newcomer = address(), address(), address()
    await portal.account(email, words)
    await portal.sql("update control.accounts set staff = true where email = $1", email)
    await portal.sign_in(email, client=Client("192.0.2.66", words))
    owner = await portal.sign_in(email, client=Client(words[:40], words))
    member = await portal.organization(owner, "Before " + words[:80])
    made = await portal.app_of(member, "Before " + words[:80])
    async with portal.deps.change_as(member, "req_test") as ctx:
        await rename_organization(ctx, member, words)
        await rename_app(ctx, made.app.id, words)
    member = await portal.member(owner, member.organization_id)
    other = await portal.account(address(), words)
    await portal.join(member, other)
    async with portal.deps.change_as(member, "req_test") as ctx:
        await invite(ctx, member, email=guest, role="viewer")
        told = Details(company=words[:200], address=words[:500].replace("\n", " "), tax_number=words[:50])
        await set_billing_details(ctx, member, told)
        (kid,) = await add_public_key(ctx, made.app.id, PEM)
    async with portal.deps.database.unit_of_work(read_only=True) as uow:
        # The invitation: its subject and its text hold the names.
        letters = await list_letters(uow.session, portal.deps.vault, limit=1)
    cookieless = await sign_up(portal.deps, email=newcomer, name=words, password=PASSWORD, client=fresh())
    assert cookieless
    verify = await portal.link(newcomer)
    await request_reset(portal.deps, email=email, client=fresh())
    reset = await portal.link(email)
    async with portal.deps.change(Actor("operator:test")) as ctx:
        local = await create_outbox_link(ctx)
    moved, wanted = await portal.account(address(), words), address()
    back = await changed_address(portal, moved, address())
    await request_change(portal.deps, owner.person, email=wanted, client=fresh())
    # Without an app, but the pages about it are there.
    await portal.sql("update control.accounts set two_step_at = created_at where email = $1", email)
    keys = await portal.sql("select id from control.api_keys where app_id = $1 and kind = 'secret'", made.app.id)
    return House(
        owner=owner,
        organization_id=member.public_organization_id,
        app_id=made.app.public_id,
        account_id=other.person.public_id,
        key_id=format_id("key", keys[0]["id"]),
        signing_key_id=kid,
        mail_id=letters.items[0].public_id,
        invoice_id=await plant_invoice(
            portal.sql,
            organization=(member.organization_id, words),
            app=(made.app.id, words),
            month="2025-12",
            now=portal.deps.clock.now(),
        ),
        verify=urlsplit(verify).path,
        reset=urlsplit(reset).path,
        email=urlsplit(await portal.link(wanted)).path,
        email_back=back,
        invitation=urlsplit(await portal.link(guest)).path,
        local=urlsplit(local).path,
    )


def path_of(route: str, house: House) -> str:
    """The address of a page in that house."""
    links = {
        "/verify/{token}": house.verify,
        "/reset/{token}": house.reset,
        "/email/{token}": house.email,
        "/email-back/{token}": house.email_back,
        "/invitations/{token}": house.invitation,
        "/local/{token}": house.local,
    }
    if route in links:
        return links[route]
    route = route.replace("/signing-keys/{key_id}", f"/signing-keys/{house.signing_key_id}")
    for name in ("organization_id", "app_id", "account_id", "key_id", "mail_id", "invoice_id"):
        route = route.replace(f"{{{name}}}", getattr(house, name))
    route = route.replace("{place}", "1").replace("{plan_id}", "growth")
    assert "{" not in route, f"{route} has a parameter that no house has"
    return route


def page_routes(app: Litestar) -> Iterator[str]:
    """Every page of the running application."""
    for route in app.routes:
        methods = {method for handler in getattr(route, "route_handlers", ()) for method in handler.http_methods}
        if "GET" in methods and route.path_format not in FILES | PAYING and not route.path_format.startswith(NO_PAGES):
            yield route.path_format
