"""The sessions that vectors are recorded from, each about one kind of thing. The user is `ada`; others act through the
app's server."""

from collections.abc import Awaitable, Callable
from typing import Any

from kernel.clock import SystemClock
from kernel.ids import Ids
from tests.clients.installation import Tenant
from tests.sdk.recorder import Recorder

Session = Callable[[Recorder, Tenant], Awaitable[None]]
SESSIONS: dict[str, Session] = {}
_ids = Ids(SystemClock())


def session(play: Session) -> Session:
    """One more, by its function's name."""
    SESSIONS[play.__name__] = play
    return play


async def _send(me: Recorder, text: str, channel: str = "den", **more: Any) -> str:
    payload = {"id": _ids.new("msg"), "channel_id": channel, "text": text, **more}
    return str((await me.call("message.send", payload))["message"]["id"])


async def _said(tenant: Tenant, text: str, channel: str = "den", **more: Any) -> str:
    body = {"text": text, "user_id": "bob", **more}
    return str((await tenant.post(f"/v1/channels/{channel}/messages", **body))["message"]["id"])


async def _serve(tenant: Tenant, method: str, path: str, **body: Any) -> None:
    answer = await tenant.http.request(method, path, json=body or None)
    assert answer.is_success, answer.text


@session
async def messages(me: Recorder, tenant: Tenant) -> None:
    """Sent, edited, deleted, restored, purged, quoted, pinned, reacted to."""
    await me.connect(0)
    first, second = await _send(me, "Helo"), await _said(tenant, "Hello, Ada")
    await me.call("message.update", {"id": first, "text": "Hello", "set": {"mood": "good"}})
    quoting = await _send(me, "This one", quoted_id=second, mentions={"users": ["bob"]})
    await _serve(tenant, "PATCH", f"/v1/messages/{second}", text="Hello, Ada! 👋", user_id="bob")
    for emoji, unique in (("👍", False), ("🎉", False), ("❤️", True)):
        await me.call("reaction.add", {"message_id": second, "emoji": emoji, "unique": unique})
    await _serve(tenant, "PUT", f"/v1/messages/{second}/reactions/👍", user_id="bob")
    await me.call("reaction.remove", {"message_id": second, "emoji": "❤️"})
    await me.call("message.pin", {"message_id": first})
    await me.call("message.pin", {"message_id": quoting, "expires_at": "2126-01-01T00:00:00Z"})
    gone = await _send(me, "Never mind")
    await me.call("message.delete", {"id": gone})
    await me.call("message.restore", {"id": gone})
    await me.call("message.delete", {"id": gone, "hard": True})
    await me.call("message.delete", {"id": first})
    await me.call("message.unpin", {"message_id": quoting})
    await me.call("message.pin", {"message_id": quoting})
    await _serve(tenant, "DELETE", f"/v1/messages/{second}?user_id=bob")
    await me.call("message.send", {"channel_id": "nowhere", "text": "Refused"})


@session
async def threads(me: Recorder, tenant: Tenant) -> None:
    """Replies, in threads alone and in the channel too, and how far they are read."""
    await me.connect(1)
    root = await _send(me, "What do you think?")
    other = await _said(tenant, "Something else")
    replies = [await _said(tenant, f"Reply {n}", thread_id=root) for n in range(3)]
    await me.call("thread.read", {"message_id": root, "reply_id": replies[0]})
    await _said(tenant, "Both", thread_id=root, also_in_channel=True)
    await _said(tenant, "Look, Ada", thread_id=other, mentions={"users": ["ada"]})
    await me.call("message.hide", {"id": replies[2]})
    own = await _send(me, "Mine", thread_id=other)
    await _said(tenant, "Last", thread_id=other)
    await me.call("message.delete", {"id": own})


