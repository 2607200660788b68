"""`/apps/{app_id}/settings`."""

from typing import Annotated, Any

from litestar import Request, Response, get, post

from control_plane.apps.service import rename_app, set_allowed_origins, set_anonymous, set_guests, set_leaked_keys
from kernel.errors import NatterError
from portal.http.forms import Field, Form, FormView, read_form
from portal.http.page import page, redirect
from portal.http.scope import AppScope, AppScopeDependency, VisitDependency

Pages = Request[Any, Any, Any]


class NameForm(Form, frozen=True, kw_only=True):
    """The app's new name."""

    app: Annotated[str, Field("Name", blank="Enter a name.")] = ""


class OriginForm(Form, frozen=True, kw_only=True):
    """An origin to add or to take away; `*` stands for every one."""

    allowed_origins: Annotated[str, Field("Origin", blank="Enter an origin, such as https://chat.example.com.")] = ""


class LeakedKeysForm(Form, frozen=True, kw_only=True):
    """What becomes of a secret key that is found in public: `yes` revokes it, anything else only tells its owners."""

    revoke: str = ""


class LetInForm(Form, frozen=True, kw_only=True):
    """Whether some are let in: `yes`, or anything else."""

    allowed: str = ""


@get("/apps/{app_id:str}/settings")
async def show_settings(request: Pages, app_scope: AppScopeDependency) -> Response[str]:
    """The name, and the web pages that may connect."""
    app_scope.member.require("apps.read")
    return _settings_page(request, app_scope)


@post("/apps/{app_id:str}/settings/name")
async def rename(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency
) -> Response[str] | Response[None]:
    """Give the app another name."""
    app_scope.member.require("apps.update")
    form = await read_form(request, NameForm)
    try:
        form.check()
        async with visit.deps.change_as(app_scope.member, visit.request_id) as ctx:
            await rename_app(ctx, app_scope.app.id, form.data.app)
    except NatterError as error:
        return _settings_page(request, app_scope, form=form.fail(error))
    visit.flash("The name was changed.")
    return redirect(request, _path(app_scope))


@post("/apps/{app_id:str}/settings/origins/add")
async def add_origin(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency
) -> Response[str] | Response[None]:
    """Let one more origin in. The first one replaces `*`: from then on only listed origins connect."""
    app_scope.member.require("apps.update")
    form = await read_form(request, OriginForm)
    try:
        form.check()
        wanted = form.data.allowed_origins.strip()
        kept = [] if wanted == "*" else [origin for origin in app_scope.app.allowed_origins if origin != "*"]
        async with visit.deps.change_as(app_scope.member, visit.request_id) as ctx:
            await set_allowed_origins(ctx, app_scope.app.id, [*kept, wanted])
    except NatterError as error:
        return _settings_page(request, app_scope, form=form.fail(error))
    visit.flash("Every origin may connect now." if wanted == "*" else f"{wanted} may connect now.")
    return redirect(request, _path(app_scope))


@post("/apps/{app_id:str}/settings/origins/remove")
async def remove_origin(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency
) -> Response[str] | Response[None]:
    """Let an origin in no more. The last one cannot go: an app that nobody may connect to is suspended instead."""
    app_scope.member.require("apps.update")
    form = await read_form(request, OriginForm)
    kept = [origin for origin in app_scope.app.allowed_origins if origin != form.data.allowed_origins]
    try:
        async with visit.deps.change_as(app_scope.member, visit.request_id) as ctx:
            await set_allowed_origins(ctx, app_scope.app.id, kept)
    except NatterError as error:
        return _settings_page(request, app_scope, form=form.fail(error))
    visit.flash(f"{form.data.allowed_origins} may not connect any more.")
    return redirect(request, _path(app_scope))


@post("/apps/{app_id:str}/settings/guests")
async def change_guests(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency
) -> Response[str] | Response[None]:
    """Let guests in, or no more; those who are there stay."""
    app_scope.member.require("apps.update")
    form = await read_form(request, LetInForm)
    allowed = form.data.allowed == "yes"
    async with visit.deps.change_as(app_scope.member, visit.request_id) as ctx:
        await set_guests(ctx, app_scope.app.id, allowed)
    visit.flash("Guests may come in now." if allowed else "No more guests are let in.")
    return redirect(request, _path(app_scope))


@post("/apps/{app_id:str}/settings/anonymous")
async def change_anonymous(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency
) -> Response[str] | Response[None]:
    """Let anonymous visitors in, or no more: then those who are there are shut out."""
    app_scope.member.require("apps.update")
    form = await read_form(request, LetInForm)
    allowed = form.data.allowed == "yes"
    async with visit.deps.change_as(app_scope.member, visit.request_id) as ctx:
        await set_anonymous(ctx, app_scope.app.id, allowed)
    visit.flash("Anonymous visitors may come in now." if allowed else "Anonymous visitors are shut out.")
    return redirect(request, _path(app_scope))


@post("/apps/{app_id:str}/settings/leaked-keys")
async def change_leaked_keys(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency
) -> Response[str] | Response[None]:
    """Revoke keys that are found in public at once, or only tell of them."""
    app_scope.member.require("keys.manage")
    form = await read_form(request, LeakedKeysForm)
    revoke = form.data.revoke == "yes"
    async with visit.deps.change_as(app_scope.member, visit.request_id) as ctx:
        await set_leaked_keys(ctx, app_scope.app.id, revoke)
    visit.flash("Leaked keys are revoked at once." if revoke else "Leaked keys go on working; you are told of them.")
    return redirect(request, _path(app_scope))


def _settings_page(request: Pages, scope: AppScope, *, form: FormView | None = None) -> Response[str]:
    return page(request, "apps/settings/page.html", scope=scope, form=form)


def _path(scope: AppScope) -> str:
    return f"/apps/{scope.app.public_id}/settings"


ROUTES = [show_settings, rename, add_origin, remove_origin, change_guests, change_anonymous, change_leaked_keys]
