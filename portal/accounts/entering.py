"""Become somebody: the cookie of a new session, and where to go with it."""

from control_plane.accounts.second_step import SecondStep
from control_plane.accounts.sessions import NewSession, sign_out
from control_plane.context import Actor
from portal.http import cookies
from portal.http.page import own_path
from portal.http.visit import Visit


async def enter(visit: Visit, session: NewSession) -> None:
    """Keep the new session in this browser, and end the one that it held before."""
    if visit.signed_in is not None:
        actor = visit.signed_in.person.actor if visit.signed_in.person else "visitor"
        async with visit.deps.change(Actor(actor, visit.request_id)) as ctx:
            await sign_out(ctx, visit.signed_in)
    keep(visit, session)


async def enter_by_steps(visit: Visit, entered: NewSession | SecondStep, *, next: str = "") -> str:
    """Keep what the first step gave; returns where to go: on, or to the second step and from there on."""
    if isinstance(entered, NewSession):
        await enter(visit, entered)
        return way_on(visit, next)
    lasts = entered.expires_at - visit.deps.clock.now()
    visit.jar.set(cookies.SECOND_STEP, entered.token, max_age=round(lasts.total_seconds()))
    if next:
        visit.jar.set(cookies.NEXT, own_path(next), max_age=round(lasts.total_seconds()))
    return "/sign-in/code"


def keep(visit: Visit, session: NewSession) -> None:
    """Keep a new session in this browser; the one before is over already."""
    lasts = session.expires_at - visit.deps.clock.now()
    name = cookies.SESSION if session.person else cookies.OWNER
    visit.jar.set(name, session.token, max_age=round(lasts.total_seconds()))


def way_on(visit: Visit, wanted: str = "") -> str:
    """Where to go after signing in: what was asked for, here or before the way through the mailbox."""
    path = own_path(wanted or visit.jar.get(cookies.NEXT))
    visit.jar.delete(cookies.NEXT)
    return path
