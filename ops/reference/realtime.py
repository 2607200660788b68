"""`realtime.md`: connecting, events, acknowledgements, endings, resume. Examples are recorded from a real run."""

from typing import Any

import orjson

from data_plane.events import Place
from data_plane.features import CALLS, EVENTS
from data_plane.gateway import closing
from data_plane.gateway.admission import MAX_REPLAY
from data_plane.gateway.dispatcher import MAX_IN_FLIGHT
from data_plane.gateway.drain import GRACE
from data_plane.gateway.gateway import CURSOR_PERIOD, HANDSHAKE_SECONDS
from data_plane.gateway.packets import MAX_PACKET
from kernel.settings import Settings
from ops.reference.asyncapi import EXAMPLES
from ops.reference.text import as_json, field_table, fill, table


def realtime_page() -> str:
    """The page."""
    said = orjson.loads(EXAMPLES.read_bytes())
    events, acks = said["events"], said["acks"]
    return fill(
        "realtime.md",
        handshake=f"{HANDSHAKE_SECONDS:g}",
        packet=f"{MAX_PACKET:,}",
        user_connections=Settings().user_connections,
        address_connections=Settings().address_connections,
        grace=f"{GRACE:g}",
        period=f"{CURSOR_PERIOD:g}",
        replay=f"{MAX_REPLAY:,}",
        in_flight=MAX_IN_FLIGHT,
        connect_error=as_json(said["connect_error"]),
        ready=as_json(events["connection.ready"]),
        error=as_json(acks["error"]),
        channel_events=_events(Place.CHANNEL, events),
        user_events=_events(Place.USER, events),
        app_events=_events(Place.APP, events),
        passing_events=_events(Place.PASSING, events),
        connection_events=_events(Place.CONNECTION, {**events, "connection.ready": None}),
        requests=_requests(acks),
        endings=_endings(),
    )


def _events(place: Place, examples: dict[str, Any]) -> str:
    return "\n\n".join(
        f"**`{event.name}`** {event.meaning}"
        + (f"\n\n```json\n{as_json(examples[event.name])}\n```" if examples[event.name] else "")
        for event in EVENTS
        if event.place is place
    )


def _requests(acks: dict[str, Any]) -> str:
    return "\n\n".join(
        f"### {call.name}\n\n{call.meaning}\n\n{field_table(call.payload)}\n\n"
        f"Answered with\n\n```json\n{as_json(acks[call.name])}\n```"
        for call in sorted(CALLS, key=lambda call: call.name)
    )


def _endings() -> str:
    yes = {True: "yes", False: "no"}
    rows = [
        [f"`{end.code}`", yes[end.reconnect], yes[end.resync], f"{end.spread_ms:,}", end.meaning] for end in closing.ALL
    ]
    return table(["code", "reconnect", "resync", "after_ms up to", "meaning"], rows)
