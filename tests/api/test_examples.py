"""The examples in `openapi.json` are what a node answers: recorded here, and compared in shape at every run.

`NATTER_TEST_RECORD=1` writes them anew; then `make reference`.
"""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import orjson

from data_plane.blocks import service as blocks
from data_plane.indexes.service import MAX_INDEXES
from data_plane.members import arrange
from data_plane.messages.flush import Flusher
from data_plane.pins import service as pins
from data_plane.query import run
from data_plane.reactions import service
from data_plane.reference import openapi_document
from kernel.clock import month_of
from kernel.contracts import Quota, RateLimit
from kernel.ids import parse_id
from ops.reference.openapi import EXAMPLES
from tests.api.house import House, bearer
from tests.clients.test_examples import shape

HELLO = "msg_01k2x7m5t1e8b9v3q4w5r6t7y8"
BYE = "msg_01k2x7m5t1e8b9v3q4w5r6t7yg"
BOOT = "msg_01k2x7m5t1e8b9v3q4w5r6t7zr"
DOCUMENTS = ("getDescription", "getEventDescription")
"""Their answers are the documents themselves."""
REPLY = "msg_01k2x7m5t1e8b9v3q4w5r6t7zg"
NOT_MADE_BY_A_CALL = {"internal"}
"""A defect, which no call is known to bring about."""


class Scribe:
    """Makes calls by the operation's id and writes down what was said."""

    def __init__(self, house: House) -> None:
        self.house = house
        document = orjson.loads(openapi_document())
        self.known = {
            operation["operationId"]: (method.upper(), path)
            for path, item in document["paths"].items()
            for method, operation in item.items()
            if method != "servers"
        }
        self.operations: dict[str, Any] = {}
        self.problems: dict[str, Any] = {}
        self.http = httpx.AsyncClient(trust_env=False, timeout=20)

    async def say(
        self,
        operation: str,
        credential: str | None,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        **parameters: Any,
    ) -> httpx.Response:
        """One call. An operation's first body and parameters become its example, and each status's first answer."""
        method, path = self.known[operation]
        base = self.house.control_url if operation == "locate" else self.house.url
        query = {name: value for name, value in parameters.items() if "{" + name + "}" not in path}
        sent = {**(bearer(credential) if credential else {}), **(headers or {})}
        if body is not None:
            content, sent["content-type"] = orjson.dumps(body), sent.get("content-type", "application/json")
        url = base + path.format(**parameters)
        answer = await self.http.request(method, url, params=query, content=content, headers=sent)
        if not answer.is_error:
            told = self.operations.setdefault(operation, {"answers": {}})
            given = {**parameters, **(headers or {})}
            if given:
                told.setdefault("parameters", {}).update(
                    {k: v for k, v in given.items() if k not in told["parameters"]}
                )
            if body is not None:
                told.setdefault("body", body)
            if answer.content:
                told["answers"].setdefault(str(answer.status_code), answer.json())
        return answer

    async def fail(self, code: str, operation: str, credential: str | None, body: Any = None, **call: Any) -> None:
        """A call that must be refused with this code."""
        answer = await self.say(operation, credential, body, **call)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == code, answer.text
        self.problems.setdefault(code, answer.json())


async def before_messages(scribe: Scribe, credential: str, cursor: str) -> str:
    """The cursor after which the next thing of a user's is a message. Where somebody else's transaction was under way,
    a cursor lies before what was committed meanwhile, and sync tells that again."""
    while True:
        url, asked = f"{scribe.house.url}/v1/sync", {"cursor": cursor, "limit": 1}
        page = (await scribe.http.get(url, params=asked, headers=bearer(credential))).json()
        if page["events"] and page["events"][0]["type"] == "message.created":
            return cursor
        cursor = page["cursor"]


