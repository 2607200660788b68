"""Bodies and packets about positions."""

from typing import Annotated

import msgspec

from data_plane.gateway.routes import Payload
from data_plane.grants.schemas import TypeName
from data_plane.messages.schemas import MAX_NUMBER, ChannelId, MessageId, UserId

Number = Annotated[int, msgspec.Meta(ge=0, le=MAX_NUMBER)]


class MarkRead(Payload, frozen=True, kw_only=True):
    """Body of `POST /v1/channels/{id}/read`, and of `…/delivered`: up to a message, by number or id; neither means
    everything."""

    number: Number | None = None
    message_id: MessageId | None = None
    user_id: UserId | None = None


class MarkUnread(Payload, frozen=True, kw_only=True):
    """Body of `POST /v1/channels/{id}/unread`: the first message that shall be unread, by number or id."""

    number: Number | None = None
    message_id: MessageId | None = None
    user_id: UserId | None = None


class ReadEverything(Payload, frozen=True, kw_only=True):
    """Body of `POST /v1/read`: all channels, or those of a type."""

    type: TypeName | None = None
    user_id: UserId | None = None


class PutPrivacy(Payload, frozen=True, kw_only=True):
    """Body of `PUT /v1/users/{id}/privacy`: what is left out stays."""

    read_receipts: bool | None = None
    delivery_receipts: bool | None = None


class ReceiptPacket(Payload, frozen=True, kw_only=True):
    """Packet of `receipt.read` and `receipt.delivered`: up to a message, by number or id; neither means everything."""

    channel_id: ChannelId
    number: Number | None = None
    message_id: MessageId | None = None


class UnreadMarkPacket(ReceiptPacket, frozen=True, kw_only=True):
    """Packet of `unread.mark`: the first message that shall be unread, by number or id."""


class ReadAllPacket(Payload, frozen=True, kw_only=True):
    """Packet of `receipt.read_all`: all channels, or those of a type."""

    type: TypeName | None = None
