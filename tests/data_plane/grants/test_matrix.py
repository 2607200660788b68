"""Every permission, over every route and event that checks it: who has nothing else may, who has all else may not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import pytest

from data_plane.grants.permissions import EVERYTHING, Permission
from data_plane.grants.table import of_channel
from tests.clients.installation import Installation, Tenant
from tests.invariants.wire import Wire

P = Permission
WITH, WITHOUT = "with", "without"
"""Users and roles of the same names: one has what is tried (and what that takes), the other everything else."""
PATH = "/v1/channels/room"


@dataclass
class Answer:
    """What a route or an event said."""

    code: str | None
    body: dict[str, Any]


@dataclass
class Lab:
    """A channel of a type in which only these two roles may do anything."""

    tenant: Tenant
    url: str
    messages: dict[str, str] = field(default_factory=dict)
    sockets: dict[str, Wire] = field(default_factory=dict)

    async def rest(self, user: str, method: str, path: str, body: Any = None) -> Answer:
        headers = {"authorization": f"Bearer {self.tenant.token(user)}"}
        async with httpx.AsyncClient(base_url=self.url, headers=headers, trust_env=False, timeout=20) as http:
            answer = await http.request(method, path, json=body)
        told = answer.json() if answer.content else {}
        assert answer.status_code < 500, told
        return Answer(told["code"] if answer.is_error else None, told)

    async def emit(self, user: str, event: str, payload: dict[str, Any]) -> Answer:
        if user not in self.sockets:
            self.sockets[user] = await Wire.open(self.url, {"token": self.tenant.token(user)})
        told = orjson.loads(await self.sockets[user].call(event, payload))[0]
        error = told.get("error")
        return Answer(error["code"] if error else None, error or told)


Do = Callable[[Lab, str], Awaitable[Answer]]


@dataclass(frozen=True)
class Case:
    """How a permission is tried. `needs`: what it takes besides; `refused`: the code for who lacks it; `members`:
    whether those who try are members, or have it by their role in the app; `frozen`: whether the channel is."""

    ways: dict[str, Do]
    needs: frozenset[Permission] = frozenset()
    refused: str = "permission_missing"
    members: bool = True
    frozen: bool = False
    slow: bool = False


def rest(method: str, path: Callable[[Lab, str], str] | str, body: Any = None) -> Do:
    async def do(lab: Lab, user: str) -> Answer:
        return await lab.rest(user, method, path if isinstance(path, str) else path(lab, user), body)

    return do


def emit(event: str, payload: Callable[[Lab, str], dict[str, Any]]) -> Do:
    async def do(lab: Lab, user: str) -> Answer:
        return await lab.emit(user, event, payload(lab, user))

    return do


def own(lab: Lab, user: str) -> str:
    return lab.messages[user]


def others(lab: Lab, user: str) -> str:
    return lab.messages["plain"]


def message(which: Callable[[Lab, str], str]) -> Callable[[Lab, str], str]:
    return lambda lab, user: f"/v1/messages/{which(lab, user)}"


TEXT = {"text": "again"}
CASES: dict[Permission, Case] = {
    P.MESSAGE_SEND: Case(
        {
            "rest": rest("POST", f"{PATH}/messages", TEXT),
            "socket": emit("message.send", lambda lab, user: {"channel_id": "room", **TEXT}),
        }
    ),
    P.MESSAGE_SEND_FROZEN: Case(
        {
            "rest": rest("POST", f"{PATH}/messages", TEXT),
            "socket": emit("message.send", lambda lab, user: {"channel_id": "room", **TEXT}),
            "edit": rest("PATCH", message(own), TEXT),
            "pin": rest("PUT", lambda lab, user: f"/v1/messages/{own(lab, user)}/pin"),
        },
        needs=frozenset({P.MESSAGE_SEND, P.MESSAGE_EDIT_OWN, P.MESSAGE_PIN}),
        refused="channel_frozen",
        frozen=True,
    ),
    P.MESSAGE_SEND_SLOW: Case(
        {
            "rest": rest("POST", f"{PATH}/messages", TEXT),
            "socket": emit("message.send", lambda lab, user: {"channel_id": "room", **TEXT}),
        },
        needs=frozenset({P.MESSAGE_SEND}),
        refused="channel_slow",
        slow=True,
    ),
    P.MESSAGE_EDIT_OWN: Case(
        {
            "rest": rest("PATCH", message(own), TEXT),
            "socket": emit("message.update", lambda lab, user: {"id": own(lab, user), "text": "once more"}),
        }
    ),
    P.MESSAGE_EDIT_ANY: Case(
        {
            "rest": rest("PATCH", message(others), TEXT),
            "socket": emit("message.update", lambda lab, user: {"id": others(lab, user), "text": "once more"}),
        }
    ),
    P.MESSAGE_VERSIONS_OWN: Case({"rest": rest("GET", lambda lab, user: f"/v1/messages/{own(lab, user)}/versions")}),
    P.MESSAGE_VERSIONS_ANY: Case({"rest": rest("GET", lambda lab, user: f"/v1/messages/{others(lab, user)}/versions")}),
    P.MESSAGE_DELETE_OWN: Case(
        {
            "rest": rest("DELETE", message(own)),
            "socket": emit("message.delete", lambda lab, user: {"id": own(lab, user)}),
        }
    ),
    P.MESSAGE_DELETE_ANY: Case(
        {
            "rest": rest("DELETE", message(others)),
            "socket": emit("message.delete", lambda lab, user: {"id": others(lab, user)}),
        }
    ),
    P.MESSAGE_RESTORE_OWN: Case(
        {
            "rest": rest("POST", lambda lab, user: f"/v1/messages/{own(lab, user)}/restore"),
            "socket": emit("message.restore", lambda lab, user: {"id": own(lab, user)}),
        }
    ),
    P.MESSAGE_RESTORE_ANY: Case(
        {
            "rest": rest("POST", lambda lab, user: f"/v1/messages/{others(lab, user)}/restore"),
            "socket": emit("message.restore", lambda lab, user: {"id": others(lab, user)}),
        }
    ),
    P.MESSAGE_PURGE_OWN: Case(
        {
            "rest": rest("DELETE", lambda lab, user: f"/v1/messages/{own(lab, user)}?hard=true"),
            "socket": emit("message.delete", lambda lab, user: {"id": own(lab, user), "hard": True}),
        }
    ),
    P.MESSAGE_PURGE_ANY: Case(
        {
            "rest": rest("DELETE", lambda lab, user: f"/v1/messages/{others(lab, user)}?hard=true"),
            "socket": emit("message.delete", lambda lab, user: {"id": others(lab, user), "hard": True}),
        }
    ),
    P.MESSAGE_MENTION_MANY: Case(
        {
            "rest": rest("POST", f"{PATH}/messages", {**TEXT, "mentions": {"channel": True}}),
            "socket": emit(
                "message.send", lambda lab, user: {"channel_id": "room", **TEXT, "mentions": {"here": True}}
            ),
            "role": rest("POST", f"{PATH}/messages", {**TEXT, "mentions": {"roles": ["plain"]}}),
        },
        needs=frozenset({P.MESSAGE_SEND}),
    ),
    P.MESSAGE_SYSTEM: Case(
        {
            "rest": rest("POST", f"{PATH}/messages", {**TEXT, "system": True}),
            "socket": emit("message.send", lambda lab, user: {"channel_id": "room", **TEXT, "system": True}),
        },
        needs=frozenset({P.MESSAGE_SEND}),
    ),
    P.MESSAGE_PIN: Case(
        {
            "rest": rest("PUT", lambda lab, user: f"/v1/messages/{others(lab, user)}/pin"),
            "socket": emit("message.pin", lambda lab, user: {"message_id": others(lab, user)}),
            "unpin": rest("DELETE", lambda lab, user: f"/v1/messages/{others(lab, user)}/pin"),
            "socket, unpin": emit("message.unpin", lambda lab, user: {"message_id": others(lab, user)}),
        }
    ),
    P.REACTION_ADD: Case(
        {
            "rest": rest("PUT", lambda lab, user: f"/v1/messages/{others(lab, user)}/reactions/ok"),
            "socket": emit("reaction.add", lambda lab, user: {"message_id": others(lab, user), "emoji": "👍"}),
        }
    ),
    P.EVENT_SEND: Case(
        {
            "rest": rest("POST", f"{PATH}/events", {"type": "poll.opened"}),
            "socket": emit("event.send", lambda lab, user: {"channel_id": "room", "type": "poll.opened"}),
        }
    ),
    P.MEMBER_ADD: Case(
        {
            "post": rest("POST", f"{PATH}/members", {"user_ids": ["new"], "role": "plain"}),
            "put": rest("PUT", f"{PATH}/members/newer", {"role": "plain"}),
            "put again": rest("PUT", f"{PATH}/members/plain"),
        }
    ),
    P.MEMBER_REMOVE: Case({"rest": rest("DELETE", f"{PATH}/members/plain")}),
    P.MEMBER_ROLE: Case(
        {
            "change": rest("PUT", f"{PATH}/members/plain", {"role": "idle"}),
            "say again": rest("PUT", f"{PATH}/members/plain", {"role": "idle"}),
        }
    ),
    P.CHANNEL_TRUNCATE: Case({"rest": rest("POST", f"{PATH}/truncate", {"before": 1, "hard": False})}),
    P.MEMBER_CUSTOM: Case({"rest": rest("PATCH", f"{PATH}/members/plain", {"set": {"a": 1}, "unset": ["b"]})}),
    P.CHANNEL_CREATE: Case({"rest": rest("POST", "/v1/channels", {"type": "lab"})}, members=False),
    P.CHANNEL_WATCH: Case(
        {
            "channel": rest("GET", PATH),
            "members": rest("GET", f"{PATH}/members"),
            "history": rest("GET", f"{PATH}/messages"),
            "history around": rest("GET", lambda lab, user: f"{PATH}/messages?around={others(lab, user)}"),
            "message": rest("GET", message(others)),
            "socket": emit("channel.watch", lambda lab, user: {"channel_id": "room"}),
        },
        refused="not_found",
        members=False,
    ),
    P.CHANNEL_JOIN: Case({"rest": rest("POST", f"{PATH}/join")}, members=False),
    P.CHANNEL_LEAVE: Case({"rest": rest("POST", f"{PATH}/leave")}),
    P.CHANNEL_UPDATE: Case(
        {
            "name": rest("PATCH", PATH, {"name": "x"}),
            "image": rest("PATCH", PATH, {"image": "x"}),
            "custom": rest("PATCH", PATH, {"custom": {"a": 1}}),
            "history": rest("PATCH", PATH, {"history": "joined"}),
            "nothing": rest("PATCH", PATH, {}),
        }
    ),
    P.CHANNEL_FREEZE: Case({"rest": rest("PATCH", PATH, {"frozen": True})}),
    P.CHANNEL_SLOW: Case({"rest": rest("PATCH", PATH, {"slow_mode": 10})}),
    P.CHANNEL_GRANTS: Case({"rest": rest("PATCH", PATH, {"grants": {"plain": []}})}),
    P.CHANNEL_DELETE: Case({"rest": rest("DELETE", PATH)}),
}


@pytest.fixture
async def lab(tenant: Tenant, installation: Installation) -> AsyncIterator[Lab]:
    """On the node to which the server does not speak."""
    lab = Lab(tenant, installation.nodes[1].url)
    yield lab
    for socket in lab.sockets.values():
        await socket.close()


async def furnish(lab: Lab, permission: Permission, case: Case) -> None:
    """The two roles and users, the type, a channel with a message of each."""
    tenant = lab.tenant
    has = {WITH: case.needs | {permission}, WITHOUT: EVERYTHING - {permission}}
    for role, granted in has.items():
        await tenant.put(f"/v1/roles/{role}", scopes=["app", "channel"], grants=[])
        has[role] = frozenset(granted)
    for role in ("plain", "idle"):
        await tenant.put(f"/v1/roles/{role}", scopes=["channel"], grants=[])
    grants: dict[str, list[str]] = {"user": [], "member": [], "owner": []}
    grants |= {role: sorted(granted) for role, granted in has.items()}
    await tenant.put("/v1/channel-types/lab", grants=grants, creator_role="plain")
    users = [{"id": name, "role": "user" if case.members else name} for name in (WITH, WITHOUT)]
    await tenant.post("/v1/users", users=[*users, {"id": "plain"}, {"id": "new"}, {"id": "newer"}])
    await tenant.post("/v1/channels", id="room", type="lab")
    await tenant.put(f"{PATH}/members/plain", role="plain")
    for user in (WITH, WITHOUT):
        if case.members:
            await tenant.put(f"{PATH}/members/{user}", role=user)
    for user in (WITH, WITHOUT, "plain"):
        sent = await tenant.post(f"{PATH}/messages", text="hello", user_id=user)
        lab.messages[user] = sent["message"]["id"]
    if case.frozen:
        assert (await tenant.http.patch(PATH, json={"frozen": True})).is_success
    if case.slow:
        assert (await tenant.http.patch(PATH, json={"slow_mode": 3600})).is_success
        async with asyncio.timeout(5):  # the node looks every second; the first message then passes
            while (await lab.rest(WITHOUT, "POST", f"{PATH}/messages", TEXT)).code is None:
                await asyncio.sleep(0.2)
    if case.members:
        for user, granted in has.items():
            assert (await lab.rest(user, "GET", PATH)).body["capabilities"] == sorted(of_channel(granted))


def test_every_permission_is_tried() -> None:
    assert set(CASES) == EVERYTHING


@pytest.mark.parametrize("permission", CASES)
async def test_a_permission_opens_its_routes_and_events_and_nothing_else_does(permission: Permission, lab: Lab) -> None:
    case = CASES[permission]
    await furnish(lab, permission, case)
    for way, do in case.ways.items():
        refused = await do(lab, WITHOUT)
        assert refused.code == case.refused, (way, refused)
        if case.refused == "permission_missing":
            assert refused.body["permission"] == permission
    for way, do in case.ways.items():
        allowed = await do(lab, WITH)
        assert allowed.code is None, (way, allowed)
