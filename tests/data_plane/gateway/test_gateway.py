"""Connections from handshake to end, over a transport that only records: the rules that hold for every transport."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import orjson
import pytest

from data_plane.blocks.hidden import Hidden
from data_plane.fanout.hub import Hub
from data_plane.gateway import admission as admission_module
from data_plane.gateway import closing
from data_plane.gateway import drain as drain_module
from data_plane.gateway import gateway as gateway_module
from data_plane.gateway.connection import Connection
from data_plane.gateway.dispatcher import MAX_IN_FLIGHT, Dispatcher
from data_plane.gateway.drain import drain
from data_plane.gateway.engineio.frame import Frame
from data_plane.gateway.events import add_connection_events
from data_plane.gateway.gateway import MAX_UNAUTHENTICATED, Gateway, Wire, encode_entries
from data_plane.gateway.routes import Payload, SocketRoute
from data_plane.gateway.session import SessionOpener
from data_plane.identity.activity import ActivityTracker
from data_plane.identity.caller import AnonymousCaller, Caller, Client, UserCaller
from data_plane.identity.errors import AnonymousOff, UserDeactivated
from data_plane.log import Entry, LogKey, LogReader, LogWriter, channel_log
from data_plane.shard import Shard
from data_plane.sync.service import SyncService
from data_plane.tenancy.errors import QuotaExceeded
from kernel.errors import Forbidden
from kernel.security.tokens import TokenInvalid
from tests.data_plane.conftest import App


class Line:
    """A transport that keeps what it was given."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.fetched: int | None = None
        """How much of it a client that polls has got; null for all of it."""
        self.closed = False

    def send(self, frame: Frame) -> None:
        if not self.closed:
            self.sent.extend(message.decode() for message in frame.messages)

    send_soon = send

    def mark(self) -> int:
        return len(self.sent)

    def passed(self, mark: int) -> bool:
        return self.fetched is None or self.fetched >= mark

    def pause(self) -> None:
        pass

    def resume(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def events(self, name: str | None = None) -> list[tuple[str, Any]]:
        found = [orjson.loads(text[1:]) for text in self.sent if text.startswith("2[")]
        return [(event, data) for event, data in found if name in (None, event)]

    def acks(self) -> dict[int, Any]:
        answers = {}
        for text in self.sent:
            if text.startswith("3"):
                head, _, body = text[1:].partition("[")
                answers[int(head)] = orjson.loads("[" + body)[0]
        return answers


class Gate:
    """Tokens are `user` or `user@seconds`; anything that begins with `bad` is refused."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.admitted = 0
        self.full = False
        self.refuse_new = False

    def authenticate(self, token: str, key: str | None) -> UserCaller:
        if token.startswith("bad"):
            raise TokenInvalid()
        user, _, seconds = token.partition("@")
        now = self.app.world.clock.now()
        return UserCaller(
            app=self.app.snapshot,
            app_id=self.app.id,
            user_id=user,
            token_issued_at=now,
            token_expires_at=now + timedelta(seconds=float(seconds or 900)),
        )

    def anonymous(self, key: str | None, address: str) -> AnonymousCaller:
        if not self.app.snapshot.anonymous:
            raise AnonymousOff()
        return AnonymousCaller(app=self.app.snapshot, app_id=self.app.id, key=key or "", address=address)

    async def admit(self, caller: Client) -> bool:
        if self.full:
            raise QuotaExceeded()
        self.admitted += 1
        return self.refuse_new

    def release(self, caller: Client) -> None:
        self.admitted -= 1

    def over_quota(self, caller: UserCaller) -> Exception:
        return QuotaExceeded(meter="mau")


class Slow(Payload, frozen=True, kw_only=True):
    """A packet that waits."""


class House:
    """A gateway with one app behind it."""

    def __init__(self, app: App) -> None:
        world = app.world
        self.app = app
        self.world = world
        self.gate = Gate(app)
        self.hub = Hub(LogReader(world.shard.system, "test"), encode=encode_entries)
        shard = world.shard
        self.release = asyncio.Event()

        def publish(entries: Any) -> None:
            world.published.extend(entries)
            self.hub.deliver(entries)

        self.shard = Shard(
            id=shard.id, epoch=shard.epoch, tenant=shard.tenant, system=shard.system, logs=LogWriter("test", publish),
            reader=shard.reader, grants=shard.grants, outbox=shard.outbox, clock=shard.clock, ids=shard.ids,
            vault=shard.vault,
        )  # fmt: skip
        object.__setattr__(world.shard, "logs", self.shard.logs)

        async def slow(caller: Caller, packet: Slow) -> dict[str, Any]:
            await self.release.wait()
            return {}

        async def broken(caller: Caller, packet: Slow) -> dict[str, Any]:
            raise RuntimeError("a defect, with a secret inside")

        async def plan(caller: Caller, packet: Slow) -> dict[str, Any]:
            return {"version": caller.app.version}

        routes = [
            SocketRoute(name, Slow, handle) for name, handle in (("slow", slow), ("broken", broken), ("plan", plan))
        ]
        dispatcher = Dispatcher(routes, lambda _: self.app.snapshot)
        sync = SyncService(self.shard)

        def check_origin(key: str | None, origin: str | None) -> None:
            if origin == "https://evil.example":
                raise Forbidden("not from there")

        opener = SessionOpener(self.shard, self.gate, sync.fresh, ActivityTracker(shard.system, shard.clock))
        self.gateway = Gateway(self.shard, self.hub, dispatcher, opener, self.gate, check_origin)
        self.hidden = Hidden(shard.system, shard.clock)
        self.meanwhile: list[Callable[[], Awaitable[Any]]] = []
        """What happens while the next channels that are watched are read, one each."""

        async def passing(connection: Connection, channel_id: str) -> dict[str, Any]:
            if self.meanwhile:
                await self.meanwhile.pop(0)()
            return {}

        add_connection_events(dispatcher, self.gateway, self.hub, self.shard, self.hidden, passing=passing)

    def line(self, address: str = "10.0.0.1") -> tuple[Wire, Line]:
        line = Line()
        assert self.gateway.refusal({}, None, address) is None
        return self.gateway.opened(line, {}, address), line

    async def connect(self, token: str, **auth: Any) -> tuple[Wire, Line]:
        wire, line = self.line()
        self.gateway.received(wire, b"0" + orjson.dumps({"token": token, **auth}))
        await until(lambda: any(text.startswith(("0", "4")) for text in line.sent))
        return wire, line

    def packet(self, wire: Wire, event: str, payload: Any = None, ack: int = 1) -> None:
        self.gateway.received(wire, b"2%d" % ack + orjson.dumps([event, payload or {}]))


async def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.fixture
async def house(app: App) -> House:
    await app.make_users("alice", "bob", "eve")
    return House(app)


async def test_an_open_connection_hears_of_a_changed_app(house: House) -> None:
    wire, line = await house.connect("alice")
    house.packet(wire, "plan")
    await until(lambda: any(text.startswith("31") for text in line.sent))
    before = house.app.snapshot
    house.app.snapshot = msgspec.structs.replace(before, version=before.version + 7)
    house.packet(wire, "plan", ack=2)
    await until(lambda: any(text.startswith("32") for text in line.sent))
    answers = [orjson.loads(text[2:])[0]["version"] for text in line.sent if text.startswith(("31", "32"))]
    assert answers == [before.version, before.version + 7]


async def test_a_connection_is_ready_before_its_first_event(house: House) -> None:
    _, line = await house.connect("alice")
    await house.app.make_channel("a", "alice", "bob")
    await until(lambda: len(line.events()) == 5)
    assert line.sent[0].startswith('0{"sid":"con_')
    assert [name for name, _ in line.events()] == [
        "connection.ready",
        "membership.added",
        "channel.created",
        "member.added",
        "member.added",
    ]
    assert line.events()[0][1]["user"]["id"] == "alice"


@pytest.mark.parametrize(
    ("token", "code"), [("", "unauthenticated"), ("bad", "token_invalid")], ids=["none", "not valid"]
)
async def test_who_cannot_say_who_it_is_gets_a_connect_error(house: House, token: str, code: str) -> None:
    _, line = await house.connect(token)
    error = orjson.loads(line.sent[0][1:])
    assert line.sent[0][0] == "4"
    assert error["data"]["code"] == code
    assert house.gate.admitted == 0


async def test_a_deactivated_user_is_refused_and_gives_its_place_back(house: House) -> None:
    pool = await house.shard.system.pool()
    await pool.execute("update chat.users set deactivated_at = now() where app_id = $1 and id = 'eve'", house.app.id)
    _, line = await house.connect("eve")
    assert orjson.loads(line.sent[0][1:])["data"]["code"] == UserDeactivated.code
    assert house.gate.admitted == 0


async def test_a_full_app_refuses_and_a_full_month_refuses_only_the_new(house: House) -> None:
    await house.connect("alice")
    house.gate.refuse_new = True
    _, again = await house.connect("alice")
    _, new = await house.connect("bob")
    house.gate.full = True
    _, any_more = await house.connect("alice")
    assert again.sent[0][0] == "0"
    assert orjson.loads(new.sent[0][1:])["data"]["meter"] == "mau"
    assert orjson.loads(any_more.sent[0][1:])["data"]["code"] == "quota_exceeded"


async def test_an_active_user_is_counted_once_however_often_it_connects(house: House) -> None:
    await asyncio.gather(*(house.connect("alice") for _ in range(10)))
    rows = await house.app.fetch("select meter, quantity from chat.usage_outbox where app_id = $1")
    assert [(row["meter"], row["quantity"]) for row in rows] == [("mau", 1)]


async def test_a_connection_begins_with_what_is_unread_in_all(house: House) -> None:
    app = house.app
    await app.make_channel("den", "bob", owner="alice")
    await app.make_channel("quiet", "bob", owner="alice")
    path, mention = "/v1/channels/den/messages", {"text": "you", "mentions": {"users": ["bob"]}}
    first = (await app.call("POST", path, mention, as_user="alice")).json()["message"]["id"]
    await app.call("POST", path, {"text": "more"}, as_user="alice")
    await app.call("POST", path, {"text": "in a thread", "thread_id": first} | mention, as_user="alice")
    await app.send("quiet", "alice")
    for muted in (False, True):
        if muted:
            await app.fetch(
                "update chat.members set muted_at = now() where app_id = $1 and user_id = 'bob' returning 1"
            )
        _, line = await house.connect("bob")
        unread = line.events("connection.ready")[0][1]["unread"]
        asked = (await app.call("GET", "/v1/unread", as_user="bob")).json()
        assert unread == {name: asked[name] for name in unread}
        assert (*unread.values(),) == ((0, 0, 0, 0, 0) if muted else (3, 2, 1, 1, 1))
    _, line = await house.connect("alice")
    assert set(line.events("connection.ready")[0][1]["unread"].values()) == {0}


async def test_a_user_that_the_customers_own_token_names_first_is_made(house: House) -> None:
    _, line = await house.connect("newcomer")
    assert line.events("connection.ready")[0][1]["user"]["id"] == "newcomer"


async def test_who_does_not_authenticate_in_time_is_cut(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_module, "HANDSHAKE_SECONDS", 0.01)
    _, line = house.line()
    await until(lambda: line.closed)
    assert line.events("connection.closing")[0][1]["code"] == "not_authenticated"


async def test_unauthenticated_sockets_of_one_address_are_capped(house: House) -> None:
    wires = [house.line()[0] for _ in range(MAX_UNAUTHENTICATED)]
    refusal = house.gateway.refusal({}, None, "10.0.0.1")
    assert refusal is not None
    assert refusal["code"] == "too_many_handshakes"
    assert house.gateway.refusal({}, None, "10.0.0.2") is None
    house.gateway.ended(wires[0])
    assert house.gateway.refusal({}, None, "10.0.0.1") is None


async def test_a_foreign_origin_is_refused_before_anything_else(house: House) -> None:
    refusal = house.gateway.refusal({"key": ["pk_x"]}, "https://evil.example", "10.0.0.1")
    assert refusal is not None
    assert refusal["status"] == 403
    assert house.gateway.refusal({}, None, "10.0.0.1") is None


async def test_events_before_connecting_end_the_transport(house: House) -> None:
    wire, line = house.line()
    house.packet(wire, "slow")
    await until(lambda: line.closed)


@pytest.mark.parametrize("text", ['51-["a"]', "2[", "9", "2[1]"])
async def test_a_broken_packet_ends_the_connection_with_a_reason(house: House, text: str) -> None:
    wire, line = await house.connect("alice")
    house.gateway.received(wire, text.encode())
    assert line.closed
    assert (
        line.events("connection.closing")[0][1] | {"code": "protocol_error", "reconnect": False}
        == line.events("connection.closing")[0][1]
    )


async def test_another_namespace_is_refused_and_the_connection_lives(house: House) -> None:
    wire, line = await house.connect("alice")
    house.gateway.received(wire, b"0/admin,")
    assert line.sent[-1].startswith("4/admin,")
    assert not line.closed


async def test_errors_of_handlers_are_answers_and_defects_show_nothing(house: House) -> None:
    wire, line = await house.connect("alice")
    house.packet(wire, "nope", ack=1)
    house.packet(wire, "slow", {"typo": 1}, ack=2)
    house.packet(wire, "broken", ack=3)
    await until(lambda: len(line.acks()) == 3)
    codes = {ack: answer["error"]["code"] for ack, answer in line.acks().items()}
    assert codes == {1: "unknown_event", 2: "invalid_input", 3: "internal"}
    assert "typo" in line.acks()[2]["error"]["message"]
    assert "secret" not in "".join(line.sent)


async def test_unanswered_events_are_capped(house: House) -> None:
    wire, line = await house.connect("alice")
    for ack in range(1, MAX_IN_FLIGHT + 2):
        house.packet(wire, "slow", ack=ack)
    await until(lambda: len(line.acks()) == 1)
    assert line.acks()[MAX_IN_FLIGHT + 1]["error"]["code"] == "too_many_in_flight"
    house.release.set()
    await until(lambda: len(line.acks()) == MAX_IN_FLIGHT + 1)


async def test_a_client_that_does_not_keep_up_is_closed_and_told_to_resume(house: House) -> None:
    wire, line = await house.connect("alice")
    wire.clogged()
    await until(lambda: line.closed)
    closing = line.events("connection.closing")[0][1]
    assert (closing["code"], closing["reconnect"], closing["resync"]) == ("slow_consumer", True, True)


async def test_a_token_that_ends_closes_the_socket_unless_it_was_refreshed(house: House) -> None:
    _, ends = await house.connect("alice@0.05")
    wire, lives = await house.connect("alice@0.05")
    house.packet(wire, "auth.refresh", {"token": "alice@900"})
    await until(lambda: ends.closed)
    await asyncio.sleep(0.1)
    assert ends.events("connection.closing")[0][1]["code"] == "token_expired"
    assert not lives.closed


@pytest.mark.parametrize("token", ["bob", "bad"])
async def test_a_socket_is_refreshed_by_a_token_of_its_own_user_only(house: House, token: str) -> None:
    wire, line = await house.connect("alice")
    house.packet(wire, "auth.refresh", {"token": token})
    await until(lambda: bool(line.acks()))
    assert "error" in line.acks()[1]


async def test_revoking_a_user_closes_its_older_sockets_for_good(house: House) -> None:
    _, alice = await house.connect("alice")
    _, bob = await house.connect("bob")
    house.gateway.close_user(house.app.id, "alice", house.world.clock.now() + timedelta(seconds=1))
    assert alice.closed
    assert "1" in alice.sent  # a Socket.IO disconnect: the client does not come back by itself
    assert not bob.closed


async def test_a_resume_replays_what_was_missed_and_goes_on_without_a_hole(house: House) -> None:
    await house.app.make_channel("a", "alice", "bob")
    wire, line = await house.connect("alice")
    cursor = line.events("connection.ready")[0][1]["cursor"]
    house.gateway.ended(wire)
    for i in range(5):
        await house.app.send("a", "bob", f"missed {i}")
    await house.app.call("PATCH", "/v1/channels/a", {"name": "renamed"})
    _, again = await house.connect("alice", cursor=cursor)
    await house.app.call("PATCH", "/v1/channels/a", {"name": "live"})
    await until(lambda: len(again.events()) >= 9)
    ready = again.events("connection.ready")[0][1]
    assert ready["recovered"] is True
    assert [data["seq"] for name, data in again.events() if "seq" in data] == [4, 5, 6, 7, 8, 9, 10]


async def test_a_resume_moves_the_cursor_only_after_what_it_replays(house: House) -> None:
    await house.app.make_channel("a", "alice", "bob")
    wire, line = await house.connect("alice")
    cursor = line.events("connection.ready")[0][1]["cursor"]
    house.gateway.ended(wire)
    await house.app.send("a", "bob", "missed")
    wire, again = await house.connect("alice", cursor=cursor)
    # Whoever is cut off within the replay comes back with what `ready` said, and must be told all of it again.
    assert again.events("connection.ready")[0][1]["cursor"] == cursor
    assert [name for name, _ in again.events()] == ["connection.ready", "message.created", "sync.cursor"]
    house.gateway.ended(wire)
    newer = again.events("sync.cursor")[0][1]["cursor"]
    _, third = await house.connect("alice", cursor=newer)
    assert [name for name, _ in third.events() if name != "connection.ready"] in (
        [],
        ["message.created", "sync.cursor"],
    )


@pytest.mark.parametrize("rejoins", [False, True])
async def test_who_is_removed_between_two_pages_of_what_it_missed_hears_no_more_of_the_channel(
    house: House, monkeypatch: pytest.MonkeyPatch, rejoins: bool
) -> None:
    monkeypatch.setattr(admission_module, "PAGE", 3)
    app = house.app
    await app.make_channel("a", "alice", "bob")
    await app.make_channel("b", "alice", "bob")
    wire, line = await house.connect("bob")
    cursor = line.events("connection.ready")[0][1]["cursor"]
    house.gateway.ended(wire)
    for i in range(6):
        await app.send("a", "alice", f"missed {i}")
    await app.send("b", "alice", "missed, too")
    changes = house.shard.reader.changes

    async def changes_after_the_removal(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.undo()
        await app.call("DELETE", "/v1/channels/a/members/bob")
        if rejoins:
            await app.call("POST", "/v1/channels/a/members", {"user_ids": ["bob"]})
        return await changes(*args, **kwargs)

    monkeypatch.setattr(house.shard.reader, "changes", changes_after_the_removal)
    _, bob = await house.connect("bob", cursor=cursor)
    await app.call("PATCH", "/v1/channels/a", {"name": "live"})
    await house.hub.settle()
    await app.call("PATCH", "/v1/channels/b", {"name": "live"})
    await until(lambda: any(data["channel_id"] == "b" for _, data in bob.events("channel.updated")))
    assert bob.events("connection.ready")[0][1]["recovered"] is True
    heard = [data["seq"] for _, data in bob.events() if data.get("channel_id") == "a" and "seq" in data]
    # The first page holds what it could; of the rest of its time in the channel nothing is told, as to who comes later.
    first = [seq for seq in heard if seq < 10]
    assert first == list(range(4, 4 + len(first)))
    assert 0 < len(first) < 6
    assert [seq for seq in heard if seq >= 10] == ([11, 12] if rejoins else [])
    names = [name for name, data in bob.events() if name.startswith("membership")]
    assert names == ["membership.removed", "membership.added"][: 1 + rejoins]


@pytest.mark.parametrize("text", ["AAAA", "x" * 300, "not base64 !", ""])
async def test_a_cursor_that_is_none_is_an_error_and_not_an_empty_answer(house: House, text: str) -> None:
    _, line = await house.connect("alice", cursor=text)
    assert orjson.loads(line.sent[0][1:])["data"]["code"] == "bad_cursor"


async def test_a_cursor_of_another_life_of_the_log_gets_fresh_state(house: House) -> None:
    from data_plane.sync.cursor import Cursor

    await house.app.make_channel("a", "alice", "bob")
    for cursor in (Cursor("s0", "before the restore", 1), Cursor("s9", "test", 1), Cursor("s0", "test", 1 << 50)):
        _, line = await house.connect("alice", cursor=cursor.encode())
        ready = line.events("connection.ready")[0][1]
        assert ready["recovered"] is False
        assert [channel["id"] for channel in ready["channels"]] == ["a"]
        assert ready["cursor"] != cursor.encode()


async def test_the_removed_hears_the_removal_and_nothing_after(house: House) -> None:
    await house.app.make_channel("a", "alice", "bob")
    _, alice = await house.connect("alice")
    _, bob = await house.connect("bob")
    await house.app.call("DELETE", "/v1/channels/a/members/bob")
    await house.app.call("PATCH", "/v1/channels/a", {"name": "without bob"})
    await until(lambda: len(alice.events("channel.updated")) == 1)
    assert {name for name, _ in bob.events()} == {"connection.ready", "member.removed", "membership.removed"}
    assert [data["seq"] for name, data in bob.events("member.removed")] == [4]


async def test_watching_opens_livestreams_to_non_members_and_nothing_else(house: House) -> None:
    await house.app.make_channel("show", "alice", type="livestream")
    await house.app.make_channel("private", "alice")
    wire, line = await house.connect("eve")
    house.packet(wire, "channel.watch", {"channel_id": "show"}, ack=1)
    house.packet(wire, "channel.watch", {"channel_id": "private"}, ack=2)
    house.packet(wire, "channel.watch", {"channel_id": "nowhere"}, ack=3)
    await until(lambda: len(line.acks()) == 3)
    assert line.acks()[1]["channel"]["id"] == "show"
    assert line.acks()[2] == line.acks()[3]
    await house.app.call("PATCH", "/v1/channels/show", {"name": "on air"})
    await until(lambda: len(line.events("channel.updated")) == 1)
    house.packet(wire, "channel.unwatch", {"channel_id": "show"}, ack=4)
    await until(lambda: 4 in line.acks())
    await house.app.call("PATCH", "/v1/channels/show", {"name": "off air"})
    assert len(line.events("channel.updated")) == 1


async def test_who_is_removed_while_its_watch_is_read_is_no_member_afterwards(house: House) -> None:
    app, key = house.app, LogKey(house.app.id, channel_log("a"))
    await app.make_channel("a", "alice", "bob")
    wire, line = await house.connect("bob")
    house.meanwhile = [lambda: app.call("DELETE", "/v1/channels/a/members/bob")]
    house.packet(wire, "channel.watch", {"channel_id": "a"})
    await until(lambda: 1 in line.acks())

    assert line.events("membership.removed")
    assert line.acks()[1]["error"]["code"] == "not_found"
    assert not house.hub.watching(key), "nor does it hear who types there"


async def test_who_comes_back_while_its_watch_is_read_is_the_member_that_it_is(house: House) -> None:
    app = house.app
    await app.make_channel("a", "alice", "bob")
    wire, line = await house.connect("bob")

    async def out_and_in() -> None:
        await app.call("DELETE", "/v1/channels/a/members/bob")
        await app.call("POST", "/v1/channels/a/members", {"user_ids": ["bob"]})

    house.meanwhile = [lambda: app.call("DELETE", "/v1/channels/a/members/bob"), out_and_in]
    house.packet(wire, "channel.watch", {"channel_id": "a"}, ack=1)
    await until(lambda: 1 in line.acks())
    await app.call("POST", "/v1/channels/a/members", {"user_ids": ["bob"]})
    house.packet(wire, "channel.watch", {"channel_id": "a"}, ack=2)
    await until(lambda: 2 in line.acks())
    assert line.acks()[2]["channel"]["membership"]["role"] == "member"
    assert house.hub.watching(LogKey(app.id, channel_log("a")))


async def test_a_busy_client_is_given_a_cursor_now_and_then(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_module, "CURSOR_PERIOD", 0.0)
    await house.app.make_channel("a", "alice")
    _, line = await house.connect("alice")
    now = house.shard.clock.monotonic

    async def reached(began: float) -> None:
        house.gateway.horizon_reached(await house.shard.reader.horizon(), began)

    await reached(now())
    assert line.events("sync.cursor") == []  # nothing was heard, so nothing has to be remembered
    await house.app.call("PATCH", "/v1/channels/a", {"name": "x"})
    await reached(now() - 1)
    assert line.events("sync.cursor") == []  # that look began before the client was there
    await reached(now())
    await reached(now())
    assert len(line.events("sync.cursor")) == 1


async def test_whose_waiting_packets_were_thrown_away_is_given_no_cursor(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_module, "CURSOR_PERIOD", 0.0)
    await house.app.make_channel("a", "alice")
    wire, line = await house.connect("alice")
    await house.app.call("PATCH", "/v1/channels/a", {"name": "x"})
    wire.clogged()
    house.gateway.horizon_reached(await house.shard.reader.horizon(), house.shard.clock.monotonic())
    assert line.events("sync.cursor") == []
    await until(lambda: bool(line.events("connection.closing")))


async def test_packets_thrown_away_while_a_cursor_waits_for_its_turn_are_not_passed_by_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_module, "CURSOR_PERIOD", 0.0)
    await house.app.make_channel("a", "alice")
    wire, line = await house.connect("alice")
    await house.app.call("PATCH", "/v1/channels/a", {"name": "x"})
    horizon = await house.shard.reader.horizon()
    house.gateway.horizon_reached(horizon, house.shard.clock.monotonic())
    wire.clogged()
    await until(lambda: bool(line.events("connection.closing")) and not len(house.gateway.turns))
    assert line.events("sync.cursor") == []


async def test_a_draining_node_tells_at_once_and_answers_until_all_is_answered(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain_module, "GRACE", 0.2)
    wire, line = await house.connect("alice")
    house.packet(wire, "slow", ack=1)
    draining = asyncio.create_task(drain(house.gateway, 8))
    await asyncio.sleep(0.1)
    assert [payload["code"] for _, payload in line.events("connection.closing")] == ["shutdown"]
    assert house.gateway.refusal({}, None, "10.0.0.3")["retry_after"] >= 1  # type: ignore[index]
    house.packet(wire, "plan", ack=2)
    await until(lambda: 2 in line.acks())
    assert line.acks()[2] == {"version": house.app.snapshot.version}
    await asyncio.sleep(0.4)
    house.packet(wire, "plan", ack=3)  # its time here is over; it gets an answer all the same
    await until(lambda: 3 in line.acks())
    assert line.acks()[3]["error"]["code"] == "unavailable"
    assert line.acks()[3]["error"]["retryable"] is True
    assert not line.closed
    house.release.set()
    await until(lambda: line.closed)
    assert line.acks()[1] == {}
    house.gateway.ended(wire)
    await draining
    assert len(line.events("connection.closing")) == 1


async def test_delays_of_a_draining_node_are_spread_and_who_has_left_is_not_waited_for(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain_module, "RATE", 10)
    clients = [await house.connect("alice") for _ in range(20)]
    draining = asyncio.create_task(drain(house.gateway, 20))
    await asyncio.sleep(0.1)
    delays = sorted(line.events("connection.closing")[0][1]["after_ms"] for _, line in clients)
    assert all(100 * n <= delay <= 100 * (n + 1) for n, delay in enumerate(delays))
    for wire, _ in clients:
        house.gateway.ended(wire)
    async with asyncio.timeout(10):
        await draining


async def test_a_token_that_is_revoked_meanwhile_ends_the_connection_at_once(house: House) -> None:
    wire, line = await house.connect("alice")
    draining = asyncio.create_task(drain(house.gateway, 5))
    await asyncio.sleep(0.05)
    house.gateway.close_user(house.app.id, "alice", house.world.clock.now() + timedelta(seconds=1))
    assert line.closed
    assert [payload["code"] for _, payload in line.events("connection.closing")] == ["shutdown", "token_revoked"]
    house.gateway.ended(wire)
    await draining


async def test_the_delay_of_a_client_that_polls_slowly_begins_when_it_hears_of_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain_module, "GRACE", 0.1)
    wire, line = await house.connect("alice")
    line.fetched = len(line.sent)
    draining = asyncio.create_task(drain(house.gateway, 10))
    await asyncio.sleep(0.6)
    house.packet(wire, "plan", ack=1)
    await until(lambda: 1 in line.acks())
    assert "error" not in line.acks()[1]
    line.fetched = None
    await until(lambda: line.closed)
    house.gateway.ended(wire)
    await draining


async def test_a_call_that_came_in_the_round_of_the_end_is_answered(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain_module, "GRACE", 0.0)
    wire, line = await house.connect("alice")
    house.packet(wire, "plan", ack=1)  # its task has not begun yet
    await drain(house.gateway, 1)
    assert 1 in line.acks()


async def test_who_is_still_connecting_when_the_node_drains_is_told_to_come_again(house: House) -> None:
    silent_wire, silent = house.line()
    wire, connecting = house.line()
    late_wire, late = house.line()
    house.gateway.received(wire, b'0{"token":"alice"}')
    draining = asyncio.create_task(drain(house.gateway, 4))
    await asyncio.sleep(0)
    house.gateway.received(late_wire, b'0{"token":"alice"}')
    await until(lambda: silent.closed and connecting.closed and late.closed)
    for line in (silent, connecting, late):
        assert [payload["code"] for _, payload in line.events("connection.closing")] == ["shutdown"]
    assert house.gate.admitted == 0
    for each in (silent_wire, wire, late_wire):
        house.gateway.ended(each)
    await draining


async def test_a_client_that_upgrades_after_its_end_is_cut_off_there_too(house: House) -> None:
    wire, _ = await house.connect("alice")
    assert wire.connection is not None
    wire.connection.close(closing.DESYNCED)
    better = Line()
    wire.moved(better)
    assert better.closed


async def test_an_ended_connection_leaves_nothing_behind(house: House) -> None:
    await house.app.make_channel("a", "alice")
    wire, _ = await house.connect("alice")
    house.gateway.ended(wire)
    house.gateway.ended(wire)
    await until(lambda: len(house.gateway.turns) == 0)
    assert len(house.gateway.registry) == 0
    assert not house.hub._streams
    assert house.gate.admitted == 0


def test_entries_that_go_out_together_are_one_frame() -> None:
    entries = [Entry(UUID(int=1), "c:a", seq, "message.created", b'{"seq":%d}' % seq) for seq in (1, 2)]
    frame = encode_entries(entries)
    assert frame.messages == (b'2["message.created",{"seq":1}]', b'2["message.created",{"seq":2}]')
    one, two = (encode_entries([entry]).wire for entry in entries)
    assert frame.wire == one + two
    assert one == bytes((0x81, len(one) - 2)) + b'42["message.created",{"seq":1}]'


async def test_who_has_not_authenticated_and_does_not_keep_up_is_closed(house: House) -> None:
    wire, line = house.line()
    wire.clogged()
    await until(lambda: line.closed)
