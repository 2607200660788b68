"""Two-step sign-in and changed addresses, behind the pages' backs."""

import base64
from urllib.parse import urlsplit

from control_plane.accounts import totp
from control_plane.accounts.addresses import confirm_change, request_change
from control_plane.accounts.authenticators import offer, offered, turn_on
from control_plane.accounts.sessions import SignedIn
from control_plane.context import Actor
from tests.portal.harness import Portal, Somebody, newcomer


async def secret_of(portal: Portal, somebody: Somebody) -> bytes:
    """The secret that waits in the account, as the authenticator app holds it."""
    async with portal.deps.database.unit_of_work(read_only=True) as uow:
        found = await offered(uow.session, portal.deps.vault, somebody.person)
    return base64.b32decode(found.secret)


async def offered_code(portal: Portal, somebody: Somebody) -> str:
    """Begin to set two-step sign-in up; the code that the app shows now."""
    async with portal.deps.change(Actor(somebody.person.actor, "req_test")) as ctx:
        await offer(ctx, somebody.person.account_id)
    return totp.code_at(await secret_of(portal, somebody), totp.step_of(portal.deps.clock.now()))


async def two_step_on(portal: Portal, somebody: Somebody) -> list[str]:
    """Turn it on; the recovery codes. The account's other sessions end."""
    code = await offered_code(portal, somebody)
    signed_in = SignedIn(somebody.session.session_id, "account", somebody.person)
    return await turn_on(portal.deps, signed_in, code=code, client=newcomer())


async def changed_address(portal: Portal, somebody: Somebody, email: str) -> str:
    """Change the address; the path of the link that takes it back."""
    await request_change(portal.deps, somebody.person, email=email, client=newcomer())
    token = urlsplit(await portal.link(email)).path.rpartition("/")[2]
    await confirm_change(portal.deps, somebody.person, token, client=newcomer())
    return urlsplit(await portal.link(somebody.person.email)).path
