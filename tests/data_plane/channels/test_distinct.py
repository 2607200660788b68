"""Channels that are the only one of their type and members."""

import asyncio

import pytest

from data_plane.channels.create import ChannelCreation
from data_plane.channels.repository import ChannelRepository
from data_plane.channels.schemas import CreateChannel


@pytest.fixture
async def people(app):
    await app.make_users("ann", "bob", "cid")
    return app


async def make(app, *members, as_user=None, **wish):
    answer = await app.call("POST", "/v1/channels", {"members": list(members), **wish}, as_user=as_user)
    return answer.status_code, answer.json()


async def test_the_same_members_get_the_same_channel_whoever_asks_and_in_whatever_order(people):
    app = people
    status, first = await make(app, "bob", "cid", as_user="ann", type="group", distinct=True, name="Trip")
    assert (status, first["distinct"], first["member_count"]) == (201, True, 3)
    status, again = await make(app, "ann", "cid", as_user="bob", type="group", distinct=True, name="Another")
    assert (status, again["id"], again["name"]) == (200, first["id"], "Trip")
    assert again["membership"]["role"] == "member"
    status, served = await make(app, "cid", "bob", "ann", type="group", distinct=True, id="wished")
    assert (status, served["id"]) == (200, first["id"])
    others = [
        await make(app, "bob", as_user="ann", type="group", distinct=True),
        await make(app, "bob", "cid", as_user="ann", type="team", distinct=True),
        await make(app, "bob", "cid", as_user="ann", type="group"),
    ]
    assert [status for status, _ in others] == [201] * 3
    assert len({first["id"], *(channel["id"] for _, channel in others)}) == 4


async def test_two_people_have_one_direct_channel_unless_it_is_asked_for_by_id(people, world):
    app = people
    first = await make(app, "bob", as_user="ann", type="direct")
    assert (await make(app, "ann", as_user="bob", type="direct"))[1]["id"] == first[1]["id"]
    named = await make(app, "bob", as_user="ann", type="direct", id="duo")
    assert (named[0], named[1]["distinct"]) == (201, False)
    refused = await make(app, distinct=True)
    assert (refused[0], refused[1]["field"]) == (422, "members")
    other = world.app()
    await other.make_users("ann", "bob")
    assert (await make(other, "bob", as_user="ann", type="direct"))[1]["id"] != first[1]["id"]


async def test_requests_at_the_same_time_make_one_channel(people, monkeypatch):
    app = people
    made = await asyncio.gather(
        *(make(app, "ann", "bob", "cid", as_user=user, distinct=True) for user in ("ann", "bob", "cid") * 4)
    )
    assert sorted(status for status, _ in made) == [200] * 11 + [201]
    assert len({channel["id"] for _, channel in made}) == 1

    # The index refuses a second one even if whoever creates does not look.
    async def blind(self, digest):
        return None

    monkeypatch.setattr(ChannelRepository, "of_members", blind)
    with pytest.raises(Exception, match="channels_by_members"):
        shard = app.world.shard
        async with shard.unit_of_work(app.id) as uow:
            wish = CreateChannel(members=["ann", "bob", "cid"], distinct=True)
            await ChannelCreation(shard).create(uow, app.user("ann"), wish)


async def test_its_members_do_not_change_and_a_deleted_one_makes_room(people):
    app = people
    _, channel = await make(app, "bob", as_user="ann", distinct=True)
    path = f"/v1/channels/{channel['id']}"
    await app.call("POST", "/v1/users", {"users": [{"id": "dan", "role": "moderator"}]})
    for method, more, body, user in (
        ("POST", "/members", {"user_ids": ["cid"]}, "ann"),
        ("PUT", "/members/cid", None, None),
        ("DELETE", "/members/bob", None, "ann"),
        ("POST", "/leave", {}, "bob"),
        ("POST", "/join", {}, "dan"),
    ):
        refused = await app.call(method, path + more, body, as_user=user)
        assert (refused.status_code, refused.json()["code"]) == (409, "distinct_is_fixed"), (method, more)
    promoted = await app.call("PUT", path + "/members/bob", {"role": "moderator"}, as_user="ann")
    assert promoted.status_code == 200, promoted.text
    assert (await app.call("DELETE", path, as_user="ann")).status_code == 204
    status, fresh = await make(app, "bob", as_user="ann", distinct=True)
    assert status == 201 and fresh["id"] != channel["id"]
