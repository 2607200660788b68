"""Send a message: check, put it into the next flush, answer once it is durable."""

import asyncio
from typing import Any, Final
from uuid import UUID

import msgspec
import orjson

from data_plane.blocks.errors import Blocked
from data_plane.channels.access import visible_channel
from data_plane.channels.errors import ChannelFrozen, no_channel
from data_plane.gateway.routes import Payload, SocketRoute
from data_plane.grants.errors import PermissionMissing
from data_plane.grants.permissions import Permission
from data_plane.identity.activity import ActivityTracker, subject_of
from data_plane.identity.caller import Caller
from data_plane.identity.errors import UserDeactivated
from data_plane.limits.limiter import Bucket, Limiter
from data_plane.limits.policies import MESSAGES_CHANNEL
from data_plane.log import Entry, channel_log
from data_plane.log.entries import make_entry, shown_seqs
from data_plane.messages.errors import MessageDeleted, MessageIdTaken, NestedReply, no_message
from data_plane.messages.flush import Flusher, NewMessage, Verdict
from data_plane.messages.pace import Pace
from data_plane.messages.repository import MessageRepository
from data_plane.messages.schemas import (
    Attachments,
    ChannelId,
    Mentions,
    MessageId,
    NewMessageId,
    Text,
    UserId,
    check_content,
    content_hash,
)
from data_plane.messages.views import MessageRow, MessageView, message_data, message_view
from data_plane.shard import Shard
from data_plane.tenancy.quotas import check_messages, check_new_active, check_storage
from kernel.errors import InvalidInput, NotFound, RateLimited
from kernel.ids import decode, parse_id

_SEEN: Final = 10.0
"""Seconds for which an author that a busy channel refused, and who sees it, is refused again without asking anew."""
_MOST_SEEN: Final = 10_000
_LOOKS: Final = 2
"""Refused authors of whom it is asked at the same time whether they see the channel."""
_TOO_EARLY: Final = frozenset({"no_thread", "no_quoted"})
_BY_GRANTS: Final = frozenset({"forbidden", "frozen", "not_member"})
"""Verdicts that depend on what an app grants."""


class SendMessage(Payload, frozen=True, kw_only=True):
    """Body of `POST /v1/channels/{id}/messages`. `user_id` is for a server alone; `id` makes a retry safe."""

    id: NewMessageId | None = None
    text: Text | None = None
    attachments: Attachments | None = None
    custom: dict[str, Any] | None = None
    silent: bool = False
    thread_id: MessageId | None = None
    also_in_channel: bool = False
    quoted_id: MessageId | None = None
    mentions: Mentions | None = None
    system: bool = False
    user_id: UserId | None = None


class MessageSendPacket(SendMessage, frozen=True, kw_only=True):
    """Packet of `message.send`."""

    channel_id: ChannelId


class Sent(msgspec.Struct, frozen=True):
    """A stored message as everybody sees it: `data` is `{"message": …}` as JSON. `created` is false when this id was
    stored before."""

    data: bytes
    created: bool

    @property
    def message(self) -> MessageView:
        """The message."""
        message: MessageView = orjson.loads(self.data)["message"]
        return message


