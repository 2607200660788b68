"""`realtime.md`: connecting, events, acknowledgements, endings, resume. Examples are recorded from a real run."""

from pathlib import Path
from typing import Any, Final, cast

import msgspec
import orjson

from data_plane import features
from data_plane.gateway import closing
from data_plane.gateway.dispatcher import MAX_IN_FLIGHT
from data_plane.gateway.events import connection_events
from data_plane.gateway.gateway import CURSOR_PERIOD, HANDSHAKE_SECONDS
from data_plane.gateway.packets import MAX_PACKET
from data_plane.gateway.routes import Payload
from data_plane.gateway.session import MAX_REPLAY
from ops.reference.text import field_table, table

EXAMPLES: Final = Path(__file__).parents[2] / "docs" / "reference" / "examples.json"
"""What a run said, by event name, in `events` and `acks`; `tests/clients/test_examples.py` records it."""

CHANNEL_EVENTS: Final = {
    "message.created": "A message was stored.",
    "message.updated": "Its author, or the server, changed it. The message is as it is now.",
    "message.deleted": "It was deleted. Its place and number stay, its content is gone.",
    "channel.created": "The first entry of a channel's log.",
    "channel.updated": "Name, image, custom data or `frozen` changed.",
    "channel.deleted": "The channel is gone for everybody.",
    "member.added": "Somebody joined.",
    "member.removed": "Somebody left or was removed. For that user nothing follows.",
}
USER_EVENTS: Final = {
    "membership.added": "You are a member now. The channel's events follow, from `from_seq` on.",
    "membership.removed": "You are no member any more. `seq` is where the channel ended for you.",
    "unread.changed": "Your read position moved, on any of your devices.",
    "user.updated": "Your own profile changed.",
}
CONNECTION_EVENTS: Final = {
    "connection.ready": "The first event of every connection, also after a reconnect.",
    "sync.cursor": "Where a resume may start from now on. Keep the newest.",
    "connection.closing": "The connection is about to end, and why. See Endings.",
    "error": "The client broke the protocol; `connection.closing` follows.",
}

_HEAD: Final = """\
# Realtime

Generated from the code by `make reference`; the examples are from a run.

Natter speaks Socket.IO (protocol 5), so the official clients work: `socket.io-client` 4 with its default options, with WebSocket
alone or polling alone, and `python-socketio`.

## Connecting

```js
const socket = io(url, {{
  query: {{ key: "pk_…" }},                               // your publishable key; web pages must send it
  auth: (give) => give({{ token: currentToken(), cursor }}), // asked again at every reconnect
}});
```

- `url` is your app's, from `GET /v1/locate?key=pk_…`.
- `token` is a user's access token, made by your server with `POST /v1/tokens` or signed by it.
- `cursor` is where to resume, if you have one. See Resume.
- A page's origin must be among the app's allowed origins. If it is not, or the key is missing, the handshake is answered with 403 and an
  error document before Socket.IO begins.
- Who has not authenticated {handshake:g} s after opening is cut off.
- There is one namespace, `/`. Binary packets are refused. A packet has at most {packet:,} characters.

A refusal arrives as `connect_error` with `err.data`, and the client does not come back by itself:

```json
{connect_error}
```

The first event is `connection.ready`:

```json
{ready}
```

`expires_at` is when the token, and with it the connection, ends. `recovered` is null without a cursor, true when everything since the
cursor follows, and false when that is not possible: then `channels` holds fresh state.

A connected user receives the durable events of every channel that it is a member of. Nothing needs to be subscribed to.

## Events from the server

Each has the form `{{type, channel_id, seq, epoch, at, actor, data}}`. `actor` is the user who did it, null for your server. In each
channel `seq` counts every event from 1 without a gap.

"""

