"""`realtime.md`: connecting, events, acknowledgements, endings, resume. Examples are recorded from a real run."""

from pathlib import Path
from typing import Any, Final, cast

import orjson

from data_plane import features
from data_plane.gateway import closing
from data_plane.gateway.dispatcher import MAX_IN_FLIGHT
from data_plane.gateway.drain import GRACE
from data_plane.gateway.events import connection_events
from data_plane.gateway.gateway import CURSOR_PERIOD, HANDSHAKE_SECONDS
from data_plane.gateway.packets import MAX_PACKET
from data_plane.gateway.routes import Payload
from data_plane.gateway.session import MAX_REPLAY
from data_plane.typing.socket import Typing
from kernel.settings import Settings
from ops.reference.text import as_json, field_table, fill, table

EXAMPLES: Final = Path(__file__).parents[2] / "docs" / "reference" / "examples.json"
"""What a run said, by event name, in `events` and `acks`; `tests/clients/test_examples.py` records it."""

CHANNEL_EVENTS: Final = {
    "message.created": "A message was stored.",
    "message.updated": "Its author, or the server, changed it. The message is as it is now.",
    "message.deleted": "It was deleted. Its place and number stay, its content is gone.",
    "channel.created": "The first entry of a channel's log.",
    "channel.updated": "Name, image, custom data, `frozen` or `grants` changed; `changed` says which.",
    "channel.deleted": "The channel is gone for everybody.",
    "member.added": "Somebody joined.",
    "member.updated": "A member has another role.",
    "member.removed": "Somebody left or was removed. For that user nothing follows.",
}
USER_EVENTS: Final = {
    "membership.added": "You are a member now. The channel's events follow, from `from_seq` on.",
    "membership.updated": "Your role in the channel is another one; `capabilities` are what you may do now.",
    "membership.removed": "You are no member any more. `seq` is where the channel ended for you.",
    "unread.changed": "Your read position moved, on any of your devices.",
    "user.updated": "Your own profile changed.",
    "block.added": "You blocked somebody, on any of your devices.",
    "block.removed": "You took a block back.",
}
APP_EVENTS: Final = {
    "grants.updated": "What roles may do in some channel types changed. `types` holds these types' rows of the table, "
    "whole; null for a type that is no more.",
}
PASSING_EVENTS: Final = {
    "typing.started": "Somebody types. It means nothing any more after 6 s without another.",
    "typing.stopped": "They have stopped.",
    "profile.changed": "A user whose channels you watch changed its profile; once, however many you share.",
}
CONNECTION_EVENTS: Final = {
    "connection.ready": "The first event of every connection, also after a reconnect.",
    "sync.cursor": "Where a resume may start from now on. Keep the newest.",
    "watch.ended": "You watched a channel without being a member, and may not any more. Nothing of it follows.",
    "connection.closing": "The connection is about to end, and why. See Endings.",
    "error": "The client broke the protocol; `connection.closing` follows.",
}


def client_events() -> dict[str, type[Payload]]:
    """What clients may send: names and payloads, as a node registers them."""
    nothing = cast(Any, None)
    routes = {route.event: route.payload for route in features.socket_routes(nothing, nothing, nothing)}
    routes.update({event: payload for event, payload, _ in connection_events(nothing, nothing, nothing, nothing)})
    routes.update({route.event: route.payload for route in Typing(nothing, nothing, nothing).routes()})
    return dict(sorted(routes.items()))


def realtime_page() -> str:
    """The page."""
    said = orjson.loads(EXAMPLES.read_bytes())
    events, acks = said["events"], said["acks"]
    return fill(
        "realtime.md",
        handshake=f"{HANDSHAKE_SECONDS:g}",
        packet=f"{MAX_PACKET:,}",
        user_connections=Settings().user_connections,
        grace=f"{GRACE:g}",
        period=f"{CURSOR_PERIOD:g}",
        replay=f"{MAX_REPLAY:,}",
        in_flight=MAX_IN_FLIGHT,
        connect_error=as_json(said["connect_error"]),
        ready=as_json(events["connection.ready"]),
        error=as_json(acks["error"]),
        channel_events=_events(CHANNEL_EVENTS, events),
        user_events=_events(USER_EVENTS, events),
        app_events=_events(APP_EVENTS, events),
        passing_events=_events(PASSING_EVENTS, events),
        connection_events=_events(CONNECTION_EVENTS, {**events, "connection.ready": None}),
        requests=_requests(acks),
        endings=_endings(),
    )


def _events(meanings: dict[str, str], examples: dict[str, Any]) -> str:
    return "\n\n".join(
        f"**`{name}`** {meaning}" + (f"\n\n```json\n{as_json(examples[name])}\n```" if examples[name] else "")
        for name, meaning in meanings.items()
    )


def _requests(acks: dict[str, Any]) -> str:
    return "\n\n".join(
        f"### {name}\n\n{field_table(payload)}\n\nAnswered with\n\n```json\n{as_json(acks[name])}\n```"
        for name, payload in client_events().items()
    )


def _endings() -> str:
    yes = {True: "yes", False: "no"}
    rows = [
        [f"`{end.code}`", yes[end.reconnect], yes[end.resync], f"{end.spread_ms:,}", end.meaning] for end in closing.ALL
    ]
    return table(["code", "reconnect", "resync", "after_ms up to", "meaning"], rows)
