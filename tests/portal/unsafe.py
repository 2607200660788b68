"""Every request by which a page changes something, once as a browser would send it.

`CASES` names each by its route; a route of the running application that is not named here fails the sweep.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from billing.terms.service import change_plan, start_trial
from control_plane.accounts.addresses import request_change
from control_plane.accounts.local import create_outbox_link
from control_plane.accounts.reset import request_reset
from control_plane.accounts.sign_in import sign_in
from control_plane.accounts.sign_up import sign_up
from control_plane.context import Actor
from control_plane.keys.jwks_url import Fetched
from control_plane.keys.key_sets import follow_key_set, list_key_sets
from control_plane.keys.signing_keys import add_public_key
from control_plane.members.invitations import invite
from control_plane.members.scope import Member
from control_plane.organizations.closing import close_organization
from control_plane.organizations.ownership import offer_ownership
from control_plane.tenants import NewApp
from kernel.ids import format_id
from tests.billing.planted import plant_dead_letter, plant_refused
from tests.portal.harness import PASSWORD, Portal, Somebody, newcomer
from tests.portal.security import changed_address, offered_code, two_step_on

Values = dict[str, str]
PEM = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----"""


@dataclass(slots=True)
class Scenery:
    """What the requests are about: made anew for each, so that one may destroy what another needs."""

    portal: Portal
    address: Callable[[], str]
    owner: Somebody
    member: Member
    other: Somebody
    app: NewApp

    @classmethod
    async def make(cls, portal: Portal, address: Callable[[], str]) -> "Scenery":
        owner = await portal.account(address())
        other = await portal.account(address(), "Grace Hopper")
        member = await portal.organization(owner, f"Organization of {owner.person.email}")
        await portal.join(member, other)
        return cls(portal, address, owner, member, other, await portal.app_of(member))

    @property
    def organization_path(self) -> str:
        return f"/organizations/{self.member.public_organization_id}"

    @property
    def app_path(self) -> str:
        return f"/apps/{self.app.app.public_id}"

    async def key(self, kind: str) -> tuple[str, str]:
        """The id and the last four characters of the app's first key of a kind."""
        rows = await self.portal.sql(
            "select id, last_four from control.api_keys where app_id = $1 and kind = $2", self.app.app.id, kind
        )
        return format_id("key", rows[0]["id"]), rows[0]["last_four"]


@dataclass(slots=True)
class Case:
    """`page` holds the form whose action is `action`; what it does not hold is filled in from `values`."""

    client: httpx.AsyncClient
    page: str
    action: str
    values: Values = field(default_factory=dict)
    changes: bool = True
    """Whether it writes to the database."""
    form: bool = True
    """`False` for what a script sends, with the token in a header."""


Make = Callable[[Scenery], Awaitable[Case]]
CASES: dict[str, Make] = {}


def case(route: str) -> Callable[[Make], Make]:
    def add(make: Make) -> Make:
        CASES[route] = make
        return make

    return add


def by_owner(
    route: str, page: str, values: Callable[[Scenery], Values] | None = None, *, changes: bool = True, form: bool = True
) -> None:
    """A request of the owner, below the organization or the app."""

    async def make(scenery: Scenery) -> Case:
        client = await scenery.portal.client(scenery.owner)
        places = {
            "{organization_id}": scenery.member.public_organization_id,
            "{app_id}": scenery.app.app.public_id,
            "{account_id}": scenery.other.person.public_id,
            "{secret}": (await scenery.key("secret"))[0],
        }
        filled = {"page": page, "action": route.replace("{key_id}", "{secret}")}
        for place, value in places.items():
            filled = {name: text.replace(place, value) for name, text in filled.items()}
        sent = values(scenery) if values else {}
        return Case(client, **filled, values=sent, changes=changes, form=form)

    CASES[route] = make


_ORGANIZATION = "/organizations/{organization_id}"
_APP = "/apps/{app_id}"

