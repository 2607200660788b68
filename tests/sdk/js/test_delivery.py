"""What a user sends arrives once, in order, whatever happens; what is refused is taken back; little is asked."""

from data_plane.sync.cursor import Cursor
from tests.clients.installation import Installation, Tenant
from tests.sdk.js.conftest import NewLine, OpenClient


async def _history(tenant: Tenant, channel: str = "den") -> list[str]:
    page = (await tenant.http.get(f"/v1/channels/{channel}/messages", params={"limit": 100})).json()
    return [message["text"] for message in page["messages"]]


async def test_a_message_whose_answer_is_lost_is_stored_once(open_client: OpenClient, tenant: Tenant) -> None:
    await tenant.channel("den", "ann", "bob")
    ann = await open_client("ann")
    await ann.do("open", "den")
    await ann.ask("lose", event="message.send")
    sent = await ann.do("send", "den", "Hello")
    assert sent["number"] == 1
    assert await _history(tenant) == ["Hello"] == await ann.texts("den")
    assert (await ann.status())["calls"].count("message.send") == 2


async def test_what_waits_outlives_the_page_and_is_sent_once_in_order(
    open_client: OpenClient, tenant: Tenant, new_line: NewLine
) -> None:
    await tenant.channel("den", "ann", "bob")
    line = await new_line()
    before = await open_client("ann", line.url, storage="disk")
    await before.do("open", "den")
    await before.do("send", "den", "0")
    # The first one's answer is lost with the page; the others were never sent.
    await before.ask("lose", event="message.send")
    await before.begin("send", "den", "1")
    await before.until(lambda status: status["calls"].count("message.send") == 2, "a second send")
    line.cut()
    for n in range(2, 6):
        await before.begin("send", "den", str(n))
    await before.ask("view")
    await before.ask("kill")
    line.mend()

    after = await open_client("ann", line.url, storage="disk")
    await after.settle()
    assert await _history(tenant) == [str(n) for n in range(6)] == await after.texts("den")


async def test_what_is_done_without_a_connection_is_shown_at_once(
    open_client: OpenClient, tenant: Tenant, new_line: NewLine
) -> None:
    await tenant.channel("den", "ann", "bob")
    line = await new_line()
    ann = await open_client("ann", line.url)
    await ann.do("open", "den")
    first = await ann.do("send", "den", "First")
    line.cut()
    await ann.ask("until", status="away")
    await ann.begin("react", first, "👍")
    await ann.begin("edit", first, {"text": "First!"})
    await ann.begin("send", "den", "Secnd")
    shown = await ann.ask("messages", channel="den")
    assert [(each["text"], each["state"]) for each in shown] == [("First!", "waiting"), ("Secnd", "waiting")]
    assert shown[0]["reactions"] == {"👍": 1}
    await ann.begin("edit", shown[1], {"text": "Second"})  # in place: the server cannot know of it
    line.mend()
    await ann.do("hurry")
    await ann.settle()
    assert await _history(tenant) == ["First!", "Second"]
    assert [each["state"] for each in await ann.ask("messages", channel="den")] == ["stored", "stored"]
    assert (await ann.status())["calls"].count("message.update") == 1


async def test_what_is_refused_is_taken_back(open_client: OpenClient, tenant: Tenant) -> None:
    await tenant.channel("den", "ann", "bob")
    said = (await tenant.post("/v1/channels/den/messages", text="Bob's", user_id="bob"))["message"]
    ann = await open_client("ann")
    await ann.do("open", "den")
    ref = {"id": said["id"], "channel_id": "den"}
    await ann.begin("edit", ref, {"text": "Mine"})
    await ann.begin("delete", ref)
    await ann.begin("send", "den", {"text": " "})
    status = await ann.until(lambda status: len(status["refused"]) == 3, "three refusals")
    assert status["refused"] == [
        ["edit", "permission_missing"],
        ["delete", "permission_missing"],
        ["send", "invalid_input"],
    ]
    shown = await ann.ask("messages", channel="den")
    assert [(each["text"], each["state"]) for each in shown] == [("Bob's", "stored"), (" ", "failed")]
    await ann.do("delete", shown[1])
    assert await ann.texts("den") == ["Bob's"]
    await ann.settle()


async def test_a_hole_in_what_is_heard_is_noticed_and_filled(open_client: OpenClient, tenant: Tenant) -> None:
    await tenant.channel("den", "ann", "bob")
    ann = await open_client("ann")
    await ann.do("open", "den")
    await ann.ask("drop", event="message.created")
    for text in ("lost", "after"):
        await tenant.post("/v1/channels/den/messages", text=text, user_id="bob")
    await ann.settle()
    assert await ann.texts("den") == ["lost", "after"]
    status = await ann.status()
    assert status["calls"].count("sync") == 2, "once at the start, once for the hole"
    assert len(status["wires"]) == 1


