"""Idempotency keys, on the routes that take them."""

import asyncio
from datetime import timedelta

import pytest


async def test_a_repeat_gets_the_first_answer_and_does_nothing(app):
    await app.make_users("ann")
    first = await app.call("POST", "/v1/channels", {"name": "Den"}, as_user="ann", key="k1")
    again = await app.call("POST", "/v1/channels", {"name": "Den"}, as_user="ann", key="k1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert len((await app.call("GET", "/v1/channels")).json()["channels"]) == 1


async def test_a_key_belongs_to_one_request_of_one_caller_of_one_app(app, world):
    other = world.app()
    await app.make_users("ann", "bob", "server")
    first = await app.call("POST", "/v1/channels", {"name": "Den"}, as_user="ann", key="k1")
    for body in ({"name": "Other"}, {"name": "Den", "id": "x"}):
        answer = await app.call("POST", "/v1/channels", body, as_user="ann", key="k1")
        assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_conflict")
        assert "Den" not in answer.text
    path = f"/v1/channels/{first.json()['id']}/leave"
    assert (await app.call("POST", path, {}, as_user="ann", key="k1")).status_code == 409
    made = {first.json()["id"]}
    for caller, user in ((app, "bob"), (app, None), (app, "server"), (other, None)):
        answer = await caller.call("POST", "/v1/channels", {"name": "Den"}, as_user=user, key="k1")
        assert answer.status_code == 201
        made.add(answer.json()["id"])
    assert len(made) == 5


async def test_a_failure_is_not_kept(app):
    wish = {"members": ["ann"]}
    assert (await app.call("POST", "/v1/channels", wish, key="k1")).status_code == 422
    await app.make_users("ann")
    assert (await app.call("POST", "/v1/channels", wish, key="k1")).status_code == 201


async def test_repeats_at_once_do_the_work_once(app):
    answers = await asyncio.gather(*(app.call("POST", "/v1/channels", {}, key="k1") for _ in range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1


async def test_after_a_day_a_key_is_free_again(app, world):
    first = await app.call("POST", "/v1/channels", {}, key="k1")
    world.clock.advance(timedelta(hours=23))
    assert (await app.call("POST", "/v1/channels", {}, key="k1")).json() == first.json()
    world.clock.advance(timedelta(hours=2))
    second = await app.call("POST", "/v1/channels", {"name": "new"}, key="k1")
    assert second.json()["id"] != first.json()["id"]
    assert (await app.call("POST", "/v1/channels", {"name": "new"}, key="k1")).json() == second.json()


@pytest.mark.parametrize("key", ["", "x" * 256, "with space", "tab\t"])
async def test_a_malformed_key_is_refused(app, key):
    answer = await app.call("POST", "/v1/channels", {}, key=key)
    assert (answer.status_code, answer.json()["field"]) == (422, "Idempotency-Key")
