"""No REST operation of the data plane tells a stranger of another tenant's things, changes them, or is heard there."""

import msgspec
import pytest

from data_plane.sync.cursor import decode_cursor
from kernel.ids import encode
from kernel.security import keys
from tests.invariants.answers import same
from tests.invariants.chat.rest import REST
from tests.invariants.chat.stranger import Stranger
from tests.invariants.chat.tries import Open
from tests.invariants.chat.world import PERSON, THEIR_OWN, World
from tests.invariants.coverage import Operation, operations, uncovered

SWEPT = {operation: entry for operation, entry in REST.items() if not isinstance(entry, Open)}
OPEN = [operation for operation, entry in REST.items() if isinstance(entry, Open)]
_CHANNEL, _MESSAGE = "/v1/channels/{channel_id}", "/v1/messages/{message_id}"
VISITORS = [
    _CHANNEL, *(f"{_CHANNEL}/{list}" for list in ("messages", "pins", "watchers")),
    _MESSAGE, *(f"{_MESSAGE}/{list}" for list in ("reactions", "replies")),
]  # fmt: skip
"""What anonymous visitors read; `tests/api/test_sweep.py` holds that it is all."""
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


def name(operation: Operation) -> str:
    return " ".join(operation)


def test_every_operation_of_the_running_node_has_an_entry(world: World) -> None:
    there = operations(world.installation.nodes[0].node.rest)
    uncovered("REST operations", there, REST, "tests/invariants/chat/rest.py")


@pytest.mark.parametrize("operation", SWEPT, ids=name)
async def test_another_tenants_ids_are_those_of_nothing(stranger: Stranger, operation: Operation) -> None:
    await stranger.try_all(operation, SWEPT[operation])


@pytest.mark.parametrize("operation", OPEN, ids=name)
async def test_an_open_route_is_the_same_for_everybody(stranger: Stranger, operation: Operation) -> None:
    method, path = operation
    async with stranger.unnoticed(path):
        answers = [await stranger.ask(method, path, bearer=bearer) for bearer in (None, *stranger.bearers.values())]
    ids = [each.tenant.snapshot.app_id for each in (stranger.world.victim, stranger.world.stranger)]
    for answer in answers:
        assert answer.status == 200
        assert answer.headers == answers[0].headers
        assert not [each for each in ids if each in answer.body]


@pytest.mark.parametrize("operation", SWEPT, ids=name)
async def test_no_credential_made_by_a_stranger_opens_another_tenants_app(
    stranger: Stranger, operation: Operation
) -> None:
    await stranger.knock_all(operation, SWEPT[operation])


@pytest.mark.parametrize("path", sorted({path for _, path in SWEPT}))
async def test_methods_that_a_path_does_not_have_tell_nothing_either(stranger: Stranger, path: str) -> None:
    there = {method for method, template in REST if template == path}
    foreign = stranger.world.bystander
    nothing = stranger.world.take_none(foreign)
    async with stranger.unnoticed(path):
        for method in METHODS:
            if method in there:
                continue
            answers = [
                await stranger.ask(
                    method,
                    path.format(
                        channel_id=kit.channel,
                        user_id=kit.user,
                        message_id=kit.message,
                        emoji="ok",
                        name=THEIR_OWN,
                        resource="users",
                        field="custom.note",
                    ),
                    bearer=stranger.bearers["server"],
                    said={"channel": kit.channel, "user": kit.user, "message": kit.message},
                )
                for kit in (foreign, nothing)
            ]
            same(f"{method} {path}", *answers)


async def test_a_refresh_token_is_good_for_the_app_alone_that_it_was_made_for(stranger: Stranger) -> None:
    world = stranger.world
    theirs = (await world.victim.tenant.post("/v1/tokens", user_id=PERSON))["refresh_token"].partition(".")[0]
    own = (await world.stranger.tenant.post("/v1/tokens", user_id=PERSON))["refresh_token"].partition(".")[0]
    crossed = [(theirs, world.stranger.app_id), (own, world.victim.app_id)]
    async with stranger.unnoticed("POST /v1/tokens/refresh"):
        for key, app_id in crossed:
            tokens = [f"{value}.{encode(app_id)}" for value in (key, keys.generate("rt"))]
            answers = [
                await stranger.ask("POST", "/v1/tokens/refresh", body={"refresh_token": token}) for token in tokens
            ]
            same("POST /v1/tokens/refresh", *answers)
            assert answers[0].status == 401
        # Also where the app does not exist.
        nobody = world.installation.ids.uuid7()
        gone = await stranger.ask("POST", "/v1/tokens/refresh", body={"refresh_token": f"{own}.{encode(nobody)}"})
        same("POST /v1/tokens/refresh", answers[0], gone)


