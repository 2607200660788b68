"""Every socket event of a running node is given everything bad: an error by code, or a documented ending."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import orjson
import pytest
from sqlalchemy import text

from data_plane.features import CALLS
from data_plane.gateway import closing
from data_plane.gateway.engineio.protocol import Limits
from data_plane.gateway.packets import MAX_PACKET
from data_plane.gateway.routes import Payload, SocketRoute
from kernel.contracts import RateLimit
from tests.api.badness import Forger, bad_values, with_field
from tests.api.house import House, Logs, Stored
from tests.api.line import Line
from tests.api.sweep import KNOWN, fields, fits
from tests.api.test_sweep import BESIDES, HELLO, THEIRS, quiet  # noqa: F401 - a fixture
from tests.api.wire import request

CONTENT: dict[str, Any] = {"text": "Hello", "attachments": [{"type": "image"}], "custom": {"a": 1}}
EVENTS: dict[str, dict[str, Any]] = {
    "message.send": {"id": HELLO, "channel_id": "general", "silent": False, "user_id": "ada", **BESIDES, **CONTENT},
    "message.update": {"id": HELLO, **CONTENT},  # without `set` and `unset`, which the sweep of REST has
    "message.delete": {"id": HELLO, "hard": False},
    "message.restore": {"id": HELLO},
    "message.hide": {"id": HELLO},
    "thread.read": {"message_id": HELLO, "reply_id": HELLO},
    "reaction.add": {"message_id": HELLO, "emoji": "👍", "unique": False},
    "reaction.remove": {"message_id": HELLO, "emoji": "👍"},
    "message.pin": {"message_id": HELLO, "expires_at": "2126-01-01T00:00:00Z"},
    "message.unpin": {"message_id": HELLO},
    "membership.arrange": {
        "channel_id": "general",
        "archived": True,
        "hidden": False,
        "clear_history": False,
        "muted": True,
        "muted_until": "2126-01-01T00:00:00Z",
        "pinned": True,
        "pin_before": None,
    },
    "receipt.read": {"channel_id": "general", "number": 1},
    "receipt.delivered": {"channel_id": "general", "number": 1},
    "receipt.read_all": {"type": "group"},
    "unread.mark": {"channel_id": "general", "number": 1},
    "channel.watch": {"channel_id": "general"},
    "channel.unwatch": {"channel_id": "general"},
    "presence.set": {"status": "away", "text": "Lunch", "text_expires_at": "2030-01-01T12:00:00Z"},
    "presence.subscribe": {"user_ids": ["ada"]},
    "presence.unsubscribe": {"user_ids": ["ada"]},
    "typing.start": {"channel_id": "general", "thread_id": HELLO},
    "typing.stop": {"channel_id": "general", "thread_id": HELLO},
    "event.send": {"channel_id": "general", "type": "poll.opened", "data": {"a": 1}},
    "auth.refresh": {"token": "a token"},
    "sync": {"cursor": None, "limit": 10},
}
"""Every event with a payload that is good, or nearly. Whoever adds an event adds its line."""
PAYLOADS = {call.name: call.payload for call in CALLS}
FOREIGN: dict[str, dict[str, Any]] = {
    "message.send": {"channel_id": "theirs", "text": "Hello"},
    "message.update": {"id": THEIRS, "text": "Mine"},
    "message.delete": {"id": THEIRS},
    "message.restore": {"id": THEIRS},
    "message.hide": {"id": THEIRS},
    "thread.read": {"message_id": THEIRS},
    "reaction.add": {"message_id": THEIRS, "emoji": "👍"},
    "reaction.remove": {"message_id": THEIRS, "emoji": "👍"},
    "message.pin": {"message_id": THEIRS},
    "message.unpin": {"message_id": THEIRS},
    "membership.arrange": {"channel_id": "theirs", "archived": True},
    "receipt.read": {"channel_id": "theirs"},
    "receipt.delivered": {"channel_id": "theirs"},
    "unread.mark": {"channel_id": "theirs", "number": 1},
    "channel.watch": {"channel_id": "theirs"},
    "event.send": {"channel_id": "theirs", "type": "poll.opened"},
    "typing.start": {"channel_id": "theirs"},
    "typing.stop": {"channel_id": "theirs"},
}
"""The events that name something, with another app's."""
NOBODYS = THEIRS[:-1] + "0"
ENDINGS = {end.code for end in closing.ALL}
MESSAGE_TOO_BIG, NO_UTF_8 = 1009, 1007
"""WebSocket's own close codes: such a message never becomes a packet that could be answered."""


