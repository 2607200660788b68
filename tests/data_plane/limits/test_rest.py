"""Limits over REST, on two real nodes: headers on every answer, refusals that say when to come again."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from litestar.routes import HTTPRoute

from data_plane.limits.policies import BY_NAME, EVENTS, OPERATIONS, POLICIES
from data_plane.limits.rest import FOR_OPERATORS
from kernel.contracts import LIMITED, RateLimit
from tests.clients.installation import Installation, Tenant
from tests.engines import Server

ITEM = r'"([a-z.]+)";%s=(\d+);%s=(\d+)'
SOME = {
    "channel_id": "general",
    "user_id": "ada",
    "message_id": "msg_01k2x7m5t1e8b9v3q4w5r6t7y8",
    "resource": "channels",
    "field": "color",
    "name": "vip",
    "emoji": "heart",
}


def items(header: str, first: str, second: str) -> dict[str, tuple[int, int]]:
    """A list of structured fields as these headers have it. Fails for anything else."""
    found = {}
    for item in header.split(", "):
        match = re.fullmatch(ITEM % (first, second), item)
        assert match, header
        found[match[1]] = (int(match[2]), int(match[3]))
    return found


def told(answer: httpx.Response) -> dict[str, dict[str, int]]:
    """Both headers by policy: `q`, `w`, `r`, `t`."""
    policies = items(answer.headers["ratelimit-policy"], "q", "w")
    standings = items(answer.headers["ratelimit"], "r", "t")
    assert list(policies) == list(standings)
    return {
        name: {"q": q, "w": w, "r": standings[name][0], "t": standings[name][1]} for name, (q, w) in policies.items()
    }


def small(policy: str, burst: int = 3, per_second: float = 0.5) -> RateLimit:
    return RateLimit(policy=policy, per_second=per_second, burst=burst)


@pytest.fixture
async def tenant(installation: Installation) -> AsyncIterator[Tenant]:
    tenant = await installation.tenant()
    await tenant.channel("general", "ada", "grace")
    yield tenant
    await tenant.close()


async def limited(installation: Installation, *limits: RateLimit) -> Tenant:
    tenant = await installation.tenant(limits=limits)
    await tenant.channel("general", "ada", "grace")
    return tenant


def user(tenant: Tenant, user_id: str) -> dict[str, str]:
    return {"authorization": f"Bearer {tenant.token(user_id)}"}


async def test_every_route_and_every_failure_tells_where_its_caller_stands(
    installation: Installation, tenant: Tenant
) -> None:
    swept = 0
    credentials = (f"Bearer {tenant.secret_key}", f"Bearer {tenant.token('ada')}", "Bearer sk_no", "")
    for route in installation.nodes[0].node.rest.routes:
        if not isinstance(route, HTTPRoute) or route.path in FOR_OPERATORS:
            continue
        path = route.path_format.format(**SOME)
        for method in sorted({*route.methods, "HEAD", "TRACE"}):
            for credential in credentials:
                answer = await tenant.http.request(method, path, headers={"authorization": credential})
                for name, values in told(answer).items():
                    assert values["r"] <= values["q"] and values["t"] <= values["w"], (method, path, name, values)
                    assert name in BY_NAME
                swept += 1
    assert swept > 200
    for path in ("/v1/nothing", "/", "/v1/users/%zz"):
        assert "anonymous.ip" in told(await tenant.http.get(path, headers={"authorization": ""}))
    for path in FOR_OPERATORS:
        assert "ratelimit" not in (await tenant.http.get(path)).headers


async def test_a_request_is_counted_where_it_belongs(installation: Installation, tenant: Tenant) -> None:
    first = told(await tenant.http.get("/v1/channels"))
    second = told(await tenant.http.get("/v1/channels"))
    assert set(first) == {"requests.app"}
    assert first["requests.app"]["q"] == 5_000 and first["requests.app"]["w"] == 5
    assert 4_000 < min(first["requests.app"]["r"], second["requests.app"]["r"]) <= 5_000
    # A user hears of its own limits: how busy the app is, is nobody's business but the app's.
    assert set(told(await tenant.http.get("/v1/channels", headers=user(tenant, "ada")))) == {"requests.user"}
    assert set(told(await tenant.http.get("/v1/sync", headers=user(tenant, "ada")))) == {"sync.user"}
    assert set(told(await tenant.http.post("/v1/tokens", json={"user_id": "ada"}))) == {"tokens.app"}
    sent = await tenant.http.post(
        "/v1/channels/general/messages", json={"text": "hello"}, headers=user(tenant, "grace")
    )
    # A slow answer finds it filled up again.
    assert told(sent) in ({"messages.user": {"q": 50, "w": 5, "r": r, "t": 50 - r}} for r in (49, 50))
    anonymous = await tenant.http.get("/v1/channels", headers={"authorization": "Bearer sk_no"})
    assert anonymous.status_code == 401 and set(told(anonymous)) == {"anonymous.ip"}
    document = await tenant.http.get("/v1/openapi.json", headers={"authorization": ""})
    assert set(told(document)) == {"documents.ip"}


async def test_beyond_the_limit_comes_a_problem_that_says_which_and_when(installation: Installation) -> None:
    tenant = await limited(installation, small("messages.user"))
    headers = user(tenant, "ada")
    for _ in range(3):
        sent = await tenant.http.post("/v1/channels/general/messages", json={"text": "hello"}, headers=headers)
        assert sent.status_code == 201
    refused = await tenant.http.post("/v1/channels/general/messages", json={"text": "hello"}, headers=headers)
    assert refused.status_code == 429
    assert refused.headers["content-type"] == "application/problem+json"
    problem = refused.json()
    assert problem["code"] == "rate_limited" and problem["retryable"] is True and problem["policy"] == "messages.user"
    assert problem["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"
    assert problem["violated-policies"] == ["messages.user"]
    assert 0 < problem["retry_after"] <= 2
    assert refused.headers["retry-after"] == "2"
    assert told(refused) == {"messages.user": {"q": 3, "w": 6, "r": 0, "t": 2}}
    # Another user, other requests, and reading go on.
    assert (
        await tenant.http.post("/v1/channels/general/messages", json={"text": "hi"}, headers=user(tenant, "grace"))
    ).status_code == 201
    assert (await tenant.http.get("/v1/channels/general/messages", headers=headers)).status_code == 200
    await asyncio.sleep(problem["retry_after"])
    again = await tenant.http.post("/v1/channels/general/messages", json={"text": "hello"}, headers=headers)
    assert again.status_code == 201
    metrics = (await tenant.http.get("/metrics")).text
    assert re.search(r'natter_limit_refusals_total\{policy="messages.user"\} [1-9]', metrics)
    await tenant.close()


async def test_the_app_is_limited_over_all_its_users_and_its_server(installation: Installation) -> None:
    tenant = await limited(installation, small("messages.app", burst=4))
    path = "/v1/channels/general/messages"
    codes = [
        (await tenant.http.post(path, json={"text": "a"}, headers=user(tenant, who))).status_code
        for who in ("ada", "grace", "ada")
    ]
    codes.append((await tenant.http.post(path, json={"text": "a", "user_id": "ada"})).status_code)
    assert codes == [201] * 4
    refused = await tenant.http.post(path, json={"text": "a"}, headers=user(tenant, "ada"))
    assert refused.status_code == 429
    assert refused.json()["policy"] == "messages.app"
    # Now the user hears of the app's limit, because it stands in the way.
    assert set(told(refused)) == {"messages.user", "messages.app"}
    await tenant.close()


async def test_a_channel_is_limited_and_strangers_neither_hear_of_it_nor_use_it_up(installation: Installation) -> None:
    tenant = await limited(installation, small("messages.channel", burst=4))
    await tenant.post("/v1/users", users=[{"id": "eve"}])
    path = "/v1/channels/general/messages"
    for _ in range(6):
        stranger = await tenant.http.post(path, json={"text": "a"}, headers=user(tenant, "eve"))
        assert stranger.status_code == 404
    for who in ("ada", "grace", "ada", "grace"):
        sent = await tenant.http.post(path, json={"text": "a"}, headers=user(tenant, who))
        assert sent.status_code == 201, sent.text
    refused = await tenant.http.post(path, json={"text": "a"}, headers=user(tenant, "grace"))
    assert refused.json()["policy"] == "messages.channel"
    assert (await tenant.http.post(path, json={"text": "a", "user_id": "ada"})).status_code == 429
    stranger = await tenant.http.post(path, json={"text": "a"}, headers=user(tenant, "eve"))
    assert stranger.status_code == 404
    await tenant.close()


async def test_a_user_cannot_use_up_what_is_for_the_server(installation: Installation) -> None:
    tenant = await limited(installation, small("tokens.app"))
    for _ in range(5):
        answer = await tenant.http.post("/v1/tokens", json={"user_id": "ada"}, headers=user(tenant, "ada"))
        assert answer.status_code == 403
    codes = [(await tenant.http.post("/v1/tokens", json={"user_id": "ada"})).status_code for _ in range(4)]
    assert codes == [201, 201, 201, 429]
    await tenant.close()


async def test_nodes_count_together(installation: Installation) -> None:
    tenant = await limited(installation, small("tokens.app", burst=5, per_second=0.01))
    codes = []
    for number in range(8):
        url = installation.nodes[number % 2].url
        codes.append((await tenant.http.post(f"{url}/v1/tokens", json={"user_id": "ada"})).status_code)
    assert codes == [201] * 5 + [429] * 3
    await tenant.close()


async def limits_of(tenant: Tenant, headers: Any = None, **params: str) -> dict[str, dict[str, Any]]:
    answer = await tenant.http.get("/v1/limits", headers=headers or {}, params=params)
    assert answer.status_code == 200, answer.text
    return {limit["policy"]: limit for limit in answer.json()["limits"]}


async def test_who_asks_for_its_limits_gets_them_over_all_nodes(installation: Installation) -> None:
    tenant = await limited(installation, small("messages.user", burst=20, per_second=0.1))
    headers = user(tenant, "ada")
    for number in range(7):
        url = installation.nodes[number % 2].url
        sent = await tenant.http.post(
            f"{url}/v1/channels/general/messages", json={"text": "a", "silent": True}, headers=headers
        )
        assert sent.status_code == 201
    await asyncio.sleep(0.3)  # a settlement of the other node
    mine = await limits_of(tenant, headers, channel_id="general")
    assert set(mine) == {
        *("messages.user", "requests.user", "sync.user", "custom.user"),
        *("messages.channel", "custom.channel", "events.connection"),
    }
    assert mine["messages.user"] == {
        "policy": "messages.user",
        "key": "user",
        "counts": BY_NAME["messages.user"].counts,
        "quota": 20,
        "per_second": 0.1,
        "window": 200,
        "remaining": 13,
        "reset": mine["messages.user"]["reset"],
    }
    assert 65 <= mine["messages.user"]["reset"] <= 70
    assert mine["messages.channel"]["key"] == "channel"
    assert mine["events.connection"]["remaining"] is None
    theirs = await limits_of(tenant)
    assert set(theirs) == {"messages.app", "requests.app", "tokens.app", "guests.app", "visitors.app"}
    hidden = await tenant.http.get("/v1/limits", params={"channel_id": "nothing"}, headers=headers)
    assert hidden.status_code == 404
    await tenant.close()


async def test_pages_may_read_the_headers(tenant: Tenant) -> None:
    answer = await tenant.http.get("/v1/channels", headers={"origin": "https://shop.example"})
    exposed = answer.headers["access-control-expose-headers"].lower().replace(" ", "").split(",")
    assert {"ratelimit", "ratelimit-policy", "retry-after"} <= set(exposed)
    refused = await tenant.http.get(
        "/v1/channels", headers={"origin": "https://shop.example", "authorization": "Bearer sk_no"}
    )
    assert "ratelimit" in refused.headers["access-control-expose-headers"].lower()


async def test_who_floods_waits_for_its_refusals(installation: Installation) -> None:
    tenant = await limited(installation, small("requests.user", burst=5))
    headers = user(tenant, "ada")
    began = asyncio.get_running_loop().time()
    codes = [(await tenant.http.get("/v1/users/me", headers=headers)).status_code for _ in range(40)]
    took = asyncio.get_running_loop().time() - began
    assert codes.count(429) >= 30
    # Some twenty are answered at once, the rest ten a second.
    assert took >= 1
    await tenant.close()


async def test_without_redis_chat_and_sign_in_go_on_and_the_document_waits(
    installation: Installation, valkey: Server
) -> None:
    tenant = await limited(installation, small("messages.user", burst=5, per_second=0.01), small("tokens.app", burst=2))
    headers = user(tenant, "ada")
    path = "/v1/channels/general/messages"
    valkey.kill()
    try:
        codes = [(await tenant.http.post(path, json={"text": "a"}, headers=headers)).status_code for _ in range(6)]
        assert codes == [201] * 5 + [429], "each node limits by itself"
        codes = [(await tenant.http.post("/v1/tokens", json={"user_id": "ada"})).status_code for _ in range(6)]
        assert codes == [201] * 6, "nobody is kept from signing in"
        refresh = await tenant.http.post(
            "/v1/tokens/refresh", json={"refresh_token": "rt_no"}, headers={"authorization": ""}
        )
        assert refresh.status_code == 401
        document = await tenant.http.get("/v1/openapi.json", headers={"authorization": ""})
        assert document.status_code == 503 and document.headers["retry-after"]
        assert "natter_limits_away 1.0" in (await tenant.http.get("/metrics")).text
        assert (await limits_of(tenant, headers))["messages.user"]["remaining"] == 0
    finally:
        valkey.start()
    for _ in range(300):
        if not any(running.node.limiter.away for running in installation.nodes):
            break
        await asyncio.sleep(0.02)
    assert (await tenant.http.get("/v1/openapi.json", headers={"authorization": ""})).status_code == 200
    await tenant.close()


def test_the_tables_name_what_there_is(installation: Installation) -> None:
    assert {policy.name for policy in POLICIES if policy.key != "ip"} == set(LIMITED)
    node = installation.nodes[0].node
    operations = {
        handler.operation_id
        for route in node.rest.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
    }
    assert set(OPERATIONS) <= operations
    assert set(EVENTS) <= set(node.dispatcher.events)
    for policy in POLICIES:
        assert policy.name.endswith(f".{policy.key}")
