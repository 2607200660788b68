"""No socket event tells a stranger of another tenant's things, changes them, or is heard there."""

from collections.abc import AsyncIterator

import orjson
import pytest

from kernel.security import keys
from tests.invariants.answers import Answer, mask, no_canary, same
from tests.invariants.chat.events import EVENTS
from tests.invariants.chat.stranger import Stranger
from tests.invariants.chat.world import PERSON, World
from tests.invariants.coverage import uncovered
from tests.invariants.wire import Wire


@pytest.fixture
async def wire(world: World) -> AsyncIterator[Wire]:
    """A connection of the stranger's `PERSON`."""
    wire = await Wire.open(world.installation.nodes[0].url, {"token": world.stranger.tenant.token(PERSON)})
    yield wire
    await wire.close()


def test_every_event_of_the_running_gateway_has_an_entry(world: World) -> None:
    there = world.installation.nodes[0].node.dispatcher.events
    uncovered("socket events", there, EVENTS, "tests/invariants/chat/events.py")


@pytest.mark.parametrize("event", EVENTS)
async def test_another_tenants_ids_are_those_of_nothing(stranger: Stranger, wire: Wire, event: str) -> None:
    await stranger.emit_all(event, EVENTS[event], wire)


async def test_a_connection_is_prolonged_by_no_token_of_another_tenants_user_of_that_name(
    stranger: Stranger, wire: Wire
) -> None:
    world = stranger.world
    victim, own = world.victim.tenant, world.stranger.tenant
    signing = own.snapshot.signing_keys[0]
    pairs = [
        (victim.token(PERSON), own.token("somebody-else"), "invalid_input"),
        (
            world.forged(victim.snapshot.app_id, signing),
            world.forged(world.installation.ids.new("app"), signing),
            "token_invalid",
        ),
        (victim.publishable_key, keys.generate("pk"), "token_invalid"),
    ]
    async with stranger.unnoticed("auth.refresh"):
        for theirs, nothing, code in pairs:
            answers = [Answer(0, (), await wire.call("auth.refresh", {"token": token})) for token in (theirs, nothing)]
            same("auth.refresh", *answers)
            assert orjson.loads(answers[0].body)[0]["error"]["code"] == code


async def test_no_token_made_by_a_stranger_connects_to_another_tenants_app(stranger: Stranger) -> None:
    world = stranger.world
    victim, own = world.victim.tenant, world.stranger.tenant
    signing = own.snapshot.signing_keys[0]
    nobody = world.installation.ids.new("app")
    named = {"key": victim.publishable_key}
    pairs = [
        (world.forged(victim.snapshot.app_id, signing), world.forged(nobody, signing), {}),
        (world.forged(victim.snapshot.app_id, signing), world.forged(nobody, signing), named),
        (own.token(PERSON), own.token(PERSON)[:-4] + "AAAA", named),
    ]
    async with stranger.unnoticed("connect"):
        for theirs, nothing, query in pairs:
            refusals = []
            for token in (theirs, nothing):
                wire = await Wire.open(world.installation.nodes[0].url, {"token": token}, query=query)
                refusals.append(Answer(0, (), wire.refusal or "connected"))
                await wire.close()
            same("connect", *refusals)
            assert "token_invalid" in refusals[0].body


async def test_a_resume_from_another_tenants_cursor_replays_the_callers_own_changes_alone(stranger: Stranger) -> None:
    world = stranger.world
    auth = {"token": world.stranger.tenant.token(PERSON), "cursor": world.victims_first_cursor}
    async with stranger.unnoticed("connect"):
        wire = await Wire.open(world.installation.nodes[0].url, auth)
        answer = orjson.loads(await wire.call("sync", {"cursor": world.victims_first_cursor, "limit": 1000}))[0]
    ready = next(orjson.loads(frame[1:])[1] for frame in wire.frames if "connection.ready" in frame)
    assert ready["recovered"] is True
    assert answer["recovered"] is True
    assert answer["events"]
    for frame in wire.frames:
        no_canary("a resume", mask(frame, {}))
    await wire.close()


async def test_revoking_a_user_leaves_another_tenants_user_of_that_name_connected(stranger: Stranger) -> None:
    world = stranger.world
    async with stranger.unnoticed("revoke"):
        answer = await stranger.ask("POST", "/v1/users/bystander/revoke", bearer=stranger.bearers["server"])
        assert answer.status == 200
    name = "shared-name"
    wires = {}
    for side in (world.victim, world.stranger):
        await side.tenant.post("/v1/users", users=[{"id": name}])
        for running in world.installation.nodes:
            wires[side.mark, running.port] = await Wire.open(running.url, {"token": side.tenant.token(name)})
    await world.settle()
    async with stranger.unnoticed("revoke"):
        await world.stranger.tenant.post(f"/v1/users/{name}/revoke")
        await stranger.silence()
    for (mark, _), wire in wires.items():
        assert wire.open_still == (mark == world.victim.mark)
        await wire.close()


async def test_nothing_of_all_this_was_heard_by_the_other_tenant(stranger: Stranger) -> None:
    await stranger.silence()
