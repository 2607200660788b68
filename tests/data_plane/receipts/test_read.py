"""Read positions and unread counts."""

import asyncio


async def unread_of(app, user, channel="den"):
    return (await app.call("GET", f"/v1/channels/{channel}", as_user=user)).json()["membership"]["unread"]


async def test_unread_is_arithmetic_on_positions(app):
    await app.make_users("ann", "bob", "cid")
    await app.make_channel("den", "bob", owner="ann")
    await app.send("den", "ann")
    second, _, _ = await app.send("den", "ann")
    await app.send("den", "ann", silent=True)
    await app.send("den", "bob")
    assert (await unread_of(app, "ann"), await unread_of(app, "bob")) == (1, 0)
    await app.send("den", "ann")
    await app.call("PUT", "/v1/channels/den/members/cid")
    await app.call("DELETE", f"/v1/messages/{second}", as_user="ann")
    assert [await unread_of(app, user) for user in ("ann", "bob", "cid")] == [0, 1, 0]


async def test_reading_moves_forward_only_and_is_told_once(app):
    await app.make_users("ann", "bob")
    await app.make_channel("den", "bob", owner="ann")
    sent = [await app.send("den", "ann") for _ in range(4)]

    async def read(body=None):
        return (await app.call("POST", "/v1/channels/den/read", body, as_user="bob")).json()

    first = {"channel_id": "den", "read_number": 1, "last_number": 4, "unread": 3, "marked_unread": False}
    assert await read({"number": 1}) == first
    assert (await read({"message_id": sent[2][0]}))["unread"] == 1
    assert (await read({"number": 2}))["read_number"] == 3
    assert (await read({"message_id": sent[0][0]}))["read_number"] == 3
    assert (await read({"number": 2**53 - 1}))["read_number"] == 4
    assert (await read())["unread"] == 0
    told = [entry["data"] for entry in await app.log("u:bob") if entry["type"] == "unread.changed"]
    assert [(data["read_number"], data["unread"]) for data in told] == [(1, 3), (3, 1), (4, 0)]
    assert await unread_of(app, "bob") == 0
    assert "unread.changed" not in await app.types("u:ann")


async def test_reading_needs_a_membership_and_a_message_of_the_channel(app):
    await app.make_users("ann", "bob", "eve")
    await app.make_channel("den", "bob", owner="ann")
    await app.make_channel("attic", owner="ann")
    elsewhere, _, _ = await app.send("attic", "ann")
    assert (await app.call("POST", "/v1/channels/den/read", as_user="eve")).status_code == 404
    foreign = await app.call("POST", "/v1/channels/den/read", {"message_id": elsewhere}, as_user="bob")
    assert foreign.status_code == 404
    both = await app.call("POST", "/v1/channels/den/read", {"message_id": elsewhere, "number": 1}, as_user="bob")
    assert both.status_code == 422
    assert (await app.call("POST", "/v1/channels/den/read", {"number": -1}, as_user="bob")).status_code == 422
    assert (await app.call("POST", "/v1/channels/den/read")).status_code == 403
    assert (await app.call("POST", "/v1/channels/den/read", {"user_id": "eve"})).status_code == 404
    assert (await app.call("POST", "/v1/channels/den/read", {"user_id": "bob"})).status_code == 200


async def test_reads_and_sends_at_once_keep_positions_and_logs_whole(app):
    users = [f"u{n}" for n in range(5)]
    await app.make_users(*users)
    await app.make_channel("den", *users)
    await app.send("den", "u0")

    async def work(n):
        if n % 3:
            await app.call("POST", "/v1/channels/den/read", as_user=users[n % 5])
        else:
            await app.send("den", users[n % 5])

    await asyncio.gather(*(work(n) for n in range(45)))
    await app.check_logs()
    for user in users:
        told = [e["data"]["read_number"] for e in await app.log(f"u:{user}") if e["type"] == "unread.changed"]
        assert told == sorted(set(told))
        await app.call("POST", "/v1/channels/den/read", as_user=user)
        assert await unread_of(app, user) == 0
