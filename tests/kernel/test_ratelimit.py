"""A route that each address may ask so often, and the headers that say so."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Annotated

import httpx
import pytest
from litestar import get
from litestar.params import QueryParameter

from kernel.clock import ManualClock
from kernel.errors import NotFound
from kernel.gcra import rate
from kernel.http import build_app
from kernel.http.any_origin import readable_by_any_page
from kernel.http.ratelimit import limited_by_address, subject_of_address
from kernel.ids import Ids


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def http(clock: ManualClock) -> AsyncIterator[httpx.AsyncClient]:
    @get(
        "/v1/thing",
        middleware=[readable_by_any_page, limited_by_address("things.ip", rate(0.5, 3), clock.monotonic)],
        sync_to_thread=False,
    )
    def thing(wanted: Annotated[bool, QueryParameter()] = True) -> dict[str, str]:
        if not wanted:
            raise NotFound()
        return {}

    app = build_app(routes=[thing], dependencies={}, clock=clock, ids=Ids(clock))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        yield client


async def test_an_address_is_told_where_it_stands_and_when_to_come_again(
    http: httpx.AsyncClient, clock: ManualClock
) -> None:
    answers = [await http.get("/v1/thing", params={"wanted": wanted}) for wanted in (True, False, True, True)]
    assert [answer.status_code for answer in answers] == [200, 404, 200, 429]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"things.ip";q=3;w=6'}
    assert [answer.headers["ratelimit"] for answer in answers] == [
        '"things.ip";r=2;t=2', '"things.ip";r=1;t=4', '"things.ip";r=0;t=6', '"things.ip";r=0;t=2'
    ]  # fmt: skip
    refused = answers[-1]
    problem = refused.json()
    assert problem["code"] == "rate_limited" and problem["violated-policies"] == ["things.ip"]
    assert problem["request_id"] == refused.headers["x-request-id"]
    assert refused.headers["retry-after"] == "2" and problem["retry_after"] == 2
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["access-control-allow-origin"] == "*"
    clock.advance(timedelta(seconds=2))
    assert (await http.get("/v1/thing")).status_code == 200
    assert (await http.get("/v1/thing")).status_code == 429


@pytest.mark.parametrize(
    ("address", "subject"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("", "unknown"),
        ("no address " * 20, ("no address " * 20)[:64]),
    ],
)
def test_an_address_stands_for_one_household(address: str, subject: str) -> None:
    assert subject_of_address(address) == subject