async def life(scribe: Scribe) -> None:
    """Every operation once, and every status that it answers with when all is well."""
    tenant = scribe.house.tenant
    sk, ada = tenant.secret_key, scribe.house.token(tenant, "ada")
    say = scribe.say
    profile = {"name": "Ada Lovelace", "role": "member", "custom": {"team": "engines"}}
    await say("upsertUsers", sk, {"users": [{"id": "ada", **profile}, {"id": "grace", "name": "Grace Hopper"}]})
    for _ in range(2):
        await say("putUser", sk, {"name": "Edsger Dijkstra"}, user_id="edsger")
    await say("getUser", sk, user_id="ada")
    await say("updateUser", sk, {"name": "Ada King"}, user_id="ada")
    await say("getMe", ada)
    await say("updateMe", ada, {"image": "https://example.com/ada.png"})
    pair = (await say("mintTokens", sk, {"user_id": "ada"})).json()
    await say("refreshTokens", None, {"refresh_token": pair["refresh_token"]})

    scribe.house.change(tenant, guests=True)
    await say("createGuest", None, {"key": tenant.publishable_key, "name": "Ivy"})

    await say("updateUsers", sk, {"users": [{"id": "edsger", "custom": {"team": "graphs"}}]})
    for _ in range(2):
        await say("putIndex", sk, {"type": "text"}, resource="users", field="custom.team")
    await say("listIndexes", sk)
    await say("getIndex", sk, resource="users", field="custom.team")
    people = {"filter": {"custom.team": {"$in": ["engines", "graphs"]}}, "sort": ["-created_at"], "limit": 2}
    await say("queryUsers", sk, {**people, "explain": True})
    await say("deleteIndex", sk, resource="users", field="custom.team")
    lunch = {"status": "away", "text": "At lunch", "text_expires_at": "2099-01-01T13:00:00Z"}
    await say("putPresence", ada, lunch, user_id="ada")
    await say("getPresence", ada, user_id="ada")
    await say("queryPresence", sk, {"user_ids": ["ada", "grace"]})
    for _ in range(2):
        await say("blockUser", ada, user_id="edsger")
    await say("listBlocks", ada)
    await say("unblockUser", ada, user_id="edsger")
    await say("deactivateUser", sk, user_id="edsger")
    await say("reactivateUser", sk, user_id="edsger")

    general = {"id": "general", "type": "group", "name": "General", "members": ["grace"]}
    key = {"Idempotency-Key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}
    await say("createChannel", ada, general, headers=key)
    await say("createChannel", ada, general)
    await say("listChannels", sk, limit=10, user_id="ada")
    found = {"type": "group", "name": {"$autocomplete": "gen"}}
    await say("queryChannels", ada, {"filter": found, "sort": ["-updated_at"], "explain": True})
    await say("getChannel", ada, channel_id="general")
    await say("updateChannel", ada, {"name": "Everybody"}, channel_id="general")
    for _ in range(2):
        await say("addMembers", ada, {"user_ids": ["edsger"]}, channel_id="general")
        await say("putMember", ada, {"role": "moderator"}, channel_id="general", user_id="grace")
    await say("truncateChannel", ada, {"before": 1, "message": {"text": "Ada cleared this"}}, channel_id="general")
    await say("updateMember", ada, {"set": {"desk": "4b"}, "unset": ["phone"]}, channel_id="general", user_id="grace")
    await say("removeMember", ada, channel_id="general", user_id="grace")
    await say("putMember", ada, {"role": "member"}, channel_id="general", user_id="grace")
    await say("upsertUsers", sk, {"users": [{"id": "barbara"}]})
    for _ in range(2):
        await say("inviteMembers", ada, {"user_ids": ["barbara"]}, channel_id="general")
    await say("listChannelInvites", ada, channel_id="general", limit=2)
    await say("listInvites", sk, user_id="barbara")
    await say("acceptInvite", sk, {"user_id": "barbara"}, channel_id="general")
    await say("removeMember", sk, channel_id="general", user_id="barbara")
    for answer in ("rejectInvite", "revokeInvite"):
        await say("inviteMembers", sk, {"user_ids": ["barbara"]}, channel_id="general")
        if answer == "rejectInvite":
            await say("rejectInvite", sk, {"user_id": "barbara"}, channel_id="general")
        else:
            await say("revokeInvite", sk, channel_id="general", user_id="barbara")
    await say("queryMembers", ada, {"filter": {"role": "owner"}}, channel_id="general")
    await say("listMembers", ada, channel_id="general", limit=2)
    await say("listWatchers", ada, channel_id="general", limit=2)

    await say("arrangeChannel", ada, {"pinned": True, "muted_until": "2126-01-01T00:00:00Z"}, channel_id="general")
    await say("getLimits", ada, channel_id="general")
    cursor = (await say("sync", ada)).json()["cursor"]
    scribe.operations.pop("sync")
    hello = {"id": HELLO, "text": "Hello, Grace!", "custom": {"mood": "curious"}}
    for _ in range(2):
        await say("sendMessage", ada, hello, channel_id="general")
    photo = {"type": "image", "url": "https://example.com/engine.png", "title": "The engine"}
    await say("sendMessage", sk, {"id": BOOT, "user_id": "grace", "attachments": [photo]}, channel_id="general")
    await say("sendMessage", ada, {"id": BYE, "text": "Bye"}, channel_id="general")
    reply = {"text": "In short: yes", "thread_id": HELLO, "also_in_channel": True, "mentions": {"users": ["grace"]}}
    await say("sendMessage", ada, {"id": REPLY, "quoted_id": BOOT, **reply}, channel_id="general")
    await say("listReplies", ada, message_id=HELLO)
    await say("listThreads", ada, limit=10)
    await say("markThreadRead", ada, {"reply_id": REPLY}, message_id=HELLO)
    await say("listMessages", ada, channel_id="general", limit=2)
    await say("getMessage", ada, message_id=HELLO)
    for _ in range(2):
        await say("addReaction", ada, {"unique": False}, message_id=HELLO, emoji="👍")
    await say("listReactions", ada, message_id=HELLO, emoji="👍")
    await say("removeReaction", ada, message_id=HELLO, emoji="👍")
    for _ in range(2):
        await say("pinMessage", ada, {"expires_at": "2126-01-01T00:00:00Z"}, message_id=HELLO)
    await say("listPins", ada, channel_id="general")
    await say("unpinMessage", ada, message_id=HELLO)
    await say("editMessage", ada, {"text": "Hello, Admiral!", "set": {"mood": "proud"}}, message_id=HELLO)
    await say("listVersions", ada, message_id=HELLO, limit=10)
    await say("markRead", ada, {"message_id": HELLO}, channel_id="general")
    await say("markUnread", ada, {"message_id": BYE}, channel_id="general")
    await say("markDelivered", ada, {"message_id": HELLO}, channel_id="general")
    await say("getUnread", ada, limit=10)
    await say("readAll", ada, {"type": "group"})
    await say("sendEvent", ada, {"type": "poll.opened", "data": {"question": "Lunch?"}}, channel_id="general")
    await say("sendUserEvent", sk, {"type": "order.paid", "data": {"order": 42}}, user_id="ada")
    await say("listReceipts", ada, channel_id="general", limit=2)
    await say("listReaders", ada, message_id=HELLO)
    await say("putPrivacy", ada, {"delivery_receipts": False}, user_id="ada")
    await say("getPrivacy", ada, user_id="ada")
    await say("hideMessage", sk, {"user_id": "grace"}, message_id=BYE)
    await say("deleteMessage", ada, message_id=BYE)
    await say("restoreMessage", sk, {"user_id": "ada"}, message_id=BYE)
    await say("deleteMessage", ada, message_id=BYE)
    cursor = await before_messages(scribe, ada, cursor)
    await say("sync", ada, cursor=cursor, limit=3)
    await say("leaveChannel", sk, {"user_id": "edsger"}, channel_id="general")
    await say("createChannel", sk, {"id": "launch", "type": "livestream", "name": "Launch"})
    for _ in range(2):
        await say("joinChannel", ada, channel_id="launch")
    await say("joinChannel", sk, {"user_id": "grace"}, channel_id="launch")

    host = {"scopes": ["channel"], "grants": ["message.send", "member.add", "channel.leave"]}
    for _ in range(2):
        await say("putRole", sk, host, name="host")
    await say("getRole", sk, name="host")
    await say("listRoles", sk)
    salon = {"grants": {"user": ["channel.create"], "guest": ["channel.watch"]}, "creator_role": "host"}
    for _ in range(2):
        await say("putChannelType", sk, salon, name="salon")
    await say("getChannelType", sk, name="salon")
    await say("listChannelTypes", sk)
    await say("putChannelType", sk, {"grants": {}}, name="spare")
    await say("deleteChannelType", sk, name="spare")
    await say("putRole", sk, {"scopes": ["app"], "grants": []}, name="spare")
    await say("deleteRole", sk, name="spare")
    await say("createChannel", ada, {"id": "old"})
    await say("deleteChannel", ada, channel_id="old")
    await say("revokeUser", sk, user_id="edsger")
    await say("getDescription", None)
    await say("getEventDescription", None)
    for itself in DOCUMENTS:
        scribe.operations[itself]["answers"] = {}
    await live_node(scribe.house)
    await say("locate", None, key=scribe.house.opened.publishable_key)


async def trouble(scribe: Scribe) -> None:
    """Every code that a REST call can bring, once."""
    house, tenant, fail, say = scribe.house, scribe.house.tenant, scribe.fail, scribe.say
    sk = tenant.secret_key
    ada, eve = house.token(tenant, "ada"), house.token(tenant, "eve")
    json = {"content-type": "application/json"}
    await fail("malformed", "createChannel", ada, content=b'{"name": "Den",}', headers=json)
    await fail("invalid_input", "createChannel", ada, {"name": "Den", "colour": "red"})
    await fail("too_large", "createChannel", ada, content=b" " * 262_145, headers=json)
    await fail("unsupported_media_type", "createChannel", ada, content=b"<name/>", headers={"content-type": "text/xml"})
    await fail("unauthenticated", "getMe", None)
    await fail("token_invalid", "getMe", "garbage")
    await fail("token_expired", "getMe", house.token(tenant, "ada", shift=timedelta(hours=-2)))
    old = house.token(tenant, "bo", shift=timedelta(seconds=-5))
    await say("revokeUser", sk, user_id="bo")
    await fail("token_revoked", "getMe", old)
    await fail("key_expired", "listChannels", house.add_key(tenant, expires_at=house.installation.clock.now()))
    await fail("missing_scope", "revokeUser", house.add_key(tenant, "messages"), user_id="bo")
    await fail("forbidden", "upsertUsers", ada, {"users": [{"id": "ada"}]})
    await fail("not_found", "getChannel", eve, channel_id="general")
    await fail("channel_exists", "createChannel", eve, {"id": "general"})
    await fail("unknown_users", "createChannel", ada, {"members": ["nobody"]})
    await fail("idempotency_conflict", "createChannel", ada, {"id": "x"}, headers={
        "Idempotency-Key": "8e03978e-40d5-43e8-bc93-6894a57f9324"
    })  # fmt: skip
    grace = house.token(tenant, "grace")
    await fail("permission_missing", "updateChannel", grace, {"name": "Mine"}, channel_id="general")
    await say("putMember", sk, {"role": "admin"}, channel_id="general", user_id="grace")
    await fail("role_too_high", "removeMember", grace, channel_id="general", user_id="ada")
    await fail("channel_needs_owner", "leaveChannel", ada, channel_id="general")
    await say("createChannel", sk, {"id": "evening", "type": "salon"})
    await fail("type_in_use", "deleteChannelType", sk, name="salon")
    await fail("role_in_use", "deleteRole", sk, name="host")
    await say("putChannelType", sk, {"grants": {}, "receipts": False}, name="group")
    await fail("receipts_off", "listReceipts", ada, channel_id="general")
    await say("deleteChannelType", sk, name="group")
    for number in range(24):
        await say("putChannelType", sk, {"grants": {}}, name=f"t{number}")
    await fail("too_many_defined", "putChannelType", sk, {"grants": {}}, name="one-more")
    await say("createChannel", ada, {"id": "pair", "type": "direct", "members": ["grace"]})
    await fail("direct_is_fixed", "leaveChannel", ada, channel_id="pair")
    one = await say("createChannel", ada, {"members": ["grace"], "distinct": True})
    await fail("distinct_is_fixed", "leaveChannel", ada, channel_id=one.json()["id"])
    await fail("message_id_taken", "sendMessage", grace, {"id": HELLO, "text": "Mine"}, channel_id="general")
    await fail("nested_reply", "sendMessage", grace, {"text": "So?", "thread_id": REPLY}, channel_id="general")
    await fail("message_deleted", "editMessage", ada, {"text": "Again"}, message_id=BYE)
    await say("deleteMessage", sk, message_id=BYE, hard=True)
    await fail("message_purged", "restoreMessage", ada, message_id=BYE)
    service.MAX_EMOJI, most = 0, service.MAX_EMOJI  # type: ignore[misc]
    await fail("too_many_reactions", "addReaction", ada, {"unique": False}, message_id=HELLO, emoji="🎉")
    service.MAX_EMOJI = most  # type: ignore[misc]
    pins.MAX_PINNED, most = 0, pins.MAX_PINNED  # type: ignore[misc]
    await fail("too_many_pinned", "pinMessage", ada, {"expires_at": None}, message_id=HELLO)
    pins.MAX_PINNED = most  # type: ignore[misc]
    arrange.MAX_PINS, most = 0, arrange.MAX_PINS  # type: ignore[misc]
    await fail("too_many_pins", "arrangeChannel", ada, {"pinned": True}, channel_id="pair")
    arrange.MAX_PINS = most  # type: ignore[misc]
    await fail("bad_cursor", "sync", ada, cursor="yesterday")
    await say("createChannel", ada, {"id": "ice"})
    await say("updateChannel", ada, {"frozen": True}, channel_id="ice")
    await fail("channel_frozen", "sendMessage", ada, {"text": "Hello?"}, channel_id="ice")
    await say("createChannel", sk, {"id": "calm", "members": ["grace"], "slow_mode": 3_600})
    await house.on_loop(house.installation.nodes[0].node.pace.refresh())
    await say("sendMessage", grace, {"text": "One"}, channel_id="calm")
    await fail("channel_slow", "sendMessage", grace, {"text": "Two"}, channel_id="calm")
    await fail("not_found", "locate", None, key="pk_nothing")
    hasty = RateLimit(policy="requests.user", per_second=1, burst=1)
    house.change(tenant, limits=(hasty,))
    await say("getMe", grace)
    await fail("rate_limited", "getMe", grace)
    house.change(tenant, limits=())

    house.change(tenant, guests=False)
    await fail("guests_off", "createGuest", None, {"key": tenant.publishable_key})
    await fail("anonymous_off", "getMe", tenant.publishable_key)
    house.change(tenant, anonymous=True)
    await fail("anonymous_refused", "getMe", tenant.publishable_key)
    house.change(tenant, anonymous=False)
    await fail("refresh_invalid", "refreshTokens", None, {"refresh_token": "rt_nothing"})
    pair = (await say("mintTokens", sk, {"user_id": "ada"})).json()
    await say("refreshTokens", None, {"refresh_token": pair["refresh_token"]})
    app_id, chat = parse_id("app", tenant.snapshot.app_id), await house.chat.connect()
    await chat.execute("update chat.refresh_tokens set used_at = used_at - interval '2 minutes'")
    await fail("refresh_reused", "refreshTokens", None, {"refresh_token": pair["refresh_token"]})
    await chat.execute("insert into chat.users (app_id, id, created_at, updated_at, deactivated_at)"
                       " values ($1, 'gone', now(), now(), now())", app_id)  # fmt: skip
    await fail("user_deactivated", "getMe", house.token(tenant, "gone"))
    await chat.close()

    poor = house.other
    carl = house.token(poor, "carl")
    house.change(poor, allowed_origins=("https://shop.example",))
    await fail("origin_not_allowed", "getMe", carl, headers={"Origin": "https://evil.example"})
    house.change(poor, quotas=(full(house),))
    await fail("quota_exceeded", "getMe", carl)
    keys = poor.snapshot.signing_keys
    house.change(poor, quotas=(), access="read_only")
    await fail("app_read_only", "createChannel", poor.secret_key, {"id": "general"})
    house.change(poor, access="full", signing_keys=())
    await fail("no_signing_key", "mintTokens", poor.secret_key, {"user_id": "carl"})
    house.change(poor, signing_keys=keys, allowed_origins=("*",), status="suspended")
    await fail("app_suspended", "getMe", carl)
    house.change(poor, status="deleted")
    await fail("app_deleted", "getMe", carl)
    house.change(poor, status="active")

    await fail("bad_filter", "queryChannels", ada, {"filter": {"type": {"$like": "team"}}})
    index = {"resource": "channels", "field": "custom.team"}
    await say("putIndex", sk, {"type": "text"}, **index)
    await fail("index_exists", "putIndex", sk, {"type": "number"}, **index)
    for n in range(1, MAX_INDEXES):
        await say("putIndex", sk, {"type": "text"}, **{**index, "field": f"custom.f{n}"})
    await fail("too_many_indexes", "putIndex", sk, {"type": "text"}, **{**index, "field": "custom.more"})
    await say("createChannel", sk, {"id": "two", "type": "direct", "members": ["ada", "grace"]})
    await say("blockUser", ada, user_id="grace")
    await fail("blocked", "sendMessage", grace, {"text": "Hello?"}, channel_id="two")
    blocks.MAX_BLOCKS, most = 0, blocks.MAX_BLOCKS  # type: ignore[misc]
    await fail("too_many_blocks", "blockUser", ada, user_id="edsger")
    blocks.MAX_BLOCKS = most  # type: ignore[misc]
    run.PATIENCE_MS, patience = 50, run.PATIENCE_MS  # type: ignore[misc]
    async with held(house, "chat.channels"):
        await fail("query_too_slow", "queryChannels", sk, {"filter": {"custom.colour": "red"}})
    run.PATIENCE_MS = patience  # type: ignore[misc]

    flusher: Flusher = house.node.node.flusher
    flusher._max_waiting, most = 0, flusher._max_waiting
    await fail("overloaded", "sendMessage", ada, {"text": "Hello?"}, channel_id="general")
    flusher._max_waiting = most
    store = house.node.node.presence.presence._store
    script = store._script
    store._script = no_redis  # type: ignore[assignment]
    await fail("presence_away", "getPresence", ada, user_id="ada")
    store._script = script
    await no_live_node(house)
    await fail("unavailable", "locate", None, key=house.opened.publishable_key)


async def no_redis(*_: Any) -> Any:
    """What a script's call meets when Redis is away."""
    raise ConnectionRefusedError


@asynccontextmanager
async def held(house: House, table: str) -> AsyncIterator[None]:
    """Nobody reads the table meanwhile."""
    chat = await house.chat.connect()
    async with chat.transaction():
        await chat.execute(f"lock table {table} in access exclusive mode")
        yield
    await chat.close()


def full(house: House) -> Quota:
    """A plan that stops at a hundred users this month."""
    period = month_of(house.installation.clock.now())
    return Quota(meter="mau", period=period, used=100, limit=100, over="stop", exceeded=True)


async def live_node(house: House) -> None:
    """A node of the shard asks for its configuration, and counts as live for a while."""
    async with httpx.AsyncClient(base_url=house.control_url, trust_env=False) as http:
        call = http.get("/internal/v1/snapshots", params={"url": house.url}, headers=bearer(house.node_credential))
        assert (await call).is_success


async def no_live_node(house: House) -> None:
    """As if none had asked for long."""
    connection = await house.control.connect()
    await connection.execute("update control.credentials set last_seen_at = last_seen_at - interval '1 day'")
    await connection.close()


async def test_the_documents_examples_are_what_a_node_answers(house: House) -> None:
    scribe = Scribe(house)
    await life(scribe)
    await trouble(scribe)
    await scribe.http.aclose()
    said = {"operations": scribe.operations, "problems": dict(sorted(scribe.problems.items()))}
    document = orjson.loads(openapi_document())
    assert set(said["operations"]) == set(scribe.known)
    assert missing(document, said) == []
    if os.environ.get("NATTER_TEST_RECORD"):
        EXAMPLES.write_bytes(orjson.dumps(said, option=orjson.OPT_INDENT_2) + b"\n")
    recorded = orjson.loads(EXAMPLES.read_bytes())
    assert said["operations"].keys() == recorded["operations"].keys()
    for name, operation in said["operations"].items():
        assert shape(operation) == shape(recorded["operations"][name]), f"{name} answers another shape"
    assert shape(said) == shape(recorded)


def missing(document: dict[str, Any], said: dict[str, Any]) -> list[str]:
    """Answers with content, and codes, that the document tells of and nothing was recorded for."""
    silent = []
    for item in document["paths"].values():
        for operation in (operation for method, operation in item.items() if method != "servers"):
            told = said["operations"][operation["operationId"]]["answers"]
            for status, answer in operation["responses"].items():
                if status < "3" and "content" in answer and status not in told:
                    silent.append(f"{operation['operationId']} {status}")
    for name, response in document["components"]["responses"].items():
        codes = response["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]["code"]["enum"]
        silent += [f"{name} {code}" for code in codes if code not in {*said["problems"], *NOT_MADE_BY_A_CALL}]
    return [what for what in silent if what not in {f"{itself} 200" for itself in DOCUMENTS}]
