"""`/apps/{app_id}/quickstart`: from keys to the first message."""

from dataclasses import replace
from typing import Annotated, Any

from litestar import Request, Response, get, post

from control_plane.apps import repository as apps
from control_plane.keys.api_keys import create_secret_key
from control_plane.keys.reads import list_api_keys
from kernel.errors import NatterError
from portal.apps.location import addresses, publishable_key
from portal.apps.quickstart.snippets import PUBLISHABLE_PLACEHOLDER, Credentials, guides
from portal.http.forms import Field, Form, FormView, read_form
from portal.http.page import page
from portal.http.scope import AppScope, AppScopeDependency, VisitDependency
from portal.http.visit import Visit


class SecretKeyForm(Form, frozen=True, kw_only=True):
    """`new_id`: the key's id, so that the form makes one key however often it is sent."""

    new_id: Annotated[str, Field("Form")] = ""


@get("/apps/{app_id:str}/quickstart")
async def show_quickstart(
    request: Request[Any, Any, Any], visit: VisitDependency, app_scope: AppScopeDependency
) -> Response[str]:
    """The code with the publishable key; a secret key can be made for it."""
    app_scope.member.require("apps.read")
    return await quickstart_page(request, visit, app_scope, secret_key=None)


@post("/apps/{app_id:str}/quickstart", status_code=200)
async def make_secret_key(
    request: Request[Any, Any, Any], visit: VisitDependency, app_scope: AppScopeDependency
) -> Response[str]:
    """A secret key, filled into the code of this answer and shown nowhere else."""
    app_scope.member.require("keys.manage")
    if app_scope.app.environment == "production":
        visit.require_confirmed()
    form = await read_form(request, SecretKeyForm)
    key_id = visit.take_id(form.data.new_id)
    secret: str | None = None
    try:
        async with visit.deps.change_as(app_scope.member, visit.request_id) as ctx:
            # The lock makes a second submit wait for the first, and then find its key.
            app = await apps.get_for_change(ctx.session, app_scope.app.id)
            if all(key.id != key_id for key in await list_api_keys(ctx.session, app, now=ctx.now)):
                secret = (await create_secret_key(ctx, app.id, key_id=key_id)).value
    except NatterError as error:
        return await quickstart_page(request, visit, app_scope, secret_key=None, form=form.fail(error))
    return await quickstart_page(request, visit, app_scope, secret_key=secret)


async def quickstart_page(
    request: Request[Any, Any, Any],
    visit: Visit,
    scope: AppScope,
    *,
    secret_key: str | None,
    form: FormView | None = None,
) -> Response[str]:
    """The page. With a secret key it is the answer that shows it once; `None` when it is not known (any more)."""
    deps = visit.deps
    async with deps.read(scope.member) as uow:
        now = deps.clock.now()
        served = await addresses(uow.session, deps.settings, scope.app, now=now)
        key = await publishable_key(uow.session, scope.app, now=now)
    if visit.navigation is not None and visit.navigation.app is None:
        visit.navigation = replace(visit.navigation, app=scope.app)
    if key is not None and not scope.member.may("keys.read"):
        key = PUBLISHABLE_PLACEHOLDER
    credentials = Credentials(served[0] if served else "", key or "", secret_key)
    return page(
        request,
        "apps/quickstart/page.html",
        scope=scope,
        credentials=credentials,
        guides=guides(credentials) if served and key else [],
        form=form,
    )


ROUTES = [show_quickstart, make_secret_key]
