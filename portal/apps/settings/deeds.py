"""`/apps/{app_id}/settings/{open,promote,delete}`: deeds that are asked about, and that want the app's name."""

from dataclasses import dataclass
from typing import Annotated, Any, Final

from litestar import Request, Response, get, post

from billing.tenants import end_app
from control_plane.apps.service import promote_app, set_allowed_origins
from kernel.errors import NatterError, NotFound
from portal.http.forms import Field, Form, FormView, read_form
from portal.http.page import page, redirect
from portal.http.scope import AppScope, AppScopeDependency, VisitDependency

Pages = Request[Any, Any, Any]


class ConfirmForm(Form, frozen=True, kw_only=True):
    """The app's name, typed."""

    confirm: Annotated[str, Field("Name of the app", blank="Type the name of the app.")] = ""


@dataclass(frozen=True, slots=True)
class Deed:
    """What a page asks: `points` are symbols and what will happen."""

    path: str
    title: str
    verb: str
    points: tuple[tuple[str, str], ...]


PROMOTE: Final = Deed(
    "promote",
    "Promote to production",
    "Promote app",
    (
        ("check", "Keys, users, channels and settings stay as they are; nobody is disconnected."),
        ("shield-check", "Deleting the app, revoking its last key, and letting any web page in will ask for its name."),
        ("ban", "It happens once: an app in production never goes back to development."),
    ),
)
DELETE: Final = Deed(
    "delete",
    "Delete app",
    "Delete app",
    (
        ("x", "Its keys and tokens are refused from then on, and everybody who is connected is disconnected."),
        ("x", "Nobody can read or write its channels any more, your server included."),
        ("clock", "Nodes hear of it within seconds."),
        ("ban", "It cannot be undone."),
    ),
)
OPEN: Final = Deed(
    "open",
    "Let any web page connect",
    "Let any web page connect",
    (
        ("globe", "Pages of every origin may connect with the publishable key; your list of origins is dropped."),
        ("check", "Tokens are still needed, as before."),
    ),
)


@get("/apps/{app_id:str}/settings/promote")
async def show_promote(request: Pages, app_scope: AppScopeDependency) -> Response[str]:
    app_scope.member.require("apps.delete")
    _only_in("development", app_scope)
    return _deed_page(request, app_scope, PROMOTE)


@post("/apps/{app_id:str}/settings/promote")
async def promote(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency
) -> Response[str] | Response[None]:
    """From development to production."""
    app_scope.member.require("apps.delete")
    form = await read_form(request, ConfirmForm)
    try:
        form.check()
        async with visit.deps.change_as(app_scope.member, visit.request_id) as ctx:
            await promote_app(ctx, app_scope.app.id, confirm=form.data.confirm)
    except NatterError as error:
        return _deed_page(request, app_scope, PROMOTE, form=form.fail(error))
    visit.flash("The app is in production now.")
    return redirect(request, f"/apps/{app_scope.app.public_id}/settings")


@get("/apps/{app_id:str}/settings/delete")
async def show_delete(request: Pages, app_scope: AppScopeDependency) -> Response[str]:
    app_scope.member.require("apps.delete")
    return _deed_page(request, app_scope, DELETE)


@post("/apps/{app_id:str}/settings/delete")
async def delete(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency
) -> Response[str] | Response[None]:
    """Back to the organization, which has the app no more."""
    app_scope.member.require("apps.delete")
    form = await read_form(request, ConfirmForm)
    try:
        form.check()
        async with visit.deps.change_as(app_scope.member, visit.request_id) as ctx:
            await end_app(ctx, app_scope.app.id, confirm=form.data.confirm)
    except NatterError as error:
        return _deed_page(request, app_scope, DELETE, form=form.fail(error))
    visit.flash(f"{app_scope.app.name} was deleted.")
    return redirect(request, f"/organizations/{app_scope.member.public_organization_id}")


@get("/apps/{app_id:str}/settings/open")
async def show_open(request: Pages, app_scope: AppScopeDependency) -> Response[str]:
    app_scope.member.require("apps.update")
    return _deed_page(request, app_scope, OPEN)


@post("/apps/{app_id:str}/settings/open")
async def open_to_all(
    request: Pages, visit: VisitDependency, app_scope: AppScopeDependency
) -> Response[str] | Response[None]:
    """Drop the list of origins: every one may connect."""
    app_scope.member.require("apps.update")
    form = await read_form(request, ConfirmForm)
    try:
        form.check()
        async with visit.deps.change_as(app_scope.member, visit.request_id) as ctx:
            await set_allowed_origins(ctx, app_scope.app.id, ["*"], confirm=form.data.confirm)
    except NatterError as error:
        return _deed_page(request, app_scope, OPEN, form=form.fail(error))
    visit.flash("Every origin may connect now.")
    return redirect(request, f"/apps/{app_scope.app.public_id}/settings")


def _only_in(environment: str, scope: AppScope) -> None:
    if scope.app.environment != environment:
        raise NotFound()


def _deed_page(request: Pages, scope: AppScope, deed: Deed, *, form: FormView | None = None) -> Response[str]:
    return page(request, "apps/settings/deed.html", scope=scope, deed=deed, form=form)


ROUTES = [show_promote, promote, show_delete, delete, show_open, open_to_all]