_RESUME: Final = """\
## Resume

What Natter guarantees, and what a client does:

1. On one connection each channel's events come in `seq` order, each once. There is never a silent hole: a node that cannot guarantee it
   closes the connection with `resync: true`.
2. Keep the newest `cursor`, from `connection.ready` or `sync.cursor` (about every {period:g} s while something happens). Connect with it, to any
   node, and everything since comes after `connection.ready`, then live events go on. At most {replay:,} events are replayed; a client that
   missed more gets `recovered: false` and fresh state.
3. A resume starts at the cursor, so it may repeat events that came after it. **Drop an event whose `seq` is not above the last you applied
   in its channel** (in your own log for events without a channel). `message.updated` and replayed messages show the message as it is now.
4. `epoch` names the life of the logs. It changes only after a restore from a backup; then `recovered` is false.
5. Make message ids yourself (UUIDv7) and send again after a break, with the same id: the answer is the message that was stored, once.

Over REST, `GET /v1/sync?cursor=…` answers the same in pages (`has_more`); so does the event `sync`.
"""


def client_events() -> dict[str, type[Payload]]:
    """What clients may send: names and payloads, as a node registers them."""
    nothing = cast(Any, None)
    routes = {route.event: route.payload for route in features.socket_routes(nothing, nothing, nothing)}
    routes.update({event: payload for event, payload, _ in connection_events(nothing, nothing, nothing)})
    return dict(sorted(routes.items()))


def realtime_page() -> str:
    """The page."""
    said = orjson.loads(EXAMPLES.read_bytes())
    events, acks = said["events"], said["acks"]
    head = _HEAD.format(
        handshake=HANDSHAKE_SECONDS,
        packet=MAX_PACKET,
        connect_error=_json(said["connect_error"]),
        ready=_json(events["connection.ready"]),
    )
    parts = [head.rstrip()]
    parts.append("### In a channel")
    parts += [_event(name, meaning, events) for name, meaning in CHANNEL_EVENTS.items()]
    parts.append("### Your own\n\nThese have no `channel_id`; their `seq` counts in the user's own log.")
    parts += [_event(name, meaning, events) for name, meaning in USER_EVENTS.items()]
    parts.append("### Of the connection\n\nThese are outside of all logs and have a form of their own.")
    parts += [_event(n, meaning, events) for n, meaning in CONNECTION_EVENTS.items() if n != "connection.ready"]
    parts.append(_requests(acks))
    parts.append(_endings())
    parts.append(_RESUME.format(period=CURSOR_PERIOD, replay=MAX_REPLAY).rstrip())
    return "\n\n".join(parts) + "\n"


def _event(name: str, meaning: str, events: dict[str, Any]) -> str:
    return f"**`{name}`** {meaning}\n\n```json\n{_json(events[name])}\n```"


def _requests(acks: dict[str, Any]) -> str:
    parts = [
        "## Events to the server",
        "Send one object and wait for the acknowledgement: `await socket.emitWithAck(event, payload)`. An acknowledgement means that it is "
        "committed, not merely received. A connection may have "
        f"{MAX_IN_FLIGHT} unanswered; more are answered with `too_many_in_flight`, to be sent again. Your own message reaches you as "
        "an event, too, before its acknowledgement. A failure is answered in the same place, with a code of [errors.md](errors.md):",
        f"```json\n{_json(acks['error'])}\n```",
    ]
    for name, payload in client_events().items():
        parts += [f"### {name}", field_table(payload), f"Answered with\n\n```json\n{_json(acks[name])}\n```"]
    return "\n\n".join(parts)


def _endings() -> str:
    rows = [
        [
            f"`{end.code}`",
            "yes" if end.reconnect else "no",
            "yes" if end.resync else "no",
            f"{end.spread_ms:,}",
            end.meaning,
        ]
        for end in closing.ALL
    ]
    return (
        "## Endings\n\n"
        "Before it ends a connection the server says `connection.closing {code, reconnect, after_ms, resync}`. With `reconnect: false` a "
        "Socket.IO disconnect follows, and the client stays away; otherwise the transport closes, and the official clients reconnect by "
        "themselves. Wait `after_ms` if you reconnect on your own. `resync` says to resume with the cursor, because events may be "
        "missing.\n\n"
        + table(["code", "reconnect", "resync", "after_ms up to", "meaning"], rows)
        + "\n\nFor `token_expired` have a fresh token ready in `auth`; to keep the connection, send `auth.refresh` before `expires_at`."
    )


def _json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
