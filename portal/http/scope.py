"""Where a page is: the dependencies `visit`, `person`, `member` and `app_scope`.

A page of an organization asks for `member`, a page of an app for `app_scope`; both are the only way to a tenant's rows.
Who does not belong there gets the same `NotFound` as for nothing.
"""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from litestar import Request
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, SkipValidation

from control_plane.accounts.person import Person
from control_plane.apps.models import App
from control_plane.apps.reads import get_app, list_apps
from control_plane.context import Deps
from control_plane.members.scope import Member, member_of_app, scopes_of
from kernel.errors import Forbidden, InvalidInput, NotFound
from kernel.ids import encode, parse_id
from portal.http import cookies
from portal.http.cookies import DAY
from portal.http.guard import SignInNeeded
from portal.http.navigation import Navigation
from portal.http.visit import Visit, visit_of

_APPS_IN_NAVIGATION: Final = 20


@dataclass(frozen=True, slots=True)
class AppScope:
    """A member, and the app of the member's organization that a page is about."""

    member: Member
    app: App


VisitDependency = NamedDependency[SkipValidation[Visit]]
"""The request as the portal sees it, as `visit`."""
PersonDependency = NamedDependency[SkipValidation[Person]]
"""Who is signed in, as `person`."""
MemberDependency = NamedDependency[SkipValidation[Member]]
"""Who is signed in, in the organization of the path's `organization_id`, as `member`."""
AppScopeDependency = NamedDependency[SkipValidation[AppScope]]
"""The same in the organization of the path's `app_id`, and the app, as `app_scope`."""
DepsDependency = NamedDependency[SkipValidation[Deps]]


async def provide_visit(request: Request[Any, Any, Any]) -> Visit:
    return visit_of(request)


async def provide_person(request: Request[Any, Any, Any]) -> Person:
    person = visit_of(request).person
    if person is None:
        raise SignInNeeded()
    return person


async def provide_member(request: Request[Any, Any, Any], organization_id: FromPath[str]) -> Member:
    visit, person = visit_of(request), await provide_person(request)
    wanted = path_id("org", organization_id)
    async with visit.deps.database.unit_of_work(read_only=True) as uow:
        organizations = await scopes_of(uow.session, person.account_id)
    return (await _enter(visit, organizations, wanted)).member


async def provide_app_scope(request: Request[Any, Any, Any], app_id: FromPath[str]) -> AppScope:
    return await enter_app(visit_of(request), await provide_person(request), path_id("app", app_id))


async def enter_app(visit: Visit, person: Person, app_id: UUID) -> AppScope:
    """The scope of an app, for a page that did not begin in it: the one that has just made it."""
    async with visit.deps.database.unit_of_work(read_only=True) as uow:
        member = await member_of_app(uow.session, person.account_id, app_id)
        organizations = await scopes_of(uow.session, person.account_id)
    entered = await _enter(visit, organizations, member.organization_id, app_id=app_id)
    assert entered.app is not None
    return AppScope(entered.member, entered.app)


PROVIDERS: Final = {
    "visit": Provide(provide_visit),
    "person": Provide(provide_person),
    "member": Provide(provide_member),
    "app_scope": Provide(provide_app_scope),
}


def path_id(prefix: str, text: str) -> UUID:
    """The id that stands in a path. Raises `NotFound` for what is none: an address that leads nowhere."""
    try:
        return parse_id(prefix, text)
    except InvalidInput:
        raise NotFound() from None


@dataclass(frozen=True, slots=True)
class _Entered:
    member: Member
    app: App | None


async def _enter(
    visit: Visit, organizations: list[Member], organization_id: UUID, *, app_id: UUID | None = None
) -> _Entered:
    """Find the member among the person's organizations, and load what the navigation shows of the organization."""
    member = next((one for one in organizations if one.organization_id == organization_id), None)
    if member is None:
        raise NotFound()
    _check_open(visit, member, organizations)
    app: App | None = None
    apps: tuple[App, ...] = ()
    if app_id is not None or not visit.fragment:
        async with visit.deps.read(member) as uow:
            if app_id is not None:
                app = await get_app(uow.session, member, app_id)
            if not visit.fragment and member.may("apps.read"):
                apps = tuple((await list_apps(uow.session, member, limit=_APPS_IN_NAVIGATION)).items)
    visit.navigation = Navigation(organizations, member, apps, app)
    last = encode(member.organization_id)
    if visit.jar.get(cookies.LAST) != last:
        visit.jar.set(cookies.LAST, last, max_age=365 * DAY)
    return _Entered(member, app)


class OrganizationClosed(Forbidden):
    """The organization is closed; its owners find the way back."""

    code = "organization_closed"
    title = "This organization is closed"

    def __init__(self, member: Member) -> None:
        super().__init__(f"An owner closed {member.organization_name}. Until it is erased, an owner can restore it.")
        self.member = member


class TwoStepRequired(Forbidden):
    """The organization is for members with two-step sign-in, and who asks has none."""

    code = "two_step_required"
    title = "Two-step sign-in is needed here"


def _check_open(visit: Visit, member: Member, organizations: list[Member]) -> None:
    """Raises `OrganizationClosed` and `TwoStepRequired`, both in the navigation of the organization."""
    owner_anyway = "closed" in visit.open_anyway and member.role == "owner"
    if member.closed_at is not None and not owner_anyway:
        visit.navigation = Navigation(organizations, member)
        raise OrganizationClosed(member)
    with_two_steps = visit.person is not None and visit.person.two_step
    if member.two_step_required and not with_two_steps and "two-step" not in visit.open_anyway:
        visit.navigation = Navigation(organizations, member)
        raise TwoStepRequired(
            f"{member.organization_name} is for members who sign in with two steps. Turn it on, then come back."
        )


async def load_organizations(visit: Visit, person: Person) -> list[Member]:
    """Every organization of the person, for pages that lie in none of them; the navigation shows them too."""
    async with visit.deps.database.unit_of_work(read_only=True) as uow:
        organizations = await scopes_of(uow.session, person.account_id)
    visit.navigation = Navigation(organizations)
    return organizations
