"""`/apps/{app_id}/keys`."""

from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.params import FromPath

from control_plane.apps import repository as apps
from control_plane.context import Context
from control_plane.keys.api_keys import (
    create_publishable_key,
    create_secret_key,
    revoke_api_key,
    rotate_secret_key,
)
from control_plane.keys.key_sets import list_key_sets
from control_plane.keys.reads import ApiKeyView, get_api_key, list_api_keys, list_signing_keys
from kernel.errors import NatterError, NotFound
from portal.apps.keys.forms import LIFETIMES, OVERLAPS, SCOPES, NewKeyForm, PublishableKeyForm, RevokeForm, RollForm
from portal.apps.location import works
from portal.http.forms import FormView, Submitted, read_form
from portal.http.guard import confirmed
from portal.http.page import page, redirect
from portal.http.scope import AppScope, AppScopeDependency, VisitDependency, path_id
from portal.http.visit import Visit

Pages = Request[Any, Any, Any]


@get("/apps/{app_id:str}/keys")
async def show_keys(request: Pages, visit: VisitDependency, app_scope: AppScopeDependency) -> Response[str]:
    """All keys of the app: those that work, those that end, and below those that have ended."""
    return await _keys_page(request, visit, app_scope)


@post("/apps/{app_id:str}/keys/publishable")
async def add_publishable_key(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency
) -> Response[str] | Response[None]:
    """One more publishable key. It is public, so the list shows it."""
    app_scope.member.require("keys.manage")
    form = await read_form(request, PublishableKeyForm)
    key_id = visit.take_id(form.data.new_id)
    try:
        async with visit.deps.change_as(app_scope.member, visit.request_id) as ctx:
            if not await _made_before(ctx, app_scope, key_id):
                await create_publishable_key(ctx, app_scope.app.id, key_id=key_id)
    except NatterError as error:
        return await _keys_page(request, visit, app_scope, form=form.fail(error))
    visit.flash("The publishable key was created.")
    return redirect(request, _keys_path(app_scope))


@get("/apps/{app_id:str}/keys/new")
async def show_new_key(request: Pages, visit: VisitDependency, app_scope: AppScopeDependency) -> Response[str]:
    """The form for a secret key."""
    app_scope.member.require("keys.manage")
    _check_confirmed(visit, app_scope)
    return _new_key_page(request, app_scope)


@post("/apps/{app_id:str}/keys", status_code=200)
async def add_secret_key(request: Pages, visit: VisitDependency, app_scope: AppScopeDependency) -> Response[str]:
    """The answer shows the key, this once."""
    app_scope.member.require("keys.manage")
    _check_confirmed(visit, app_scope)
    form = await read_form(request, NewKeyForm)
    key_id = visit.take_id(form.data.new_id)
    secret: str | None = None
    try:
        async with visit.deps.change_as(app_scope.member, visit.request_id) as ctx:
            if not await _made_before(ctx, app_scope, key_id):
                scopes, end = form.data.chosen_scopes(), form.data.expires_at(ctx.now)
                made = await create_secret_key(ctx, app_scope.app.id, scopes=scopes, expires_at=end, key_id=key_id)
                secret = made.value
    except NatterError as error:
        return _new_key_page(request, app_scope, form=form.fail(error))
    return page(request, "apps/keys/once.html", scope=app_scope, secret=secret, old=None)


@get("/apps/{app_id:str}/keys/{key_id:str}/row")
async def show_row(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency, key_id: FromPath[str]
) -> Response[str]:
    """One row of the list, which asks for itself until no node holds the revoked key any more."""
    app_scope.member.require("keys.read")
    key = await _find(visit, app_scope, key_id)
    return page(request, "apps/keys/row.html", scope=app_scope, key=key)


@get("/apps/{app_id:str}/keys/{key_id:str}/roll")
async def show_roll(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency, key_id: FromPath[str]
) -> Response[str]:
    """The form: when shall the old key end?"""
    app_scope.member.require("keys.manage")
    _check_confirmed(visit, app_scope)
    key = await _find(visit, app_scope, key_id)
    if key.kind != "secret" or not works(key):
        raise NotFound()
    return _roll_page(request, app_scope, key)


@post("/apps/{app_id:str}/keys/{key_id:str}/roll", status_code=200)
async def roll(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency, key_id: FromPath[str]
) -> Response[str]:
    """The answer shows the successor, this once."""
    app_scope.member.require("keys.manage")
    _check_confirmed(visit, app_scope)
    form = await read_form(request, RollForm)
    successor = visit.take_id(form.data.new_id)
    key = await _find(visit, app_scope, key_id)
    secret: str | None = None
    try:
        overlap = form.data.chosen_overlap()
        async with visit.deps.change_as(app_scope.member, visit.request_id) as ctx:
            if not await _made_before(ctx, app_scope, successor):
                made = await rotate_secret_key(ctx, app_scope.app.id, key.id, overlap=overlap, successor_id=successor)
                secret = made.value
    except NatterError as error:
        return _roll_page(request, app_scope, key, form=form.fail(error))
    return page(
        request, "apps/keys/once.html", scope=app_scope, secret=secret, old=await _find(visit, app_scope, key_id)
    )


