"""People, organizations and apps for tests of an app's pages, at the portal that all of them share."""

from dataclasses import dataclass

import httpx

from control_plane.members.scope import Member
from control_plane.tenants import NewApp
from tests.portal.harness import Portal, Somebody


@dataclass(frozen=True, slots=True)
class Room:
    """An app, its organization's owner, and the owner's browser."""

    portal: Portal
    owner: Somebody
    member: Member
    made: NewApp
    client: httpx.AsyncClient

    @property
    def path(self) -> str:
        return f"/apps/{self.made.app.public_id}"

    async def as_role(self, address: str, role: str) -> httpx.AsyncClient:
        """The browser of another member."""
        somebody = await self.portal.account(address, "Robin Role")
        await self.portal.join(self.member, somebody, role)
        return await self.portal.client(somebody)


async def furnish(portal: Portal, address: str, *, environment: str = "development") -> Room:
    """A room of its own."""
    # Everybody signs up from one address here.
    await portal.sql("delete from control.throttles")
    owner = await portal.account(address)
    member = await portal.organization(owner, "Rooms")
    made = await portal.app_of(member, "Support chat", environment)
    return Room(portal, owner, member, made, await portal.client(owner))
