"""`/apps/{app_id}/signing-keys`: the keys that user tokens are verified with."""

from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.params import FromPath

from control_plane.apps import repository as apps
from control_plane.context import Context
from control_plane.keys.key_sets import follow_key_set, stop_following
from control_plane.keys.reads import SigningKeyView, get_signing_key, list_signing_keys
from control_plane.keys.signing_keys import add_public_key, create_signing_secret, revoke_signing_key
from kernel.errors import InvalidInput, NatterError, NotFound
from portal.apps.keys.forms import LeaveKeySetForm, PublicKeyForm, RevokeSigningForm, SigningSecretForm
from portal.http.forms import FormView, read_form
from portal.http.page import page, redirect
from portal.http.scope import AppScope, AppScopeDependency, VisitDependency, path_id
from portal.http.visit import Visit

Pages = Request[Any, Any, Any]


@get("/apps/{app_id:str}/signing-keys/new")
async def show_new_signing_key(request: Pages, app_scope: AppScopeDependency) -> Response[str]:
    """The form for public keys of one's own, and the button for a new secret."""
    app_scope.member.require("keys.manage")
    return page(request, "apps/keys/signing_new.html", scope=app_scope)


@post("/apps/{app_id:str}/signing-keys")
async def upload_public_keys(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency
) -> Response[str] | Response[None]:
    """Add what was pasted, or what stands at the address now."""
    app_scope.member.require("keys.manage")
    form = await read_form(request, PublicKeyForm)
    key_id = visit.take_id(form.data.new_id)
    try:
        form.data.check_source()
        url = form.data.jwks_url.strip()
        # Before the transaction: somebody else's server answers when it likes.
        fetched = await visit.deps.jwks.fetch_fresh(url) if url else None
        added = 0
        async with visit.deps.change_as(app_scope.member, visit.request_id) as ctx:
            if not await _made_before(ctx, app_scope, key_id):
                app_id, kid = app_scope.app.id, form.data.kid.strip() or None
                if fetched is not None:
                    added = len(await follow_key_set(ctx, app_id, url, fetched, key_id=key_id))
                else:
                    added = len(await add_public_key(ctx, app_id, form.data.public_key, kid=kid, key_id=key_id))
    except NatterError as error:
        shown = form.fail(_at_the_address(error) if form.data.jwks_url.strip() else error)
        return page(request, "apps/keys/signing_new.html", scope=app_scope, form=shown)
    visit.flash(f"{added} public keys were added." if added > 1 else "The public key was added.")
    return redirect(request, _keys_path(app_scope))


@post("/apps/{app_id:str}/signing-keys/secret", status_code=200)
async def create_minting_secret(request: Pages, visit: VisitDependency, app_scope: AppScopeDependency) -> Response[str]:
    """A new secret signs from now on; the old one goes on verifying. The answer shows it, this once."""
    app_scope.member.require("keys.manage")
    form = await read_form(request, SigningSecretForm)
    key_id = visit.take_id(form.data.new_id)
    made = None
    try:
        async with visit.deps.change_as(app_scope.member, visit.request_id) as ctx:
            if not await _made_before(ctx, app_scope, key_id):
                made = await create_signing_secret(ctx, app_scope.app.id, mint=True, key_id=key_id)
    except NatterError as error:
        return page(request, "apps/keys/signing_new.html", scope=app_scope, form=form.fail(error))
    return page(request, "apps/keys/signing_once.html", scope=app_scope, made=made)


@post("/apps/{app_id:str}/key-sets/{key_set_id:str}/stop")
async def leave_key_set(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency, key_set_id: FromPath[str]
) -> Response[None]:
    """Follow the address no more; what came from it stays until it is revoked."""
    app_scope.member.require("keys.manage")
    wanted = path_id("key", key_set_id)
    await read_form(request, LeaveKeySetForm)
    async with visit.deps.change_as(app_scope.member, visit.request_id) as ctx:
        await stop_following(ctx, app_scope.app.id, wanted)
    visit.flash("The address is followed no more. Its keys work until you revoke them.")
    return redirect(request, _keys_path(app_scope))


@get("/apps/{app_id:str}/signing-keys/{key_id:str}/revoke")
async def show_revoke_signing_key(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency, key_id: FromPath[str]
) -> Response[str]:
    """What will happen, and the question."""
    app_scope.member.require("keys.manage")
    return _revoke_page(request, app_scope, await _find(visit, app_scope, key_id))


@post("/apps/{app_id:str}/signing-keys/{key_id:str}/revoke")
async def submit_revoke_signing_key(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency, key_id: FromPath[str]
) -> Response[str] | Response[None]:
    """Back to the list. The key that mints cannot go: another one must mint first."""
    app_scope.member.require("keys.manage")
    form = await read_form(request, RevokeSigningForm)
    key = await _find(visit, app_scope, key_id)
    try:
        form.check()
        form.data.check_against(key.kid)
        async with visit.deps.change_as(app_scope.member, visit.request_id) as ctx:
            await revoke_signing_key(ctx, app_scope.app.id, key.kid)
    except NatterError as error:
        return _revoke_page(request, app_scope, key, form=form.fail(error))
    visit.flash("The signing key was revoked.")
    return redirect(request, _keys_path(app_scope))


def _at_the_address(error: NatterError) -> NatterError:
    """What is wrong with the document is said beside its address."""
    if error.data.get("field") == "public_key":
        return InvalidInput(f"What stands there is refused. {error.message}", field="jwks_url")
    return error


def _revoke_page(
    request: Pages, scope: AppScope, key: SigningKeyView, *, form: FormView | None = None
) -> Response[str]:
    return page(request, "apps/keys/signing_revoke.html", scope=scope, key=key, form=form)


async def _find(visit: Visit, scope: AppScope, key_id: str) -> SigningKeyView:
    wanted = path_id("key", key_id)
    async with visit.deps.read(scope.member) as uow:
        key = await get_signing_key(uow.session, scope.app, wanted, now=visit.deps.clock.now())
    if key.revoked_at is not None:
        raise NotFound()
    return key


async def _made_before(ctx: Context, scope: AppScope, key_id: UUID) -> bool:
    """Whether this form was sent before. The lock makes a second submit wait for the first."""
    app = await apps.get_for_change(ctx.session, scope.app.id)
    return any(key.id == key_id for key in await list_signing_keys(ctx.session, app, now=ctx.now))


def _keys_path(scope: AppScope) -> str:
    return f"/apps/{scope.app.public_id}/keys"


ROUTES = [
    show_new_signing_key,
    upload_public_keys,
    create_minting_secret,
    show_revoke_signing_key,
    submit_revoke_signing_key,
    leave_key_set,
]