async def test_a_guest_of_one_app_is_nobody_in_another(stranger: Stranger) -> None:
    world = stranger.world
    own = world.stranger.tenant
    keys_tried = (own.publishable_key, keys.generate("pk"), own.secret_key)
    async with stranger.unnoticed("POST /v1/guests"):
        answers = [await stranger.ask("POST", "/v1/guests", body={"key": key, "name": "Ivy"}) for key in keys_tried]
    assert [answer.status for answer in answers] == [403, 401, 401], "guests are off until the app lets them in"


async def test_a_visitor_of_one_app_reads_nothing_in_another(stranger: Stranger) -> None:
    world = stranger.world
    own = world.stranger.tenant
    for running in world.installation.nodes:
        held = running.node.snapshots.get(own.snapshot.app_id)
        assert held is not None
        running.node.snapshots.apply(msgspec.structs.replace(held, version=held.version + 1, anonymous=True))
    theirs, nothing = world.bystander, world.take_none(world.bystander)
    said = ("channel", "message")
    async with stranger.unnoticed("as a visitor"):
        for path in VISITORS:
            answers = [
                await stranger.ask(
                    "GET", path.format(channel_id=kit.channel, message_id=kit.message), bearer=own.publishable_key,
                    said={name: getattr(kit, name) for name in said},
                )
                for kit in (theirs, nothing)
            ]  # fmt: skip
            same(path, *answers)
            assert answers[0].status == 404
        closed = await stranger.ask("GET", "/v1/channels/any", bearer=world.victim.tenant.publishable_key)
        unknown = await stranger.ask("GET", "/v1/channels/any", bearer=keys.generate("pk"))
    assert (closed.status, unknown.status) == (401, 401), "the other app lets no visitors in"


async def test_another_tenants_cursor_brings_the_callers_own_changes_and_no_others(stranger: Stranger) -> None:
    world = stranger.world
    cursor = world.victims_first_cursor
    assert decode_cursor(cursor).horizon > 0
    async with stranger.unnoticed("GET /v1/sync"):
        answer = await stranger.ask("GET", f"/v1/sync?cursor={cursor}&limit=1000", bearer=stranger.bearers["user"])
    assert answer.status == 200
    assert '"recovered":true' in answer.body
    assert world.stranger.mark in answer.body
    assert world.victim.tenant.snapshot.app_id not in answer.body


@pytest.mark.parametrize("caller", ["server", "user"])
async def test_an_idempotency_key_of_another_tenant_is_a_fresh_one(stranger: Stranger, caller: str) -> None:
    world = stranger.world
    bearers = {"server": world.victim.tenant.secret_key, "user": world.victim.tenant.token(PERSON)}
    acting = {"user_id": PERSON} if caller == "server" else {}
    repeated = 0
    for path, body in (
        ("/v1/channels", lambda k: {"name": "repeated"} | acting),
        ("/v1/channels/{}/members", lambda k: {"user_ids": [k.user]}),
        ("/v1/channels/{}/read", lambda k: acting),
        ("/v1/channels/{}/leave", lambda k: acting),
    ):
        kit = world.take_twin()
        if path.endswith("/leave"):
            # The last owner would have to stay.
            for side in (world.victim, world.stranger):
                await side.tenant.put(f"/v1/channels/{kit.channel}/members/{kit.user}", role="owner")
        key, target = f"{caller}-{path}", path.format(kit.channel)
        request = {"headers": {"idempotency-key": key}, "json": body(kit)}
        for _ in range(2):
            first = await world.victim.tenant.http.post(
                target,
                headers=request["headers"] | {"authorization": f"Bearer {bearers[caller]}"},
                json=request["json"],
            )
            assert first.is_success, first.text
        repeated += first.headers.get("idempotent-replayed") == "true"
        await world.settle()
        async with stranger.unnoticed(target):
            answers = [
                await stranger.http.post(
                    target,
                    headers={"idempotency-key": name, "authorization": f"Bearer {stranger.bearers[caller]}"},
                    json=request["json"],
                )
                for name in (key, key)
            ]
        assert [answer.headers.get("idempotent-replayed") for answer in answers] == [None, "true"], target
        assert all(answer.is_success for answer in answers)
    assert repeated == 4


async def test_nothing_of_all_this_was_heard_by_the_other_tenant(stranger: Stranger) -> None:
    await stranger.silence()
