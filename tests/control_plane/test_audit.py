"""Every use case that changes something writes an audit entry in its transaction, and no entry can be altered."""

import contextlib
import importlib
import inspect
import json
import pkgutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from types import ModuleType
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from litestar.routes import HTTPRoute
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

import billing
import control_plane
from billing.app import create_app
from billing.coupons import redeem
from billing.credits import grant_credit
from billing.dunning import observe
from billing.plans import load_catalog
from billing.provider.stripe.checkout import keep_trial
from billing.provider.stripe.commands import ask
from billing.provider.stripe.dunning import tell
from billing.provider.stripe.inbox import note, receive, replay
from billing.provider.stripe.memory import note_away
from billing.provider.stripe.refused import ask_again, let_be
from billing.tenants import close_tenant, end_app, open_app, open_tenant, restore_tenant
from billing.terms.follow import Course, follow
from billing.terms.service import (
    change_plan,
    end_trial,
    keep_plan,
    set_addon,
    set_budget,
    set_over,
    set_override,
    set_thresholds,
    start_trial,
)
from billing.usage.ingest import ingest
from billing.usage.quarantine import release_quarantined
from control_plane.accounts import repository as accounts
from control_plane.accounts import throttles
from control_plane.accounts.addresses import (
    confirm_change,
    look_up_change,
    look_up_revert,
    request_change,
    revert_change,
)
from control_plane.accounts.authenticators import forget, let_in, offer, renew_codes, tell_of_code, turn_off, turn_on
from control_plane.accounts.local import create_outbox_link, look_up_local, open_local
from control_plane.accounts.models import Account
from control_plane.accounts.person import Person
from control_plane.accounts.profile import change_name, change_password
from control_plane.accounts.reset import look_up_reset, request_reset, reset_password
from control_plane.accounts.second_step import enter, finish_sign_in, look_up_second_step
from control_plane.accounts.sessions import (
    NewSession,
    SignedIn,
    begin_session,
    end_all_sessions,
    end_other_sessions,
    end_session,
    resolve,
    sign_out,
)
from control_plane.accounts.sign_in import sign_in
from control_plane.accounts.sign_up import confirm, look_up_confirmation, sign_up
from control_plane.accounts.staff import create_staff
from control_plane.accounts.step_up import confirm_session
from control_plane.apps.holds import set_hold
from control_plane.apps.service import (
    create_app_record,
    delete_app,
    promote_app,
    rename_app,
    resume_app,
    set_allowed_origins,
    set_anonymous,
    set_guests,
    set_leaked_keys,
    suspend_app,
)
from control_plane.audit.service import note_export
from control_plane.context import Context, Deps
from control_plane.credentials.service import authenticate, create_credential, revoke_credential
from control_plane.keys.api_keys import (
    create_publishable_key,
    create_secret_key,
    revoke_api_key,
    rotate_secret_key,
)
from control_plane.keys.jwks_url import Fetched
from control_plane.keys.key_sets import apply_reading, follow_key_set, stop_following
from control_plane.keys.leaks.report import take_in
from control_plane.keys.signing_keys import add_public_key, create_signing_secret, revoke_signing_key
from control_plane.mail.outbox import send_again
from control_plane.members import Member
from control_plane.members.invitations import (
    InvitationView,
    accept_invitation,
    invite,
    look_up_invitation,
    revoke_invitation,
)
from control_plane.members.service import change_role, leave, remove_member, set_role
from control_plane.organizations.claims import claim_organizations
from control_plane.organizations.closing import KEPT_FOR, close_organization, restore_organization
from control_plane.organizations.details import Details, set_billing_details
from control_plane.organizations.erasure import erase_app, erase_due
from control_plane.organizations.ownership import accept_ownership, end_offer, offer_ownership
from control_plane.organizations.service import (
    create_organization,
    open_organization,
    rename_organization,
    require_two_step,
)
from control_plane.tenants import NewApp, create_app_with_keys, create_tenant
from kernel.contracts import UsageReport, UsageRow
from tests.control_plane.accounts.second_steps import first_step, offered_app, signed_in, two_step_on
from tests.control_plane.fixtures import PASSWORD, World, app_uuid
from tests.control_plane.test_keys import EC, jwk_of

