"""`asyncapi.json` is a valid AsyncAPI 3.0 document, tells of every event, and what clients hear is what it says."""

import copy
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
from jsonschema import Draft7Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT7

from data_plane.events import Data
from data_plane.features import CALLS, EVENTS
from data_plane.gateway.routes import Payload
from data_plane.reference import asyncapi_document
from tests import conftest, schemas
from tests.api.house import House
from tests.api.line import Line
from tests.api.test_document import parts, resolve
from tests.api.wire import request
from tests.clients.driver import Client
from tests.invariants.wire import Wire

SPECIFICATION = Path(__file__).parent / "specification" / "asyncapi-3.0.0.json"
FORMS: list[Any] = [*(event.data for event in EVENTS), *(call.payload for call in CALLS), *(call.ack for call in CALLS)]


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """As it is served."""
    found: dict[str, Any] = orjson.loads(asyncapi_document())
    return found


@pytest.fixture(scope="module")
def specification() -> Draft7Validator:
    """AsyncAPI's own schema."""
    return Draft7Validator(orjson.loads(SPECIFICATION.read_bytes()))


def test_it_is_valid(told: dict[str, Any], specification: Draft7Validator) -> None:
    assert [error.message for error in specification.iter_errors(told)] == []
    broken = copy.deepcopy(told)
    broken["operations"]["message.send"]["action"] = "shout"
    assert not specification.is_valid(broken)
    broken = copy.deepcopy(told)
    broken["components"]["messages"]["message.created"]["payload"]["type"] = "thing"
    assert not specification.is_valid(broken)


def test_its_references_lead_somewhere_and_nothing_is_left_over(told: dict[str, Any]) -> None:
    used = {value["$ref"] for _, value in parts(told) if isinstance(value, dict) and "$ref" in value}
    for reference in used:
        resolve(told, {"$ref": reference})
    kept = {f"#/components/{kind}/{name}" for kind, items in told["components"].items() for name in items}
    assert kept - used == set()
    spoken = {f"#/channels/socket/messages/{name}" for name in told["channels"]["socket"]["messages"]}
    assert spoken - used == set()


def test_it_tells_of_every_event_that_a_running_node_takes(house: House, told: dict[str, Any]) -> None:
    dispatcher = house.node.node.dispatcher
    taken = {name: payload for name, (payload, _) in dispatcher._routes.items()}
    taken |= {name: route.payload for name, route in dispatcher._immediate.items()}
    assert taken == {call.name: call.payload for call in CALLS}
    received = {name for name, operation in told["operations"].items() if operation["action"] == "receive"}
    assert received == set(dispatcher.events)


def test_no_event_is_told_of_twice_and_each_is_told_in_full(told: dict[str, Any]) -> None:
    names = [event.name for event in EVENTS] + [call.name for call in CALLS]
    assert len(names) == len(set(names)) == len(told["operations"])
    for event in (*EVENTS, *CALLS):
        assert event.meaning.endswith("."), event.name
    for name, message in told["components"]["messages"].items():
        assert message.get("examples"), f"{name}: record one with tests/clients/test_examples.py"


def test_what_clients_send_and_get_has_exact_fields() -> None:
    for event in EVENTS:
        if isinstance(event.data, type) and issubclass(event.data, msgspec.Struct) and event.name != "error":
            assert issubclass(event.data, Data), event.name
    assert all(issubclass(call.payload, Payload) for call in CALLS)


def test_the_examples_are_true_to_the_schemas(told: dict[str, Any]) -> None:
    registry = Registry().with_resource("urn:told", DRAFT7.create_resource({**told, "$id": "urn:told"}))

    def problems(message: str, value: Any) -> list[str]:
        where = {"$ref": f"urn:told#/components/messages/{message}/payload"}
        validator = Draft7Validator(where, registry=registry, format_checker=FormatChecker())
        return [error.message for error in validator.iter_errors(value)]

    for name, message in told["components"]["messages"].items():
        for example in message["examples"]:
            assert problems(name, example["payload"]) == [], name
    created = told["components"]["messages"]["message.created"]["examples"][0]["payload"]
    assert problems("message.created", {**created, "seq": None})
    assert problems("message.created", {**created, "data": {"message": {**created["data"]["message"], "text": None}}})
    assert problems("message.updated", created)


def test_the_recorded_examples_fit_the_definitions_to_the_letter(told: dict[str, Any]) -> None:
    for name, message in told["components"]["messages"].items():
        for example in message["examples"]:
            if name in schemas.TOLD:
                assert schemas.problems_of_event(name, example["payload"]) == []
            elif name.endswith(".ack"):
                assert schemas.problems_of_ack(name.removesuffix(".ack"), example["payload"]) == []