by_owner("/account/name", "/account", lambda _: {"name": "Augusta King"})
by_owner(
    "/account/password", "/account/security", lambda _: {"current": PASSWORD, "new": "another password altogether"}
)
by_owner("/account/email", "/account/security", lambda s: {"email": s.address()})
by_owner("/account/two-step/offer", "/account/security")
by_owner("/confirm", "/confirm", lambda _: {"confirm_password": PASSWORD})
by_owner("/sign-out", "/account")
by_owner("/theme", "/account", lambda _: {"theme": "dark"}, changes=False)
by_owner("/organizations/new", "/organizations/new", lambda _: {"organization": "A second one"})
by_owner(f"{_ORGANIZATION}/apps/new", f"{_ORGANIZATION}/apps/new", lambda _: {"app": "Another"})
by_owner(f"{_ORGANIZATION}/settings", f"{_ORGANIZATION}/settings", lambda _: {"organization": "Renamed"})
by_owner(f"{_ORGANIZATION}/audit/export", f"{_ORGANIZATION}/audit")
by_owner(f"{_ORGANIZATION}/members/invite", f"{_ORGANIZATION}/members/invite", lambda s: {"email": s.address()})
by_owner(
    f"{_ORGANIZATION}/members/{{account_id}}/role",
    f"{_ORGANIZATION}/members/{{account_id}}",
    lambda _: {"role": "admin"},
)
by_owner(
    f"{_ORGANIZATION}/members/{{account_id}}/remove",
    f"{_ORGANIZATION}/members/{{account_id}}",
    lambda s: {"email": s.other.person.email},
)
by_owner(f"{_APP}/settings/name", f"{_APP}/settings", lambda _: {"app": "Renamed"})
by_owner(f"{_APP}/settings/origins/add", f"{_APP}/settings", lambda _: {"allowed_origins": "https://chat.example.com"})
by_owner(f"{_APP}/settings/anonymous", f"{_APP}/settings", lambda _: {"allowed": "yes"})
by_owner(f"{_APP}/settings/leaked-keys", f"{_APP}/settings", lambda _: {"revoke": "no"})
by_owner(f"{_APP}/settings/guests", f"{_APP}/settings", lambda _: {"allowed": "yes"})
by_owner(f"{_APP}/settings/promote", f"{_APP}/settings/promote", lambda s: {"confirm": s.app.app.name})
by_owner(f"{_APP}/settings/delete", f"{_APP}/settings/delete", lambda s: {"confirm": s.app.app.name})
by_owner(f"{_APP}/settings/open", f"{_APP}/settings/open", lambda s: {"confirm": s.app.app.name})
by_owner(f"{_APP}/signing-keys", f"{_APP}/signing-keys/new", lambda _: {"public_key": PEM})
by_owner(f"{_APP}/signing-keys/secret", f"{_APP}/signing-keys/new")
by_owner(
    f"{_ORGANIZATION}/billing/details",
    f"{_ORGANIZATION}/billing/details",
    lambda _: {"company": "Ltd", "address": "", "tax_number": ""},
)
by_owner(f"{_ORGANIZATION}/billing/coupon", f"{_ORGANIZATION}/billing", lambda _: {"code": "WELCOME50"})
by_owner(f"{_APP}/plan", f"{_APP}/plan/growth")
by_owner(f"{_APP}/plan/trial", f"{_APP}/plan")
# Their forms are there where somebody is paid. Without, a plan is changed at once, and there are no cards to look at.
by_owner(f"{_APP}/plan/checkout", f"{_APP}/plan", lambda _: {"plan": "growth"}, form=False)
by_owner(f"{_APP}/plan/cancel", f"{_APP}/plan", form=False)
by_owner(f"{_ORGANIZATION}/billing/portal", f"{_ORGANIZATION}/billing", changes=False, form=False)
by_owner(f"{_APP}/spend/budget", f"{_APP}/spend", lambda _: {"amount": "250", "budget_over": "stop"})
by_owner(f"{_APP}/spend/alerts", f"{_APP}/spend", lambda _: {"thresholds": "25, 90"})


def by_customer(route: str, page: str, values: Values, prepare: Callable[[Any, Any], Awaitable[Any]]) -> None:
    """A request of an owner about an app, whose terms were changed before."""

    async def make(scenery: Scenery) -> Case:
        async with scenery.portal.deps.change_as(scenery.member, None) as ctx:
            await prepare(ctx, scenery.app.app.id)
        client = await scenery.portal.client(scenery.owner)
        return Case(client, page=scenery.app_path + page, action=scenery.app_path + route, values=values)

    CASES[_APP + route] = make


async def _going_down(ctx: Any, app_id: Any) -> None:
    await change_plan(ctx, app_id, "growth")
    await change_plan(ctx, app_id, "starter")


