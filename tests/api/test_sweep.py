"""Every REST route of a running node is given everything bad: refused by name, nothing written, nothing broken."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from litestar import post
from litestar.di import NamedDependency, Provide
from litestar.params import SkipValidation
from litestar.routes import HTTPRoute
from sqlalchemy import text

from data_plane.shard import Shard
from kernel.errors import NotFound
from kernel.http import build_app
from tests.api.badness import Forger, server_keys
from tests.api.house import House, Logs, Served, Stored
from tests.api.sweep import JSON, Checker, Entry, load, sweep
from tests.api.test_document import FOR_OPERATORS
from tests.clients.installation import Tenant

HELLO, THEIRS = "msg_01k2x7m5t1e8b9v3q4w5r6t7y8", "msg_01k2x7m5t1e8b9v3q4w5r6t7yg"
CHANNEL = {"channel_id": "general"}
THEIR_CHANNEL = {"channel_id": "theirs"}
PROFILE: dict[str, Any] = {"name": "Ada", "image": "https://x.example/a.png", "role": "user", "custom": {"a": 1}}
CONTENT: dict[str, Any] = {"text": "Hello", "attachments": [{"type": "image"}], "custom": {"a": 1}, "user_id": "ada"}
BESIDES: dict[str, Any] = {
    "thread_id": HELLO, "also_in_channel": False, "quoted_id": HELLO, "system": False,
    "mentions": {"users": ["ada"], "channel": False, "here": False, "roles": ["moderator"]},
}  # fmt: skip
KEY = ("Idempotency-Key",)
INDEX = {"resource": "channels", "field": "custom.team"}
QUERY: dict[str, Any] = {
    "filter": {
        "name": {"$autocomplete": "gen"}, "$or": [{"custom.a": 1}, {"created_at": {"$gt": "2026-01-01T00:00:00Z"}}],
    },
    "sort": ["-created_at"], "limit": 5, "cursor": None, "explain": True,
}  # fmt: skip

ROUTES: dict[str, Entry] = {
    "POST /v1/tokens": Entry(body={"user_id": "ada", "expires_in": 900}),
    "POST /v1/tokens/refresh": Entry(body={"refresh_token": "rt_nothing"}, credential="nobody"),
    "POST /v1/guests": Entry(body={"key": "pk_nothing", "name": "Ivy"}, credential="nobody"),
    "POST /v1/users/{user_id}/revoke": Entry({"user_id": "ada"}),
    "POST /v1/users": Entry(body={"users": [{"id": "ada", **PROFILE}]}),
    "PATCH /v1/users": Entry(body={"users": [{"id": "ada", **PROFILE}]}),
    "POST /v1/users/query": Entry(body=QUERY),
    "POST /v1/users/{user_id}/deactivate": Entry({"user_id": "grace"}, foreign={"user_id": "eve"}),
    "POST /v1/users/{user_id}/reactivate": Entry({"user_id": "grace"}, foreign={"user_id": "eve"}),
    "GET /v1/users/{user_id}/presence": Entry({"user_id": "ada"}, foreign={"user_id": "eve"}),
    "PUT /v1/users/{user_id}/presence": Entry(
        {"user_id": "ada"}, {"status": "away", "text": "Lunch", "text_expires_at": "2030-01-01T12:00:00Z"},
        {"user_id": "eve"},
    ),
    "POST /v1/presence/query": Entry(body={"user_ids": ["ada"]}),
    "GET /v1/channels/{channel_id}/watchers": Entry(CHANNEL, foreign=THEIR_CHANNEL),
    "GET /v1/users/me/blocks": Entry(credential="user"),
    "PUT /v1/users/me/blocks/{user_id}": Entry({"user_id": "grace"}, foreign={"user_id": "eve"}, credential="user"),
    "DELETE /v1/users/me/blocks/{user_id}": Entry({"user_id": "grace"}, credential="user"),
    "GET /v1/indexes": Entry(),
    "GET /v1/indexes/{resource}/{field}": Entry(INDEX),
    "PUT /v1/indexes/{resource}/{field}": Entry(INDEX, {"type": "text"}),
    "DELETE /v1/indexes/{resource}/{field}": Entry(INDEX),
    "GET /v1/users/{user_id}": Entry({"user_id": "ada"}, foreign={"user_id": "eve"}),
    "PUT /v1/users/{user_id}": Entry({"user_id": "ada"}, PROFILE),
    "PATCH /v1/users/{user_id}": Entry({"user_id": "ada"}, PROFILE, {"user_id": "eve"}),
    "GET /v1/users/me": Entry(credential="user"),
    "PATCH /v1/users/me": Entry(body={"name": "Ada", "image": None, "custom": {}}, credential="user"),
    "POST /v1/channels": Entry(
        body={"id": "new", "type": "team", "name": "New", "image": "x", "custom": {}, "members": ["ada"],
              "history": "all", "slow_mode": 0, "distinct": False, "user_id": "ada"},
        headers=KEY,
    ),
    "GET /v1/channels": Entry(),
    "POST /v1/channels/query": Entry(body={**QUERY, "user_id": "ada"}),
    "POST /v1/channels/{channel_id}/members/query": Entry(
        CHANNEL, {**QUERY, "filter": {"user_id": {"$in": ["ada"]}}, "sort": ["joined_at"]}, THEIR_CHANNEL
    ),
    "GET /v1/channels/{channel_id}": Entry(CHANNEL, foreign=THEIR_CHANNEL),
    "PATCH /v1/channels/{channel_id}": Entry(
        CHANNEL, {"name": "General", "image": None, "custom": {}, "frozen": False, "history": "all", "slow_mode": 0,
                  "grants": {"guest": []}},
        THEIR_CHANNEL,
    ),
    "POST /v1/channels/{channel_id}/truncate": Entry(
        CHANNEL,
        {"before": 1, "hard": False, "message": {"text": "Cleared", "custom": {"a": 1}, "user_id": "ada"}},
        THEIR_CHANNEL,
    ),
    "DELETE /v1/channels/{channel_id}": Entry({"channel_id": "spare"}, foreign=THEIR_CHANNEL),
    "GET /v1/channels/{channel_id}/members": Entry(CHANNEL, foreign=THEIR_CHANNEL),
    "POST /v1/channels/{channel_id}/members": Entry(
        CHANNEL, {"user_ids": ["grace"], "role": "member", "history": "all", "custom": {"a": 1}}, THEIR_CHANNEL,
        headers=KEY,
    ),
    "PUT /v1/channels/{channel_id}/members/{user_id}": Entry(
        {**CHANNEL, "user_id": "grace"}, {"role": "member", "history": "all", "custom": {"a": 1}}, THEIR_CHANNEL
    ),
    "PATCH /v1/channels/{channel_id}/members/{user_id}": Entry(
        {**CHANNEL, "user_id": "grace"}, {"set": {"a": 1}, "unset": ["b"]}, THEIR_CHANNEL
    ),
    "DELETE /v1/channels/{channel_id}/members/{user_id}": Entry({**CHANNEL, "user_id": "grace"}, foreign=THEIR_CHANNEL),
    "POST /v1/channels/{channel_id}/leave": Entry(CHANNEL, {"user_id": "grace"}, THEIR_CHANNEL, headers=KEY),
    "POST /v1/channels/{channel_id}/join": Entry(CHANNEL, {"user_id": "grace"}, THEIR_CHANNEL, headers=KEY),
    "PATCH /v1/channels/{channel_id}/membership": Entry(
        CHANNEL,
        {"archived": True, "hidden": False, "clear_history": False, "pinned": True, "pin_before": None,
         "muted": True, "muted_until": "2126-01-01T00:00:00Z", "user_id": "ada"},
        THEIR_CHANNEL,
    ),
    "POST /v1/channels/{channel_id}/invites": Entry(
        CHANNEL, {"user_ids": ["ivy"], "role": "member", "history": "all", "custom": {"a": 1}}, THEIR_CHANNEL,
        headers=KEY,
    ),
    "GET /v1/channels/{channel_id}/invites": Entry(CHANNEL, foreign=THEIR_CHANNEL),
    "DELETE /v1/channels/{channel_id}/invites/{user_id}": Entry({**CHANNEL, "user_id": "ivy"}, foreign=THEIR_CHANNEL),
    "GET /v1/invites": Entry(credential="user"),
    "POST /v1/invites/{channel_id}/accept": Entry({"channel_id": "asked"}, {"user_id": "ada"}, THEIR_CHANNEL),
    "POST /v1/invites/{channel_id}/reject": Entry({"channel_id": "asked-too"}, {"user_id": "ada"}, THEIR_CHANNEL),
    "GET /v1/channel-types": Entry(),
    "GET /v1/channel-types/{name}": Entry({"name": "town"}, foreign={"name": "theirs"}),
    "PUT /v1/channel-types/{name}": Entry(
        {"name": "town"},
        {"grants": {"member": ["message.send"]}, "creator_role": "owner", "history": "all", "receipts": True,
         "slow_mode": 0},
    ),
    "DELETE /v1/channel-types/{name}": Entry({"name": "town"}, foreign={"name": "theirs"}),
    "GET /v1/roles": Entry(),
    "GET /v1/roles/{name}": Entry({"name": "host"}, foreign={"name": "theirs"}),
    "PUT /v1/roles/{name}": Entry({"name": "host"}, {"scopes": ["channel"], "grants": ["message.send"]}),
    "DELETE /v1/roles/{name}": Entry({"name": "host"}, foreign={"name": "theirs"}),
    "GET /v1/channels/{channel_id}/messages": Entry(CHANNEL, foreign=THEIR_CHANNEL),
    "POST /v1/channels/{channel_id}/messages": Entry(
        CHANNEL, {"id": HELLO, "silent": False, **BESIDES, **CONTENT}, THEIR_CHANNEL
    ),
    "POST /v1/channels/{channel_id}/read": Entry(CHANNEL, {"number": 1, "user_id": "ada"}, THEIR_CHANNEL, headers=KEY),
    "POST /v1/channels/{channel_id}/unread": Entry(CHANNEL, {"number": 1, "user_id": "ada"}, THEIR_CHANNEL),
    "POST /v1/channels/{channel_id}/delivered": Entry(CHANNEL, {"number": 1, "user_id": "ada"}, THEIR_CHANNEL),
    "POST /v1/channels/{channel_id}/events": Entry(
        CHANNEL, {"type": "poll.opened", "data": {"a": 1}, "user_id": "ada"}, THEIR_CHANNEL
    ),
    "POST /v1/users/{user_id}/events": Entry(
        {"user_id": "ada"}, {"type": "poll.opened", "data": {"a": 1}}, {"user_id": "eve"}
    ),
    "POST /v1/read": Entry(body={"type": "group", "user_id": "ada"}),
    "GET /v1/unread": Entry(credential="user"),
    "GET /v1/channels/{channel_id}/receipts": Entry(CHANNEL, foreign=THEIR_CHANNEL),
    "GET /v1/messages/{message_id}/receipts": Entry({"message_id": HELLO}, foreign={"message_id": THEIRS}),
    "GET /v1/users/{user_id}/privacy": Entry({"user_id": "ada"}, foreign={"user_id": "eve"}),
    "PUT /v1/users/{user_id}/privacy": Entry(
        {"user_id": "ada"}, {"read_receipts": False, "delivery_receipts": True}, {"user_id": "eve"}
    ),
    "GET /v1/messages/{message_id}": Entry({"message_id": HELLO}, foreign={"message_id": THEIRS}),
    "PATCH /v1/messages/{message_id}": Entry(
        {"message_id": HELLO},
        {"text": "Hello", "attachments": [{"type": "image"}], "set": {"a": 1}, "unset": ["b"], "user_id": "ada"},
        {"message_id": THEIRS},
    ),
    "POST /v1/messages/{message_id}/restore": Entry({"message_id": HELLO}, {"user_id": "ada"}, {"message_id": THEIRS}),
    "POST /v1/messages/{message_id}/hide": Entry({"message_id": HELLO}, {"user_id": "ada"}, {"message_id": THEIRS}),
    "GET /v1/messages/{message_id}/versions": Entry({"message_id": HELLO}, foreign={"message_id": THEIRS}),
    "DELETE /v1/messages/{message_id}": Entry({"message_id": HELLO}, foreign={"message_id": THEIRS}),
    "GET /v1/messages/{message_id}/replies": Entry({"message_id": HELLO}, foreign={"message_id": THEIRS}),
    "PUT /v1/messages/{message_id}/thread/read": Entry(
        {"message_id": HELLO}, {"reply_id": HELLO, "user_id": "ada"}, {"message_id": THEIRS}
    ),
    "GET /v1/threads": Entry(credential="user"),
    "PUT /v1/messages/{message_id}/reactions/{emoji}": Entry(
        {"message_id": HELLO, "emoji": "%F0%9F%91%8D"}, {"unique": False, "user_id": "ada"}, {"message_id": THEIRS}
    ),
    "DELETE /v1/messages/{message_id}/reactions/{emoji}": Entry(
        {"message_id": HELLO, "emoji": "ok"}, foreign={"message_id": THEIRS}, credential="user"
    ),
    "GET /v1/messages/{message_id}/reactions": Entry({"message_id": HELLO}, foreign={"message_id": THEIRS}),
    "PUT /v1/messages/{message_id}/pin": Entry(
        {"message_id": HELLO}, {"expires_at": "2126-01-01T00:00:00Z", "user_id": "ada"}, {"message_id": THEIRS}
    ),
    "DELETE /v1/messages/{message_id}/pin": Entry({"message_id": HELLO}, foreign={"message_id": THEIRS}),
    "GET /v1/channels/{channel_id}/pins": Entry({"channel_id": "general"}, foreign={"channel_id": "theirs"}),
    "GET /v1/limits": Entry(),
    "GET /v1/sync": Entry(credential="user"),
    "GET /v1/openapi.json": Entry(credential="nobody"),
    "GET /v1/asyncapi.json": Entry(credential="nobody"),
}  # fmt: skip
"""Every route with a call that is good. Whoever adds a route adds its line."""

OPEN = {"POST /v1/tokens/refresh", "POST /v1/guests", "GET /v1/openapi.json", "GET /v1/asyncapi.json"}
"""Routes that ask for no credential."""
FOR_READERS = {
    "GET /v1/channels/{channel_id}",
    "GET /v1/channels/{channel_id}/messages",
    "GET /v1/channels/{channel_id}/pins",
    "GET /v1/channels/{channel_id}/watchers",
    "GET /v1/messages/{message_id}",
    "GET /v1/messages/{message_id}/reactions",
    "GET /v1/messages/{message_id}/replies",
}
"""All that a visitor may call. Whoever adds to it has thought of what the answer shows to everybody."""


@pytest.fixture
async def checker(quiet: House, logs: Logs) -> AsyncIterator[Checker]:
    """Calls to a node on which nothing else happens."""
    stored = await Stored.of(quiet.chat, "chat")
    tenant = quiet.tenant
    credentials = {"server": tenant.secret_key, "user": quiet.token(tenant, "ada"), "nobody": ""}
    yield Checker(quiet.url, stored, logs, credentials)
    await stored.close()


async def furnish(
    tenant: Tenant,
    user: str = "ada",
    channel: str = "general",
    message: str = HELLO,
    kind: str = "town",
    role: str = "host",
) -> None:
    """What the calls in `ROUTES` are about."""
    await tenant.post("/v1/users", users=[{"id": user}, {"id": "grace"}])
    await tenant.channel(channel, user, "grace")
    await tenant.post(f"/v1/channels/{channel}/messages", id=message, text="Hello", user_id=user)
    if channel == "general":  # what one app takes away, another must not have
        await tenant.post("/v1/channels", id="spare")
        await tenant.post("/v1/users", users=[{"id": "ivy"}])
        for name in ("asked", "asked-too"):
            await tenant.post("/v1/channels", id=name)
            await tenant.post(f"/v1/channels/{name}/invites", user_ids=[user])
    await tenant.put(f"/v1/channel-types/{kind}", grants={})
    await tenant.put(f"/v1/roles/{role}", scopes=["channel"], grants=[])


@pytest.fixture(scope="module")
def quiet(quiet_house: House) -> House:
    """Both apps furnished alike, but for the names."""
    quiet_house.run(furnish(quiet_house.tenant))
    quiet_house.run(furnish(quiet_house.other, "eve", "theirs", THEIRS, "theirs", "theirs"))
    return quiet_house


def test_every_route_of_a_running_node_has_an_entry(quiet: House) -> None:
    served = set()
    for route in quiet.node.node.rest.routes:
        if isinstance(route, HTTPRoute) and route.path not in FOR_OPERATORS:
            served |= {f"{method} {route.path_format}" for method in route.methods if method != "OPTIONS"}
    assert served == set(ROUTES)


def test_every_field_of_every_body_is_in_its_entry() -> None:
    document = load()
    left_out = []
    for name, entry in ROUTES.items():
        method, path = name.split()
        body = document["paths"][path][method.lower()].get("requestBody")
        if body is not None:
            schema = body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            fields = set(document["components"]["schemas"][schema]["properties"])
            left_out += [f"{name} {field}" for field in fields - set(entry.body or {})]
    # A message is read up to a number or an id, a channel truncated to a seq or a moment; no user gives itself a role;
    # custom data is replaced as a whole, which the sweep of events has, or changed field by field.
    assert sorted(left_out) == [
        "PATCH /v1/messages/{message_id} custom",
        "PATCH /v1/users/me role",
        "POST /v1/channels/{channel_id}/delivered message_id",
        "POST /v1/channels/{channel_id}/read message_id",
        "POST /v1/channels/{channel_id}/truncate before_time",
        "POST /v1/channels/{channel_id}/unread message_id",
    ]


@pytest.mark.parametrize("name", ROUTES)
async def test_bad_input_is_refused_and_leaves_nothing(name: str, checker: Checker) -> None:
    method, path = name.split()
    await sweep(checker, load(), method, path, ROUTES[name])
    assert checker.wrong == [], "\n".join(checker.wrong[:20])


async def test_every_route_refuses_every_credential_that_is_none(quiet: House, checker: Checker) -> None:
    forger = Forger(quiet)
    bad = [*forger.all(), *server_keys(quiet), ("none", "", {"unauthenticated"})]
    for name, entry in ROUTES.items():
        method, path = name.split()
        if name not in OPEN:
            for what, credential, codes in bad:
                answer = await checker.refuse(
                    what, method, path.format(**entry.path), credential=credential or None, codes=codes
                )
                assert answer.status == 401
                assert answer.headers["www-authenticate"] == f'Bearer error="{answer.problem["code"]}"'
    assert checker.wrong == [], "\n".join(checker.wrong[:20])
    assert checker.calls > 700


async def test_another_apps_token_and_a_wrong_origin_open_nothing(quiet: House, checker: Checker) -> None:
    quiet.change(quiet.tenant, allowed_origins=("https://shop.example",))
    theirs = {"server": quiet.other.secret_key, "user": quiet.token(quiet.other, "eve")}
    try:
        for name, entry in ROUTES.items():
            method, path = name.split()
            target = path.format(**entry.path)
            if name not in OPEN:
                for origin in ("https://evil.example", "null", "https://shop.example.evil.example", "\xff"):
                    await checker.refuse(
                        f"origin {origin!r}", method, target, headers=[("origin", origin.encode("latin-1"))],
                        credential=entry.credential, codes=["origin_not_allowed"],
                    )  # fmt: skip
            if "channel_id" in entry.path or "message_id" in entry.path:
                for credential in theirs.values():
                    body = orjson.dumps(entry.body) if entry.body is not None else None
                    await checker.refuse(
                        "another app's caller", method, target, headers=[JSON], body=body, credential=credential,
                        codes=["not_found", "forbidden", "unknown_users"],
                    )  # fmt: skip
    finally:
        quiet.change(quiet.tenant, allowed_origins=("*",))
    assert checker.wrong == [], "\n".join(checker.wrong[:20])


async def test_a_route_for_servers_refuses_a_user(checker: Checker) -> None:
    document = load()
    for name, entry in ROUTES.items():
        method, path = name.split()
        if document["paths"][path][method.lower()]["security"] == [{"secretKey": []}]:
            body = orjson.dumps(entry.body) if entry.body is not None else None
            await checker.refuse(
                "a user", method, path.format(**entry.path), headers=[JSON], body=body, credential="user",
                codes=["forbidden"],
            )  # fmt: skip
    assert checker.wrong == [], "\n".join(checker.wrong[:20])
    assert checker.calls == 20


async def test_every_route_but_those_for_reading_refuses_a_visitor(quiet: House, checker: Checker) -> None:
    quiet.change(quiet.tenant, anonymous=True)
    checker.credentials["visitor"] = quiet.tenant.publishable_key
    document = load()
    try:
        for name, entry in ROUTES.items():
            method, path = name.split()
            security = document["paths"][path][method.lower()]["security"]
            assert ({"publishableKey": []} in security) == (name in FOR_READERS), name
            if name in OPEN:
                continue
            body = orjson.dumps(entry.body) if entry.body is not None else None
            codes = ["not_found"] if name in FOR_READERS else ["anonymous_refused"]
            await checker.refuse(
                "a visitor", method, path.format(**entry.path), headers=[JSON], body=body, credential="visitor",
                codes=codes,
            )  # fmt: skip
    finally:
        quiet.change(quiet.tenant, anonymous=False)
    assert checker.wrong == [], "\n".join(checker.wrong[:20])
    assert checker.calls == len(ROUTES) - len(OPEN)


@post("/v1/planted/raises")
async def raises() -> None:
    """A defect."""
    raise RuntimeError("planted")


@post("/v1/planted/half")
async def half(shard: NamedDependency[SkipValidation[Shard]]) -> None:
    """Writes, commits, and refuses only then."""
    async with shard.system.unit_of_work() as uow:
        await uow.session.execute(text("update chat.users set name = 'half' || random()"))
    raise NotFound("planted")


@post("/v1/planted/accepts", status_code=200)
async def accepts() -> dict[str, str]:
    """Takes anything."""
    return {}


@pytest.mark.parametrize(
    ("path", "words"), [("raises", "failed with 500"), ("half", "wrote to ['users'"), ("accepts", "accepted with 200")]
)
async def test_a_bad_handler_would_be_noticed(path: str, words: str, quiet: House, checker: Checker) -> None:
    shard = quiet.node.node.shard

    async def serve() -> Served:
        app = build_app(
            routes=[raises, half, accepts],
            dependencies={"shard": Provide(lambda: shard, sync_to_thread=False)},
            clock=shard.clock,
            ids=shard.ids,
        )
        return await quiet.serve(app)

    checker.url = (await quiet.on_loop(serve())).url
    await checker.refuse("planted", "POST", f"/v1/planted/{path}", credential=None)
    assert any(words in wrong for wrong in checker.wrong), checker.wrong
    if path == "raises":
        assert any("logged" in wrong and "planted" in wrong for wrong in checker.wrong)