async def test_a_cursor_that_is_no_good_any_more_brings_fresh_state(open_client: OpenClient, tenant: Tenant) -> None:
    await tenant.channel("den", "ann", "bob")
    before = await open_client("ann", storage="disk")
    await before.do("open", "den")
    await before.do("send", "den", "Hello")
    await before.ask("close")
    await tenant.post("/v1/channels/den/messages", text="Meanwhile", user_id="bob")
    await before.ask("spoil", storage="disk", cursor=Cursor("s9", "elsewhere", 1).encode())
    after = await open_client("ann", storage="disk")
    await after.settle()
    assert await after.texts("den") == ["Hello", "Meanwhile"]


async def test_unread_is_the_same_on_two_devices(open_client: OpenClient, tenant: Tenant) -> None:
    await tenant.channel("den", "ann", "bob")
    phone, desk = await open_client("ann"), await open_client("ann")
    for n in range(3):
        await tenant.post("/v1/channels/den/messages", text=str(n), user_id="bob")
    for device in (phone, desk):
        assert (await device.settle())["unread"]["total"] == 3
    await phone.do("markRead", "den")
    for device in (phone, desk):
        assert (await device.settle())["unread"]["total"] == 0
    calls = (await phone.status())["calls"]
    await phone.do("markRead", "den")
    assert (await phone.status())["calls"] == calls, "nothing is unread, so nothing is asked"


async def test_opening_an_app_of_fifty_channels_takes_three_requests_and_idling_none(
    open_client: OpenClient, tenant: Tenant
) -> None:
    await tenant.post("/v1/users", users=[{"id": "ann"}])
    for n in range(50):
        await tenant.post("/v1/channels", id=f"c{n}", members=["ann"])
    ann = await open_client("ann")
    await ann.do("open", "c7")
    status = await ann.status()
    assert status["requests"] == ["GET /v1/channels/c7/messages?limit=50"], "and one for the connection"
    assert len(status["wires"]) == 1
    assert (await ann.status())["calls"] == ["sync", "channel.watch"]


async def test_scrolling_back_reads_nothing_twice(open_client: OpenClient, tenant: Tenant) -> None:
    await tenant.channel("den", "ann", "bob")
    ids = []
    for n in range(130):
        said = await tenant.post("/v1/channels/den/messages", text=str(n), user_id="bob")
        ids.append(said["message"]["id"])
    ann = await open_client("ann", storage="disk")
    await ann.do("open", "den")
    # Around an old message: an island, which scrolling back meets.
    assert await ann.do("loadAround", "den", ids[30]) is not None
    while await ann.do("loadOlder", "den"):
        pass
    assert await ann.texts("den") == [str(n) for n in range(130)]
    requests = (await ann.status())["requests"]
    assert len(requests) == 4, requests
    for again in ("open", "loadOlder"):
        await ann.do(again, "den")
    await ann.do("loadAround", "den", ids[30])
    assert (await ann.status())["requests"] == requests
    await ann.ask("close")
    # What an earlier visit has read is not read again.
    back = await open_client("ann", storage="disk")
    await back.do("open", "den")
    assert (await back.texts("den"))[-100:] == [str(n) for n in range(30, 130)]
    assert (await back.status())["requests"] == []


async def test_the_token_is_renewed_before_it_ends(open_client: OpenClient, tenant: Tenant) -> None:
    await tenant.channel("den", "ann", "bob")
    ann = await open_client("ann", token=tenant.token("ann", seconds=2.5))
    await ann.ask("token", token=tenant.token("ann", seconds=300))
    status = await ann.until(lambda status: "auth.refresh" in status["calls"], "a renewal")
    assert (status["status"], status["tokens"], len(status["wires"])) == ("online", 2, 1)


async def test_a_token_that_ended_while_asleep_is_replaced(
    open_client: OpenClient, tenant: Tenant, new_line: NewLine
) -> None:
    await tenant.channel("den", "ann", "bob")
    line = await new_line()
    ann = await open_client("ann", line.url)
    await ann.do("open", "den")
    line.cut()
    await ann.ask("until", status="away")
    await ann.ask("skew", ms=30 * 60_000)  # it sleeps for half an hour, by its own clock
    await tenant.post("/v1/channels/den/messages", text="Meanwhile", user_id="bob")
    line.mend()
    await ann.do("hurry")
    await ann.settle()
    assert (await ann.status())["tokens"] == 2
    assert await ann.texts("den") == ["Meanwhile"]


async def test_a_user_whose_tokens_are_revoked_is_told_so(
    open_client: OpenClient, tenant: Tenant, sdk_nodes: Installation
) -> None:
    await tenant.channel("den", "ann", "bob")
    ann = await open_client("ann")
    await tenant.post("/v1/users/ann/revoke")
    await ann.ask("until", status="refused")
    assert (await ann.status())["problem"]["code"] == "token_revoked"