by_customer("/plan/keep", "/plan", {}, _going_down)
by_customer("/plan/trial/end", "/plan", {"keep": "yes"}, lambda ctx, app_id: start_trial(ctx, app_id, "growth"))
by_customer("/plan/addons", "/plan", {"quantity": "2"}, lambda ctx, app_id: change_plan(ctx, app_id, "starter"))
by_customer("/spend/over", "/spend", {"over": "stop"}, lambda ctx, app_id: change_plan(ctx, app_id, "starter"))
by_owner(f"{_APP}/keys", f"{_APP}/keys/new")
by_owner(f"{_APP}/keys/publishable", f"{_APP}/keys")
by_owner(f"{_APP}/keys/{{key_id}}/roll", f"{_APP}/keys/{{secret}}/roll")
by_owner(f"{_APP}/quickstart", f"{_APP}/quickstart")
by_owner(f"{_APP}/demo/session", f"{_APP}/settings", changes=False, form=False)


by_owner(f"{_ORGANIZATION}/two-step", f"{_ORGANIZATION}/settings", lambda _: {"required": "no"})
by_owner(f"{_ORGANIZATION}/transfer", f"{_ORGANIZATION}/transfer", lambda s: {"member": s.other.person.public_id})
by_owner(f"{_ORGANIZATION}/close", f"{_ORGANIZATION}/close", lambda s: {"organization": s.member.organization_name})


@case(f"{_ORGANIZATION}/transfer/accept")
async def _accept_ownership(scenery: Scenery) -> Case:
    await _offer(scenery)
    path = f"{scenery.organization_path}/transfer"
    return Case(await scenery.portal.client(scenery.other), path, f"{path}/accept")


@case(f"{_ORGANIZATION}/transfer/end")
async def _decline_ownership(scenery: Scenery) -> Case:
    await _offer(scenery)
    path = f"{scenery.organization_path}/transfer"
    return Case(await scenery.portal.client(scenery.other), path, f"{path}/end")


async def _offer(scenery: Scenery) -> None:
    async with scenery.portal.deps.change_as(scenery.member, "req_test") as ctx:
        await offer_ownership(ctx, scenery.member, scenery.other.person.account_id)


@case(f"{_ORGANIZATION}/restore")
async def _restore(scenery: Scenery) -> Case:
    async with scenery.portal.deps.change_as(scenery.member, "req_test") as ctx:
        await close_organization(ctx, scenery.member)
    client = await scenery.portal.client(scenery.owner)
    return Case(client, f"{scenery.organization_path}/closed", f"{scenery.organization_path}/restore")


@case("/outbox/{mail_id}/send-again")
async def _send_mail_again(scenery: Scenery) -> Case:
    staff = await scenery.portal.account(scenery.address(), "Staff", staff=True)
    (row,) = await scenery.portal.sql(
        "update control.mails set state = 'failed', reply = '550 nobody here' "
        "where id = (select id from control.mails order by id desc limit 1) returning id"
    )
    path = f"/outbox/{format_id('mail', row['id'])}"
    return Case(await scenery.portal.client(staff), path, f"{path}/send-again")


@case(f"{_APP}/settings/origins/remove")
async def _remove_origin(scenery: Scenery) -> Case:
    client, path = await scenery.portal.client(scenery.owner), f"{scenery.app_path}/settings"
    await _set_origins(scenery, ["https://one.example", "https://two.example"])
    return Case(client, path, f"{path}/origins/remove", {"allowed_origins": "https://one.example"})


@case(f"{_APP}/demo/origin")
async def _allow_the_demo(scenery: Scenery) -> Case:
    await _set_origins(scenery, ["https://one.example"])
    client, path = await scenery.portal.client(scenery.owner), f"{scenery.app_path}/demo"
    # The page offers its form only while a node answers; the request itself needs none.
    return Case(client, f"{scenery.app_path}/settings", f"{path}/origin", form=False)


@case(f"{_APP}/demo/conversation")
async def _begin_a_conversation(scenery: Scenery) -> Case:
    # Whoever gets as far as the demo's hindrances has passed what guards the form.
    await scenery.portal.sql("update control.apps set status = 'suspended' where id = $1", scenery.app.app.id)
    client, path = await scenery.portal.client(scenery.owner), scenery.app_path
    return Case(client, f"{path}/settings", f"{path}/demo/conversation", {"channel": "demo"}, changes=False, form=False)