@session
async def members(me: Recorder, tenant: Tenant) -> None:
    """Who is where, with which role, and what roles may do."""
    await me.connect(0)
    await _said(tenant, "Before")
    await tenant.post("/v1/channels/den/members", user_ids=["cid"])
    await _serve(tenant, "PUT", "/v1/channels/den/members/ada", role="moderator")
    await _serve(tenant, "PATCH", "/v1/channels/den/members/cid", set={"desk": "4b"})
    await _serve(tenant, "DELETE", "/v1/channels/den/members/bob")
    await _serve(tenant, "PATCH", "/v1/channels/den", name="The den", custom={"floor": 2}, frozen=True)
    await tenant.post("/v1/channels", id="club", name="Club", members=["bob"])
    await tenant.post("/v1/channels", id="fair", name="Fair", members=["bob"])
    for club in ("club", "fair"):
        await tenant.post(f"/v1/channels/{club}/invites", user_ids=["ada"])
    await tenant.post("/v1/invites/club/accept", user_id="ada")
    await _said(tenant, "Welcome", "club")
    await tenant.put("/v1/channel-types/group", grants={"member": ["message.send", "reaction.add"]})
    await _serve(tenant, "PATCH", "/v1/users/ada", name="Ada L.")
    await me.rest("PUT", "/v1/users/me/blocks/bob")
    await _serve(tenant, "DELETE", "/v1/channels/lab/members/ada")
    await _said(tenant, "Unheard", "lab")
    await tenant.post("/v1/channels/lab/members", user_ids=["ada"])
    await _said(tenant, "Heard", "lab")
    await tenant.post("/v1/channels", id="brief", members=["ada"])
    await _serve(tenant, "DELETE", "/v1/channels/brief")


@session
async def unread(me: Recorder, tenant: Tenant) -> None:
    """Positions, hidden messages, arranged channels, truncated ones."""
    await me.connect(1)
    ids = [await _said(tenant, f"Message {n}") for n in range(6)]
    await _said(tenant, "Quietly", silent=True)
    await me.call("receipt.read", {"channel_id": "den", "message_id": ids[2]})
    await me.call("message.hide", {"id": ids[4]})
    await me.call("unread.mark", {"channel_id": "den", "number": 2})
    await _said(tenant, "All of you", "lab", mentions={"channel": True})
    await me.call("membership.arrange", {"channel_id": "lab", "pinned": True, "hidden": True})
    await _said(tenant, "Are you there?", "lab")
    await me.call("membership.arrange", {"channel_id": "den", "muted": True})
    await me.call("receipt.read_all", {"type": "group"})
    await _said(tenant, "More")
    await me.call("membership.arrange", {"channel_id": "den", "muted": False, "archived": True})
    await _send(me, "I am back", "lab")
    await _said(tenant, "Good", "lab")
    await me.call("membership.arrange", {"channel_id": "lab", "clear_history": True})
    await _said(tenant, "From here on", "lab")
    kept = await _said(tenant, "Stays")
    await _said(tenant, "And quotes it", quoted_id=ids[0])
    seq = (await tenant.http.get(f"/v1/messages/{kept}")).json()["message"]["seq"]
    await tenant.post("/v1/channels/den/truncate", before=seq)


@session
async def passing(me: Recorder, tenant: Tenant) -> None:
    """Watching: where others are, how far they have read, who types."""
    await _said(tenant, "Hello")
    await me.connect(0)
    await me.watch("den")
    await me.follow("bob", "cid")
    await tenant.post("/v1/channels/den/read", user_id="bob")
    await _send(me, "Hello, Bob")
    await tenant.post("/v1/channels/den/delivered", user_id="bob")
    await _serve(tenant, "PUT", "/v1/users/bob/presence", text="Back soon")
    await tenant.post("/v1/channels/den/read", user_id="bob", number=2)
    await me.watch("show")
    await _said(tenant, "On air", "show")
    await me.call("typing.start", {"channel_id": "den"})


@session
async def resume(me: Recorder, tenant: Tenant) -> None:
    """Away, back with an older cursor so that events repeat, away for good, back with fresh state."""
    await me.connect(0)
    first = await _send(me, "One")
    await _said(tenant, "Two")
    await me.disconnect()
    missed = await _said(tenant, "Missed")
    await _serve(tenant, "PUT", f"/v1/messages/{missed}/reactions/👍", user_id="bob")
    await _serve(tenant, "PATCH", f"/v1/messages/{first}", text="One!", user_id="ada")
    await tenant.post("/v1/channels", id="later", members=["ada", "bob"])
    await me.connect(1, back=100)
    await me.load()
    await _said(tenant, "Live", "later")
    await me.disconnect()
    await _said(tenant, "Missed, too")
    await _serve(tenant, "DELETE", f"/v1/messages/{missed}?user_id=bob")
    me.cursors = [STRANGE_CURSOR]
    await me.connect(0)
    await _said(tenant, "Afterwards")


STRANGE_CURSOR = ""
"""Set by the test: a cursor of another installation, which cannot be resumed from."""
