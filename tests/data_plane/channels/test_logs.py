"""After any history the logs are whole, and what they tell is what is there."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel.ids import parse_id

USERS = ("ann", "bob", "cid", "dan")
CHANNELS = ("one", "two")
OPERATIONS = ("add", "put", "remove", "leave", "rename", "send", "silent", "edit", "delete", "read", "read_some", "end")

steps = st.lists(
    st.tuples(
        st.sampled_from(OPERATIONS), st.sampled_from(CHANNELS), st.sampled_from(USERS), st.integers(0, 5), st.booleans()
    ),
    max_size=25,
)


async def do(app: Any, sent: list[str], step: tuple[str, str, str, int, bool]) -> None:
    operation, channel, user, n, by_server = step
    actor = None if by_server else user
    path = f"/v1/channels/{channel}"
    message = sent[n % len(sent)] if sent else "msg_" + "0" * 26
    match operation:
        case "add":
            answer = await app.call("POST", f"{path}/members", {"user_ids": USERS[: n + 1]}, as_user=actor)
        case "put":
            role = {"role": "owner"} if n % 2 else None
            answer = await app.call("PUT", f"{path}/members/{USERS[n % 4]}", role, as_user=actor)
        case "remove":
            answer = await app.call("DELETE", f"{path}/members/{USERS[n % 4]}", as_user=actor)
        case "leave":
            answer = await app.call("POST", f"{path}/leave", as_user=user)
        case "rename":
            answer = await app.call("PATCH", path, {"name": f"name {n}"}, as_user=actor)
        case "send" | "silent":
            if (await app.call("GET", path, as_user=user)).status_code == 200:
                sent.append((await app.send(channel, user, f"text {n}", silent=operation == "silent"))[0])
            return
        case "edit":
            answer = await app.call("PATCH", f"/v1/messages/{message}", {"text": f"edit {n}"}, as_user=actor)
        case "delete":
            answer = await app.call("DELETE", f"/v1/messages/{message}", as_user=actor)
        case "read" | "read_some":
            answer = await app.call(
                "POST", f"{path}/read", {"number": n} if operation != "read" else None, as_user=user
            )
        case _:
            # Ends a channel's life now and then.
            if n < 5:
                return
            answer = await app.call("DELETE", path, as_user=actor)
    assert answer.status_code in (200, 201, 204, 403, 404, 409), answer.text


def told(entries: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, str]]:
    """The channel and its members' roles, by its log alone."""
    channel: dict[str, Any] = {}
    roles: dict[str, str] = {}
    for entry in entries:
        match entry["type"]:
            case "channel.created" | "channel.updated":
                channel = entry["data"]["channel"]
            case "member.added" | "member.updated":
                roles[entry["data"]["user_id"]] = entry["data"]["role"]
            case "member.removed":
                del roles[entry["data"]["user_id"]]
            case "channel.deleted":
                channel, roles = {}, {}
    return channel, roles


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
async def test_after_any_history_the_logs_tell_what_is_there(world, steps):
    app = world.app()
    await app.make_users(*USERS)
    await app.make_channel("one", "bob", "cid", owner="ann")
    await app.make_channel("two", "dan", owner="bob")
    sent: list[str] = []
    for step in steps:
        await do(app, sent, step)

    await app.check_logs()
    for channel_id in CHANNELS:
        entries = await app.log(f"c:{channel_id}")
        channel, roles = told(entries)
        answer = await app.call("GET", f"/v1/channels/{channel_id}")
        assert answer.status_code == (200 if channel else 404)
        if not channel:
            continue
        there = answer.json()
        assert {"name": there["name"], "updated_at": there["updated_at"], "seq": there["seq"]} == {
            "name": channel["name"],
            "updated_at": channel["updated_at"],
            "seq": len(entries),
        }
        members = (await app.call("GET", f"/v1/channels/{channel_id}/members")).json()["members"]
        assert {member["user_id"]: member["role"] for member in members} == roles
        assert there["member_count"] == len(roles)
        await check_messages(app, channel_id, entries, there)


async def check_messages(app: Any, channel_id: str, entries: list[dict[str, Any]], channel: dict[str, Any]) -> None:
    """History is the log's messages in order, numbers count those that count, unread is a recount."""
    history = (await app.call("GET", f"/v1/channels/{channel_id}/messages", params={"limit": 100})).json()["messages"]
    assert [message["seq"] for message in history] == [e["seq"] for e in entries if e["type"] == "message.created"]
    counted = 0
    for message in history:
        counted += not message["silent"]
        assert message["number"] == counted
        assert parse_id("msg", message["id"])
    assert channel["last_number"] == counted
    for member in (await app.call("GET", f"/v1/channels/{channel_id}/members")).json()["members"]:
        seen = (await app.call("GET", f"/v1/channels/{channel_id}", as_user=member["user_id"])).json()["membership"]
        unread = [m for m in history if not m["silent"] and m["number"] > seen["read_number"]]
        assert seen["unread"] == len(unread)


async def test_the_check_of_a_log_fails_for_a_gap(app):
    await app.make_users("ann")
    await app.make_channel("den", "ann")
    await app.fetch("delete from chat.events where app_id = $1 and log = 'c:den' and seq = 1")
    try:
        await app.check_logs()
    except AssertionError:
        return
    raise RuntimeError("a log with a gap passed the check")