@case(f"{_APP}/keys/{{key_id}}/revoke")
async def _revoke_key(scenery: Scenery) -> Case:
    key, last_four = await scenery.key("secret")
    path = f"{scenery.app_path}/keys/{key}/revoke"
    return Case(await scenery.portal.client(scenery.owner), path, path, {"last_four": last_four})


@case(f"{_APP}/key-sets/{{key_set_id}}/stop")
async def _leave_key_set(scenery: Scenery) -> Case:
    async with scenery.portal.deps.change_as(scenery.member, "req_test") as ctx:
        await follow_key_set(ctx, scenery.app.app.id, "https://example.com/jwks.json", Fetched(PEM))
        (followed,) = await list_key_sets(ctx.session, scenery.app.app)
    page = f"{scenery.app_path}/keys"
    action = f"{scenery.app_path}/key-sets/{followed.public_id}/stop"
    return Case(await scenery.portal.client(scenery.owner), page, action)


@case(f"{_APP}/signing-keys/{{key_id}}/revoke")
async def _revoke_signing_key(scenery: Scenery) -> Case:
    async with scenery.portal.deps.change_as(scenery.member, "req_test") as ctx:
        (kid,) = await add_public_key(ctx, scenery.app.app.id, PEM)
    path = f"{scenery.app_path}/signing-keys/{kid}/revoke"
    return Case(await scenery.portal.client(scenery.owner), path, path, {"last_four": kid[-4:]})


@case(f"{_ORGANIZATION}/invitations/{{invitation_id}}/revoke")
async def _revoke_invitation(scenery: Scenery) -> Case:
    async with scenery.portal.deps.change_as(scenery.member, "req_test") as ctx:
        invited = await invite(ctx, scenery.member, email=scenery.address(), role="viewer")
    action = f"{scenery.organization_path}/invitations/{invited.public_id}/revoke"
    return Case(await scenery.portal.client(scenery.owner), f"{scenery.organization_path}/members", action)


@case("/invitations/{token}")
async def _accept_invitation(scenery: Scenery) -> Case:
    guest = await scenery.portal.account(scenery.address())
    async with scenery.portal.deps.change_as(scenery.member, "req_test") as ctx:
        await invite(ctx, scenery.member, email=guest.person.email, role="viewer")
    path = urlsplit(await scenery.portal.link(guest.person.email)).path
    return Case(await scenery.portal.client(guest), path, path)


@case(f"{_ORGANIZATION}/leave")
async def _leave(scenery: Scenery) -> Case:
    path = f"{scenery.organization_path}/leave"
    values = {"organization": scenery.member.organization_name}
    return Case(await scenery.portal.client(scenery.other), path, path, values)


@case("/welcome")
async def _welcome(scenery: Scenery) -> Case:
    client = await scenery.portal.client(await scenery.portal.account(scenery.address()))
    return Case(client, "/welcome", "/welcome", {"organization": "First", "app": "Chat"})


@case("/account/sessions/{session_id}/end")
async def _end_session(scenery: Scenery) -> Case:
    second = await scenery.portal.sign_in(scenery.owner.person.email)
    action = f"/account/sessions/{format_id('ses', second.session.session_id)}/end"
    return Case(await scenery.portal.client(scenery.owner), "/account/security", action)


@case("/account/sessions/end-others")
async def _end_others(scenery: Scenery) -> Case:
    await scenery.portal.sign_in(scenery.owner.person.email)
    return Case(await scenery.portal.client(scenery.owner), "/account/security", "/account/sessions/end-others")


@case("/account/two-step")
async def _first_code(scenery: Scenery) -> Case:
    code = await offered_code(scenery.portal, scenery.owner)
    return Case(await scenery.portal.client(scenery.owner), "/account/two-step", "/account/two-step", {"code": code})


@case("/account/two-step/off")
async def _two_step_off(scenery: Scenery) -> Case:
    await two_step_on(scenery.portal, scenery.owner)
    return Case(await scenery.portal.client(scenery.owner), "/account/two-step/off", "/account/two-step/off")