@dataclass
class Asker:
    """Asks over connections of one user, and keeps what is wrong with the answers."""

    url: str
    token: str
    stored: Stored
    logs: Logs
    wrong: list[str] = field(default_factory=list)
    calls: int = 0
    line: Line | None = None

    async def ask(
        self, what: str, event: str, payload: bytes, *, must: bool = True, codes: set[str] | None = None
    ) -> None:
        """One event, answered with an error or, unless it `must` be refused, in any other orderly way."""
        if self.line is None:
            self.line = await Line.connected(self.url, self.token)
        line, before, failures = self.line, await self.stored.now(), len(self.logs.failures)
        answer = await line.ask(event, payload)
        self.calls += 1
        said = f"{event}, {what}: "
        if answer is None:
            self.wrong += [said + wrong for wrong in ended_badly(line)]
            self.line = None
        elif "error" not in answer:
            self.wrong += [f"{said}accepted with {str(answer)[:300]}"] if must else []
        else:
            error = answer["error"]
            if error["code"] not in (codes or KNOWN) or not error["message"] or len(str(error)) > 3_000:
                self.wrong.append(f"{said}{str(error)[:300]}")
        if (answer is None or "error" in answer) and await self.stored.now() != before:
            self.wrong.append(f"{said}refused, and something was written")
        if len(self.logs.failures) > failures:
            self.wrong.append(f"{said}logged {self.logs.failures[-1][:500]}")

    async def close(self) -> None:
        if self.line is not None:
            await self.line.close()
        await self.stored.close()


def ended_badly(line: Line) -> list[str]:
    """What is wrong with how a line ended: it was told why, by a code that the reference has."""
    told, errors = line.events("connection.closing"), line.events("error")
    refused = [orjson.loads(packet[2:])["data"] for packet in line.said if packet.startswith("44")]
    if line.code in (MESSAGE_TOO_BIG, NO_UTF_8) or (refused and refused[-1]["code"] in KNOWN):
        return []
    if not told or told[-1]["code"] not in ENDINGS:
        return [f"ended with {line.code} and {line.said[-2:]}"]
    if told[-1]["code"] == "protocol_error" and (not errors or errors[-1]["code"] not in KNOWN):
        return [f"was not told what broke the protocol: {line.said[-2:]}"]
    return []


@pytest.fixture
async def asker(quiet: House, logs: Logs) -> AsyncIterator[Asker]:  # noqa: F811
    """Ada's connections to a node on which nothing else happens."""
    # What is bad about a payload is looked at here, not how many there were.
    counted = ("messages.user", "messages.app", "custom.user", "custom.channel", "requests.user", "requests.app")
    limits = [RateLimit(policy=policy, per_second=10_000, burst=10_000) for policy in counted]
    quiet.change(quiet.tenant, limits=tuple(limits))
    token = quiet.token(quiet.tenant, "ada")
    await (await Line.connected(quiet.url, token)).close()
    asker = Asker(quiet.url, token, await Stored.of(quiet.chat, "chat"), logs)
    yield asker
    await asker.close()


def test_every_event_of_a_running_node_has_an_entry(quiet: House) -> None:  # noqa: F811
    assert set(quiet.node.node.dispatcher.events) == set(EVENTS)


def test_every_field_of_every_payload_is_in_its_entry() -> None:
    left_out = [
        f"{event} {known.encode_name}"
        for event, kind in PAYLOADS.items()
        for known in msgspec.structs.fields(kind)
        if known.encode_name not in EVENTS[event]
    ]
    assert sorted(left_out) == [
        "message.update set",
        "message.update unset",
        "receipt.delivered message_id",
        "receipt.read message_id",
        "unread.mark message_id",
    ]  # a number or an id, not both; custom data as a whole, or its fields


@pytest.mark.parametrize("event", EVENTS)
async def test_bad_payloads_are_refused_and_leave_nothing(event: str, asker: Asker) -> None:
    kind = PAYLOADS[event]
    for path in fields(EVENTS[event]):
        for what, value in bad_values(path[-1]).items():
            payload = with_field(EVENTS[event], path, value)
            good = len(payload) < MAX_PACKET and fits(payload, kind)
            await asker.ask(f"{path} is {what}", event, payload, must=not good)
    for what, payload in {
        "a list": b"[]",
        "text": b'"text"',
        "a number": b"5",
        "null": b"null",
        "an unknown field": b'{"an_unknown_field": 1}',
        "two payloads": b"{}, {}",
        "far too deep": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        "no JSON": b"{",
    }.items():
        await asker.ask(f"the payload is {what}", event, payload)
    assert asker.wrong == [], "\n".join(asker.wrong[:20])
    assert asker.calls > 30


