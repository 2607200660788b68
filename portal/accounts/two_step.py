"""`/account/two-step` and `/account/recovery-codes`: set two-step sign-in up, renew its recovery codes, turn it off."""

from typing import Annotated, Any, Final

import segno
from litestar import Request, Response, get, post

from control_plane.accounts.authenticators import offer, offered, renew_codes, standing, turn_off, turn_on
from control_plane.context import Actor
from kernel.errors import NatterError, NotFound
from portal.accounts.security import PATH
from portal.http.forms import Field, Form, FormView, read_form
from portal.http.guard import confirmed
from portal.http.page import page, redirect
from portal.http.scope import DepsDependency, PersonDependency, VisitDependency, load_organizations
from portal.http.visit import Visit


class FirstCodeForm(Form, frozen=True, kw_only=True):
    code: Annotated[str, Field("Code", blank="Enter the code that the app shows.")] = ""


class SureForm(Form, frozen=True, kw_only=True):
    """One button."""


@confirmed
@post("/account/two-step/offer", status_code=200)
async def submit_offer(
    request: Request[Any, Any, Any], visit: VisitDependency, person: PersonDependency, deps: DepsDependency
) -> Response[Any]:
    await read_form(request, SureForm)
    async with deps.change(Actor(person.actor, visit.request_id)) as ctx:
        await offer(ctx, person.account_id)
    return redirect(request, "/account/two-step")


@confirmed
@get("/account/two-step")
async def two_step_page(request: Request[Any, Any, Any], visit: VisitDependency) -> Response[Any]:
    return await _show_offer(request, visit, None)


@confirmed
@post("/account/two-step", status_code=200)
async def submit_first_code(
    request: Request[Any, Any, Any], visit: VisitDependency, deps: DepsDependency
) -> Response[Any]:
    form = await read_form(request, FirstCodeForm)
    assert visit.signed_in is not None
    try:
        form.check()
        codes = await turn_on(deps, visit.signed_in, code=form.data.code, client=visit.client)
    except NatterError as error:
        return await _show_offer(request, visit, form.fail(error))
    return await _show_codes(request, visit, codes, first=True)


@confirmed
@get("/account/two-step/off")
async def off_page(request: Request[Any, Any, Any], visit: VisitDependency) -> Response[Any]:
    return await _ask(request, visit, "accounts/two_step_off.html")


@confirmed
@post("/account/two-step/off", status_code=200)
async def submit_off(
    request: Request[Any, Any, Any], visit: VisitDependency, person: PersonDependency, deps: DepsDependency
) -> Response[Any]:
    form = await read_form(request, SureForm)
    assert visit.signed_in is not None
    try:
        async with deps.change(Actor(person.actor, visit.request_id)) as ctx:
            await turn_off(ctx, visit.signed_in)
    except NatterError as error:
        return await _ask(request, visit, "accounts/two_step_off.html", form.fail(error))
    visit.flash("Two-step sign-in is off. Every other browser was signed out.")
    return redirect(request, PATH)


@confirmed
@get("/account/recovery-codes")
async def renew_page(request: Request[Any, Any, Any], visit: VisitDependency) -> Response[Any]:
    return await _ask(request, visit, "accounts/recovery_codes.html")


@confirmed
@post("/account/recovery-codes", status_code=200)
async def submit_renew(
    request: Request[Any, Any, Any], visit: VisitDependency, person: PersonDependency, deps: DepsDependency
) -> Response[Any]:
    form = await read_form(request, SureForm)
    try:
        async with deps.change(Actor(person.actor, visit.request_id)) as ctx:
            codes = await renew_codes(ctx, person.account_id)
    except NatterError as error:
        return await _ask(request, visit, "accounts/recovery_codes.html", form.fail(error))
    return await _show_codes(request, visit, codes, first=False)


async def _show_offer(request: Request[Any, Any, Any], visit: Visit, form: FormView | None) -> Response[Any]:
    assert visit.person is not None
    await load_organizations(visit, visit.person)
    try:
        async with visit.deps.database.unit_of_work(read_only=True) as uow:
            found = await offered(uow.session, visit.deps.vault, visit.person)
    except NotFound:
        return redirect(request, PATH)
    return page(request, "accounts/two_step.html", form=form, secret=found.secret, picture=_picture(found.uri))


async def _ask(
    request: Request[Any, Any, Any], visit: Visit, template: str, form: FormView | None = None
) -> Response[Any]:
    """A page that says what will happen. Where two-step sign-in is off, there is nothing to ask."""
    assert visit.person is not None
    await load_organizations(visit, visit.person)
    async with visit.deps.database.unit_of_work(read_only=True) as uow:
        stands = await standing(uow.session, visit.person.account_id)
    if stands.since is None:
        return redirect(request, PATH)
    return page(request, template, form=form, two_step=stands)


async def _show_codes(request: Request[Any, Any, Any], visit: Visit, codes: list[str], *, first: bool) -> Response[Any]:
    """The answer to the form itself, not a redirect: the codes are known now and never again."""
    assert visit.person is not None
    await load_organizations(visit, visit.person)
    return page(request, "accounts/codes_once.html", codes=codes, first=first, headers={"hx-push-url": PATH})


def _picture(uri: str) -> str:
    """A QR code as the address of an image: the policy of pages lets nothing inline through but images of that kind.
    Black on white in dark pages too, for cameras that know no other."""
    return segno.make(uri, error="m", micro=False).svg_data_uri(omitsize=True, border=4, dark="#000", light="#fff")


ROUTES: Final = [
    submit_offer,
    two_step_page,
    submit_first_code,
    off_page,
    submit_off,
    renew_page,
    submit_renew,
]