PEM = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----"""


def mutating_use_cases(*packages: ModuleType) -> dict[str, Any]:
    """Public coroutines whose first argument is a `Context`: by convention these change something."""
    found = public_coroutines(Context, *packages)
    # It writes the entries.
    del found["control_plane.audit.service.record"]
    return found


def public_coroutines(first_argument: type, *packages: ModuleType) -> dict[str, Any]:
    """By name, those whose first argument is of that type."""
    found = {}
    for package in packages:
        for module_info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            module = importlib.import_module(module_info.name)
            for name, function in inspect.getmembers(module, inspect.iscoroutinefunction):
                first = next(iter(inspect.signature(function).parameters.values()), None)
                own = function.__module__ == module.__name__ and not name.startswith("_")
                if own and first is not None and first.annotation in (first_argument, first_argument.__name__):
                    found[f"{module.__name__}.{name}"] = function
    return found


FREE = load_catalog().newest("free").grant()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What use cases act on: Ada, a tenant that she has not claimed, and Bob's organization, which invites her."""

    world: World
    ada: Person
    session: NewSession
    owner: Member
    app: NewApp
    viewer: Member
    invitation: InvitationView
    invitation_token: str

    @classmethod
    async def set(cls, world: World) -> "Stage":
        ada = await world.person()
        bob = await world.owner("bob@example.com", "Bobs")
        viewer = await world.member(bob, "carl@example.com", "viewer")
        async with world.deps.change_as(bob, None) as ctx:
            invitation = await invite(ctx, bob, email=ada.email, role="viewer")
        return cls(
            world=world,
            ada=ada,
            session=await sign_in(world.deps, email=ada.email, password=PASSWORD, client=world.client()),
            owner=bob,
            app=await world.app(bob),
            viewer=viewer,
            invitation=invitation,
            invitation_token=await world.link(ada.email),
        )


Call = Callable[[Context, Stage], Awaitable[Any]]


async def _app(ctx: Context) -> Any:
    return (await ctx.session.execute(text("select id from control.apps order by id desc limit 1"))).scalar_one()


async def _key(ctx: Context) -> Any:
    return (
        await ctx.session.execute(
            text("select id from control.api_keys where kind = 'secret' order by id desc limit 1")
        )
    ).scalar_one()


async def _revoke_signing_key(ctx: Context, _: Stage) -> None:
    await revoke_signing_key(ctx, await _app(ctx), "old")


async def _release(ctx: Context, _: Stage) -> None:
    await release_quarantined(ctx, source="relay:s0", boot="b", seq=1)


async def _create_app(ctx: Context, _: Stage) -> None:
    organization = await open_organization(ctx, email="ada@example.com", name="Analytical")
    await create_app_record(ctx, organization, name="Another", environment="production", plan=FREE)


async def _on_paid(ctx: Context, use_case: Callable[..., Awaitable[Any]], *args: Any) -> None:
    await change_plan(ctx, await _app(ctx), "starter")
    await use_case(ctx, await _app(ctx), *args)


async def _end_trial(ctx: Context, stage: Stage) -> None:
    await start_trial(ctx, stage.app.app.id, "growth")
    await end_trial(ctx, stage.app.app.id, keep=True)


async def _claim(ctx: Context, stage: Stage) -> None:
    assert await claim_organizations(ctx, await accounts.get(ctx.session, stage.ada.account_id)) == 1


async def _turn_off(ctx: Context, stage: Stage) -> None:
    await _with_two_steps(ctx, stage)
    await turn_off(ctx, SignedIn(stage.session.session_id, "account", stage.ada))


async def _renew_codes(ctx: Context, stage: Stage) -> None:
    await _with_two_steps(ctx, stage)
    await renew_codes(ctx, stage.ada.account_id)