async def test_it_is_served(house: House) -> None:
    answer = await request(house.url, "GET", "/v1/asyncapi.json")
    assert (answer.status, answer.body) == (200, asyncapi_document())
    assert answer.headers["content-type"] == "application/json"
    again = await request(house.url, "GET", "/v1/asyncapi.json", [("if-none-match", answer.headers["etag"])])
    assert (again.status, again.body) == (304, b"")


# -- what fits no definition is noticed ------------------------------------------------------------------------------


EVENT = {
    "type": "member.removed", "channel_id": "den", "seq": 3, "epoch": "e", "at": "2026-03-10T09:00:00.000Z",
    "actor": None, "data": {"user_id": "bob"},
}  # fmt: skip
BAD: dict[str, tuple[str, Any]] = {
    "an event that nobody tells of": ("member.vanished", {**EVENT, "type": "member.vanished"}),
    "a field too many": ("member.removed", {**EVENT, "data": {"user_id": "bob", "why": "noise"}}),
    "a field too many in the form": ("member.removed", {**EVENT, "node": "n1"}),
    "a field too few": ("member.removed", {**EVENT, "data": {}}),
    "another type": ("member.removed", {**EVENT, "data": {"user_id": 5}}),
    "no seq": ("member.removed", {**EVENT, "seq": None}),
    "no channel": ("member.removed", {**EVENT, "channel_id": None}),
    "a channel where none is": ("block.removed", {**EVENT, "type": "block.removed"}),
    "another name than its type": ("member.removed", {**EVENT, "type": "member.added"}),
    "a passing one with a seq": ("typing.started", {**EVENT, "type": "typing.started"}),
    "of the connection": ("sync.cursor", {"cursor": 5}),
}


@pytest.mark.parametrize("what", BAD)
def test_an_event_that_fits_no_definition_is_noticed(what: str) -> None:
    name, payload = BAD[what]
    schemas.heard("member.removed", EVENT)
    assert schemas.caught() == []
    schemas.heard(name, payload)
    assert len(schemas.caught()) == 1


def test_an_unknown_field_deep_inside_is_noticed(told: dict[str, Any]) -> None:
    event = told["components"]["messages"]["membership.added"]["examples"][0]["payload"]
    event = copy.deepcopy(event)
    event["data"]["channel"]["membership"]["mood"] = "fine"
    schemas.heard("membership.added", event)
    assert "`channel.membership.mood` is in no definition" in schemas.caught()[0]


def test_an_acknowledgement_that_fits_no_definition_is_noticed() -> None:
    schemas.answered("typing.start", {})
    schemas.answered("typing.start", {"error": {"code": "not_found", "message": "x", "retryable": False, "more": 1}})
    assert schemas.caught() == []
    for event, answer in {
        "typing.start": {"ok": True},
        "receipt.read": {"channel_id": "den"},
        "no.such": {},
        "sync": {"recovered": True, "events": [{**EVENT, "data": {}}], "cursor": "c", "has_more": False},
        "message.send": {"error": {"code": "not_found"}},
    }.items():
        schemas.answered(event, answer)
        assert len(schemas.caught()) == 1, event


async def test_each_kind_of_client_of_the_tests_has_it_noticed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the definition of `connection.ready` taken away, and that of an acknowledgement."""
    monkeypatch.delitem(schemas.TOLD, "connection.ready")
    monkeypatch.delitem(schemas.ASKED, "typing.start")
    await house.on_loop(house.tenant.channel("noticed", "ada"))
    token = house.token(house.tenant, "ada")
    line = await Line.connected(house.url, token)
    assert "`connection.ready` is told of by no definition" in schemas.caught()[0]
    await line.ask("typing.start", b'{"channel_id": "noticed"}')
    assert "`typing.start` is told of by no definition" in schemas.caught()[0]
    await line.close()
    wire = await Wire.open(house.url, {"token": token})
    assert "`connection.ready` is told of by no definition" in schemas.caught()[0]
    await wire.call("typing.start", {"channel_id": "noticed"})
    assert "`typing.start` is told of by no definition" in schemas.caught()[0]
    await wire.close()
    Client(None, "c", "javascript").note({"on": "event", "event": "connection.ready", "payload": {}})  # type: ignore[arg-type]
    assert "`connection.ready` is told of by no definition" in schemas.caught()[0]


def test_a_test_fails_whose_client_heard_something_else(request: pytest.FixtureRequest) -> None:
    assert "no_unknown_events" in request.fixturenames, "every test has it"
    watch = conftest.no_unknown_events.__wrapped__()
    next(watch)
    schemas.heard("no.such", {})
    with pytest.raises(pytest.fail.Exception, match=r"`no\.such` is told of by no definition"):
        next(watch)
    assert schemas.caught() == []
