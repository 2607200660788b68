"""Opening a connection: who is it, may it, what is it a member of, and what has it missed."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID

import msgspec
import orjson

from data_plane.gateway.admission import MAX_REPLAY, PAGE, Admission, Admitted
from data_plane.gateway.connection import AnonymousConnection, Connection, Transport, UserConnection
from data_plane.gateway.turnstile import Turnstile
from data_plane.identity.activity import ActivityTracker
from data_plane.identity.caller import AnonymousCaller, Client, UserCaller
from data_plane.identity.errors import UserDeactivated
from data_plane.log import APP_LOG, Entry, LogKey, channel_log, user_log
from data_plane.log.entries import CHANNEL
from data_plane.log.reader import Changes, TooMuch
from data_plane.shard import Shard
from data_plane.sync.cursor import Cursor, decode_cursor
from kernel.clock import rfc3339, truncate_ms
from kernel.errors import InvalidInput, Unauthenticated
from kernel.http.ratelimit import subject_of_address
from kernel.security.tokens import TokenRevoked

MAX_READING: Final = 2
"""Connections whose fresh state, or whose second page of missed entries or a later one, is read at the same time. With
`admission.LANES` that leaves half of a pool to others when a herd comes back."""


class Auth(msgspec.Struct, kw_only=True, frozen=True):
    """A connect packet's `auth`. Unknown members are ignored, because client libraries add their own."""

    token: str = ""
    cursor: str | None = None
    anonymous: bool = False
    """Come in as nobody, with the publishable key of the handshake alone."""


class Wish(NamedTuple):
    """A connect packet whose token is good, or which needs none."""

    caller: Client
    cursor: str | None


class Gate(Protocol):
    """What decides who may connect; made of tokens, snapshots, revocations and quotas."""

    def authenticate(self, token: str, key: str | None) -> UserCaller:
        """The caller of a user token. Raises `Unauthenticated` or `Forbidden`."""
        ...

    def anonymous(self, key: str | None, address: str) -> AnonymousCaller:
        """A visitor who is nobody, of the app that the handshake's key names. Raises `Unauthenticated` or
        `Forbidden`."""
        ...

    async def admit(self, caller: Client) -> bool:
        """Count a connection against the app's limit and the user's, or the address's, raising `QuotaExceeded`,
        `TooManyConnections` or `RateLimited`; whether users new this month are refused.

        For an anonymous visitor what `anonymous` has said is true, still, when this returns.
        """
        ...

    def release(self, caller: Client) -> None:
        """Give an admitted connection back."""
        ...

    def over_quota(self, caller: UserCaller) -> Exception:
        """The error for a user who is refused because of `admit`'s answer."""
        ...


class Opened(msgspec.Struct, frozen=True):
    """A connection that may go live: say `ready`, replay, then join each log from its position on.

    `replayed_to` is the cursor after the replay, null when there is none. It must not reach the client earlier: one
    that is cut off in between would come back with it and never hear of the rest.
    """

    connection: Connection
    ready: dict[str, Any]
    replay: list[Entry]
    replayed_to: str | None
    positions: dict[LogKey, int]
    first: dict[str, int]
    """Of channels whose messages it does not see from the beginning on, from which seq."""


FreshState = Callable[[UUID, str], Awaitable[dict[str, Any]]]
"""`{channels, grants, blocks, cursor}` of a user now, for those who cannot resume."""


