"""`/outbox`: every mail of the last 7 days. They hold links that open accounts, so only staff and the machine's owner
see that this page exists."""

from typing import Any, Final

from litestar import Request, Response, get, post
from litestar.enums import MediaType
from litestar.params import FromPath, FromQuery

from control_plane.context import Actor
from control_plane.mail.outbox import count_failed, get_letter, list_letters, send_again
from kernel.errors import NotFound
from portal.http.guard import for_outbox
from portal.http.page import page, redirect
from portal.http.policy import POLICY, content_policy
from portal.http.scope import DepsDependency, VisitDependency, load_organizations, path_id
from portal.http.visit import Visit

# A mail is a document of its own with styles inside. It runs nothing, loads nothing, and may only follow its links, out
# of the frame and by a click.
_SANDBOX: Final = "allow-top-navigation-by-user-activation"
_MAIL_POLICY: Final = (
    f"sandbox {_SANDBOX}; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "form-action 'none'; frame-ancestors 'self'; base-uri 'none'"
)


@for_outbox
@get("/outbox")
async def outbox_page(
    request: Request[Any, Any, Any],
    visit: VisitDependency,
    deps: DepsDependency,
    cursor: FromQuery[str | None] = None,
) -> Response[Any]:
    await _navigate(visit)
    async with deps.database.unit_of_work(read_only=True) as uow:
        letters = await list_letters(uow.session, deps.vault, cursor=cursor)
        failed = await count_failed(uow.session)
    delivers = bool(deps.settings.smtp_url)
    return page(request, "outbox/list.html", letters=letters, cursor=cursor, failed=failed, delivers=delivers)


@for_outbox
@get("/outbox/{mail_id:str}")
async def mail_page(
    request: Request[Any, Any, Any],
    visit: VisitDependency,
    deps: DepsDependency,
    mail_id: FromPath[str],
    form: FromQuery[str] = "html",
) -> Response[Any]:
    await _navigate(visit)
    async with deps.database.unit_of_work(read_only=True) as uow:
        stored = await get_letter(uow.session, deps.vault, path_id("mail", mail_id))
    shown = "text" if form == "text" else "html"
    policy = content_policy(frame=("'self'",))
    return page(request, "outbox/mail.html", policy=policy, stored=stored, shown=shown, sandbox=_SANDBOX)


@for_outbox
@get("/outbox/{mail_id:str}/body")
async def mail_body(deps: DepsDependency, mail_id: FromPath[str]) -> Response[str]:
    async with deps.database.unit_of_work(read_only=True) as uow:
        stored = await get_letter(uow.session, deps.vault, path_id("mail", mail_id))
    html = stored.letter.html.replace("<head>", '<head><base target="_top">', 1)
    return Response(html, media_type=MediaType.HTML, headers={POLICY: _MAIL_POLICY})


@for_outbox
@post("/outbox/{mail_id:str}/send-again")
async def send_mail_again(
    request: Request[Any, Any, Any], visit: VisitDependency, deps: DepsDependency, mail_id: FromPath[str]
) -> Response[Any]:
    """Try one that failed anew. For staff alone: whoever owns the machine has no account whose name the audit log could
    keep."""
    if visit.person is None or not visit.person.staff:
        raise NotFound()
    visit.require_confirmed()
    wanted = path_id("mail", mail_id)
    async with deps.change(Actor(visit.person.actor, visit.request_id)) as ctx:
        await send_again(ctx, wanted)
    visit.flash("The mail is on its way again.")
    return redirect(request, f"/outbox/{mail_id}")


async def _navigate(visit: Visit) -> None:
    if visit.person is not None:
        await load_organizations(visit, visit.person)


ROUTES: Final = [outbox_page, mail_page, mail_body, send_mail_again]