@pytest.mark.parametrize("event", FOREIGN)
async def test_another_apps_things_are_not_there(event: str, asker: Asker) -> None:
    await asker.ask("another app's", event, orjson.dumps(FOREIGN[event]), codes={"not_found"})
    nothing = orjson.dumps(FOREIGN[event]).replace(b"theirs", b"nowhere").replace(THEIRS.encode(), NOBODYS.encode())
    assert asker.line is not None
    theirs = await asker.line.ask(event, orjson.dumps(FOREIGN[event]))
    assert theirs == await asker.line.ask(event, nothing)
    assert asker.wrong == []


def test_events_that_name_something_are_tried_with_anothers() -> None:
    naming = {event for event, payload in EVENTS.items() if {"id", "channel_id"} & set(payload)}
    assert naming - set(FOREIGN) == {"channel.unwatch"}  # what is not watched is let go of, whatever it is


async def test_a_connection_is_not_prolonged_by_what_is_no_token(asker: Asker, quiet: House) -> None:  # noqa: F811
    for what, credential, codes in Forger(quiet).all():
        await asker.ask(what, "auth.refresh", orjson.dumps({"token": credential}), codes=codes)
    grace = orjson.dumps({"token": quiet.token(quiet.tenant, "grace")})
    await asker.ask("another user's", "auth.refresh", grace, codes={"invalid_input"})
    secret = orjson.dumps({"token": quiet.tenant.secret_key})
    await asker.ask("a secret key", "auth.refresh", secret, codes={"token_invalid"})
    assert asker.wrong == [], "\n".join(asker.wrong)


async def test_nobody_connects_with_what_is_no_token(asker: Asker, quiet: House) -> None:  # noqa: F811
    for what, credential, codes in Forger(quiet).all():
        await connect_refused(asker, what, orjson.dumps({"token": credential}), codes)
    for what, auth, codes in (
        ("a secret key", orjson.dumps({"token": quiet.tenant.secret_key}), {"token_invalid"}),
        ("no token", b"{}", {"unauthenticated"}),
        ("nothing", b"", {"unauthenticated"}),
        ("a token that is no text", b'{"token": 5}', {"invalid_input"}),
        ("a list", b"[]", {"malformed"}),
        ("a NUL", b'{"token": "a\\u0000"}', {"invalid_input"}),
        ("half a surrogate pair", b'{"token": "\\ud800"}', {"malformed"}),
        ("far too deep", b'{"token":' * 5_000 + b"1" + b"}" * 5_000, {"malformed"}),
    ):
        await connect_refused(asker, what, auth, codes)
    for what, cursor in {"nonsense": "nonsense", "long": "x" * 300, "of nothing": "AAAA", "empty": ""}.items():
        auth = orjson.dumps({"token": asker.token, "cursor": cursor})
        await connect_refused(asker, f"a cursor that is {what}", auth, {"bad_cursor"})
    assert asker.wrong == [], "\n".join(asker.wrong)


async def connect_refused(asker: Asker, what: str, auth: bytes, codes: set[str]) -> None:
    """A connect packet is answered with an error that carries one of the codes, and nothing is written."""
    before, failures = await asker.stored.now(), len(asker.logs.failures)
    line = await Line.open(asker.url)
    await line.send(b"40" + auth)
    packet = await line.until("4")
    code = orjson.loads(packet[2:])["data"]["code"] if packet and packet.startswith("44") else packet
    if code not in codes or await asker.stored.now() != before or len(asker.logs.failures) > failures:
        asker.wrong.append(f"connecting with {what}: {packet} {asker.logs.failures[failures:]}")
    await line.close()


