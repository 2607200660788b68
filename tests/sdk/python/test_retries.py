"""A call whose answer is lost is made again where that is safe, never does a thing twice, and ends in a clear error."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from natter import APIError, AsyncNatter, ConnectionFailed, Natter, NatterError, Retry, TimedOut, errors
from natter._retry import _worth
from tests.clients.installation import Tenant
from tests.sdk.python.conftest import Awaited
from tests.sdk.python.front import HANG, LOSE, RESET, Front, Say

BUSY = Say(503, '{"code": "overloaded", "status": 503, "retryable": true, "retry_after": 2}', {
    "content-type": "application/problem+json", "retry-after": "2"
})  # fmt: skip
BUSY_PERHAPS = Say(503, '{"code": "unavailable", "status": 503, "retryable": true}', BUSY.headers)
SLOW_DOWN = Say(429, '{"code": "rate_limited", "status": 429, "retryable": true}', {
    "content-type": "application/problem+json", "retry-after": "3"
})  # fmt: skip
PROXY = Say(502, "<h1>Bad gateway</h1>", {"content-type": "text/html"})


@pytest.fixture
async def front(url: str) -> AsyncIterator[Front]:
    """What stands between the SDK and the node."""
    async with Front(url) as front:
        yield front


class Time:
    """Waits take no time, and are counted."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    async def asleep(self, seconds: float) -> None:
        self.sleep(seconds)

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture(params=["sync", "async"])
async def natter(request: pytest.FixtureRequest, tenant: Tenant, front: Front, time: Time) -> AsyncIterator[Any]:
    """Each client, to be awaited; it waits no time at all between calls."""
    options: dict[str, Any] = {"url": front.url, "timeout": 20, "monotonic": time.monotonic, "random": lambda: 0.0}
    if request.param == "sync":
        with Natter(tenant.secret_key, sleep=time.sleep, **options) as blocking:
            yield Awaited(blocking)
    else:
        async with AsyncNatter(tenant.secret_key, sleep=time.asleep, **options) as awaited:
            yield awaited


async def texts(tenant: Tenant) -> list[str]:
    """What the channel holds in the end."""
    answer = await tenant.http.get("/v1/channels/general/messages")
    return [message["text"] for message in answer.json()["messages"]]


@pytest.mark.parametrize("fault", [LOSE, HANG, RESET, BUSY, BUSY_PERHAPS, SLOW_DOWN, PROXY], ids=str)
async def test_a_send_in_trouble_is_stored_once(natter: Any, front: Front, tenant: Tenant, fault: Any) -> None:
    await tenant.channel("general", "ada")
    front.faults = [fault, fault]
    # On a busy machine other answers may be late, too; then there are more attempts.
    short = natter.with_options(timeout=0.2, retry=Retry(attempts=50)) if fault == HANG else natter
    message = await short.for_user("ada").messages.send("general", text="Hello")
    assert await texts(tenant) == ["Hello"]
    assert message.text == "Hello"
    assert {seen.path for seen in front.seen} == {"/v1/channels/general/messages"}
    assert len(front.seen) == 3 or (fault == HANG and len(front.seen) > 3)
    assert {json.loads(seen.body)["id"] for seen in front.seen} == {message.id}
    assert len({seen.body for seen in front.seen}) == 1
    assert len({seen.headers["x-request-id"] for seen in front.seen}) == 1


async def test_a_channel_whose_answer_is_lost_is_made_once(natter: Any, front: Front, tenant: Tenant) -> None:
    await tenant.channel("general", "ada")
    front.faults = [LOSE, LOSE]
    made = await natter.channels.create(name="Without an id", members=["ada"])
    assert len({seen.headers["idempotency-key"] for seen in front.seen}) == 1
    found = (await tenant.http.get("/v1/channels")).json()["channels"]
    assert sorted(channel["id"] for channel in found) == sorted([made.id, "general"])
    await natter.channels.create(name="Another", members=["ada"])
    assert len({seen.headers["idempotency-key"] for seen in front.seen}) == 2


async def test_a_key_of_ones_own_makes_two_calls_one(natter: Any, front: Front, tenant: Tenant) -> None:
    one, same = [await natter.channels.create(name="Order 7", idempotency_key="order-7") for _ in range(2)]
    assert one.id == same.id
    with pytest.raises(errors.IdempotencyConflict):
        await natter.channels.create(name="Order 8", idempotency_key="order-7")


async def test_what_would_be_done_twice_is_not_called_again(natter: Any, front: Front, tenant: Tenant) -> None:
    await tenant.channel("general", "ada")
    for fault in (LOSE, HANG, RESET):
        front.faults = [fault]
        with pytest.raises(ConnectionFailed) as lost:
            await natter.with_options(timeout=0.2 if fault == HANG else 20).channels.send_event(
                "general", type="poll.opened"
            )
        assert lost.value.sent
    for said in (BUSY_PERHAPS, PROXY):
        front.faults = [said]
        with pytest.raises(APIError):
            await natter.channels.send_event("general", type="poll.opened")
    assert len(front.seen) == 5
    front.faults = [BUSY, SLOW_DOWN]  # who says so has done nothing
    await natter.channels.send_event("general", type="poll.opened")
    assert len(front.seen) == 8