async def _forget(ctx: Context, stage: Stage) -> None:
    await forget(ctx, await _with_two_steps(ctx, stage))


async def _let_in(ctx: Context, stage: Stage) -> None:
    await _with_two_steps(ctx, stage)
    await let_in(ctx, stage.ada.email)


async def _tell_of_code(ctx: Context, stage: Stage) -> None:
    await tell_of_code(ctx, await _with_two_steps(ctx, stage), "recovery code")


async def _enter(ctx: Context, stage: Stage) -> None:
    await enter(ctx, await _with_two_steps(ctx, stage), stage.world.client())


async def _with_two_steps(ctx: Context, stage: Stage) -> Account:
    account = await accounts.get(ctx.session, stage.ada.account_id)
    account.two_step_at = ctx.now
    await ctx.session.flush()
    return account


async def _accept_ownership(ctx: Context, stage: Stage) -> None:
    await offer_ownership(ctx, stage.owner, stage.viewer.account_id)
    await accept_ownership(ctx, stage.viewer)


async def _end_offer(ctx: Context, stage: Stage) -> None:
    await offer_ownership(ctx, stage.owner, stage.viewer.account_id)
    await end_offer(ctx, stage.owner)


async def _restore(ctx: Context, stage: Stage) -> None:
    await close_organization(ctx, stage.owner)
    await restore_organization(ctx, stage.owner)


async def _restore_tenant(ctx: Context, stage: "Stage") -> None:
    await close_tenant(ctx, stage.owner)
    await restore_tenant(ctx, stage.owner)


async def _followed(ctx: Context) -> Any:
    """The id of a key set that an app follows."""
    await follow_key_set(ctx, await _app(ctx), "https://example.com/jwks.json", Fetched(PEM))
    return (await ctx.session.execute(text("select id from control.key_sets order by id desc limit 1"))).scalar_one()


async def _read_again(ctx: Context, _: Stage) -> None:
    assert await apply_reading(ctx, await _followed(ctx), Fetched(json.dumps(jwk_of(EC))))


async def _stop_following(ctx: Context, _: Stage) -> None:
    key_set = await _followed(ctx)
    await stop_following(ctx, await _app(ctx), key_set)


async def _send_again(ctx: Context, _: Stage) -> None:
    failed = "update control.mails set state = 'failed' where id = (select id from control.mails limit 1) returning id"
    await send_again(ctx, (await ctx.session.execute(text(failed))).scalar_one())


async def _replay(ctx: Context, stage: Stage) -> None:
    await note(ctx.session, {"id": "evt_1", "type": "x", "data": {"object": {"id": "y"}}}, now=ctx.now)
    await ctx.session.execute(text("update control.stripe_events set state = 'dead'"))
    await replay(ctx, "evt_1")


async def _on_refused(ctx: Context, stage: Stage, act: Any) -> None:
    command = await ask(ctx, stage.owner.organization_id, None, "coupon", {"code": "SPRING"})
    refuse = "update control.stripe_commands set state = 'refused', done_at = created_at where id = :id"
    await ctx.session.execute(text(refuse), {"id": command})
    await act(ctx, command)


async def _keep_trial(ctx: Context, stage: Stage) -> None:
    await start_trial(ctx, stage.app.app.id, "growth")
    await keep_trial(ctx, stage.app.app.id, "cs_1", "growth", 1)