PACKETS: dict[str, bytes] = {
    "nothing": b"4",
    "an unknown type": b"49",
    "an event of nothing": b"42",
    "an event that is no list": b'42{"a": 1}',
    "an empty event": b"42[]",
    "an event without name": b"42[5]",
    "an event with a long name": b'42["' + b"x" * 65 + b'"]',
    "an event with an empty name": b'42["", {}]',
    "three parts": b'42["sync", {}, {}]',
    "a long ack id": b'4299999999999["sync", {}]',
    "an ack that nobody waits for": b'431["sync"]',
    "an ack that is no list": b"431{}",
    "another namespace": b'42/admin,["sync", {}]',
    "no namespace's end": b"42/" + b"x" * 1_000,
    "binary": b'451-["sync", {"_placeholder": true, "num": 0}]',
    "many attachments": b'45999999999-["sync", {}]',
    "a binary ack": b"461-[]",
    "a connect error": b'44{"message": "no"}',
    "no JSON": b'42["sync", {',
    "far too deep": b'42["sync",' + b"[" * 20_000,
    "a NUL": b'42["sync", {"cursor": "\\u0000"}]',
    "half a surrogate pair": b'42["sync", {"cursor": "\\ud800"}]',
    "no UTF-8": b'42["sync", {"cursor": "\xff"}]',
    "larger than a packet": b'42["sync", {"cursor": "' + b"x" * MAX_PACKET + b'"}]',
    "larger than a message": b'42["sync", {"cursor": "' + b"x" * Limits().max_payload + b'"}]',
    "a second connect": b'40{"token": "garbage"}',
    "an unknown engine packet": b"9",
    "an engine packet of nothing": b"",
    "a ping of the wrong side": b"2",
    "an upgrade that is none": b"5",
    "an open of the wrong side": b"0{}",
}


HARMLESS = {
    "an ack that nobody waits for",
    "a second connect",
    "another namespace",
    "no namespace's end",
    "a ping of the wrong side",
    "an upgrade that is none",
    "an open of the wrong side",
}
"""Packets that say nothing; clients of other products send some of them."""


@pytest.mark.parametrize("what", PACKETS)
@pytest.mark.parametrize("authenticated", [True, False])
async def test_a_packet_that_breaks_the_protocol_ends_in_order(what: str, authenticated: bool, asker: Asker) -> None:
    before = await asker.stored.now()
    line = await (Line.connected(asker.url, asker.token) if authenticated else Line.open(asker.url))
    await line.send(PACKETS[what])
    alive = await survives(line, asker.token, authenticated)
    if not alive:
        assert ended_badly(line) == []
    await line.close()
    assert await asker.stored.now() == before
    assert asker.logs.failures == []


async def survives(line: Line, token: str, authenticated: bool) -> bool:
    """Whether the line still works."""
    if authenticated:
        answer = await line.ask("channel.unwatch", b'{"channel_id": "general"}')
        assert answer in (None, {})
        return answer is not None
    await line.send("40" + orjson.dumps({"token": token}).decode())
    return await line.until('42["connection.ready"') is not None


async def test_an_unknown_event_is_answered(asker: Asker) -> None:
    for name in ("nothing", "message", "__class__", "connection.ready", "../sync", "message.send "):
        await asker.ask("unknown", name, b"{}", codes={"unknown_event"})
    assert asker.wrong == []


async def test_a_page_of_another_origin_gets_no_handshake(quiet: House, asker: Asker) -> None:  # noqa: F811
    quiet.change(quiet.tenant, allowed_origins=("https://shop.example",))
    key = quiet.tenant.publishable_key
    try:
        for target, headers, status, code in (
            (f"&key={key}", [("origin", "https://evil.example")], 403, "origin_not_allowed"),
            (f"&key={key}", [("origin", "null")], 403, "origin_not_allowed"),
            (f"&key={key}", [("origin", b"\xff")], 403, "origin_not_allowed"),
            ("", [("origin", "https://shop.example")], 403, "key_required"),
            ("&key=pk_nothing", [("origin", "https://shop.example")], 401, "unauthenticated"),
            ("&key=%00", [("origin", "https://shop.example")], 401, "unauthenticated"),
        ):
            for transport in ("polling", "websocket"):
                place = f"/socket.io/?EIO=4&transport={transport}{target}"
                answer = await request(quiet.url, "GET", place, [*upgrade(transport), *headers])
                assert answer.status in (status, 403), (target, headers, str(answer))
                if transport == "polling":
                    assert answer.problem["code"] == code
    finally:
        quiet.change(quiet.tenant, allowed_origins=("*",))
    assert asker.logs.failures == []


