"""`/apps/{app_id}/demo`: the page, the one for a guest, the tokens they renew, what the two users say to begin with,
and the one thing that may be mended."""

from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from litestar import Request, Response, get, post

from control_plane import audit
from control_plane.apps.service import set_allowed_origins
from control_plane.context import Deps
from kernel.clock import rfc3339
from kernel.errors import Conflict
from portal.apps.demo.conversation import begin
from portal.apps.demo.readiness import Hindrance, Place, allows, place_of
from portal.apps.demo.tokens import USERS, mint
from portal.apps.location import origin_of, socket_origin
from portal.http.forms import Field, Form, read_form
from portal.http.page import page, redirect
from portal.http.policy import content_policy
from portal.http.scope import AppScope, AppScopeDependency, VisitDependency
from portal.http.visit import Visit

_BOTH: Final = "both"


class DemoHindered(Conflict):
    """The demo cannot run now; its page says why."""

    code = "demo_hindered"
    title = "The demo cannot run now"


class SessionForm(Form, frozen=True, kw_only=True):
    """`node`: the address that the page was loaded with."""

    node: Annotated[str, Field("Node")] = ""


class ConversationForm(Form, frozen=True, kw_only=True):
    """`channel`: the one that the page has made for the two."""

    channel: Annotated[str, Field("Channel", blank="Name the channel.")] = ""


@get("/apps/{app_id:str}/demo")
async def show_demo(
    request: Request[Any, Any, Any], visit: VisitDependency, app_scope: AppScopeDependency
) -> Response[str]:
    """Two users side by side, one of them over the whole width (`?as=`), or what keeps them from chatting."""
    app_scope.member.require("demo.use")
    origin = own_origin(request, visit.deps)
    place = await _place(visit, app_scope, origin)
    if not isinstance(place, Place):
        return page(request, "apps/demo/hindered.html", scope=app_scope, hindrance=place, origin=origin)
    who = request.query_params.get("as", _BOTH)
    return page(
        request,
        "apps/demo/page.html",
        scope=app_scope,
        place=place,
        users=USERS,
        who=who if who in USERS else _BOTH,
        active=who if who in USERS else next(iter(USERS)),
        policy=_policy(place),
    )


@get("/apps/{app_id:str}/demo/guest")
async def show_guest(
    request: Request[Any, Any, Any], visit: VisitDependency, app_scope: AppScopeDependency
) -> Response[str]:
    """The demo's channel as somebody whom the app does not know, or what keeps guests out."""
    app_scope.member.require("demo.use")
    origin = own_origin(request, visit.deps)
    place = await _place(visit, app_scope, origin)
    if isinstance(place, Place) and app_scope.app.guests:
        return page(
            request, "apps/demo/guest.html", scope=app_scope, place=place, hosts=list(USERS), policy=_policy(place)
        )
    hindrance = "guests" if isinstance(place, Place) else place
    return page(request, "apps/demo/hindered.html", scope=app_scope, hindrance=hindrance, origin=origin)


@post("/apps/{app_id:str}/demo/session", status_code=200)
async def renew_session(
    request: Request[Any, Any, Any], visit: VisitDependency, app_scope: AppScopeDependency
) -> dict[str, Any]:
    """`{node, tokens, expires_at}` for the page's script. Raises `DemoHindered`; then the page loads again."""
    app_scope.member.require("demo.use")
    form = await read_form(request, SessionForm)
    place = await _place(visit, app_scope, own_origin(request, visit.deps), node=form.data.node)
    if not isinstance(place, Place):
        raise _hindered(place)
    deps = visit.deps
    tokens = mint(place.signing, app_scope.app.public_id, now=deps.clock.now())
    return {"node": place.node, "tokens": tokens.by_user, "expires_at": rfc3339(tokens.expires_at)}


@post("/apps/{app_id:str}/demo/conversation", status_code=200)
async def begin_conversation(
    request: Request[Any, Any, Any], visit: VisitDependency, app_scope: AppScopeDependency
) -> dict[str, Any]:
    """`{messages}`, how many the two users said in an empty channel. Raises `DemoHindered` and what `begin` raises."""
    app_scope.member.require("demo.use")
    form = await read_form(request, ConversationForm)
    form.check()
    place = await _place(visit, app_scope, own_origin(request, visit.deps))
    if not isinstance(place, Place):
        raise _hindered(place)
    deps, app, channel = visit.deps, app_scope.app, form.data.channel
    said = await begin(place.node, mint(place.signing, app.public_id, now=deps.clock.now()).by_user, channel)
    async with deps.change_as(app_scope.member, visit.request_id) as ctx:
        await audit.record(
            ctx,
            "demo.conversation_begun",
            app.public_id,
            organization_id=app.organization_id,
            app_id=app.id,
            channel=channel,
            messages=said,
        )
    return {"messages": said}


@post("/apps/{app_id:str}/demo/origin")
async def allow_this_page(
    request: Request[Any, Any, Any], visit: VisitDependency, app_scope: AppScopeDependency
) -> Response[bytes]:
    """Add the portal's own origin to those that may connect to the app."""
    app_scope.member.require("apps.update")
    origin, app = own_origin(request, visit.deps), app_scope.app
    if not allows(app, origin):
        async with visit.deps.change_as(app_scope.member, visit.request_id) as ctx:
            await set_allowed_origins(ctx, app.id, [*app.allowed_origins, origin])
        visit.flash(f"{origin} may connect now.")
    return redirect(request, f"/apps/{app.public_id}/demo")


def _hindered(why: Hindrance) -> DemoHindered:
    return DemoHindered("The demo cannot run now; load the page again to see why.", reason=why)


def own_origin(request: Request[Any, Any, Any], deps: Deps) -> str:
    """The origin of the portal's pages as this browser sees it: a machine may have several names."""
    scheme = urlsplit(deps.settings.portal).scheme
    host = request.headers.get("host")
    return f"{scheme}://{host}".lower() if host else origin_of(deps.settings.portal)


async def _place(visit: Visit, scope: AppScope, origin: str, *, node: str | None = None) -> Place | Hindrance:
    deps = visit.deps
    async with deps.read(scope.member) as uow:
        return await place_of(
            uow.session, deps.settings, deps.vault, scope.app, origin=origin, now=deps.clock.now(), node=node
        )


def _policy(place: Place) -> str:
    """The page may speak to this app's node, too."""
    return content_policy(connect=(origin_of(place.node), socket_origin(place.node)))


ROUTES = [show_demo, show_guest, renew_session, begin_conversation, allow_this_page]