CALLS: dict[Any, Call] = {
    offer: lambda ctx, stage: offer(ctx, stage.ada.account_id),
    turn_off: _turn_off,
    renew_codes: _renew_codes,
    forget: _forget,
    let_in: _let_in,
    tell_of_code: _tell_of_code,
    enter: _enter,
    open_organization: lambda ctx, _: open_organization(ctx, email="new@example.com", name="New"),
    create_app_record: _create_app,
    create_tenant: lambda ctx, _: create_tenant(ctx, email="x@example.com", organization="X", app="X", plan=FREE),
    open_tenant: lambda ctx, _: open_tenant(ctx, email="x@example.com", organization="X", app="X"),
    suspend_app: lambda ctx, _: _on_app(ctx, suspend_app, reason="unpaid"),
    resume_app: lambda ctx, _: _on_app(ctx, resume_app),
    set_allowed_origins: lambda ctx, _: _on_app(ctx, set_allowed_origins, ["https://a.example"]),
    set_anonymous: lambda ctx, _: _on_app(ctx, set_anonymous, allowed=True),
    set_guests: lambda ctx, _: _on_app(ctx, set_guests, allowed=True),
    set_leaked_keys: lambda ctx, _: _on_app(ctx, set_leaked_keys, revoke=False),
    follow_key_set: lambda ctx, _: _followed(ctx),
    apply_reading: _read_again,
    stop_following: _stop_following,
    send_again: _send_again,
    set_billing_details: lambda ctx, stage: set_billing_details(ctx, stage.owner, Details(company="Ltd")),
    change_plan: lambda ctx, _: _on_app(ctx, change_plan, "growth"),
    keep_plan: lambda ctx, _: _on_app(ctx, keep_plan),
    start_trial: lambda ctx, stage: start_trial(ctx, stage.app.app.id, "growth"),
    end_trial: _end_trial,
    set_addon: lambda ctx, _: _on_paid(ctx, set_addon, "storage_100gb", 1),
    set_override: lambda ctx, _: _on_app(ctx, set_override, "mau.included", 5, reason="A pilot"),
    set_over: lambda ctx, _: _on_paid(ctx, set_over, "messages", "stop"),
    set_budget: lambda ctx, _: _on_app(ctx, set_budget, 10_000, "stop"),
    grant_credit: lambda ctx, stage: grant_credit(ctx, stage.owner.organization_id, 5, reason="Sorry"),
    redeem: lambda ctx, stage: redeem(ctx, stage.owner.organization_id, "WELCOME50"),
    set_thresholds: lambda ctx, _: _on_app(ctx, set_thresholds, [90]),
    create_publishable_key: lambda ctx, _: _on_app(ctx, create_publishable_key),
    create_secret_key: lambda ctx, _: _on_app(ctx, create_secret_key),
    rotate_secret_key: lambda ctx, _: _on_key(ctx, rotate_secret_key, overlap=timedelta()),
    revoke_api_key: lambda ctx, _: _on_key(ctx, revoke_api_key),
    create_signing_secret: lambda ctx, _: _on_app(ctx, create_signing_secret, mint=True),
    add_public_key: lambda ctx, _: _on_app(ctx, add_public_key, PEM),
    revoke_signing_key: _revoke_signing_key,
    create_credential: lambda ctx, _: create_credential(ctx, kind="node", name="n2", shard="s0"),
    revoke_credential: lambda ctx, _: revoke_credential(ctx, kind="relay", name="r"),
    release_quarantined: _release,
    begin_session: lambda ctx, stage: begin_session(ctx, stage.ada, stage.world.client()),
    end_session: lambda ctx, stage: end_session(ctx, stage.ada.account_id, stage.session.session_id),
    end_other_sessions: lambda ctx, stage: end_other_sessions(ctx, stage.ada.account_id, keep=uuid4()),
    end_all_sessions: lambda ctx, stage: end_all_sessions(ctx, stage.ada.account_id),
    sign_out: lambda ctx, stage: sign_out(ctx, SignedIn(stage.session.session_id, "account", stage.ada)),
    change_name: lambda ctx, stage: change_name(ctx, stage.ada.account_id, "Countess"),
    create_outbox_link: lambda ctx, _: create_outbox_link(ctx),
    create_staff: lambda ctx, _: create_staff(ctx, email="root@example.com"),
    claim_organizations: _claim,
    create_organization: lambda ctx, stage: create_organization(ctx, stage.ada, name="Mine"),
    rename_organization: lambda ctx, stage: rename_organization(ctx, stage.owner, "Renamed"),
    invite: lambda ctx, stage: invite(ctx, stage.owner, email="new@example.com", role="viewer"),
    revoke_invitation: lambda ctx, stage: revoke_invitation(ctx, stage.owner, stage.invitation.id),
    accept_invitation: lambda ctx, stage: accept_invitation(ctx, stage.ada, stage.invitation_token),
    set_role: lambda ctx, stage: set_role(ctx, stage.owner, stage.viewer.account_id, before="viewer", after="billing"),
    offer_ownership: lambda ctx, stage: offer_ownership(ctx, stage.owner, stage.viewer.account_id),
    accept_ownership: _accept_ownership,
    end_offer: _end_offer,
    close_organization: lambda ctx, stage: close_organization(ctx, stage.owner),
    restore_organization: _restore,
    close_tenant: lambda ctx, stage: close_tenant(ctx, stage.owner),
    restore_tenant: _restore_tenant,
    end_app: lambda ctx, _: _on_named_app(ctx, end_app),
    ask: lambda ctx, stage: ask(ctx, stage.owner.organization_id, None, "keep", {}),
    follow: lambda ctx, _: _on_app(ctx, follow, Course("growth", 1, ctx.now), because="test"),
    replay: _replay,
    ask_again: lambda ctx, stage: _on_refused(ctx, stage, ask_again),
    let_be: lambda ctx, stage: _on_refused(ctx, stage, let_be),
    tell: lambda ctx, _: _on_app(ctx, tell, ctx.now - timedelta(hours=1)),
    observe: lambda ctx, _: _on_app(ctx, observe, ctx.now - timedelta(hours=1)),
    keep_trial: _keep_trial,
    require_two_step: lambda ctx, stage: require_two_step(ctx, stage.owner, False),
    change_role: lambda ctx, stage: change_role(ctx, stage.owner, stage.viewer.account_id, "admin"),
    remove_member: lambda ctx, stage: remove_member(ctx, stage.owner, stage.viewer.account_id),
    leave: lambda ctx, stage: leave(ctx, stage.viewer),
    create_app_with_keys: lambda ctx, stage: create_app_with_keys(
        ctx, stage.owner, name="X", environment="development", plan=FREE
    ),
    open_app: lambda ctx, stage: open_app(ctx, stage.owner, name="X"),
    promote_app: lambda ctx, _: _on_named_app(ctx, promote_app),
    delete_app: lambda ctx, _: _on_named_app(ctx, delete_app),
    note_export: lambda ctx, stage: note_export(ctx, stage.owner, {}),
    rename_app: lambda ctx, _: _on_app(ctx, rename_app, "Renamed"),
}