def upgrade(transport: str) -> list[tuple[str, bytes | str]]:
    """The headers of a WebSocket's handshake."""
    if transport == "polling":
        return []
    key = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
    return [("upgrade", "websocket"), ("connection", "upgrade"), ("sec-websocket-version", "13"), key]


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("GET", "", None),
        ("GET", "?EIO=3&transport=polling", None),
        ("GET", "?EIO=4&transport=pigeon", None),
        ("GET", "?EIO=%ff&transport=%00", None),
        ("GET", "?EIO=4&transport=polling&sid=nobody", None),
        ("GET", "?EIO=4&transport=polling&sid=%00", None),
        ("GET", "?EIO=4&transport=polling&sid=a&sid=b", None),
        ("GET", "?EIO=4&transport=websocket&sid=nobody", None),
        ("POST", "?EIO=4&transport=polling", b"40{}"),
        ("POST", "?EIO=4&transport=polling&sid=nobody", b"40{}"),
        ("POST", "?EIO=4&transport=polling&sid=nobody", b"\xff" * 100),
        ("POST", "?EIO=4&transport=polling&sid=nobody", b"x" * (Limits().max_payload + 1)),
        ("PUT", "?EIO=4&transport=polling", b"40{}"),
        ("DELETE", "?EIO=4&transport=polling&sid=nobody", None),
        ("GET", "x?EIO=4&transport=polling&sid=nobody", None),
    ],
)
async def test_a_handshake_that_is_none_is_refused(method: str, target: str, body: bytes | None, asker: Asker) -> None:
    answer = await request(asker.url, method, f"/socket.io/{target}", [], body)
    assert 400 <= answer.status < 500, str(answer)
    assert asker.logs.failures == []


async def test_bad_packets_over_polling_are_answered_like_others(quiet: House, asker: Asker) -> None:  # noqa: F811
    for what, packet in PACKETS.items():
        place = await poll(quiet, asker.token)
        posted = await request(quiet.url, "POST", place, [("content-type", "text/plain")], packet)
        if what == "larger than a message":
            assert posted.problem["code"] in ("too_large", "malformed"), (what, str(posted))
            continue
        assert posted.status == 200, (what, str(posted))
        if packet and (what not in HARMLESS or packet[:1] != b"4"):
            assert '"protocol_error"' in (await request(quiet.url, "GET", place)).body.decode(), what
    assert asker.logs.failures == []


@pytest.mark.parametrize("body", [b"d=40", b"bnot base 64", b"\x1e\x1e", b"4\x1e42[]\x1e", b"9" * 1_000])
async def test_a_post_of_what_are_no_packets_is_answered(body: bytes, quiet: House, asker: Asker) -> None:  # noqa: F811
    place = await poll(quiet, asker.token)
    for chunks in (0, 2):
        await request(quiet.url, "POST", place, [], body, chunks=chunks)
    assert '"protocol_error"' in (await request(quiet.url, "GET", place)).body.decode()
    assert asker.logs.failures == []


async def poll(house: House, token: str) -> str:
    """Where an authenticated connection polls."""
    place = "/socket.io/?EIO=4&transport=polling"
    opened = await request(house.url, "GET", place)
    place += f"&sid={orjson.loads(opened.body[1:])['sid']}"
    connect = b"40" + orjson.dumps({"token": token})
    assert (await request(house.url, "POST", place, [("content-type", "text/plain")], connect)).status == 200
    said = ""
    while "connection.ready" not in said:
        said += (await request(house.url, "GET", place)).body.decode()
    return place


class PlantedPacket(Payload, frozen=True, kw_only=True):
    """Anything."""

    text: str = ""


async def test_a_bad_handler_would_be_noticed(quiet: House, asker: Asker) -> None:  # noqa: F811
    shard = quiet.node.node.shard

    async def raises(caller: Any, packet: PlantedPacket) -> dict[str, Any]:
        raise RuntimeError("planted")

    async def half(caller: Any, packet: PlantedPacket) -> dict[str, Any]:
        async with shard.system.unit_of_work() as uow:
            await uow.session.execute(text("update chat.users set name = 'half' || random()"))
        raise RuntimeError("planted")

    dispatcher = quiet.node.node.dispatcher
    for name, handle in (("planted.raises", raises), ("planted.half", half)):
        route = SocketRoute(name, PlantedPacket, handle)
        dispatcher.add(route.event, route.payload, lambda connection, payload, do=handle: do(None, payload))
    try:
        await asker.ask("planted", "planted.raises", b"{}")
        assert any("'internal'" in wrong for wrong in asker.wrong)
        assert any("logged" in wrong for wrong in asker.wrong)
        asker.wrong.clear()
        await asker.ask("planted", "planted.half", b"{}")
        assert any("something was written" in wrong for wrong in asker.wrong)
        asker.wrong.clear()
        await asker.ask("good", "channel.unwatch", b'{"channel_id": "general"}')
        assert any("accepted" in wrong for wrong in asker.wrong)
    finally:
        for name in ("planted.raises", "planted.half"):
            del dispatcher._routes[name]