class SendService:
    """Sends for both edges. Holds no transaction: the flush has its own."""

    def __init__(
        self, flusher: Flusher, shard: Shard, activity: ActivityTracker, limiter: Limiter, pace: Pace | None = None
    ) -> None:
        self._limiter = limiter
        self._pace = pace or Pace(shard, limiter)
        self._flusher = flusher
        self._shard = shard
        self._activity = activity
        self._seen: dict[tuple[UUID, str | None, str], float] = {}
        self._looks: dict[tuple[UUID, str | None, str], asyncio.Lock] = {}
        self._looking = asyncio.Semaphore(_LOOKS)

    async def send(self, caller: Caller, channel_id: str, body: SendMessage) -> Sent:
        """Store the message and return it, in the order of the calls within a channel.

        Raises `NotFound` for a channel that the author does not see, `MessageIdTaken` when the id stands for something
        else, `PermissionMissing`, `ChannelFrozen`, `Blocked`, `UserDeactivated`, `QuotaExceeded`, `RateLimited` for a
        busy channel, `ChannelSlow`, `Unavailable`, `Overloaded`, `InvalidInput`. Nothing is awaited before the message
        is queued (but for a plan that is full, for a slow channel, and for a limit whose waiters are served in order),
        which keeps a sender's order.
        """
        user_id = caller.acting_as(body.user_id)
        content = check_content(body.text, body.attachments, body.custom)
        extra = extra_of(body)
        now = self._shard.clock.now()
        check_messages(caller.app, now)
        check_storage(caller.app, now)
        active = self._activity.is_active(caller.app_id, user_id, now)
        if not active and check_new_active(caller.app, now):
            # The rare case of a full plan: asks the shard whether the author counts already, and refuses otherwise.
            await self._activity.touch(caller.app, caller.app_id, user_id, now)
            active = True
        message = NewMessage(
            app_id=caller.app_id,
            channel_id=channel_id,
            id=parse_message_id(body.id) if body.id is not None else self._shard.ids.uuid7(),
            user_id=user_id,
            text=content.text,
            attachments=content.attachments_json,
            custom=content.custom_json,
            # What the channel does not count: the system's words, and what is in a thread alone.
            silent=body.silent or body.system or (body.thread_id is not None and not body.also_in_channel),
            content_hash=content_hash(
                user_id, channel_id, content.text, content.attachments, content.custom, body.silent, extra
            ),
            by_server=caller.is_server,
            count_active=not active,
            subject=subject_of(caller.app, user_id),
            extra=orjson.dumps(extra).decode() if extra is not None else None,
        )
        bucket = self._limiter.bucket(caller.app, MESSAGES_CHANNEL, channel_id)
        slow = None
        if seconds := self._pace.seconds(caller.app_id, channel_id):
            slow = await self._pace.admit(caller, channel_id, seconds, message.id)
        await self._room_in_channel(caller, channel_id, bucket)
        judged_by = self._shard.grants.of(caller.app_id).seq
        verdict = await self._flusher.append(message)
        by_grants = verdict.verdict in _BY_GRANTS or verdict.verdict.startswith("lacks:")
        if by_grants and await self._shard.grants.newer_than(caller.app_id, judged_by):
            # Refused by what this node remembered of the app's grants, and they have changed since.
            verdict = await self._flusher.append(message)
        elif verdict.verdict in _TOO_EARLY:
            # What it answers may have waited in the same flush.
            verdict = await self._flusher.append(message)
        if verdict.verdict != "created":
            self._limiter.give_back(bucket)  # who is no member must not use up what the members have
            if slow is not None:
                self._limiter.give_back(slow)
        match verdict.verdict:
            case "created":
                if message.count_active:
                    self._activity.remember(caller.app_id, user_id, verdict.created_at)
                if message.extra is not None:
                    return Sent(orjson.dumps({"message": message_view(stored_row(message, verdict))}), True)
                return Sent(verdict.data or created_data(message, verdict), True)
            case "duplicate":
                # Stored before, and perhaps edited since: answer with what is there now.
                return Sent(orjson.dumps({"message": message_view(await self._read(caller, message.id))}), False)
            case "conflict":
                raise MessageIdTaken()
            case "frozen":
                raise ChannelFrozen("This channel is frozen; its members can read, but not write.")
            case "blocked":
                raise Blocked()
            case "deactivated":
                raise UserDeactivated("This user is deactivated and sends nothing.", user_id=user_id)
            case "forbidden":
                raise PermissionMissing.of(Permission.MESSAGE_SEND)
            case "no_thread":
                raise NotFound("`thread_id` names no message of this channel.", field="thread_id")
            case "in_thread":
                raise NestedReply(thread_id=body.thread_id)
            case "thread_deleted":
                raise MessageDeleted("The message that the thread hangs on was deleted.")
            case "no_quoted":
                raise NotFound("`quoted_id` names no message of this channel.", field="quoted_id")
            case lacks if lacks.startswith("lacks:"):
                raise PermissionMissing.of(Permission(lacks.removeprefix("lacks:")))
            case "no_user":
                raise InvalidInput(f"There is no user `{user_id}`; create it first.", field="user_id")
            case _:
                raise no_channel()

    async def _room_in_channel(self, caller: Caller, channel_id: str, bucket: Bucket) -> None:
        try:
            if not self._limiter.try_pass((bucket,)):
                await self._limiter.admit((bucket,))
        except RateLimited:
            # How busy a channel is, is nothing to tell to those who may not see it.
            await self._look_once(caller, channel_id)
            raise

    async def _look_once(self, caller: Caller, channel_id: str) -> None:
        """Raise `NotFound` for a channel that the author does not see. Whoever floods has many sends refused in one
        moment, and asks once; and all who do share a line of two, because others wait for the same connections."""
        key, clock = (caller.app_id, caller.user_id, channel_id), self._shard.clock
        if self._seen.get(key, 0.0) > clock.monotonic():
            return
        async with self._looks.setdefault(key, asyncio.Lock()):
            try:
                if self._seen.get(key, 0.0) > clock.monotonic():
                    return
                async with self._looking, self._shard.unit_of_work(caller.app_id, read_only=True) as uow:
                    await visible_channel(self._shard, uow, caller, channel_id)
                if len(self._seen) >= _MOST_SEEN:
                    self._seen.clear()
                self._seen[key] = clock.monotonic() + _SEEN
            finally:
                self._looks.pop(key, None)

    async def _read(self, caller: Caller, message_id: UUID) -> MessageRow:
        async with self._shard.unit_of_work(caller.app_id, read_only=True) as uow:
            found = await MessageRepository(uow.session, caller.app_id).find(message_id, caller.user_id)
        if found is None:
            raise no_message()
        return found.row


