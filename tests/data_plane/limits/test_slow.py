"""A slow channel: one message a member and while, whichever nodes it speaks to."""

import asyncio

from tests.clients.installation import Installation
from tests.data_plane.limits.test_sockets import call
from tests.invariants.wire import Wire

ROOM = "/v1/channels/calm"


async def test_a_member_waits_between_two_messages_over_all_nodes(installation: Installation) -> None:
    tenant = await installation.tenant()
    await tenant.post("/v1/users", users=[{"id": "ada"}, {"id": "grace"}, {"id": "mod"}])
    await tenant.post("/v1/channels", id="calm", members=["ada", "grace"], slow_mode=600)
    await tenant.put(f"{ROOM}/members/mod", role="moderator")
    for running in installation.nodes:
        await running.node.pace.refresh()
    ada = [await Wire.open(each.url, {"token": tenant.token("ada")}) for each in installation.nodes]
    mod = await Wire.open(installation.nodes[0].url, {"token": tenant.token("mod")})
    hello = {"channel_id": "calm", "text": "hello"}
    first = {**hello, "id": "msg_" + (await call(ada[0], "message.send", hello))["message"]["id"][4:]}
    error = (await call(ada[1], "message.send", hello))["error"]
    assert (error["code"], error["retryable"], error["slow_mode"]) == ("channel_slow", True, 600)
    assert 590_000 < error["retry_after_ms"] <= 600_000
    # A retry of what is stored is no second message.
    assert (await call(ada[1], "message.send", first))["message"]["id"] == first["id"]
    # Others have a pace of their own; moderators and the server none.
    token = {"authorization": f"Bearer {tenant.token('grace')}"}
    assert (await tenant.http.post(f"{ROOM}/messages", json={"text": "hi"}, headers=token)).status_code == 201
    refused = await tenant.http.post(f"{ROOM}/messages", json={"text": "hi"}, headers=token)
    assert (refused.status_code, refused.json()["code"]) == (429, "channel_slow")
    assert int(refused.headers["retry-after"]) > 590
    for _ in range(2):
        assert "message" in await call(mod, "message.send", hello)
        await tenant.post(f"{ROOM}/messages", text="from the server", user_id="ada")
    limits = (await tenant.http.get("/v1/limits", params={"channel_id": "calm"}, headers=token)).json()["limits"]
    (slow,) = [each for each in limits if each["policy"] == "messages.slow"]
    assert (slow["remaining"], slow["quota"]) == (0, 1) and 590 < slow["reset"] <= 600
    assert not [each for each in (await tenant.http.get("/v1/limits")).json()["limits"] if "slow" in each["policy"]]
    # What was refused for another reason costs no wait.
    await tenant.post("/v1/channels", id="calm2", members=["ada"], slow_mode=600)
    assert (await tenant.http.patch("/v1/channels/calm2", json={"frozen": True})).is_success
    await installation.nodes[0].node.pace.refresh()
    for _ in range(2):
        assert (await call(ada[0], "message.send", {**hello, "channel_id": "calm2"}))["error"][
            "code"
        ] == "channel_frozen"
        await asyncio.sleep(0.15)  # what is given back is settled in the background
    # Quick again.
    assert (await tenant.http.patch(ROOM, json={"slow_mode": 0})).is_success
    await installation.nodes[0].node.pace.refresh()
    assert "message" in await call(ada[0], "message.send", hello)
    for wire in (*ada, mod):
        await wire.close()
    await tenant.close()