@confirmed
@get("/apps/{app_id:str}/keys/{key_id:str}/revoke")
async def show_revoke(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency, key_id: FromPath[str]
) -> Response[str]:
    """What will happen, and the question."""
    app_scope.member.require("keys.manage")
    return await _revoke_page(request, visit, app_scope, await _find(visit, app_scope, key_id))


@confirmed
@post("/apps/{app_id:str}/keys/{key_id:str}/revoke")
async def revoke(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency, key_id: FromPath[str]
) -> Response[str] | Response[None]:
    """Back to the list, where the key is pending until every node has let it go."""
    app_scope.member.require("keys.manage")
    form: Submitted[RevokeForm] = await read_form(request, RevokeForm)
    key = await _find(visit, app_scope, key_id)
    try:
        form.check()
        form.data.check_against(key.last_four)
        async with visit.deps.change_as(app_scope.member, visit.request_id) as ctx:
            await revoke_api_key(ctx, app_scope.app.id, key.id, confirm=form.data.confirm)
    except NatterError as error:
        return await _revoke_page(request, visit, app_scope, key, form=form.fail(error))
    return redirect(request, _keys_path(app_scope))


async def _keys_page(request: Pages, visit: Visit, scope: AppScope, *, form: FormView | None = None) -> Response[str]:
    scope.member.require("keys.read")
    async with visit.deps.read(scope.member) as uow:
        now = visit.deps.clock.now()
        keys = await list_api_keys(uow.session, scope.app, now=now)
        signing = await list_signing_keys(uow.session, scope.app, now=now)
        key_sets = await list_key_sets(uow.session, scope.app)
    current = [key for key in keys if works(key) or key.state == "pending"]
    return page(
        request,
        "apps/keys/page.html",
        scope=scope,
        publishable=[key for key in current if key.kind == "publishable"],
        secret=[key for key in current if key.kind == "secret"],
        ended=[key for key in keys if key not in current],
        signing=signing,
        key_sets=key_sets,
        form=form,
    )


def _new_key_page(request: Pages, scope: AppScope, *, form: FormView | None = None) -> Response[str]:
    lifetimes = [(value, words) for value, (words, _) in LIFETIMES.items()]
    return page(request, "apps/keys/new.html", scope=scope, scopes=SCOPES, lifetimes=lifetimes, form=form)


def _roll_page(request: Pages, scope: AppScope, key: ApiKeyView, *, form: FormView | None = None) -> Response[str]:
    overlaps = [(value, words) for value, (words, _) in OVERLAPS.items()]
    return page(request, "apps/keys/roll.html", scope=scope, key=key, overlaps=overlaps, form=form)


async def _revoke_page(
    request: Pages, visit: Visit, scope: AppScope, key: ApiKeyView, *, form: FormView | None = None
) -> Response[str]:
    async with visit.deps.read(scope.member) as uow:
        keys = await list_api_keys(uow.session, scope.app, now=visit.deps.clock.now())
    others = [other for other in keys if other.kind == key.kind and other.id != key.id and works(other)]
    return page(request, "apps/keys/revoke.html", scope=scope, key=key, is_last=not others, form=form)


async def _find(visit: Visit, scope: AppScope, key_id: str) -> ApiKeyView:
    wanted = path_id("key", key_id)
    async with visit.deps.read(scope.member) as uow:
        return await get_api_key(uow.session, scope.app, wanted, now=visit.deps.clock.now())


async def _made_before(ctx: Context, scope: AppScope, key_id: UUID) -> bool:
    """Whether this form was sent before. The lock makes a second submit wait for the first."""
    app = await apps.get_for_change(ctx.session, scope.app.id)
    return any(key.id == key_id for key in await list_api_keys(ctx.session, app, now=ctx.now))


def _check_confirmed(visit: Visit, scope: AppScope) -> None:
    """A new secret key of a production app is for who has proven lately who he is."""
    if scope.app.environment == "production":
        visit.require_confirmed()


def _keys_path(scope: AppScope) -> str:
    return f"/apps/{scope.app.public_id}/keys"


ROUTES = [
    show_keys,
    add_publishable_key,
    show_new_key,
    add_secret_key,
    show_row,
    show_roll,
    roll,
    show_revoke,
    revoke,
]