def extra_of(body: SendMessage) -> dict[str, Any] | None:
    """What the message is besides its content, as it is stored; null for a plain one. Raises `InvalidInput`."""
    extra: dict[str, Any] = {}
    if body.thread_id is not None:
        extra["thread_id"] = str(parse_id("msg", body.thread_id, field="thread_id"))
        if body.also_in_channel:
            extra["also_in_channel"] = True
    elif body.also_in_channel:
        raise InvalidInput("`also_in_channel` is for replies: give `thread_id`, too.", field="also_in_channel")
    if body.quoted_id is not None:
        extra["quoted_id"] = str(parse_id("msg", body.quoted_id, field="quoted_id"))
    if (mentions := body.mentions) is not None:
        if "member" in mentions.roles:
            raise InvalidInput("Whoever means all members mentions the `channel`.", field="mentions.roles")
        many = {"channel": mentions.channel, "here": mentions.here, "roles": sorted(set(mentions.roles))}
        said = {name: value for name, value in many.items() if value}
        if mentions.users or said:
            extra["mentions"] = {"users": list(dict.fromkeys(mentions.users)), **said}
    if body.system:
        extra["system"] = True
    return extra or None


def parse_message_id(text: str) -> UUID:
    """A client-made message id: `msg_` and 26 characters, or a UUID in its usual form; version 7 in both.

    Raises `InvalidInput` that says how to make one.
    """
    try:
        value = decode(text[4:]) if text.startswith("msg_") else UUID(text)
    except ValueError:
        value = None
    if value is None or value.version != 7:
        raise InvalidInput("`id` must be a UUIDv7, as text or as `msg_…`; leave it out to have one made.", field="id")
    return value


def stored_row(message: NewMessage, verdict: Verdict) -> MessageRow:
    """The row that a created message became."""
    return MessageRow(
        id=message.id,
        channel_id=message.channel_id,
        seq=verdict.seq,
        number=verdict.number,
        user_id=message.user_id,
        text=message.text,
        attachments=msgspec.json.decode(message.attachments) if message.attachments else [],
        custom=msgspec.json.decode(message.custom) if message.custom else {},
        silent=message.silent,
        created_at=verdict.created_at,
        updated_at=verdict.created_at,
        extra=verdict.extra,
    )


def created_data(message: NewMessage, verdict: Verdict) -> bytes:
    """What the event of a created message carries, and the sender's answer, as JSON: `{"message": …}`; the event of a
    reply its thread, too."""
    return orjson.dumps(message_data(stored_row(message, verdict)))


def created_entry(message: NewMessage, verdict: Verdict, epoch: str) -> Entry:
    """The log entry of a created message, for the fan-out. Leaves its data with the verdict, for the answer."""
    verdict.data = created_data(message, verdict)
    return make_entry(
        app_id=message.app_id,
        log=channel_log(message.channel_id),
        seq=verdict.seq,
        epoch=epoch,
        type="message.created",
        at=verdict.created_at,
        actor=message.user_id,
        data=verdict.data,
        shows=shown_seqs(verdict.extra.get("quoted"), verdict.extra.get("thread")) if verdict.extra else (),
    )


def socket_route(service: SendService) -> SocketRoute:
    """`message.send`, acknowledged with `{message}` after the commit."""

    async def handle(caller: Caller, packet: MessageSendPacket) -> bytes:
        return (await service.send(caller, packet.channel_id, packet)).data

    return SocketRoute("message.send", MessageSendPacket, handle)