async def _on_app(ctx: Context, use_case: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> None:
    await use_case(ctx, await _app(ctx), *args, **kwargs)


async def _on_named_app(ctx: Context, use_case: Callable[..., Awaitable[Any]]) -> None:
    name = (await ctx.session.execute(text("select name from control.apps limit 1"))).scalar_one()
    await use_case(ctx, await _app(ctx), confirm=name)


async def _on_key(ctx: Context, use_case: Callable[..., Awaitable[Any]], **kwargs: Any) -> None:
    await use_case(ctx, await _app(ctx), await _key(ctx), **kwargs)


PARTS = {set_hold, erase_app}
"""What the ladder of unpaid bills does in its own use case, `observe`, which writes the entry."""


def test_every_mutating_use_case_is_tried_below() -> None:
    found = mutating_use_cases(control_plane, billing)

    assert set(found.values()) - PARTS == set(CALLS), "add the new use case to CALLS"
    assert "control_plane.apps.service.suspend_app" in found


class Undo(Exception):
    """Leaves the database as it was for the next use case."""


async def test_each_writes_an_entry_that_says_who_and_what(world: World) -> None:
    stage = await Stage.set(world)
    tenant = await world.tenant()
    relay = await world.credential("relay", "r")
    async with world.change() as ctx:
        await add_public_key(ctx, app_uuid(tenant), PEM, kid="old")
    async with world.deps.database.unit_of_work() as uow:
        credential = await authenticate(uow.session, world.deps.vault, relay)
    early = UsageRow(
        seq=1, app_id=tenant.app_id, meter="messages", quantity=1, at=world.clock.now() + timedelta(days=9)
    )
    await ingest(world.deps, credential, UsageReport(source="relay:s0", boot="b", rows=(early,)))
    entries = text("select * from control.audit_entries order by id desc")

    for use_case, call in CALLS.items():
        with contextlib.suppress(Undo):
            async with world.change() as ctx:
                before = len((await ctx.session.execute(entries)).all())
                await call(ctx, stage)
                after = (await ctx.session.execute(entries)).all()
                assert len(after) > before, use_case
                assert (after[0].actor, after[0].request_id) == ("operator:test", "req_test"), use_case
                assert after[0].target, use_case
                raise Undo


async def _confirm(world: World) -> None:
    cookie = await _sign_up(world)
    await confirm(world.deps, await world.link("new@example.com"), cookie=cookie, client=world.client())


async def _sign_up(world: World) -> str:
    return await sign_up(world.deps, email="new@example.com", name="New", password=PASSWORD, client=world.client())


async def _request_reset(world: World) -> None:
    await request_reset(world.deps, email="ada@example.com", client=world.client())


async def _reset(world: World) -> None:
    await _request_reset(world)
    token = await world.link("ada@example.com")
    await reset_password(world.deps, token, password=PASSWORD, client=world.client())


async def _open_local(world: World) -> None:
    async with world.change() as ctx:
        url = await create_outbox_link(ctx)
    await open_local(world.deps, url.rpartition("/")[2], client=world.client())


async def _change_password(world: World) -> None:
    session = await sign_in(world.deps, email="ada@example.com", password=PASSWORD, client=world.client())
    assert session.person is not None
    await change_password(
        world.deps, session.person, current=PASSWORD, new="another good password", client=world.client()
    )


async def _turn_on(world: World) -> None:
    ada = await person_of(world)
    who, _ = await signed_in(world, ada)
    app = await offered_app(world, ada)
    await turn_on(world.deps, who, code=app.code(world.clock.now()), client=world.client())


async def _finish_sign_in(world: World) -> None:
    ada = await person_of(world)
    _, codes, _ = await two_step_on(world, ada)
    step = await first_step(world, ada)
    await finish_sign_in(world.deps, step.token, code=codes[0], client=world.client())


async def _confirm_session(world: World) -> None:
    who, _ = await signed_in(world, await person_of(world))
    await confirm_session(world.deps, who, password=PASSWORD, client=world.client())


async def _request_change(world: World) -> None:
    await request_change(world.deps, await person_of(world), email="new@example.com", client=world.client())


async def _confirm_change(world: World) -> None:
    await _request_change(world)
    await confirm_change(world.deps, await person_of(world), await world.link("new@example.com"), client=world.client())


async def _revert_change(world: World) -> None:
    await _confirm_change(world)
    await revert_change(world.deps, await world.link("ada@example.com"), client=world.client())


async def person_of(world: World) -> Person:
    async with world.deps.database.unit_of_work() as uow:
        account = await accounts.by_email(uow.session, "ada@example.com")
        assert account is not None
        return Person.of(account)


async def _erase_due(world: World) -> None:
    bob = await world.owner("bob@example.com", "Bobs")
    async with world.deps.change_as(bob, "req_test") as ctx:
        await close_organization(ctx, bob)
    world.clock.advance(KEPT_FOR)
    assert await erase_due(world.deps) == 1


FLOWS: dict[Any, tuple[str, Callable[[World], Awaitable[Any]]]] = {
    sign_up: ("account.signed_up", _sign_up),
    confirm: ("account.confirmed", _confirm),
    sign_in: (
        "session.started",
        lambda world: sign_in(world.deps, email="ada@example.com", password=PASSWORD, client=world.client()),
    ),
    request_reset: ("account.reset_requested", _request_reset),
    reset_password: ("account.password_reset", _reset),
    open_local: ("session.started", _open_local),
    change_password: ("account.password_changed", _change_password),
    erase_due: ("organization.erased", _erase_due),
    turn_on: ("account.two_step_turned_on", _turn_on),
    finish_sign_in: ("session.started", _finish_sign_in),
    confirm_session: ("session.confirmed", _confirm_session),
    request_change: ("account.email_change_requested", _request_change),
    confirm_change: ("account.email_changed", _confirm_change),
    revert_change: ("account.email_change_reverted", _revert_change),
}
"""Use cases that need several transactions and so take `Deps`."""

UNAUDITED = {
    # Look, and change nothing but when a session was last seen.
    look_up_change,
    look_up_confirmation,
    look_up_invitation,
    look_up_local,
    look_up_reset,
    look_up_revert,
    look_up_second_step,
    resolve,
    # Counting tries is no change, and the ledger is itself the record of who reported what and when.
    throttles.take,
    throttles.forgive,
    ingest,
    # What a report leads to is the job's, which writes the entries.
    take_in,
    # An event is a reason to look; what follows from it has entries. That Stripe is away is nobody's deed.
    receive,
    note_away,
}


def test_every_flow_is_tried_below() -> None:
    found = set(public_coroutines(Deps, control_plane, billing).values())

    assert found == set(FLOWS) | UNAUDITED, "add the new flow to FLOWS, or to UNAUDITED with its reason"


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.__name__)
async def test_each_flow_writes_an_entry_too(world: World, flow: Any) -> None:
    await world.person()
    action, run = FLOWS[flow]
    # What the system does by itself is in no request.
    entries = text(
        "select action from control.audit_entries where request_id = 'req_test' or actor like 'system:%' order by id"
    )
    async with world.deps.database.unit_of_work() as uow:
        before = len((await uow.session.execute(entries)).all())
    await run(world)
    async with world.deps.database.unit_of_work() as uow:
        assert action in (await uow.session.execute(entries)).scalars().all()[before:]