async def test_a_removal_whose_answer_is_lost_is_done(natter: Any, front: Front, tenant: Tenant) -> None:
    await tenant.channel("general", "ada")
    front.faults = [LOSE]
    await natter.channels.delete("general")
    assert len(front.seen) == 2, "the second was told that there is no such channel"
    with pytest.raises(errors.NotFound):
        await natter.channels.delete("general")
    front.faults = [RESET]
    with pytest.raises(errors.NotFound):
        await natter.channels.get("general")


async def test_a_connection_that_does_not_come_about_is_tried_again_for_all(
    natter: Any, front: Front, tenant: Tenant, time: Time
) -> None:
    front._server.close()
    await front._server.wait_closed() if not front._open else None
    with pytest.raises(ConnectionFailed) as lost:
        await natter.guests.create(tenant.publishable_key)
    assert not lost.value.sent
    assert isinstance(lost.value.__cause__, httpx.ConnectError)
    assert len(time.waits) == Retry().attempts - 1


async def test_retry_after_is_obeyed(natter: Any, front: Front, time: Time) -> None:
    front.faults = [BUSY, SLOW_DOWN]
    await natter.users.upsert([{"id": "ada"}])
    assert [2 <= time.waits[0] < 3, 3 <= time.waits[1] < 4, len(time.waits)] == [True, True, 2]


async def test_patience_ends_by_number_and_by_time(natter: Any, front: Front, time: Time) -> None:
    front.faults = [BUSY] * 20
    with pytest.raises(errors.Overloaded):
        await natter.users.upsert([{"id": "ada"}])
    assert len(front.seen) == Retry().attempts
    front.seen.clear()
    with pytest.raises(errors.Overloaded):
        await natter.with_options(retry=Retry(attempts=100, total=7)).users.upsert([{"id": "ada"}])
    assert len(front.seen) == 4, "three waits of 2 s and a bit fit into 7 s"
    front.seen.clear()
    with pytest.raises(errors.Overloaded):
        await natter.with_options(retry=Retry(attempts=1)).users.upsert([{"id": "ada"}])
    assert len(front.seen) == 1


async def test_a_refusal_for_good_is_not_called_again_and_says_why(natter: Any, front: Front) -> None:
    with pytest.raises(errors.InvalidInput) as refused:
        await natter.channels.create(type="NO SUCH TYPE")
    error = refused.value
    assert len(front.seen) == 1
    assert (error.status, error.code, error.retryable) == (422, "invalid_input", False)
    assert error.field == "type" and error.detail in str(error)
    assert error.request_id == front.seen[0].headers["x-request-id"]
    with pytest.raises(errors.UnknownUsers) as unknown:
        await natter.channels.create(members=["nobody"])
    assert unknown.value.data["user_ids"] == ["nobody"]
    assert isinstance(unknown.value, errors.InvalidInput), "one class for all of a status"
    with pytest.raises(errors.NotFound):
        await natter.channels.get("nowhere")


async def test_a_code_that_is_not_known_yet_is_its_status(natter: Any, front: Front) -> None:
    front.faults = [
        Say(409, '{"code": "from_the_future", "detail": "Hm."}', {"content-type": "application/problem+json"})
    ]
    with pytest.raises(errors.Conflict) as refused:
        await natter.users.get("ada")
    assert refused.value.code == "from_the_future"


async def test_what_is_no_answer_of_the_api_is_said_so(natter: Any, front: Front) -> None:
    for body in ("<h1>Welcome</h1>", '{"greeting": "Welcome"}', "[]"):
        front.faults = [Say(200, body)]
        with pytest.raises(NatterError) as unexpected:
            await natter.users.get("ada")
        assert type(unexpected.value).__name__ == "UnexpectedAnswer"
        assert unexpected.value.request_id


async def test_an_answer_that_takes_too_long_is_a_timeout(natter: Any, front: Front) -> None:
    front.faults = [HANG]
    with pytest.raises(TimedOut) as late:
        await natter.with_options(timeout=0.05, retry=Retry(attempts=1)).users.upsert([{"id": "ada"}])
    assert late.value.request_id == front.seen[0].headers["x-request-id"]


def test_waits_grow_and_are_drawn_between_a_half_and_the_whole() -> None:
    lost, retry = ConnectionFailed("", sent=True), Retry(attempts=99, first=1, longest=8, total=1e9)

    def waits(drawn: float) -> list[float | None]:
        settings: Any = {"elapsed": 0, "repeatable": True, "random": lambda: drawn}
        return [retry.wait(lost, attempt=attempt, **settings) for attempt in range(1, 7)]

    assert waits(0.0) == [0.5, 1, 2, 4, 4, 4]
    assert waits(1.0) == [1, 2, 4, 8, 8, 8]


def test_a_wrong_judgement_of_what_is_safe_would_be_noticed() -> None:
    lost = ConnectionFailed("", sent=True)
    assert _worth(lost, True) and not _worth(lost, False)
    assert not _worth(errors.QueryTooSlow(503, {"code": "query_too_slow", "retryable": False}), True)
