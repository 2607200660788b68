"""Events about read and delivery positions."""

from typing import Final

from data_plane.events import ClientEvent, Data, Place, ServerEvent
from data_plane.receipts.schemas import ReadAllPacket, ReceiptPacket, UnreadMarkPacket
from data_plane.receipts.views import DeliveredPosition, Mark, MovedChannel, Privacy, ReadAll, ReadPosition

READ: Final = "receipts.read"
DELIVERED: Final = "receipts.delivered"


class UnreadCleared(Data):
    """Data of `unread.cleared`."""

    channels: list[MovedChannel]


class Receipts(Data):
    """Data of `receipts.read` and `receipts.delivered`."""

    aggregated: bool
    """The channel has more than 100 members: `count` of them have read, or got, its newest message, `number`."""
    positions: list[Mark]
    number: int | None
    count: int | None


EVENTS: Final = (
    ServerEvent(
        "unread.changed",
        Place.USER,
        ReadPosition,
        "Your read position moved, on any of your devices; back only when `marked_unread`.",
    ),
    ServerEvent("unread.cleared", Place.USER, UnreadCleared, "You have read several channels to their ends at once."),
    ServerEvent("privacy.changed", Place.USER, Privacy, "You chose what others see of your reading."),
    ServerEvent(
        READ,
        Place.PASSING,
        Receipts,
        "How far members have read now, those alone who moved; put together for a quarter of a second.",
    ),
    ServerEvent(
        DELIVERED,
        Place.PASSING,
        Receipts,
        "How far messages have reached members' devices now, likewise. What was read was delivered, without a word.",
    ),
)
CALLS: Final = (
    ClientEvent("receipt.read", ReceiptPacket, ReadPosition, "Mark a channel read, up to a message or all of it."),
    ClientEvent("receipt.delivered", ReceiptPacket, DeliveredPosition, "Say that messages have reached this device."),
    ClientEvent("receipt.read_all", ReadAllPacket, ReadAll, "Mark all channels read, or those of a type."),
    ClientEvent(
        "unread.mark", UnreadMarkPacket, ReadPosition, "Mark a message and all after it unread; the position goes back."
    ),
)
