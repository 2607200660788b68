"""`asyncapi.json`: every socket event, from the features' definitions, with what a run said as examples."""

from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import orjson

from data_plane.events import ClientEvent, Place, ServerEvent
from data_plane.features import CALLS, EVENTS
from data_plane.gateway.definitions import Failed
from ops.reference.schemas import Schemas
from ops.reference.text import fill

EXAMPLES: Final = Path(__file__).parents[2] / "docs" / "reference" / "examples.json"
"""What a run said, by event name, in `events` and `acks`; `tests/clients/test_examples.py` records it."""
PLACES: Final = {
    Place.CHANNEL: ("In a channel", "Entries of a channel's log, for its members and watchers."),
    Place.USER: ("Your own", "Entries of your own log, for you alone."),
    Place.APP: ("Of the app", "Entries of the app's log, for all its users."),
    Place.PASSING: ("In passing", "In no log: who is not connected misses it."),
    Place.CONNECTION: ("Of the connection", "Outside of all logs, in a form of their own."),
}
TO_SERVER: Final = "To the server"
FAILED: Final = "failed"
_SOCKET: Final = {"$ref": "#/channels/socket"}


def asyncapi_json() -> str:
    """The document, as the file holds it."""
    return orjson.dumps(document(), option=orjson.OPT_INDENT_2).decode() + "\n"


def document(events: Iterable[ServerEvent] = EVENTS, calls: Iterable[ClientEvent] = CALLS) -> dict[str, Any]:
    """The document."""
    events, calls = tuple(events), tuple(calls)
    said = orjson.loads(EXAMPLES.read_bytes())
    schemas = Schemas(_types(events, calls))
    messages = {event.name: _told(event, schemas, said["events"]) for event in events}
    for call in calls:
        messages[call.name] = _message(call.name, call.meaning, schemas.of(call.payload), said["calls"].get(call.name))
        ack = f"{call.name}.ack"
        messages[ack] = _message(ack, f"Acknowledges `{call.name}`.", schemas.of(call.ack), said["acks"].get(call.name))
    messages[FAILED] = _message(
        FAILED, "Acknowledges any event that failed.", schemas.of(Failed), said["acks"]["error"]
    )
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Natter realtime",
            "version": version("natter"),
            "description": fill("asyncapi.md").strip(),
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
            "tags": [
                *({"name": name, "description": words} for name, words in PLACES.values()),
                {"name": TO_SERVER, "description": "Each is acknowledged."},
            ],
        },
        "defaultContentType": "application/json",
        "servers": {
            "node": {
                "host": "{host}",
                "protocol": "wss",
                "description": "Your app's `url`, as `GET /v1/locate` tells it. Socket.IO over WebSocket or polling.",
                "variables": {"host": {"default": "127.0.0.1:8100"}},
            }
        },
        "channels": {
            "socket": {
                "address": "/socket.io/",
                "title": "The namespace `/`",
                "description": "Connect with `auth`: `{token, cursor}`, or `{anonymous: true}` where the app lets "
                "anonymous visitors in; the first event is `connection.ready`.",
                "bindings": {"ws": {"method": "GET", "query": _QUERY}},
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
            }
        },
        "operations": {event.name: _sent(event) for event in events} | {call.name: _received(call) for call in calls},
        "components": {"messages": messages, "schemas": {**schemas.components}},
    }


_QUERY: Final = {
    "type": "object",
    "properties": {"key": {"type": "string", "description": "Your publishable key, `pk_…`; web pages must send it."}},
}


def _types(events: Iterable[ServerEvent], calls: Iterable[ClientEvent]) -> Iterator[Any]:
    yield Failed
    for event in events:
        yield event.data
    for call in calls:
        yield call.payload
        yield from call.ack if isinstance(call.ack, tuple) else [call.ack]


def _message(name: str, meaning: str, schema: dict[str, Any], example: Any) -> dict[str, Any]:
    message: dict[str, Any] = {"name": name, "summary": meaning, "payload": schema}
    if example is not None:
        message["examples"] = [{"name": "recorded", "payload": example}]
    return message


def _told(event: ServerEvent, schemas: Schemas, said: dict[str, Any]) -> dict[str, Any]:
    schema = schemas.of(event.data)
    if event.place is not Place.CONNECTION:
        schema = _entry(event, schema)
    return _message(event.name, event.meaning, schema, said.get(event.name))


def _entry(event: ServerEvent, data: dict[str, Any]) -> dict[str, Any]:
    passing = event.place is Place.PASSING
    channel = {"type": "string"} if event.place is Place.CHANNEL else {"type": "null"}
    properties = {
        "type": {"const": event.name},
        "channel_id": {"type": ["string", "null"]} if passing else channel,
        "seq": {"type": "null"}
        if passing
        else {"type": "integer", "minimum": 1, "description": "Its place in its log."},
        "epoch": {"type": "string", "description": "Names the life of the logs."},
        "at": {"type": "string", "format": "date-time"},
        "actor": {"type": ["string", "null"], "description": "Who did it; null for your server in nobody's name."},
        "data": data,
    }
    return {"type": "object", "required": list(properties), "properties": properties}


def _sent(event: ServerEvent) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": _SOCKET,
        "summary": event.meaning,
        "tags": [{"name": PLACES[event.place][0]}],
        "messages": [_reference(event.name)],
    }


def _received(call: ClientEvent) -> dict[str, Any]:
    return {
        "action": "receive",
        "channel": _SOCKET,
        "summary": call.meaning,
        "tags": [{"name": TO_SERVER}],
        "messages": [_reference(call.name)],
        "reply": {"channel": _SOCKET, "messages": [_reference(f"{call.name}.ack"), _reference(FAILED)]},
    }


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/channels/socket/messages/{name}"}
