"""History in front of the router answers as the route does, in everything but what is the request's own.

A slash at the end of the path means the same to the router, and nothing to the short way, so each request is sent
twice.
"""

import pytest

from data_plane.messages.direct import _read
from tests.api.house import House, bearer
from tests.api.wire import request

OWN = {"date", "ratelimit", "x-request-id"}


@pytest.fixture(scope="module")
async def room(house: House) -> str:
    """A channel with messages; one is edited, one deleted."""

    async def fill() -> list[str]:
        await house.tenant.channel("long", "ann", "bob")
        sent = [
            (await house.tenant.post("/v1/channels/long/messages", text=f"m{n}", user_id="ann"))["message"]["id"]
            for n in range(60)
        ]
        (await house.tenant.http.delete(f"/v1/messages/{sent[50]}", params={"user_id": "ann"})).raise_for_status()
        edit = {"text": "é", "custom": {"a": [1.5]}, "user_id": "ann"}
        (await house.tenant.http.patch(f"/v1/messages/{sent[51]}", json=edit)).raise_for_status()
        return sent

    return (await house.on_loop(fill()))[30]


CREDENTIALS = {
    "user": lambda house: house.token(house.tenant, "ann"),
    "server": lambda house: house.tenant.secret_key,
    "no member": lambda house: house.token(house.tenant, "eve"),
    "another app's server": lambda house: house.other.secret_key,
    "another app's user": lambda house: house.token(house.other, "ann"),
    "without the scope": lambda house: house.add_key(house.tenant, "users"),
    "forged": lambda house: house.token(house.tenant, "ann")[:-2] + "xx",
    "junk": lambda house: "junk",
    "a publishable key": lambda house: house.tenant.publishable_key,
}
ORIGINS = [None, "https://shop.example", "null"]


async def both(house: House, target: str, *headers: tuple[str, str]) -> None:
    """The two answers are the same."""
    path, _, query = target.partition("?")
    short = await request(house.url, "GET", target, list(headers))
    routed = await request(house.url, "GET", f"{path}/?{query}" if query else f"{path}/", list(headers))
    own = {short.headers["x-request-id"].encode(), routed.headers["x-request-id"].encode()}
    bodies = set()
    for answer in (short, routed):
        body = answer.body
        for each in own:
            body = body.replace(each, b"")
        bodies.add(body)
    assert short.status == routed.status
    assert len(bodies) == 1, bodies
    assert {n: v for n, v in short.headers.items() if n not in OWN} == {
        n: v for n, v in routed.headers.items() if n not in OWN
    }


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("who", CREDENTIALS)
async def test_every_caller_gets_the_same_answer(house: House, room: str, who: str, origin: str | None) -> None:
    headers = list(bearer(CREDENTIALS[who](house)).items())
    if origin is not None:
        headers.append(("origin", origin))
    for query in ("", "?limit=3", f"?before={room}&limit=5", f"?limit=5&after={room}", f"?around={room}", "?around=7"):
        await both(house, f"/v1/channels/long/messages{query}", *headers)
    await both(house, "/v1/channels/nowhere/messages", *headers)
    await both(house, "/v1/channels/long/messages?before=msg_01ffffffffffffffffffffffff", *headers)


async def test_an_origin_that_the_app_does_not_allow_is_told_so_by_both(house: House, room: str) -> None:
    before = house.tenant.snapshot.allowed_origins
    house.change(house.tenant, allowed_origins=("https://shop.example",))
    try:
        for origin in ("https://shop.example", "https://evil.example"):
            token = bearer(house.token(house.tenant, "ann"))
            await both(house, "/v1/channels/long/messages", *token.items(), ("origin", origin))
    finally:
        house.change(house.tenant, allowed_origins=before)


PLAIN = {
    "type": "http",
    "method": "GET",
    "path": "/v1/channels/den/messages",
    "query_string": b"limit=50",
    "headers": [(b"host", b"n:1"), (b"authorization", b"Bearer x"), (b"content-type", b"application/json")],
}


@pytest.mark.parametrize("query", [b"", b"limit=1", b"limit=100", b"before=5", b"after=0&limit=9", b"around=123456"])
def test_a_plain_request_takes_the_short_way(query: bytes) -> None:
    assert _read({**PLAIN, "query_string": query}) is not None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"method": "HEAD"},
        {"method": "POST"},
        {"type": "websocket"},
        {"path": "/v1/channels/den/messages/"},
        {"path": "/v1/channels/d en/messages"},
        {"path": "/v1/channels/den/messages\n"},
        {"path": f"/v1/channels/{'x' * 65}/messages"},
        *(
            {"query_string": query}
            for query in (
                b"limit=0", b"limit=101", b"limit=050", b"limit=5&limit=5", b"limit", b"limit=5&", b"x=1", b"before=",
                b"before=1&after=1", b"before=1&before=1", b"before=msg_x", b"before=%31", b"around=-1", b"limit=5\n",
                b"before=" + b"1" * 16, "before=١".encode(),
            )
        ),
        *(
            {"headers": [*PLAIN["headers"], header]}  # type: ignore[misc]
            for header in (
                (b"authorization", b"Bearer y"), (b"content-type", b"text/plain"), (b"cookie", b"a=b"),
                (b"content-length", b"2"), (b"transfer-encoding", b"chunked"), (b"expect", b"100-continue"),
                (b"host", b"a b"),
            )
        ),
        {"headers": []},
        {"headers": [(b"authorization", b"Bearer ")]},
        {"headers": [(b"authorization", b"Basic x")]},
    ],
)  # fmt: skip
def test_whatever_is_not_plain_is_left_to_the_route(change: dict[str, object]) -> None:
    assert _read({**PLAIN, **change}) is None  # type: ignore[arg-type]


async def test_a_failure_of_the_database_is_a_problem_document_and_logged(house: House, room: str, logs) -> None:
    node = house.node.node
    hot = node.system.hot

    class Broken:
        async def fetch(self, *_: object) -> None:
            raise ValueError("a defect")

    node.system.hot = lambda sql: Broken()  # type: ignore[method-assign, assignment, return-value]
    try:
        await both(house, "/v1/channels/long/messages", *bearer(house.tenant.secret_key).items())
    finally:
        node.system.hot = hot  # type: ignore[method-assign]
    assert sum("a defect" in line or "http.failed" in line for line in logs.failures) >= 2
    logs.lines.clear()
