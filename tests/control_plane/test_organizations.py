"""Organizations are opened by people and renamed by who may."""

import asyncio
from uuid import UUID, uuid4

import pytest

from control_plane.accounts.person import Person
from control_plane.context import Actor
from control_plane.members import Member
from control_plane.members.scope import scopes_of
from control_plane.organizations.service import create_organization, rename_organization
from kernel.errors import Conflict, Forbidden, InvalidInput
from tests.control_plane.fixtures import World


async def create(world: World, person: Person, name: str, organization_id: UUID | None = None) -> Member:
    async with world.deps.change(Actor(person.actor)) as ctx:
        return await create_organization(ctx, person, name=name, organization_id=organization_id)


async def names(world: World, person: Person) -> list[str]:
    async with world.deps.database.unit_of_work() as uow:
        return [scope.organization_name for scope in await scopes_of(uow.session, person.account_id)]


async def test_whoever_opens_one_owns_it(world: World) -> None:
    ada = await world.person()
    made = await create(world, ada, "  Analytical ")
    assert (made.organization_name, made.role, made.account_id) == ("Analytical", "owner", ada.account_id)
    await create(world, ada, "Zeta")
    assert await names(world, ada) == ["Analytical", "Zeta"]


async def test_the_same_form_sent_twice_opens_one(world: World) -> None:
    ada, wanted = await world.person(), uuid4()
    first, *others = await asyncio.gather(*(create(world, ada, "Analytical", wanted) for _ in range(5)))
    assert all(other == first for other in others)
    assert await names(world, ada) == ["Analytical"]


async def test_a_name_is_taken_by_ones_own_organizations_only(world: World) -> None:
    ada, bob = await world.person(), await world.person("bob@example.com")
    await create(world, ada, "Analytical")
    await create(world, bob, "Analytical")
    with pytest.raises(Conflict) as caught:
        await create(world, ada, "ANALYTICAL")
    assert caught.value.data["field"] == "organization"


async def test_anothers_id_is_not_found_by_using_it(world: World) -> None:
    ada, bob = await world.person(), await world.person("bob@example.com")
    theirs = await create(world, bob, "Bobs")
    with pytest.raises(Conflict):
        await create(world, ada, "Mine", theirs.organization_id)
    assert await names(world, ada) == []


async def test_it_is_renamed_by_who_may(world: World) -> None:
    ada = await world.owner()
    viewer = await world.member(ada, "carl@example.com", "viewer")
    async with world.deps.change_as(ada, None) as ctx:
        await rename_organization(ctx, ada, "Engines")
    assert (await world.scope(ada.account_id, ada)).organization_name == "Engines"
    with pytest.raises(Forbidden):
        async with world.deps.change_as(viewer, None) as ctx:
            await rename_organization(ctx, viewer, "Mine")


async def test_a_new_name_must_be_a_name_and_free(world: World) -> None:
    ada = await world.owner()
    person = Person(ada.account_id, ada.email, ada.name, staff=False)
    await create(world, person, "Other")
    for name, error in (("", InvalidInput), ("a\x00", InvalidInput), ("other", Conflict)):
        with pytest.raises(error) as caught:
            async with world.deps.change_as(ada, None) as ctx:
                await rename_organization(ctx, ada, name)
        assert caught.value.data["field"] == "organization"
    assert await names(world, person) == ["Analytical", "Other"]