@case("/account/recovery-codes")
async def _renew_codes(scenery: Scenery) -> Case:
    await two_step_on(scenery.portal, scenery.owner)
    return Case(await scenery.portal.client(scenery.owner), "/account/recovery-codes", "/account/recovery-codes")


@case("/sign-in/code")
async def _code(scenery: Scenery) -> Case:
    codes = await two_step_on(scenery.portal, scenery.owner)
    entered = await sign_in(scenery.portal.deps, email=scenery.owner.person.email, password=PASSWORD, client=newcomer())
    client = await scenery.portal.client(natter_second=entered.token)
    return Case(client, "/sign-in/code", "/sign-in/code", {"code": codes[0]})


@case("/email/{token}")
async def _new_address(scenery: Scenery) -> Case:
    email = scenery.address()
    await request_change(scenery.portal.deps, scenery.owner.person, email=email, client=newcomer())
    path = urlsplit(await scenery.portal.link(email)).path
    return Case(await scenery.portal.client(scenery.owner), path, path)


@case("/email-back/{token}")
async def _address_back(scenery: Scenery) -> Case:
    # Of somebody else's account: the owner is known by its address.
    path = await changed_address(scenery.portal, await scenery.portal.account(scenery.address()), scenery.address())
    return Case(await scenery.portal.client(), path, path)


@case("/sign-up")
async def _sign_up(scenery: Scenery) -> Case:
    values = {"name": "Ada", "email": scenery.address(), "password": PASSWORD}
    return Case(await scenery.portal.client(), "/sign-up", "/sign-up", values)


@case("/sign-in")
async def _sign_in(scenery: Scenery) -> Case:
    values = {"email": scenery.owner.person.email, "password": PASSWORD}
    return Case(await scenery.portal.client(), "/sign-in", "/sign-in", values)


@case("/reset")
async def _reset(scenery: Scenery) -> Case:
    return Case(await scenery.portal.client(), "/reset", "/reset", {"email": scenery.owner.person.email})


@case("/reset/{token}")
async def _new_password(scenery: Scenery) -> Case:
    await request_reset(scenery.portal.deps, email=scenery.owner.person.email, client=newcomer())
    path = urlsplit(await scenery.portal.link(scenery.owner.person.email)).path
    return Case(await scenery.portal.client(), path, path, {"password": "another password altogether"})


@case("/verify/{token}")
async def _verify(scenery: Scenery) -> Case:
    email = scenery.address()
    cookie = await sign_up(scenery.portal.deps, email=email, name="Ada", password=PASSWORD, client=newcomer())
    path = urlsplit(await scenery.portal.link(email)).path
    return Case(await scenery.portal.client(natter_signup=cookie), path, path)


@case("/staff/webhooks/{event_id}/replay")
async def _replay(scenery: Scenery) -> Case:
    event = f"evt_{scenery.address().partition('@')[0]}"
    await plant_dead_letter(scenery.portal.sql, event, now=scenery.portal.clock.now())
    staff = await scenery.portal.account(scenery.address(), staff=True)
    return Case(await scenery.portal.client(staff), "/staff/webhooks", f"/staff/webhooks/{event}/replay")


async def _refused(scenery: Scenery, what: str) -> Case:
    command, now = scenery.portal.deps.ids.uuid7(), scenery.portal.clock.now()
    await plant_refused(scenery.portal.sql, command, organization=scenery.member.organization_id, now=now)
    staff = await scenery.portal.account(scenery.address(), staff=True)
    client = await scenery.portal.client(staff)
    return Case(client, "/staff/webhooks", f"/staff/webhooks/refused/{command}/{what}")


@case("/staff/webhooks/refused/{command_id}/again")
async def _ask_again(scenery: Scenery) -> Case:
    return await _refused(scenery, "again")


@case("/staff/webhooks/refused/{command_id}/drop")
async def _let_be(scenery: Scenery) -> Case:
    return await _refused(scenery, "drop")


@case("/local/{token}")
async def _local(scenery: Scenery) -> Case:
    async with scenery.portal.deps.change(Actor("operator:test")) as ctx:
        path = urlsplit(await create_outbox_link(ctx)).path
    return Case(await scenery.portal.client(), path, path)


async def _set_origins(scenery: Scenery, origins: list[str]) -> None:
    await scenery.portal.sql("update control.apps set allowed_origins = $2 where id = $1", scenery.app.app.id, origins)