async def test_the_entry_goes_with_a_change_that_fails(world: World) -> None:
    tenant = await world.tenant()
    with pytest.raises(RuntimeError):
        async with world.change() as ctx:
            await suspend_app(ctx, app_uuid(tenant), reason="x")
            raise RuntimeError
    async with world.deps.database.unit_of_work() as uow:
        found = await uow.session.execute(text("select action from control.audit_entries"))
        assert "app.suspended" not in set(found.scalars())


def test_every_mutating_route_is_known(world: World) -> None:
    app = create_app(world.deps)
    routes = {
        f"{method} {route.path}"
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for method in route.methods
        if method not in ("GET", "HEAD", "OPTIONS")
    }
    # The ledger is itself the record of who reported what and when; of leaked keys the job that judges a report writes,
    # and of an event of Stripe's what follows from it is an entry.
    assert routes == {
        "POST /internal/v1/usage",
        "POST /v1/leaks",
        "POST /v1/leaks/github",
        "POST /webhooks/stripe",
    }


@pytest.mark.parametrize("table", ["audit_entries", "usage_ledger"])
@pytest.mark.parametrize(
    "statement", ["update control.{} set at = now()", "delete from control.{}", "truncate control.{}"]
)
async def test_what_is_append_only_refuses_its_owner_and_the_runtime(
    shared_world: World, table: str, statement: str
) -> None:
    await shared_world.tenant()
    with pytest.raises(DBAPIError, match="permission denied"):
        async with shared_world.deps.database.unit_of_work() as uow:
            await uow.session.execute(text(statement.format(table)))
    owner = await asyncpg.connect(shared_world.admin_url)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
            await owner.execute(statement.format(table))
    finally:
        await owner.close()