class SessionOpener:
    """Opens connections of one node."""

    def __init__(self, shard: Shard, gate: Gate, fresh_state: FreshState, activity: ActivityTracker) -> None:
        self._shard = shard
        self._gate = gate
        self._fresh_state = fresh_state
        self.turns = Turnstile()
        """Where those wait who come to this node or go, all in one line."""
        self._admission = Admission(shard.system.pool, shard.reader, shard.clock, self.turns)
        self._reading = asyncio.Semaphore(MAX_READING)
        self._activity = activity

    def identify(self, auth: Any, key: str | None, address: str) -> Wish:
        """Who it is that wants to connect, by its token alone. Raises the `NatterError` that the client shall see."""
        wanted = msgspec.convert(auth or {}, Auth)
        if wanted.anonymous:
            _check_anonymous(wanted)
            return Wish(self._gate.anonymous(key, subject_of_address(address)), None)
        if not wanted.token:
            raise Unauthenticated("Connect with `auth: {token}`: a user token from your server.")
        return Wish(self._gate.authenticate(wanted.token, key), wanted.cursor)

    async def open(self, transport: Transport, wish: Wish, wanted: Callable[[], bool] = lambda: True) -> Opened:
        """Count the user as active, load its memberships, read what it missed.

        The statements are shared with others who come at the same time, but for all pages of what was missed after the
        first. The activity row is committed before this returns. `wanted` is asked when the turn has come: the client
        may have gone. Raises `ClientGone`, and the `NatterError` that the client shall see.

        An anonymous visitor has no memberships and has missed nothing, so that the database is not asked.
        """
        caller = wish.caller
        refuse_new = await self._gate.admit(caller)
        try:
            if isinstance(caller, AnonymousCaller):
                return self._open_for_nobody(transport, caller)
            return await self._open(transport, caller, wish.cursor, refuse_new, wanted)
        except BaseException:
            self._gate.release(caller)
            raise

    def released(self, caller: Client) -> None:
        """A connection that was opened here has ended."""
        self._gate.release(caller)

    def _open_for_nobody(self, transport: Transport, caller: AnonymousCaller) -> Opened:
        connection = AnonymousConnection(self._shard.ids.new("con"), caller, transport)
        ready = {
            "connection_id": connection.id,
            "user": None,
            "expires_at": None,
            "unread": None,
            "recovered": None,
            "cursor": None,
        }
        return Opened(connection, ready, [], None, {}, {})

    async def _open(
        self,
        transport: Transport,
        caller: UserCaller,
        cursor: str | None,
        refuse_new: bool,
        wanted: Callable[[], bool],
    ) -> Opened:
        admitted = await self._load(caller, refuse_new, self._resumable(cursor), wanted)
        row = admitted.row
        connection = UserConnection(self._shard.ids.new("con"), caller, transport)

        app_id = caller.app_id
        positions = {LogKey(app_id, user_log(connection.user_id)): row["user_seq"] + 1}
        # Should this node be behind, the connection hears what it missed too, which says nothing that is not true.
        positions[LogKey(app_id, APP_LOG)] = self._shard.grants.of(app_id).seq + 1
        for channel_id, seq in zip(row["channels"], row["seqs"], strict=True):
            positions[LogKey(app_id, channel_log(channel_id))] = seq + 1
        ready: dict[str, Any] = {
            "connection_id": connection.id,
            "user": orjson.loads(row["profile"]),
            "expires_at": rfc3339(connection.expires_at),
            "unread": orjson.Fragment(row["unread"]),
            "recovered": None,
            "cursor": self._cursor(row["horizon"]),
        }
        replay: list[Entry] = []
        replayed_to: str | None = None
        if cursor is not None:
            replay = await self._resume(connection, admitted.missed, ready, positions)
            if replay:
                replayed_to, ready["cursor"] = ready["cursor"], cursor
        first = orjson.loads(row["first"]) if row["first"] is not None else {}
        return Opened(connection, ready, replay, replayed_to, positions, first)

    async def _load(
        self, caller: UserCaller, refuse_new: bool, since: int | None, wanted: Callable[[], bool]
    ) -> Admitted:
        admitted = await self._admission.load(caller, refuse_new, since, wanted)
        match admitted.row["verdict"]:
            case "ok":
                self._activity.remember(caller.app_id, caller.user_id, truncate_ms(self._shard.clock.now()))
                return admitted
            case "revoked":
                raise TokenRevoked()
            case "deactivated":
                raise UserDeactivated()
            case _:
                raise self._gate.over_quota(caller)

    def _resumable(self, text: str | None) -> int | None:
        """The horizon of a cursor of these logs. Raises `BadCursor`."""
        if text is None:
            return None
        cursor = decode_cursor(text)
        same_log = (cursor.shard, cursor.epoch) == (self._shard.id, self._shard.epoch)
        return cursor.horizon if same_log else None

    def _cursor(self, horizon: int) -> str:
        return Cursor(self._shard.id, self._shard.epoch, horizon).encode()

    async def _resume(
        self,
        connection: UserConnection,
        missed: Changes | None,
        ready: dict[str, Any],
        positions: dict[LogKey, int],
    ) -> list[Entry]:
        """What was missed; moves `positions` to its end. Sets `recovered` and `cursor` of `ready`."""
        if missed is not None:
            try:
                entries, reached = await self._read_on(connection, missed)
            except TooMuch:
                pass
            else:
                self._settle_positions(entries, positions)
                ready["recovered"] = True
                ready["cursor"] = self._cursor(reached)
                return entries
        async with self._reading:
            fresh = await self._fresh_state(connection.app_id, connection.user_id)
        ready.update(recovered=False, **fresh)
        return []

    async def _read_on(self, connection: UserConnection, page: Changes) -> tuple[list[Entry], int]:
        """All entries that were missed, of which `page` has the first, and the horizon that they reach."""
        entries = page.entries
        while page.has_more:
            if len(entries) > MAX_REPLAY:
                raise TooMuch
            async with self._reading:
                page = await self._shard.reader.changes(
                    connection.app_id, connection.user_id, page.cursor, limit=PAGE, tail=True, at_most=MAX_REPLAY
                )
            entries += page.entries
        return entries, page.cursor

    @staticmethod
    def _settle_positions(entries: list[Entry], positions: dict[LogKey, int]) -> None:
        """The replay's last snapshot is later than the memberships': follow what changed between the two."""
        member: dict[LogKey, bool] = {}
        for entry in entries:
            if entry.log.startswith(CHANNEL) or entry.key in positions:
                positions[entry.key] = max(positions.get(entry.key, 0), entry.seq + 1)
            if entry.subject is not None and entry.type in ("membership.added", "membership.removed"):
                member[LogKey(entry.app_id, channel_log(entry.subject))] = entry.type == "membership.added"
        for key, still in member.items():
            if not still:
                # A page that was read after the removal has nothing of the channel, so that what came before it may be
                # missing: the stream must not be joined, not even for the removal.
                positions.pop(key, None)


def expires_in(connection: UserConnection, now: datetime) -> float:
    """Seconds until the connection's token ends, at least 0."""
    return max(0.0, (connection.expires_at - now).total_seconds())


def _check_anonymous(wanted: Auth) -> None:
    """Raise `InvalidInput` for what nobody has."""
    if wanted.token:
        raise InvalidInput("Connect with a `token`, or with `anonymous`: not with both.", field="anonymous")
    if wanted.cursor is not None:
        raise InvalidInput(
            "An anonymous visitor has no cursor: connect without one, watch your channels and read their history.",
            field="cursor",
        )
