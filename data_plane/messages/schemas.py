"""What a message may hold, and the payloads of requests and packets about messages."""

from hashlib import sha256
from typing import Annotated, Any, Final

import msgspec
import orjson

from data_plane.custom import MAX_CUSTOM_BYTES, check_json
from data_plane.dependencies import MESSAGE_ID_PATTERN, CustomerId
from data_plane.gateway.routes import Payload
from kernel.errors import InvalidInput
from kernel.ids import ID_CHARACTER

MAX_TEXT: Final = 20_000
"""Characters."""
MAX_ATTACHMENTS: Final = 30
MAX_ATTACHMENTS_BYTES: Final = 16_000
"""All attachments of a message together, as JSON."""
HASH_BYTES: Final = 16
MAX_NUMBER: Final = 2**53 - 1
"""The largest integer that every JSON reader keeps as it is."""


class MessageContent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Checked content. The `…_json` fields are the same values as JSON text, null when empty, as they are stored."""

    text: str
    attachments: list[dict[str, Any]]
    custom: dict[str, Any]
    attachments_json: str | None
    custom_json: str | None


def check_content(
    text: str | None, attachments: list[dict[str, Any]] | None, custom: dict[str, Any] | None
) -> MessageContent:
    """Check the rules that every stored message keeps. Raises `InvalidInput` that names the field.

    Text is at most 20,000 characters, attachments at most 30 objects of 16 kB together, custom at most 5 kB, both at
    most 8 levels deep; a message needs text that is not blank, or an attachment.
    """
    text = text or ""
    if len(text) > MAX_TEXT:
        raise InvalidInput(f"`text` has {len(text):,} characters; at most {MAX_TEXT:,} fit.", field="text")
    if "\x00" in text or not (text.isascii() or _encodes(text)):
        raise InvalidInput("`text` holds a character that text cannot store (NUL or half a surrogate).", field="text")
    if not attachments and not text.strip():
        raise InvalidInput("A message needs `text` or at least one attachment.", field="text")
    return MessageContent(
        text=text,
        attachments=attachments or [],
        custom=custom or {},
        attachments_json=_attachments_json(attachments) if attachments else None,
        custom_json=check_json(custom, field="custom", max_bytes=MAX_CUSTOM_BYTES).decode() if custom else None,
    )


def content_hash(
    user_id: str,
    channel_id: str,
    text: str,
    attachments: list[dict[str, Any]] | None,
    custom: dict[str, Any] | None,
    silent: bool,
    extra: dict[str, Any] | None = None,
) -> bytes:
    """16 bytes that are equal exactly when two sends say the same; absent and empty are the same. For checked content.

    SHA-256, cut, over JSON with sorted keys.
    """
    content = [user_id, channel_id, text, attachments or [], custom or {}, silent]
    if extra is not None:
        content.append(extra)
    said = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    return sha256(said).digest()[:HASH_BYTES]


def _attachments_json(attachments: list[dict[str, Any]]) -> str:
    if len(attachments) > MAX_ATTACHMENTS:
        raise InvalidInput(f"A message holds at most {MAX_ATTACHMENTS} attachments.", field="attachments")
    if not all(isinstance(item, dict) for item in attachments):
        raise InvalidInput("`attachments` must be a list of JSON objects.", field="attachments")
    return check_json(attachments, field="attachments", max_bytes=MAX_ATTACHMENTS_BYTES).decode()


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


MessageId = Annotated[str, msgspec.Meta(max_length=64, extra_json_schema={"pattern": MESSAGE_ID_PATTERN})]
"""`msg_…`; its form is checked where it is parsed."""
_UUID7: Final = "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-7[0-9A-Fa-f]{3}-[89ABab][0-9A-Fa-f]{3}-[0-9A-Fa-f]{12}"
_MSG7: Final = f"msg_[0-7]{ID_CHARACTER}{{9}}[ef]{ID_CHARACTER}{{2}}[89abrstv]{ID_CHARACTER}{{12}}"
NewMessageId = Annotated[str, msgspec.Meta(max_length=64, extra_json_schema={"pattern": f"^({_MSG7}|{_UUID7})$"})]
"""A UUIDv7 that a client made, as `msg_…` or in its usual form; checked where it is parsed."""
UserId = CustomerId
ChannelId = CustomerId
Text = Annotated[str, msgspec.Meta(max_length=MAX_TEXT)]
Attachments = Annotated[list[dict[str, Any]], msgspec.Meta(max_length=MAX_ATTACHMENTS)]

MAX_MENTIONED: Final = 50
RoleWord = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class Mentions(Payload, frozen=True, kw_only=True):
    """Whom a message mentions. `channel` is everybody in it, `here` whoever is present, `roles` their members."""

    users: Annotated[list[UserId], msgspec.Meta(max_length=MAX_MENTIONED)] = msgspec.field(default_factory=list)
    channel: bool = False
    here: bool = False
    roles: Annotated[list[RoleWord], msgspec.Meta(max_length=10)] = msgspec.field(default_factory=list)


Unset = Annotated[list[Annotated[str, msgspec.Meta(max_length=256)]], msgspec.Meta(max_length=100)]


class EditMessage(Payload, frozen=True, kw_only=True):
    """Body of `PATCH /v1/messages/{id}`: what is left out stays as it is. `user_id` is for a server alone.

    `custom` replaces all of the custom data; `set` and `unset` name fields of it to set and to take away.
    """

    text: Text | msgspec.UnsetType = msgspec.UNSET
    attachments: Attachments | msgspec.UnsetType = msgspec.UNSET
    custom: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    set: dict[str, Any] = msgspec.field(default_factory=dict)
    unset: Unset = msgspec.field(default_factory=list)
    user_id: UserId | None = None


class MessageUpdatePacket(Payload, frozen=True, kw_only=True):
    """Packet of `message.update`: as the body of `PATCH /v1/messages/{id}`."""

    id: MessageId
    text: Text | msgspec.UnsetType = msgspec.UNSET
    attachments: Attachments | msgspec.UnsetType = msgspec.UNSET
    custom: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    set: dict[str, Any] = msgspec.field(default_factory=dict)
    unset: Unset = msgspec.field(default_factory=list)

    def wish(self) -> EditMessage:
        """The same without the message."""
        return EditMessage(
            text=self.text, attachments=self.attachments, custom=self.custom, set=self.set, unset=self.unset
        )


class RestoreMessage(Payload, frozen=True, kw_only=True):
    """Body of `POST /v1/messages/{id}/restore`. `user_id`: in whose name, for a server."""

    user_id: UserId | None = None


class MessageDeletePacket(Payload, frozen=True, kw_only=True):
    """Packet of `message.delete`. `hard`: for good."""

    id: MessageId
    hard: bool = False


class HideMessage(Payload, frozen=True, kw_only=True):
    """Body of `POST /v1/messages/{id}/hide`. `user_id`: from whom, for a server to name."""

    user_id: UserId | None = None


class MessageHidePacket(Payload, frozen=True, kw_only=True):
    """Packet of `message.hide`."""

    id: MessageId


class MessageRestorePacket(Payload, frozen=True, kw_only=True):
    """Packet of `message.restore`."""

    id: MessageId
