"""The management port's JSON routes are given everything bad, as nodes and strangers could send it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from litestar.routes import HTTPRoute

from control_plane.credentials.service import create_credential, revoke_credential
from control_plane.keys.leaks.routes import LeakReport
from data_plane.reference import openapi_document
from kernel.clock import rfc3339
from kernel.contracts import UsageReport
from kernel.errors import NotFound
from tests.api.badness import QUERIES, VALUES, mistyped, with_field
from tests.api.house import House, Logs, Stored
from tests.api.sweep import JSON, Checker, Entry, fields, fits, load, sweep
from tests.api.wire import request
from tests.control_plane.fixtures import ACTOR

USAGE: dict[str, Any] = {
    "source": "relay:s0",
    "boot": "b1",
    "rows": [
        {"seq": 1, "app_id": "an app", "meter": "mau", "quantity": 1, "at": "a time", "subject": "0" * 32},
    ],
}
ROUTES: dict[str, Entry] = {
    "GET /v1/locate": Entry(credential="nobody"),
    "GET /v1/openapi.json": Entry(credential="nobody"),
    "GET /internal/v1/snapshots": Entry(credential="node"),
    "POST /v1/leaks": Entry(
        body={"found": [{"token": "abc", "url": "https://example.com"}]}, credential="nobody", kind=LeakReport
    ),
    "POST /internal/v1/usage": Entry(body=USAGE, credential="relay", kind=UsageReport),
}
"""Every JSON route with a call that is good. Whoever adds a route adds its line."""
SIGNED = {"POST /v1/leaks/github"}
"""Routes that look at nothing before a signature that nobody here can make; tests/control_plane/test_leaked_keys.py."""


@pytest.fixture
async def checker(quiet_house: House, logs: Logs) -> AsyncIterator[Checker]:
    """Calls to a management server on which nothing else happens."""
    stored = await Stored.of(quiet_house.control, "control")
    credentials = {"node": quiet_house.node_credential, "relay": quiet_house.relay_credential, "nobody": ""}
    row = USAGE["rows"][0]
    row["app_id"], row["at"] = quiet_house.opened.app_id, rfc3339(quiet_house.deps.clock.now())
    yield Checker(quiet_house.control_url, stored, logs, credentials)
    await stored.close()


def test_every_json_route_has_an_entry(quiet_house: House) -> None:
    served = set()
    for route in quiet_house.management.routes:
        if isinstance(route, HTTPRoute) and route.path.startswith(("/v1/", "/internal/")):
            served |= {f"{method} {route.path_format}" for method in route.methods if method != "OPTIONS"}
    assert served == set(ROUTES) | SIGNED


@pytest.mark.parametrize("name", ROUTES)
async def test_bad_input_is_refused_and_leaves_nothing(name: str, checker: Checker) -> None:
    method, path = name.split()
    await sweep(checker, load(), method, path, ROUTES[name])
    assert checker.wrong == [], "\n".join(checker.wrong[:20])


POLLS = {
    "since": {**QUERIES, "too far": str(2**62 + 1), "a list": "1,2"},
    "wait": {**QUERIES, "infinity": "inf", "too much": "26"},
    "url": {
        **QUERIES,
        "a script": "javascript:alert(1)",
        "with a password": "http://a:b@c",
        "no host": "http://",
        "with a query": "http://a/?b",
        "a port that is none": "http://a:99999",
    },
}


@pytest.mark.parametrize("name", POLLS)
async def test_a_nodes_poll_is_checked(name: str, checker: Checker) -> None:
    for what, value in POLLS[name].items():
        target = f"/internal/v1/snapshots?{name}={value}"
        good = (name, what) == ("wait", "a fraction")
        await checker.refuse(f"{name} is {what}", "GET", target, credential="node", must=not good)
    assert checker.wrong == [], "\n".join(checker.wrong)


async def test_a_report_is_taken_whole_or_not_at_all(checker: Checker, quiet_house: House) -> None:
    """One bad row among good ones: nothing of the report is stored."""
    good = USAGE["rows"][0]
    for path in fields(good):
        for what, value in VALUES.items():
            row = with_field({**good, "seq": 2}, path, value)
            # Each as of another boot: what is taken contradicts nothing that was taken before.
            report = {**USAGE, "boot": f"whole-{checker.calls}", "rows": [good, "a row", good]}
            body = orjson.dumps(report).replace(b'"a row"', row)
            must = not fits(body, UsageReport)
            told: dict[str, Any] = {"headers": [JSON], "body": body, "credential": "relay", "must": must}
            await checker.refuse(f"rows[1].{path[0]} is {what}", "POST", "/internal/v1/usage", **told)
    assert checker.wrong == [], "\n".join(checker.wrong[:20])
    theirs = {**good, "app_id": "app_" + "0" * 26}
    for what, report, code in (
        ("another app's row", {**USAGE, "rows": [good, theirs]}, "foreign_apps"),
        ("another's source", {**USAGE, "source": "relay:s1"}, "forbidden"),
        ("too many rows", {**USAGE, "rows": [{**good, "seq": n} for n in range(1_001)]}, "invalid_input"),
    ):
        told = {"headers": [JSON], "body": orjson.dumps(report), "credential": "relay", "codes": [code]}
        await checker.refuse(what, "POST", "/internal/v1/usage", **told)
    assert checker.wrong == [], "\n".join(checker.wrong)


async def test_credentials_that_are_none_open_nothing(checker: Checker, quiet_house: House) -> None:
    async def revoked() -> str:
        async with quiet_house.deps.change(ACTOR) as ctx:
            credential = await create_credential(ctx, kind="node", name="gone", shard="s0")
        async with quiet_house.deps.change(ACTOR) as ctx:
            await revoke_credential(ctx, kind="node", name="gone")
        return credential

    bad = {
        "nothing": "",
        "garbage": "garbage",
        "a revoked one": await quiet_house.on_loop(revoked()),
        "a mistyped one": mistyped(quiet_house.node_credential),
        "a secret key": quiet_house.opened.secret_key,
        "a publishable key": quiet_house.opened.publishable_key,
        "a user's token": quiet_house.token(quiet_house.tenant, "ada"),
        "no ASCII": "nk_ключ",
        "long": "nk_" + "0" * 10_000,
        "SQL": "nk_' or '1'='1",
    }
    body = orjson.dumps(USAGE)
    for what, credential in bad.items():
        told: dict[str, Any] = {"credential": credential or None, "codes": ["unauthenticated"]}
        await checker.refuse(what, "GET", "/internal/v1/snapshots", **told)
        await checker.refuse(what, "POST", "/internal/v1/usage", headers=[JSON], body=body, **told)
    relay, node = quiet_house.relay_credential, quiet_house.node_credential
    await checker.refuse("a relay's", "GET", "/internal/v1/snapshots", credential=relay, codes=["forbidden"])
    await checker.refuse(
        "a node's", "POST", "/internal/v1/usage", headers=[JSON], body=body, credential=node, codes=["forbidden"]
    )
    assert checker.wrong == [], "\n".join(checker.wrong)


@pytest.mark.parametrize("path", ["/v1/nothing", "/internal/v1/nothing", "/v1/locate/x", "/internal/v1/usage/"])
async def test_what_is_not_there_is_a_problem_document(path: str, quiet_house: House) -> None:
    answer = await request(quiet_house.control_url, "GET", path, [("accept", "text/html")])
    assert answer.problem["code"] in (NotFound.code, "method_not_allowed"), str(answer)


async def test_any_page_may_ask_where_its_app_is_and_read_a_refusal(quiet_house: House) -> None:
    origin = ("origin", "https://shop.example")
    for target, status in (("/v1/locate?key=pk_nothing", 404), ("/v1/locate", 422), ("/v1/openapi.json", 200)):
        answer = await request(quiet_house.control_url, "GET", target, [origin])
        assert (answer.status, answer.headers.get("access-control-allow-origin")) == (status, "*"), str(answer)
    answer = await request(quiet_house.control_url, "GET", "/internal/v1/snapshots", [origin])
    assert "access-control-allow-origin" not in answer.headers
    assert (await request(quiet_house.control_url, "GET", "/v1/openapi.json")).body == openapi_document()


async def test_the_sweep_would_notice_what_is_written(checker: Checker, quiet_house: House) -> None:
    async def meddle() -> None:
        connection = await quiet_house.control.connect()
        await connection.execute("update control.credentials set last_seen_at = now() where name = 'n1'")
        await connection.close()

    before = await checker.stored.now()
    await asyncio.gather(meddle())
    after = await checker.stored.now()
    assert [table for table in after if after[table] != before[table]] == ["credentials"]
